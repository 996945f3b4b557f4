"""OCRmyPDF's engine: `ocrmypdf --plugin ppocr_serving.integrations.ocrmypdf_plugin in.pdf out.pdf`.

It takes the place of Tesseract, which need not be installed.
"""

import os
from argparse import ArgumentParser
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final, NoReturn

import pluggy
from ocrmypdf import OcrOptions, hookimpl
from ocrmypdf.builtin_plugins import tesseract_ocr
from ocrmypdf.exceptions import BadArgsError, ExitCodeException, MissingDependencyError
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence
from PIL import Image
from pydantic import BaseModel

from ppocr_serving import __version__
from ppocr_serving.errors import EngineError, ModelNotFound, OcrError
from ppocr_serving.integrations.ocr_source import OcrSource, source_of
from ppocr_serving.integrations.tesseract_languages import tesseract_names
from ppocr_serving.outputs import Item, write
from ppocr_serving.outputs.shapes import angle_of, size_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Document, Page

__all__ = ["PpocrEngine", "PpocrOptions", "add_options", "check_options", "get_ocr_engine", "initialize"]

_SURE: Final = 20.0  # confidence of a page whose lines are all certain; --rotate-pages-threshold is 14 unless set
_MAX_SKEW: Final = 20.0  # degrees; a line that is tilted by more is meant to be

_sources: dict[tuple[int, str | None], OcrSource] = {}
_making_one: Final = Lock()


class PpocrOptions(BaseModel):
    """Options of this plugin.

    Attributes:
        url: Address of a server that reads the pages; None reads them in OCRmyPDF's own processes.
    """

    url: str | None = None


@hookimpl
def initialize(plugin_manager: pluggy.PluginManager) -> None:
    """Take the place of Tesseract's plugin, which would refuse to work without the program."""
    if plugin_manager.is_registered(tesseract_ocr):
        plugin_manager.unregister(tesseract_ocr)


@hookimpl
def register_options() -> dict[str, type[BaseModel]]:
    """Return the options: this plugin's, and Tesseract's, which OCRmyPDF looks at in any case."""
    return {"ppocr": PpocrOptions, "tesseract": tesseract_ocr.TesseractOptions}


@hookimpl
def add_options(parser: ArgumentParser) -> None:
    """Add the options to the command; those of Tesseract are accepted and have no effect."""
    group = parser.add_argument_group("ppocr-serving", "OCR with PaddleOCR's models; PPOCR_* set the rest")
    group.add_argument(
        "--ppocr-url", metavar="URL", help="have this server read the pages, such as http://127.0.0.1:9000"
    )
    tesseract_ocr.TesseractOptions.add_arguments_to_parser(parser)


@hookimpl
def check_options(options: OcrOptions) -> None:
    """Refuse what this engine cannot do.

    Raises:
        ExitCodeException: Options, models or settings are not usable.
    """
    if options.ocr_engine == "tesseract":
        raise BadArgsError("--ocr-engine tesseract: leave out the plugin of ppocr-serving to use Tesseract")
    if options.pdf_renderer == "sandwich":
        raise BadArgsError("--pdf-renderer sandwich: is made for Tesseract; leave it out")
    _source(options)


@hookimpl
def get_ocr_engine(options: OcrOptions | None) -> OcrEngine | None:
    """Return this engine, unless another one is chosen."""
    return PpocrEngine() if options is None or options.ocr_engine == "auto" else None


class PpocrEngine(OcrEngine):
    """Reads pages with PaddleOCR's models."""

    @staticmethod
    def version() -> str:
        """Return the version of this package."""
        return __version__

    @staticmethod
    def creator_tag(options: OcrOptions) -> str:  # noqa: ARG004
        """Return what files say of their origin."""
        return f"ppocr-serving {__version__}"

    def __str__(self) -> str:
        return f"ppocr-serving {__version__}"

    @staticmethod
    def languages(options: OcrOptions) -> Set[str]:
        """Return what the models read, as Tesseract calls it. They read all of it at once, whichever is chosen."""
        with _telling_errors(BadArgsError):
            return tesseract_names(_source(options).describe()["languages"])

    @staticmethod
    def get_orientation(input_file: Path, options: OcrOptions) -> OrientationConfidence:
        """Return how far the page is turned clockwise, and how sure that is."""
        page = _read(input_file, options).document.pages[0]
        if not page.lines:
            return OrientationConfidence(0, 0.0)
        mean = sum(line.confidence for line in page.lines) / len(page.lines)
        return OrientationConfidence(-page.angle % 360, _SURE * mean)

    @staticmethod
    def get_deskew(input_file: Path, options: OcrOptions) -> float:
        """Return by how many degrees the page has to be turned counter-clockwise for its lines to be level."""
        return _skew(_read(input_file, options).document.pages[0])

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: OcrOptions) -> None:
        """Write a page as hOCR."""
        item = _read(input_file, options)
        output_hocr.write_bytes(write([item], "hocr"))
        output_text.write_bytes(write([item], "text"))

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: OcrOptions) -> NoReturn:
        """Not used: `check_options` refuses the renderer that asks for it, which is made for Tesseract's fonts."""
        raise NotImplementedError


def _read(file: Path, options: OcrOptions) -> Item:
    """Read the picture of a page."""
    with _telling_errors():
        item = _source(options).read(file.read_bytes(), ReadOptions(words=True))
        (page,) = item.document.pages
        if page.error is not None:
            raise page.error
    with Image.open(file) as picture:
        dpi = picture.info.get("dpi", (None,))[0]
    page = replace(page, dpi=None if dpi is None else float(dpi))
    return item._replace(document=Document((page,)))


def _source(options: OcrOptions) -> OcrSource:
    """Return what reads the pages: one for all threads of a process, and not that of the process it is forked from."""
    key = (os.getpid(), options.ppocr.url)
    with _making_one, _telling_errors(BadArgsError):
        if key not in _sources:
            _sources[key] = source_of(options.ppocr.url)
        return _sources[key]


@contextmanager
def _telling_errors(kind: type[ExitCodeException] = ExitCodeException) -> Iterator[None]:
    """Have OCRmyPDF report errors of the enclosed block in one line.

    Args:
        kind: What they are to OCRmyPDF, which reports only some kinds before it has looked at the file.
    """
    try:
        yield
    except (EngineError, ModelNotFound, ModuleNotFoundError) as error:
        raise MissingDependencyError(f"ppocr-serving: {error}") from error
    except OcrError as error:
        raise kind(f"ppocr-serving: {error}") from error


def _skew(page: Page) -> float:
    """Return the angle of the lines in degrees clockwise: of half of their length it is less, of half more."""
    tilts = sorted(
        (angle, size_of(line.box).width) for line in page.lines if abs(angle := angle_of(line.box)) <= _MAX_SKEW
    )
    half = sum(width for _, width in tilts) / 2
    for angle, width in tilts:
        half -= width
        if half <= 0:
            return angle
    return 0.0
