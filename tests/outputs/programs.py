"""Other people's programs that look at what is written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pypdfium2
import pytest

__all__ = ["check_hocr", "check_pdf", "pdf_text", "rows", "run", "selected_by_pdfium", "words_in"]

_WORD = "{http://www.w3.org/1999/xhtml}word"


def run(program: str, package: str, *arguments: str | Path) -> str:
    """Return what a program prints; fail the test if it is missing, and name its Debian package."""
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is missing; run: apt-get install {package}", pytrace=False)
    result = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def check_pdf(data: bytes, folder: Path) -> Path:
    """Return the path of a PDF that qpdf finds no fault with."""
    path = folder / "file.pdf"
    path.write_bytes(data)
    run("qpdf", "qpdf", "--check", path)
    return path


def pdf_text(path: Path, *options: str) -> str:
    """Return the text that Poppler selects in a PDF."""
    return run("pdftotext", "poppler-utils", "-enc", "UTF-8", *options, path, "-")


def check_hocr(data: bytes, folder: Path) -> None:
    """Check that hOCR is what its specification says."""
    path = folder / "file.hocr"
    path.write_bytes(data)
    command = [sys.executable, "-W", "ignore", str(Path(sys.executable).parent / "hocr-spec"), str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Document is valid" in result.stdout, result.stdout + result.stderr
    assert "[ERROR]" not in result.stdout


def words_in(path: Path) -> list[tuple[str, tuple[float, ...]]]:
    """Return the words of all pages with left, top, right and bottom in points."""
    root = ElementTree.fromstring(pdf_text(path, "-bbox"))
    sides = ("xMin", "yMin", "xMax", "yMax")
    return [(word.text or "", tuple(float(word.attrib[side]) for side in sides)) for word in root.iter(_WORD)]


def selected_by_pdfium(path: Path) -> list[str]:
    """Return the text of each page as Chrome selects it."""
    with pypdfium2.PdfDocument(path) as file:
        return [page.get_textpage().get_text_bounded().replace("\r\n", "\n") for page in file]


def rows(text: str) -> list[str]:
    """Return the rows of a text that are not empty."""
    return [row for row in re.split(r"[\n\f]+", text) if row]
