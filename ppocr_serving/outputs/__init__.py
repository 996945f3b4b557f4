"""Documents in the formats that people and other programs expect.

    from ppocr_serving.outputs import FORMATS, Item, write

Importing this is cheap: what a format takes is imported when something is written in it.
"""

from typing import TYPE_CHECKING

from ppocr_serving.outputs.formats import FORMATS, Format
from ppocr_serving.outputs.items import Item, Origin, PageSource
from ppocr_serving.outputs.writing import write

if TYPE_CHECKING:
    from ppocr_serving.outputs.sources import FileSource

__all__ = ["FORMATS", "FileSource", "Format", "Item", "Origin", "PageSource", "write"]


def __getattr__(name: str) -> object:
    if name != "FileSource":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ppocr_serving.outputs.sources import FileSource  # imports what opens files

    return FileSource
