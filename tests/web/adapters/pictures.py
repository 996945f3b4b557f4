"""Pictures that every adapter reads."""

import base64
import io

from PIL import Image, ImageDraw, ImageFont

from tests.served.samples import file_of, line, page

__all__ = ["BLANK", "HELLO", "INVOICE", "INVOICE_LINES", "base64_of", "columns", "pdf_of", "table"]

INVOICE_LINES = ["Invoice No. 2026-117", "Total: 1,024.50"]
INVOICE = file_of(page(INVOICE_LINES))
HELLO = file_of(line("Hello World"))
BLANK = file_of(page([]))


def base64_of(file: bytes) -> str:
    """Return a file in base64."""
    return base64.b64encode(file).decode()


def pdf_of(pictures: list[Image.Image]) -> bytes:
    """Return a PDF of scans, one per page."""
    file = io.BytesIO()
    pictures[0].save(file, "PDF", save_all=True, append_images=pictures[1:], resolution=200)
    return file.getvalue()


def columns(left: list[str], right: list[str]) -> bytes:
    """Return a page with two columns of running text."""
    picture = Image.new("RGB", (1000, 40 + 44 * len(left)), "white")
    pen = ImageDraw.Draw(picture)
    for x, texts in ((30, left), (530, right)):
        for number, text in enumerate(texts):
            pen.text((x, 20 + 44 * number), text, fill="black", font=ImageFont.load_default(28))
    return file_of(picture)


def table(rows: list[tuple[str, str]]) -> bytes:
    """Return a page with two columns."""
    picture = Image.new("RGB", (800, 40 + 80 * len(rows)), "white")
    pen = ImageDraw.Draw(picture)
    for number, texts in enumerate(rows):
        for x, text in zip((30, 480), texts, strict=True):
            pen.text((x, 30 + 80 * number), text, fill="black", font=ImageFont.load_default(40))
    return file_of(picture)
