"""Serve the four modules without PaddleHub."""

import argparse
import os
import sys
import tempfile

from ppocr_serving.errors import InvalidSetting, OcrError

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        1 if the service cannot be started; a server that has been started ends the process by itself.
    """
    argparse.ArgumentParser(
        prog="python -m ppocr_serving",
        description="Serve OCR on the port PORT (else FC_CUSTOM_LISTEN_PORT, else 9000). Settings are environment "
        "variables; docs/settings.md lists them.",
    ).parse_args()
    # Some platforms keep only what is printed to the standard output.
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    try:
        _serve()
    except OcrError as error:
        sys.stderr.write(f"ppocr_serving: {error}\n")
    return 1


def _serve() -> None:
    _require_writable()

    from ppocr_serving.settings import load_settings

    settings = load_settings()

    # What is wrong so far is said before the heavy part is imported.
    from ppocr_serving.models import ROLES
    from ppocr_serving.reading.reader import Reader
    from ppocr_serving.server import serve
    from ppocr_serving.web.hubserving import MODULES

    reader = Reader(settings=settings, roles=ROLES)  # ocr_cls is served whatever ocr_system does
    serve(dict.fromkeys(MODULES, reader), settings.server)


def _require_writable() -> None:
    # gunicorn's processes tell each other by files that they are alive, and end in a stack trace where they cannot.
    try:
        with tempfile.TemporaryFile() as probe:
            probe.write(b"probe")
    except OSError as error:
        folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # named only
        raise InvalidSetting(
            f"cannot write to {folder}: it is full or read-only; free some space, or mount a tmpfs there"
        ) from error
