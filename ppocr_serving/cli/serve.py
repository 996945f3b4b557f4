"""Serve the four modules without PaddleHub."""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ppocr_serving.cli.commands import PROGRAM
from ppocr_serving.errors import OcrError

if TYPE_CHECKING:
    from ppocr_serving.reading.reader import Reader

__all__ = ["build_parser", "main"]

_EXAMPLES = f"""examples:
  {PROGRAM} serve
  PORT=9001 PPOCR_HOST=127.0.0.1 PPOCR_WORKERS=2 {PROGRAM} serve

The exit status is 1 if the service cannot be started.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ppocr serve`."""
    return argparse.ArgumentParser(
        prog=f"{PROGRAM} serve",
        description="Serve OCR over HTTP on port PORT (or FC_CUSTOM_LISTEN_PORT, or 9000). Settings are environment "
        "variables; docs/settings.md lists them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr serve`.

    Args:
        arguments: What follows the command.

    Returns:
        1 if the service cannot be started; once started, the server exits the process itself.
    """
    build_parser().parse_args(arguments)
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

    # These imports come after it, so that its errors are reported at once.
    from ppocr_serving.models import ROLES
    from ppocr_serving.reading.ahead import load_ahead
    from ppocr_serving.reading.specs import models_in_use, require_models
    from ppocr_serving.server import serve
    from ppocr_serving.web.contract import MODULE_NAMES

    require_models(settings, ROLES)  # ocr_cls is served even if ocr_system does not use it

    def assemble() -> "dict[str, Reader]":
        pool = load_ahead(settings, ("det", "rec"))
        from ppocr_serving.reading.reader import Reader  # heavy

        return dict.fromkeys(MODULE_NAMES, Reader(settings=settings, pool=pool, roles=ROLES))

    serve(MODULE_NAMES, assemble, settings.server, (models_in_use(settings, ROLES),))


def _open_standard_files() -> None:
    # If one was closed when the process started, the next file, a client's connection, would take its place.
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:  # standard error
        pass
    os.close(file)
