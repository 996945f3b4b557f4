"""The README's commands, run verbatim against a real server; only the port differs."""

import json
import re
import subprocess
import sys

import pytest

from tests.matching import without_spaces
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


def test_the_curl_command_gives_the_documented_answer(limited_served: Served) -> None:
    command = for_port(block("shell", "printf"), limited_served)

    result = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)

    answer, documented = json.loads(result.stdout), json.loads(block("json", "results"))
    assert list(answer) == list(documented)
    for line, expected in zip(answer["results"][0], documented["results"][0], strict=True):
        assert list(line) == list(expected)
        assert without_spaces(line["text"]) == without_spaces(expected["text"])  # one before 2026 is a close call
        # That space counts with its own confidence, which is low.
        assert line["confidence"] == pytest.approx(expected["confidence"], abs=0.06)
        for corner, expected_corner in zip(line["text_region"], expected["text_region"], strict=True):
            assert corner == pytest.approx(expected_corner, abs=3)  # bf16 and float32 differ by a pixel or two


def test_the_python_client_prints_the_documented_output(limited_served: Served) -> None:
    program = for_port(block("python", "requests.post"), limited_served)

    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )

    assert without_spaces(result.stdout) == without_spaces(block("text", ""))
