"""Entry point of `python -m ppocr_serving`."""

import sys

from ppocr_serving.cli import serve


def main() -> int:
    """Run the command that the arguments name; without one, serve."""
    if sys.argv[1:2] == ["read"]:
        from ppocr_serving.cli import read

        return read.main(sys.argv[2:])
    if sys.argv[1:2] == ["models"]:
        from ppocr_serving.cli import models

        return models.main(sys.argv[2:])
    return serve.main()


if __name__ == "__main__":
    sys.exit(main())
