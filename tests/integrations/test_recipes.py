"""docs/recipes.md: what it shows works."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.drawing import Placed, draw_page
from tests.integrations.mcp_sessions import MCP, call_over_stdio, lines_of
from tests.pdf_files import pdf_of_pictures
from tests.served.server import Served

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """Return the only code block in a language that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (text for text in blocks if containing in text)
    return str(found)


def test_a_language_model_reads_a_file_with_the_configuration_of_the_page(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docs" / "example.png", tmp_path)
    configured = json.loads(block("json", "mcpServers"))["mcpServers"]["ocr"]
    assert configured["command"] == "/opt/ppocr-serving/.venv/bin/ppocr"
    arguments = [argument.replace("/home/me/Documents", str(tmp_path)) for argument in configured["args"]]
    session = call_over_stdio({"read": ("read_text", {"path": "example.png"})}, MCP[0], *arguments)
    assert lines_of(session.answers["read"])[-1] == "Text in pictures"


def test_a_server_reads_for_a_language_model(server: Served) -> None:
    command = block("shell", "mcp --root docs --url").replace(":9000", f":{server.port}").split()
    session = call_over_stdio({"read": ("read_text", {"path": "example.png"})}, MCP[0], *command[1:])
    assert lines_of(session.answers["read"])[-1] == "Text in pictures"


def run(commands: str, folder: Path) -> None:
    """Run commands of the page in a folder, with the programs of this environment."""
    programs = str(Path(sys.executable).parent)
    shown = commands.replace(".venv/bin", programs)
    done = subprocess.run(["/bin/sh", "-ec", shown], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def text_of(file: Path) -> str:
    return subprocess.run(["pdftotext", str(file), "-"], capture_output=True, text=True, check=True).stdout.strip()


def scan(text: str) -> bytes:
    return pdf_of_pictures(draw_page([Placed(text, 60, 60)], 700, 400), dpi=150)


def test_ocrmypdf_makes_a_pdf_searchable_with_the_command_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "scan.pdf").write_bytes(scan("Suchbarer Text"))
    run(block("shell", "-l deu+chi_sim"), tmp_path)
    assert text_of(tmp_path / "searchable.pdf") == "Suchbarer Text"


def test_scans_are_handed_over_to_paperless_with_their_text(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a letter.pdf").write_bytes(scan("Dear reader"))
    (tmp_path / "scans" / "0 damaged.pdf").write_bytes(b"%PDF-1.7 and no more")
    run(block("shell", "mkdir -p scans"), tmp_path)
    assert text_of(tmp_path / "consume" / "a letter.pdf") == "Dear reader"
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["a letter.pdf"]
    assert [path.name for path in (tmp_path / "scans").iterdir()] == ["0 damaged.pdf"]


def test_the_arguments_for_paperless_are_taken_by_ocrmypdf(tmp_path: Path, server: Served) -> None:
    (arguments,) = re.findall(r"^PAPERLESS_OCR_USER_ARGS='(.*)'$", block("shell", "PAPERLESS_OCR_USER_ARGS"))
    (tmp_path / "scan.pdf").write_bytes(scan("Dear reader"))
    others = {"language": "eng", "deskew": True, "rotate_pages": True, "progress_bar": False}
    given = {**others, **json.loads(arguments.replace(":9000", f":{server.port}"))}
    program = f"import ocrmypdf; ocrmypdf.ocr('scan.pdf', 'out.pdf', **{given!r})"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True)
    assert text_of(tmp_path / "out.pdf") == "Dear reader"
