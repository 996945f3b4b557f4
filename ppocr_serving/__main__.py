"""`python -m ppocr_serving`: serves the four tasks without PaddleHub, as `start.sh` does with it.

Environment: PORT (else FC_CUSTOM_LISTEN_PORT, else 9000), and the settings of the service.
"""

import argparse
import os
import sys
import tempfile

from ppocr_serving.errors import InvalidSetting, OcrError

__all__ = ["main"]


def main() -> int:
    """Runs the command line.

    Returns:
        1 if it cannot be started; a server that has been started ends the process by itself.
    """
    argparse.ArgumentParser(
        prog="python -m ppocr_serving",
        description="Serve character recognition on the port PORT (else FC_CUSTOM_LISTEN_PORT, else 9000). Settings "
        "are environment variables; docs/settings.md has all of them.",
    ).parse_args()
    # Some platforms keep only what is printed to the standard output.
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    try:
        _serve()
    except OcrError as error:
        sys.stderr.write(f"ppocr_serving: {error}\n")
    return 1


def _serve() -> None:
    port = _port(os.environ.get("PORT") or os.environ.get("FC_CUSTOM_LISTEN_PORT") or "9000")
    _require_writable()

    # What is wrong above is said before the heavy part is imported.
    from ppocr_serving.http.serving import serve_tasks
    from ppocr_serving.settings import load_settings
    from ppocr_serving.tasks import TASK_NAMES, create_task

    settings = load_settings()
    serve_tasks({name: create_task(name, settings) for name in TASK_NAMES}, port, settings.workers)


def _port(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) <= 5 and 1 <= int(value) <= 65535:
        return int(value)
    raise InvalidSetting(f"port {value!r} is no number from 1 to 65535; set PORT or FC_CUSTOM_LISTEN_PORT")


def _require_writable() -> None:
    # gunicorn's processes tell each other by files that they are alive, and end in a stack trace where they cannot.
    try:
        with tempfile.TemporaryFile() as probe:
            probe.write(b"probe")
    except OSError as error:
        folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # named only
        raise InvalidSetting(
            f"nothing can be written to {folder}: it is full or read-only; make room, or mount a tmpfs there"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
