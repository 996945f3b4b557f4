"""Documents in the formats that people and other programs expect.

    from ppocr_serving.outputs import FORMATS, Item, write

Importing this is cheap: what a format takes is imported when something is written in it.
"""

from ppocr_serving.outputs.formats import FORMATS, Format
from ppocr_serving.outputs.items import Item, Origin, PageSource
from ppocr_serving.outputs.writing import write

__all__ = ["FORMATS", "Format", "Item", "Origin", "PageSource", "write"]
