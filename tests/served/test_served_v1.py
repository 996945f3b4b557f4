"""The native API of real servers: the commands of docs/api.md, answers in parts, and what its description allows."""

import json
import re
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from tests.served.samples import file_of, page
from tests.served.server import ROOT, Served

COMMANDS = re.findall(r"^```shell\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.M | re.S)
TEXT = "图中的文字2026"
_SECONDS = 60  # only bounds how long a failing test hangs


def folder(path: Path) -> Path:
    """Return a folder that looks like a checkout to the commands, which also write files."""
    for name in ("docs", "README.md"):
        (path / name).symlink_to(ROOT / name)
    return path


def test_every_documented_command_does_what_the_page_says(limited_served: Served, tmp_path: Path) -> None:
    checkout = folder(tmp_path)
    outputs = []
    for command in COMMANDS:
        assert ":9000" in command
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command.replace(":9000", f":{limited_served.port}")],
            cwd=checkout,
            capture_output=True,
            check=True,
        )
        outputs.append(result.stdout.decode())
    (
        text,
        whole,
        two,
        markdown,
        searchable,
        lines,
        capabilities,
        pictures,
        rendered,
        refused,
        partial,
        event,
        described,
    ) = outputs

    assert text == f"{TEXT}\nText in pictures\n"
    assert json.loads(whole)["documents"][0]["origin"]["profile"] == "ppocr-v6"
    first, second = json.loads(two)["documents"]
    assert (first["name"], second["name"]) == ("example.png", "words.png")
    assert second["pages"][0]["paragraphs"][0]["lines"][0]["words"]
    assert markdown.startswith(TEXT)
    assert searchable == f"{TEXT}\nText in pictures\n"
    assert (checkout / "example.pdf").read_bytes().startswith(b"%PDF-")
    assert [json.loads(record)["type"] for record in lines.splitlines()] == ["page", "page", "end"]
    assert json.loads(capabilities)["limits"]["max_files"] == 4
    assert json.loads(pictures.splitlines()[0])["image"]["media_type"] == "image/jpeg"
    assert "Words in pictures" in rendered
    assert (checkout / "corrected.pdf").read_bytes().startswith(b"%PDF-")
    assert (
        json.loads(refused)["error"].items() >= {"code": "image_decode_error", "file": 1, "name": "README.md"}.items()
    )
    assert [one["error"] is None for one in json.loads(partial)["documents"]] == [True, False]
    assert TEXT in json.loads(event)["body"]
    assert '"openapi":"3.1.0"' in described


def test_pages_arrive_in_parts_over_a_connection_that_goes_on(limited_served: Served) -> None:
    connection = HTTPConnection("127.0.0.1", limited_served.port, timeout=_SECONDS)
    for _ in range(2):
        connection.request(
            "POST", "/v1/read?format=jsonl", file_of(page(["Hello World"])), {"Content-Type": "image/png"}
        )
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert [json.loads(record)["type"] for record in answer.read().splitlines()] == ["page", "end"]
    connection.close()


def test_the_log_names_what_answered_and_shows_no_secret(limited_served: Served) -> None:
    requests.post(
        f"{limited_served.url}/v1/read?password=sesame-of-the-query",
        data=file_of(page(["Hello"])),
        headers={"X-Request-Id": "native-1"},
        timeout=_SECONDS,
    )
    log = limited_served.wait_for_log("id=native-1 ")
    (entry,) = [line for line in log.splitlines() if "id=native-1 " in line]
    assert " module=- status=200 door=v1/read pictures=1 " in entry
    assert "sesame" not in log


@pytest.mark.thorough_with_hub
@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.thorough)])
def test_no_request_that_the_description_allows_or_forbids_surprises_the_server(
    limited_served: Served, tmp_path: Path, seconds: int
) -> None:
    program = Path(sys.executable).parent / "schemathesis"
    result = subprocess.run(
        [
            program,
            "--config-file",
            ROOT / "tests" / "served" / "schemathesis.toml",
            "run",
            f"{limited_served.url}/openapi.json",
            "--max-examples=6",
            f"--max-time={seconds}",
            "--generation-deterministic",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "Tested: " in result.stdout
    assert limited_served.wait_until("/readyz").status_code == 200
