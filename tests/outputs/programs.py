"""Other people's programs that look at what is written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["check_hocr", "check_pdf", "pdf_text", "run"]


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
