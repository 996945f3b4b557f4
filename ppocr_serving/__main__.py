"""Entry point of `python -m ppocr_serving`."""

import sys

from ppocr_serving.cli.serve import main

if __name__ == "__main__":
    sys.exit(main())
