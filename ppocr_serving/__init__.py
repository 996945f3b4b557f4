"""OCR with PaddleOCR's models, as a library and as an HTTP service.

Importing the package is cheap: engines and OpenCV load where they are first used.
"""

TYPE_CHECKING = False  # avoids importing `typing`
if TYPE_CHECKING:
    from ppocr_serving.errors import OcrError
    from ppocr_serving.reading.options import ReadOptions
    from ppocr_serving.reading.reader import Reader
    from ppocr_serving.results import Document, Line, Page, Word

__all__ = ["Document", "Line", "OcrError", "Page", "ReadOptions", "Reader", "Word"]

__version__ = "1.0.0"

_SUBMODULES = {
    "OcrError": "errors",
    "ReadOptions": "reading.options",
    "Reader": "reading.reader",
    "Document": "results",
    "Line": "results",
    "Page": "results",
    "Word": "results",
}


def __getattr__(name: str) -> object:
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_SUBMODULES[name]}"), name)
