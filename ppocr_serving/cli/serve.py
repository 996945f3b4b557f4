"""Serve the four modules without PaddleHub."""

import argparse
import os

from ppocr_serving.errors import OcrError

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        1 if the service cannot be started; once started, the server exits the process itself.
    """
    argparse.ArgumentParser(
        prog="python -m ppocr_serving",
        description="Serve OCR on port PORT (or FC_CUSTOM_LISTEN_PORT, or 9000). Settings are environment "
        "variables; docs/settings.md lists them. `python -m ppocr_serving models --help` is about the models' files.",
    ).parse_args()
    _open_standard_files()
    # Some platforms collect standard output only.
    os.dup2(1, 2)
    try:
        _serve()
    except OcrError as error:
        os.write(2, f"ppocr_serving: {error}\n".encode())
    return 1


def _serve() -> None:
    from ppocr_serving.settings import load_settings

    settings = load_settings()

    # The heavy imports come last, so that the errors above are reported at once.
    from ppocr_serving.models import ROLES
    from ppocr_serving.reading.reader import Reader
    from ppocr_serving.server import serve
    from ppocr_serving.web.hubserving import MODULES

    reader = Reader(settings=settings, roles=ROLES)  # ocr_cls is served even if ocr_system does not use it
    serve(dict.fromkeys(MODULES, reader), settings.server)


def _open_standard_files() -> None:
    # If one was closed when the process started, the next file, a client's connection, would take its place.
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:  # standard error
        pass
    os.close(file)
