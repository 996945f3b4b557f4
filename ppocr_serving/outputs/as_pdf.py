"""Documents as searchable PDF: the pictures under invisible text, or a PDF with text over its own pages."""

from collections.abc import Sequence

from ppocr_serving import __version__
from ppocr_serving.outputs.items import Check, Item
from ppocr_serving.outputs.pdf.file import Object, Reference, Writer, name, number, stream, text_string
from ppocr_serving.outputs.pdf.font import Codes, add_font
from ppocr_serving.outputs.pdf.layer import FONT, Scale, scale_of, text_layer
from ppocr_serving.outputs.pdf.pictures import picture_of
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Page

__all__ = ["write"]

_EMPTY = Scale(595.0, 842.0, 0.36)  # a sheet of A4, for a page that could not be read
_IMAGE = "I"


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does."""
    file = Writer()
    root, tree, font = file.reserve(), file.reserve(), file.reserve()
    codes = Codes()
    pages = [_add_page(file, item, page, codes, (tree, font), check) for item in items for page in item.document.pages]
    if not pages:  # the form needs one
        pages.append(_add_sheet(file, tree))
    file.add({"Type": name("Pages"), "Kids": pages, "Count": len(pages)}, tree)
    check()
    add_font(file, codes, font)
    file.add({"Type": name("Catalog"), "Pages": tree}, root)
    info: dict[str, Object] = {"Producer": text_string(f"ppocr-serving {__version__}")}
    if len(items) == 1 and items[0].document.name:
        info["Title"] = text_string(plain(items[0].document.name))
    return file.finish(root, file.add(info))


def _add_page(
    file: Writer, item: Item, page: Page, codes: Codes, shared: tuple[Reference, Reference], check: Check
) -> Reference:
    tree, font = shared
    check()
    if page.error is not None or not page.width or not page.height or item.pages is None:
        return _add_sheet(file, tree)
    scale = scale_of(page)
    picture = picture_of(item.pages, page, check)
    placement = " ".join(map(str, picture.placement))
    shown = f"q\n{number(scale.width)} 0 0 {number(scale.height)} 0 0 cm\n{placement} cm\n/{_IMAGE} Do\nQ\n"
    image = file.add(picture.image)
    contents = file.add(stream(shown.encode("ascii") + text_layer(page, codes)))
    check()
    return file.add(
        {
            "Type": name("Page"),
            "Parent": tree,
            "MediaBox": [0, 0, scale.width, scale.height],
            "Rotate": page.angle,
            "Resources": {"XObject": {_IMAGE: image}, "Font": {FONT: font}},
            "Contents": contents,
        }
    )


def _add_sheet(file: Writer, tree: Reference) -> Reference:
    return file.add(
        {
            "Type": name("Page"),
            "Parent": tree,
            "MediaBox": [0, 0, _EMPTY.width, _EMPTY.height],
            "Resources": {},
        }
    )
