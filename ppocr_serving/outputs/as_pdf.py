"""Documents as searchable PDF: their pictures under invisible text, or a PDF's own pages under it."""

from collections.abc import Sequence
from typing import Final

from ppocr_serving import __version__
from ppocr_serving.outputs.items import Check, Item, PageSource
from ppocr_serving.outputs.pdf.file import Object, Reference, Writer, name, number, stream, text_string
from ppocr_serving.outputs.pdf.font import Codes, add_font
from ppocr_serving.outputs.pdf.layer import FONT, has_text, scale_of, text_layer
from ppocr_serving.outputs.pdf.pictures import picture_of
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Page

__all__ = ["write"]

_SHEET: Final = [0, 0, 595, 842]  # A4 in points, for a page that could not be read
_IMAGE: Final = "I"


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does.

    A single PDF keeps its own pages, unless it is protected or damaged. Pages of anything else are pictures.
    """
    if len(items) == 1:
        kept = _over_own_pages(items[0], check)
        if kept is not None:
            return kept
    file = _File(plain(items[0].document.name) if len(items) == 1 else "")
    codes = Codes()
    font = file.writer.reserve()
    for item in items:
        for page in item.document.pages:
            check()
            if page.error is None and page.width and page.height and item.pages is not None:
                _add_picture_page(file, item.pages, page, codes, font, check)
            else:
                file.add_page({"MediaBox": _SHEET, "Resources": {}})
    check()
    add_font(file.writer, codes, font)
    return file.finish()


class _File:
    """A file to which pages are added."""

    def __init__(self, title: str = "") -> None:
        self.writer = Writer()
        self._root, self._tree = self.writer.reserve(), self.writer.reserve()
        self._pages: list[Reference] = []
        self._title = title

    def add_page(self, entries: dict[str, Object]) -> None:
        """Add a page of the given entries."""
        self._pages.append(self.writer.add({"Type": name("Page"), "Parent": self._tree, **entries}))

    def finish(self) -> bytes:
        """Return the file."""
        if not self._pages:  # the form needs one
            self.add_page({"MediaBox": _SHEET, "Resources": {}})
        self.writer.add({"Type": name("Pages"), "Kids": self._pages, "Count": len(self._pages)}, self._tree)
        self.writer.add({"Type": name("Catalog"), "Pages": self._tree}, self._root)
        info: dict[str, Object] = {"Producer": text_string(f"ppocr-serving {__version__}")}
        if self._title:
            info["Title"] = text_string(self._title)
        return self.writer.finish(self._root, self.writer.add(info))


def _add_picture_page(file: _File, source: PageSource, page: Page, codes: Codes, font: Reference, check: Check) -> None:
    scale = scale_of(page)
    picture = picture_of(source, page, check)
    placement = " ".join(map(str, picture.placement))
    shown = f"q\n{number(scale.width)} 0 0 {number(scale.height)} 0 0 cm\n{placement} cm\n/{_IMAGE} Do\nQ\n"
    image = file.writer.add(picture.image)
    contents = file.writer.add(stream(shown.encode("ascii") + text_layer(page, codes)))
    file.add_page(
        {
            "MediaBox": [0, 0, scale.width, scale.height],
            "Rotate": page.angle,
            "Resources": {"XObject": {_IMAGE: image}, "Font": {FONT: font}},
            "Contents": contents,
        }
    )


def _over_own_pages(item: Item, check: Check) -> bytes | None:
    """Return a PDF with text over the pages that have been recognised; None if its pages cannot be kept."""
    source = item.pages
    if source is None or source.kind != "pdf":
        return None
    from ppocr_serving.vision.pdf_overlay import put_over

    pages = [page for page in item.document.pages if page.text_source == "ocr" and has_text(page)]
    if not pages:
        return source.file

    def draw(turns: Sequence[int]) -> bytes:
        file = _File()
        for page, quarters in zip(pages, turns, strict=True):
            check()
            _add_layer(file, page, quarters % 4)
        return file.finish()

    return put_over(source.file, [page.number for page in pages], draw, check)


def _add_layer(file: _File, page: Page, turns: int) -> None:
    """Add a page of text alone, as it is before it is turned to be displayed."""
    width, height, _ = scale_of(page)
    codes = Codes()
    contents = file.writer.add(stream(text_layer(page, codes, turns)))
    # A font of its own, because all that a page refers to is copied with it.
    font = file.writer.reserve()
    add_font(file.writer, codes, font)
    sides = [height, width] if turns % 2 else [width, height]
    file.add_page({"MediaBox": [0, 0, *sides], "Resources": {"Font": {FONT: font}}, "Contents": contents})
