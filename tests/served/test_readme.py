"""The README's commands, run verbatim against a real server; only the port differs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served.server import ROOT, Served

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """Return the only code block in a language that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    (found,) = (text for text in blocks if containing in text)
    return str(found)


def for_port(command: str, served: Served) -> str:
    assert ":9000" in command
    return command.replace(":9000", f":{served.port}")


def run(command: str) -> str:
    result = subprocess.run(
        ["bash", "-ec", command], cwd=ROOT, capture_output=True, encoding="utf-8", check=True, errors="replace"
    )
    return result.stdout


def test_the_first_command_prints_the_documented_text(limited_served: Served) -> None:
    printed = run(for_port(block("shell", "format=text"), limited_served))

    assert printed == block("text", "")


def test_the_commands_for_other_formats_write_them(limited_served: Served, tmp_path: Path) -> None:
    pdf, markdown, hocr = for_port(block("shell", "format=pdf"), limited_served).splitlines()
    file = tmp_path / "example.pdf"

    run(pdf.replace("example.pdf", str(file)))
    assert file.read_bytes().startswith(b"%PDF-")
    assert "Text in pictures" in run(markdown.replace("example.pdf", str(file)))
    assert hocr.startswith(".venv/bin/ppocr ")
    assert "ocr_line" in run(hocr.replace(".venv/bin/ppocr", f"{sys.executable} -m ppocr_serving"))


def test_the_curl_command_gives_the_documented_answer(limited_served: Served) -> None:
    command = for_port(block("shell", "printf"), limited_served)

    answer, documented = json.loads(run(command)), json.loads(block("json", "results"))
    assert list(answer) == list(documented)
    for line, expected in zip(answer["results"][0], documented["results"][0], strict=True):
        assert list(line) == list(expected)
        assert line["text"] == expected["text"]
        assert line["confidence"] == pytest.approx(expected["confidence"], abs=0.02)
        for corner, expected_corner in zip(line["text_region"], expected["text_region"], strict=True):
            assert corner == pytest.approx(expected_corner, abs=3)  # bf16 and float32 differ by a pixel or two


def test_the_python_client_prints_the_documented_output(limited_served: Served) -> None:
    program = for_port(block("python", "requests.post"), limited_served)

    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )

    assert result.stdout == block("text", "")
