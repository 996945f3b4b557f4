"""Clients of other services at a real server: the documented commands, and what the originals' own examples send."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.matching import without_spaces
from tests.served.samples import file_of, page
from tests.served.server import ROOT, Served

pytestmark = pytest.mark.thorough_with_hub

LINES = ["Invoice No. 2026-117", "Total: 1,024.50"]
PICTURE = file_of(page(LINES))
COMMANDS = [
    command
    for block in re.findall(r"^```shell\n(.*?)^```", (ROOT / "docs/adapters.md").read_text(), re.MULTILINE | re.DOTALL)
    for command in re.split(r"\n(?! )", block.strip())
    if "curl" in command
]
TIMEOUT = 120


def names_of(texts: list[str]) -> list[str]:
    return [without_spaces(text) for text in texts]


def texts_in(answer: Any) -> list[str]:
    """Return all texts in an answer, whichever keys they have."""
    if isinstance(answer, dict):
        own = [text for key in ("text", "rec_txt", "LineText") if isinstance(text := answer.get(key), str)]
        return own + [text for value in answer.values() for text in texts_in(value)]
    if isinstance(answer, list):
        return [text for value in answer for text in ([value] if isinstance(value, str) else texts_in(value))]
    return []


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_the_documented_commands_are_answered(limited_served: Served, tmp_path: Path, number: int) -> None:
    assert len(COMMANDS) >= 8
    (tmp_path / "a.png").write_bytes(PICTURE)
    command = COMMANDS[number]
    assert ":9000/" in command

    done = subprocess.run(
        ["bash", "-c", command.replace(":9000/", f":{limited_served.port}/")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    answer = json.loads(done.stdout)
    if "get_options" in command:
        assert answer["data.format"]["default"] == "dict"
    elif "use_det=false" in command:
        assert answer.keys() <= {"0"}
    else:
        found = without_spaces(json.dumps(answer))
        assert all(without_spaces(text) in found for text in LINES)


def test_the_example_of_paddlex_is_answered(limited_served: Served, tmp_path: Path) -> None:
    payload = {"file": base64.b64encode(PICTURE).decode("ascii"), "fileType": 1}
    response = requests.post(f"{limited_served.url}/ocr", json=payload, timeout=TIMEOUT)
    assert response.status_code == 200
    for result in response.json()["result"]["ocrResults"]:
        assert names_of(result["prunedResult"]["rec_texts"]) == names_of(LINES)
        (tmp_path / "ocr_0.png").write_bytes(base64.b64decode(result["ocrImage"]))
    assert (tmp_path / "ocr_0.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_of_rapidocr_is_answered(limited_served: Served) -> None:
    payload = {"image_data": base64.b64encode(PICTURE)}
    response = requests.post(f"{limited_served.url}/ocr", data=payload, timeout=TIMEOUT)
    assert names_of(texts_in(response.json())) == names_of(LINES)


def test_the_example_of_umiocr_is_answered(limited_served: Served) -> None:
    data = {"base64": base64.b64encode(PICTURE).decode(), "options": {"data.format": "text"}}
    headers = {"Content-Type": "application/json"}
    response = requests.post(f"{limited_served.url}/api/ocr", data=json.dumps(data), headers=headers, timeout=TIMEOUT)
    response.raise_for_status()
    assert without_spaces(response.json()["data"].replace("\n", " ")) == "".join(names_of(LINES))


def test_the_example_of_ocrspace_is_answered(limited_served: Served) -> None:
    """Its own example gives the file's field the name of the file."""
    payload = {"isOverlayRequired": True, "apikey": "helloworld", "language": "eng"}
    response = requests.post(
        f"{limited_served.url}/parse/image", files={"a.png": ("a.png", PICTURE)}, data=payload, timeout=TIMEOUT
    )
    assert names_of(texts_in(response.json()["ParsedResults"][0]["TextOverlay"]["Lines"])) == names_of(LINES)


def test_urls_are_not_fetched_by_default(limited_served: Served) -> None:
    url = f"{limited_served.url}/healthz"
    for response in (
        requests.post(f"{limited_served.url}/ocr", json={"file": url}, timeout=TIMEOUT),
        requests.post(f"{limited_served.url}/parse/image", data={"url": url}, timeout=TIMEOUT),
    ):
        assert response.status_code == 400
        assert "URLs are not fetched; send the file itself" in response.text


def test_adapters_can_be_chosen(launch: Any) -> None:
    with launch(PPOCR_ADAPTERS="umiocr") as served:
        assert requests.get(f"{served.url}/api/ocr/get_options", timeout=TIMEOUT).status_code == 200
        for path in ("/ocr", "/parse/image"):
            response = requests.post(served.url + path, files={"file": ("a.png", PICTURE)}, timeout=TIMEOUT)
            assert response.status_code == 404
