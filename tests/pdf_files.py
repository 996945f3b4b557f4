"""PDF files for tests, written by hand so that each has exactly what its test is about."""

import io
import zlib
from collections.abc import Sequence

from PIL import Image

from ppocr_serving.vision.pictures import BgrImage

__all__ = ["pdf", "pdf_of_pictures", "show", "stream", "text_page"]


def pdf(objects: Sequence[str | bytes], header: bytes = b"%PDF-1.7\n") -> bytes:
    """Return a PDF file.

    Args:
        objects: From number 1 on; the first is the catalog.
        header: Its first bytes.
    """
    out = io.BytesIO()
    out.write(header)
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n".encode())
        out.write(body.encode("latin-1") if isinstance(body, str) else body)
        out.write(b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    for offset in offsets:
        out.write(f"{offset:010} 00000 n \n".encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def stream(data: bytes, entries: str = "", *, compress: bool = False) -> bytes:
    """Return a stream object."""
    if compress:
        data = zlib.compress(data, 9)
        entries += " /Filter /FlateDecode"
    return f"<< /Length {len(data)}{entries} >>\nstream\n".encode() + data + b"\nendstream"


def text_page(*contents: str, box: tuple[float, ...] = (0, 0, 400, 200), page: str = "", font: str = "") -> bytes:
    """Return a PDF of pages in Helvetica.

    Args:
        contents: Of each page.
        box: The MediaBox of all pages.
        page: Further entries of the pages.
        font: Further entries of the font.
    """
    pages = [
        f"<< /Type /Page /Parent 2 0 R /MediaBox [{' '.join(map(str, box))}] {page} /Contents {5 + 2 * index} 0 R "
        f"/Resources << /Font << /F 3 0 R >> >> >>"
        for index in range(len(contents))
    ]
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(contents)))
    objects: list[str | bytes] = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(contents)} /Kids [{kids}] >>",
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica {font} >>",
    ]
    for entry, content in zip(pages, contents, strict=True):
        objects += [entry, stream(content.encode("latin-1"))]
    return pdf(objects)


def show(
    text: str, x: float, y: float, size: float = 20, matrix: tuple[float, float, float, float] | None = None
) -> str:
    """Return the drawing of a text at a point, with the page's y axis up."""
    a, b, c, d = matrix or (1, 0, 0, 1)
    return f"BT /F {size} Tf {a} {b} {c} {d} {x} {y} Tm ({text}) Tj ET\n"


def pdf_of_pictures(*images: BgrImage, dpi: float = 200) -> bytes:
    """Return a PDF whose pages are scans."""
    pages = [Image.fromarray(image[:, :, ::-1]) for image in images]
    buffer = io.BytesIO()
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:], resolution=dpi)
    return buffer.getvalue()
