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
        1 if the service cannot be started; once started, the server exits the process itself.
    """
    argparse.ArgumentParser(
        prog="python -m ppocr_serving",
        description="Serve OCR on port PORT (or FC_CUSTOM_LISTEN_PORT, or 9000). Settings are environment "
        "variables; docs/settings.md lists them.",
    ).parse_args()
    # Some platforms collect standard output only.
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

    # The heavy imports come last, so that the errors above are reported at once.
    from ppocr_serving.models import ROLES
    from ppocr_serving.reading.reader import Reader
    from ppocr_serving.server import serve
    from ppocr_serving.web.hubserving import MODULES

    reader = Reader(settings=settings, roles=ROLES)  # ocr_cls is served even if ocr_system does not use it
    serve(dict.fromkeys(MODULES, reader), settings.server)


def _require_writable() -> None:
    # gunicorn's workers report through temporary files that they are alive, and crash if they cannot write them.
    try:
        with tempfile.TemporaryFile() as probe:
            probe.write(b"probe")
    except OSError as error:
        folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  # only named in the message
        raise InvalidSetting(
            f"cannot write to {folder}: it is full or read-only; free some space, or mount a tmpfs there"
        ) from error
