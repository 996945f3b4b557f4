"""PDF files that are made to take much, or to break what reads them."""

import zlib
from functools import cache

from tests.pdf_files import pdf, show, stream, text_page

__all__ = [
    "deep_tree",
    "endless_tree",
    "heavy_content",
    "huge_picture",
    "many_pages",
    "nested_forms",
    "page_of_size",
]


_PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources << /XObject << /N 5 0 R >> >> >>"
)


def deep_tree(depth: int) -> bytes:
    """Return a file whose only page is below many nodes."""
    nodes = [f"<< /Type /Pages /Count 1 /Kids [{number + 3} 0 R] >>" for number in range(depth)]
    return pdf(["<< /Type /Catalog /Pages 2 0 R >>", *nodes, "<< /Type /Page /MediaBox [0 0 100 100] >>"])


def endless_tree() -> bytes:
    """Return a file whose tree of pages contains itself."""
    return pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 3 /Kids [2 0 R 2 0 R 3 0 R] >>", "3 0 R"])


def many_pages(count: int) -> bytes:
    """Return a file of many pages, all the same."""
    kids = " ".join(["3 0 R"] * count)
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Count {count} /Kids [{kids}] >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>",
        ]
    )


def page_of_size(*box: float) -> bytes:
    """Return a file with a page of a MediaBox."""
    return text_page(show("Large", 10, 10), box=box)


@cache
def heavy_content(megabytes: int, good: int = 1) -> bytes:
    """Return a file whose first page draws for minutes; others are ordinary."""
    content = zlib.compress(b"0 0 m 400 200 l 0 200 400 0 200 90 c S\n" * (megabytes * 2**20 // 39), 9)
    pages = [
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents {number} 0 R /Resources "
        f"<< /Font << /F 3 0 R >> >> >>"
        for number in range(4, 5 + good)
    ]
    first = 5 + good
    kids = " ".join(f"{number} 0 R" for number in range(first, first + 1 + good))
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Count {1 + good} /Kids [{kids}] >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(content, " /Filter /FlateDecode"),
            *(stream(show(f"Page {number}", 50, 100, 40).encode()) for number in range(2, 2 + good)),
            *pages,
        ]
    )


def huge_picture(side: int) -> bytes:
    """Return a file whose page shows a picture with many pixels in few bytes."""
    row = zlib.compressobj(9)
    data = b"".join([*(row.compress(bytes(2**20)) for _ in range(side * side * 3 >> 20)), row.flush()])
    entries = f" /Type /XObject /Subtype /Image /Width {side} /Height {side} /ColorSpace /DeviceRGB"
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            _PAGE,
            stream(b"q 100 0 0 100 0 0 cm /N Do Q"),
            stream(data, f"{entries} /BitsPerComponent 8 /Filter /FlateDecode"),
        ]
    )


def nested_forms(depth: int, times: int, group: str = "/Group << /S /Transparency >>") -> bytes:
    """Return a file whose page draws a form that draws others several times each."""
    forms = [
        stream(
            b"/N Do\n" * times if level < depth - 1 else b"0 0 50 50 re f",
            f" /Type /XObject /Subtype /Form /BBox [0 0 100 100] {group} "
            f"/Resources << /XObject << /N {5 + level + 1} 0 R >> >>",
        )
        for level in range(depth)
    ]
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            _PAGE,
            stream(b"/N Do"),
            *forms,
        ]
    )
