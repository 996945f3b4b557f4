"""Files that tests give to the page, and the ways in which a user gives them."""

from base64 import b64encode
from typing import Final, NamedTuple

import cv2
from playwright.sync_api import FilePayload, JSHandle, Page

from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import Placed, draw_line, draw_page
from tests.pdf_files import pdf_of_pictures, show, text_page

__all__ = [
    "MARKUP",
    "RIGHT_TO_LEFT",
    "SAMPLE",
    "File",
    "choose",
    "drop",
    "markup",
    "paste",
    "pdf_with_text",
    "picture",
    "right_to_left",
    "sample",
    "scan",
]

SAMPLE: Final = ("Total amount 42.00", "图中的文字2026", "Reading pictures")
"""The lines of `sample`, from top to bottom."""

MARKUP: Final = "<img src=x onerror=alert(1)>"
"""The line of `markup`: it must stay text wherever the page shows it."""

RIGHT_TO_LEFT: Final = ("שלום עולם 2026", "مرحبا بالعالم 42")
"""The lines of `right_to_left`, which the models do not read."""

_TRANSFER: Final = """files => {
  const transfer = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}"""

_COPY: Final = """async data => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const picture = new Blob([bytes], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
}"""


class File(NamedTuple):
    """A file on a user's disk.

    Attributes:
        name: Its name.
        type: Its media type.
        data: Its bytes.
    """

    name: str
    type: str
    data: bytes


def picture(image: BgrImage, name: str = "picture.png") -> File:
    """Return a PNG file."""
    return File(name, "image/png", cv2.imencode(".png", image)[1].tobytes())


def sample(name: str = "sample.png") -> File:
    """Return a picture of the lines `SAMPLE`."""
    lines = [Placed(text, 40, 40 + 100 * number) for number, text in enumerate(SAMPLE)]
    return picture(draw_page(lines, 640, 100 * len(SAMPLE) + 40), name)


def markup(name: str = "markup.png") -> File:
    """Return a picture of a line that would run a script if it were taken for HTML."""
    return picture(draw_line(MARKUP), name)


def right_to_left(name: str = "right-to-left.png") -> File:
    """Return a picture of a Hebrew and an Arabic line."""
    lines = [Placed(text, 40, 40 + 100 * number) for number, text in enumerate(RIGHT_TO_LEFT)]
    return picture(draw_page(lines, 640, 100 * len(RIGHT_TO_LEFT) + 40), name)


def scan(pages: int, name: str = "scan.pdf") -> File:
    """Return a PDF of scanned pages, each with the line `Page` and its number."""
    return File(name, "application/pdf", pdf_of_pictures(*(draw_line(f"Page {n}") for n in range(1, pages + 1))))


def pdf_with_text(pages: int, lines: int = 3, name: str = "text.pdf") -> File:
    """Return a PDF with text of its own: on each page, lines such as `Page 2 line 1`."""
    contents = (
        "".join(show(f"Page {page} line {line}", 40, 40 + 24 * (lines - line), 12) for line in range(1, lines + 1))
        for page in range(1, pages + 1)
    )
    return File(name, "application/pdf", text_page(*contents, box=(0, 0, 400, 80 + 24 * lines)))


def choose(page: Page, *files: File) -> None:
    """Choose files in the dialog of the operating system."""
    page.locator("#file").set_input_files(
        [FilePayload(name=file.name, mimeType=file.type, buffer=file.data) for file in files]
    )


def drop(page: Page, *files: File, target: str = "body") -> None:
    """Drag files over an element, and drop them there.

    Args:
        page: The page.
        *files: The files.
        target: Selector of the element.
    """
    transfer = _transfer(page, files)
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(target, event, {"dataTransfer": transfer})
    transfer.dispose()


def paste(page: Page, file: File) -> None:
    """Copy a PNG picture into the browser's clipboard, and press Ctrl+V."""
    page.evaluate(_COPY, b64encode(file.data).decode())
    page.keyboard.press("Control+V")


def _transfer(page: Page, files: tuple[File, ...]) -> JSHandle:
    content = [{"name": file.name, "type": file.type, "data": b64encode(file.data).decode()} for file in files]
    return page.evaluate_handle(_TRANSFER, content)
