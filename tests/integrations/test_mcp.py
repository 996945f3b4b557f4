"""`ppocr mcp`, asked by the SDK's own client over standard input and output, and over HTTP."""

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from mcp_types import CallToolResult

from tests.drawing import Placed, draw_page
from tests.integrations.mcp_sessions import MCP, Session, call_over_http, call_over_stdio, http_server, lines_of, wrong
from tests.pdf_files import pdf_of_pictures
from tests.served.server import Served

EXAMPLE = (Path(__file__).parents[2] / "docs" / "example.png").read_bytes()
EXAMPLE_LINES = ["图中的文字2026", "Text in pictures"]


def squeezed(result: CallToolResult) -> list[str]:
    """Return the rows of a text, without spaces in Chinese, which differ between processors."""
    return [line.replace("字 2", "字2") for line in lines_of(result)]


def structured(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is open, beside a file that is not, with links out of it."""
    base = tmp_path_factory.mktemp("mcp")
    folder = base / "open"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.png").write_bytes(EXAMPLE)
    (folder / "inner" / "b.png").write_bytes(EXAMPLE)
    pages = [draw_page([Placed(text, 60, 60)], 700, 160) for text in ("first page", "second page", "third page")]
    (folder / "pages.pdf").write_bytes(pdf_of_pictures(*pages))
    (folder / "damaged.pdf").write_bytes(pdf_of_pictures(*pages)[:400])
    (folder / "partial.pdf").write_bytes(pdf_of_pictures(pages[0], draw_page([], 4000, 4000)))
    (folder / "notes.txt").write_text("no picture")
    (folder / "large.png").write_bytes(bytes(2 * 2**20 + 1))
    (base / "secret.png").write_bytes(EXAMPLE)
    (base / "open-not").mkdir()
    (base / "open-not" / "c.png").write_bytes(EXAMPLE)
    (folder / "link.png").symlink_to(folder / "inner" / "b.png")
    (folder / "out.png").symlink_to(base / "secret.png")
    (folder / "away").symlink_to(base)
    return folder


@pytest.fixture(scope="module")
def session(folder: Path) -> Session:
    """The tools and answers of one server, started with a folder and small limits."""
    encoded = base64.b64encode(EXAMPLE).decode()
    outside = {
        "parent": "../secret.png",
        "deep": "inner/../../secret.png",
        "absolute": str(folder.parent / "secret.png"),
        "sibling": str(folder.parent / "open-not" / "c.png"),
        "link out": "out.png",
        "link away": "away/secret.png",
        "nowhere": "../missing.png",
    }
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "file": ("read_text", {"path": "a.png"}),
        "absolute file": ("read_text", {"path": str(folder / "inner" / "b.png")}),
        "link within": ("read_text", {"path": "link.png"}),
        "base64": ("read_text", {"data": encoded}),
        "data url": ("read_text", {"data": f"data:image/png;base64,{encoded}"}),
        "pdf": ("read_text", {"path": "pages.pdf", "pages": "2-"}),
        "document": ("read_document", {"path": "pages.pdf", "pages": "1-2"}),
        "partial": ("read_text", {"path": "partial.pdf"}),
        "json": ("read_document", {"path": "a.png", "format": "json"}),
        "description": ("describe_server", {}),
        "format": ("read_document", {"path": "a.png", "format": "docx"}),
        "both": ("read_text", {"path": "a.png", "data": encoded}),
        "neither": ("read_text", {}),
        "no base64": ("read_text", {"data": "no base64!"}),
        "no picture": ("read_text", {"path": "notes.txt"}),
        "folder": ("read_text", {"path": "inner"}),
        "missing": ("read_text", {"path": "missing.png"}),
        "null": ("read_text", {"path": "a\0.png"}),
        "large": ("read_text", {"path": "large.png"}),
        "large data": ("read_text", {"data": "A" * (3 * 2**20)}),
        "damaged": ("read_text", {"path": "damaged.pdf"}),
        "many pages": ("read_text", {"path": "pages.pdf"}),
        "last": ("read_text", {"path": "a.png"}),
        **{f"outside: {name}": ("read_text", {"path": path}) for name, path in outside.items()},
    }
    limits = {"PPOCR_MAX_BODY_MB": "2", "PPOCR_MAX_PAGES": "2", "PPOCR_MAX_PIXELS": "1000000"}
    return call_over_stdio(calls, *MCP, "--root", str(folder), **limits)


@pytest.fixture(scope="module")
def answers(session: Session) -> dict[str, CallToolResult]:
    """The answers of that server."""
    return session.answers


def test_the_tools_are_described_with_what_they_take_and_return(session: Session) -> None:
    tools = {tool.name: tool for tool in session.tools}
    assert tools.keys() == {"read_text", "read_document", "describe_server"}
    assert tools["read_text"].input_schema["properties"].keys() == {"path", "data", "pages", "password"}
    assert "markdown" in tools["read_document"].input_schema["properties"]["format"]["enum"]
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema is not None
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint


@pytest.mark.parametrize("name", ["file", "absolute file", "link within", "base64", "data url", "last"])
def test_a_picture_is_read(answers: dict[str, CallToolResult], name: str) -> None:
    assert squeezed(answers[name]) == EXAMPLE_LINES
    assert structured(answers[name])["pages"] == 1
    assert structured(answers[name])["unread"] == []


def test_the_chosen_pages_of_a_pdf_are_read(answers: dict[str, CallToolResult]) -> None:
    assert [line for line in lines_of(answers["pdf"]) if line.strip()] == ["second page", "third page"]
    assert structured(answers["pdf"])["pages"] == 2


def test_a_document_has_its_pages_with_the_place_of_each_line(answers: dict[str, CallToolResult]) -> None:
    assert {"first page", "second page"} <= set(lines_of(answers["document"]))
    first, second = structured(answers["document"])["pages"]
    assert [first["number"], second["number"]] == [1, 2]
    (line,) = first["lines"]
    assert line["text"] == "first page"
    assert len(line["box"]) == 4
    assert line["confidence"] > 0.9


def test_a_page_that_cannot_be_read_does_not_hide_the_others(answers: dict[str, CallToolResult]) -> None:
    first, *_, last = [line for line in lines_of(answers["partial"]) if line.strip()]
    assert first == "first page"
    assert last.startswith("page 2: has 1440x1440 = 2073600 pixels at 72 dpi; the limit is 1000000")
    assert structured(answers["partial"])["unread"] == [last]


def test_a_document_comes_in_the_format_that_is_asked_for(answers: dict[str, CallToolResult]) -> None:
    (document,) = json.loads("\n".join(lines_of(answers["json"])))["documents"]
    assert document["pages"][0]["width"] == 300


def test_a_server_says_what_it_can_read(answers: dict[str, CallToolResult], folder: Path) -> None:
    described = structured(answers["description"])
    assert {"zh-Hans", "en"} <= set(described["languages"])
    assert described["folders"] == [str(folder.resolve())]
    assert described["limits"]["max_body_mb"] == 2
    assert described["limits"]["max_pages"] == 2


def test_nothing_outside_the_folder_can_be_read_or_found(answers: dict[str, CallToolResult], folder: Path) -> None:
    outside = {name: wrong(answer) for name, answer in answers.items() if name.startswith("outside")}
    assert len(outside) == 7
    for message in outside.values():  # the same for files that are there and others
        assert message.endswith(f"is not in a folder that is open to this tool: {folder.resolve()}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("format", "format 'docx': give one of text, markdown"),
        ("both", "give either path or data"),
        ("neither", "give either path or data"),
        ("no base64", "data is not valid base64"),
        ("no picture", "is not a picture or document in a supported format"),
        ("folder", "path 'inner': is not a file"),
        ("missing", "path 'missing.png': does not exist; paths begin in a folder that is open to this tool: "),
        ("null", "is not the path of a file"),
        ("large", "path 'large.png': has 2097153 bytes; the limit is 2097152"),
        ("large data", "data: has 2359296 bytes; the limit is 2097152"),
        ("damaged", "damaged"),
        ("many pages", "the limit is 2"),
    ],
)
def test_an_error_is_one_line(answers: dict[str, CallToolResult], name: str, message: str) -> None:
    assert message in wrong(answers[name])


def test_without_a_folder_no_file_can_be_named_and_http_is_closed_to_other_pages(folder: Path) -> None:
    path = str(folder / "a.png")
    with http_server() as port:
        url = f"http://127.0.0.1:{port}/mcp"
        encoded = base64.b64encode((folder / "pages.pdf").read_bytes()).decode()
        answers = call_over_http(
            {"path": ("read_text", {"path": path}), "data": ("read_text", {"data": encoded, "pages": "3"})}, url
        ).answers
        refused = {header: status_of(url, header, "attacker.example") for header in ("Host", "Origin")}

    assert wrong(answers["path"]) == f"path {path!r}: no files are open to this tool; send the file as data"
    assert lines_of(answers["data"]) == ["third page"]
    assert refused == {"Host": 421, "Origin": 403}


def test_a_server_reads_the_files_and_says_what_it_can_do(folder: Path, server: Served) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "text": ("read_text", {"path": "pages.pdf", "pages": "2"}),
        "document": ("read_document", {"path": "a.png", "format": "csv"}),
        "wrong": ("read_text", {"path": "notes.txt"}),
        "description": ("describe_server", {}),
    }
    answers = call_over_stdio(calls, *MCP, "--root", str(folder), "--url", f"http://127.0.0.1:{server.port}").answers

    assert lines_of(answers["text"]) == ["second page"]
    assert "Text in pictures" in lines_of(answers["document"])[-1]
    assert structured(answers["document"])["pages"][0]["lines"][-1]["text"] == "Text in pictures"
    assert "is not a picture or document in a supported format" in wrong(answers["wrong"])
    assert structured(answers["description"])["limits"]["max_files"] == 64


def test_the_extra_is_named_where_its_package_is_missing() -> None:
    program = "import sys; sys.modules['mcp'] = None; from ppocr_serving.cli.mcp import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mcp: needs the package mcp; run pip install 'ppocr-serving[mcp]'\n"


def test_a_server_that_cannot_be_reached_is_named() -> None:
    done = subprocess.run([*MCP, "--url", "nowhere"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mcp: 'nowhere' is not the address of a server; give it as http://127.0.0.1:9000\n"


def status_of(url: str, header: str, value: str) -> int:
    request = urllib.request.Request(
        url, b"{}", {"Content-Type": "application/json", "Accept": "application/json", header: value}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--root", "/missing"], 1, "mcp: --root '/missing': No such file or directory; give a folder"),
        (["--root", __file__], 1, f"mcp: --root {__file__!r}: is not a folder; give a folder"),
        (["--http", "--host", "0.0.0.0"], 1, "mcp: --host 0.0.0.0: other machines reach this address; say with"),
        (["--port", "0"], 2, "ppocr mcp: error: argument --port: must be 1-65535, got '0'"),
    ],
)
def test_it_does_not_start_with_options_that_make_no_sense(arguments: list[str], status: int, message: str) -> None:
    done = subprocess.run([*MCP, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr.splitlines()[-1].startswith(message)
