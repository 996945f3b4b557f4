"""Downloads in every format, with what was corrected."""

import csv
import io
import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from playwright.sync_api import Page, Route, expect

from tests.page.files import SAMPLE, File, choose, pdf_with_text, sample, scan
from tests.page.opened import correct, draw_region, lines, open_files, remember_options, show_file
from tests.page.watch import Watch

_NEW = "Größe & <b>文字</b> 7"


def _download(page: Page, name: str) -> tuple[str, bytes]:
    """Download a format by its button; return the file's name and its bytes."""
    if not (button := page.locator(f"[data-format={name}]").first).is_visible():
        page.locator("#more summary").click()
        button = page.locator(f"#formats [data-format={name}]")
    with page.expect_download() as download:
        button.click()
    expect(page.locator("#formats")).to_be_hidden()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def _text_of_pdf(data: bytes) -> str:
    command = ["pdftotext", "-layout", "-", "-"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()


def test_every_format_has_the_corrections(page: Page) -> None:
    open_files(page, sample("my notes 文.v2.png"))
    correct(page, 0, _NEW)
    correct(page, 1, "")

    offered = page.locator("#formats [data-format]").evaluate_all("nodes => nodes.map(node => node.dataset.format)")
    files = {name: _download(page, name) for name in offered}

    stem = "my notes 文.v2"
    extensions = {"json": "json", "text": "txt", "markdown": "md", "hocr": "hocr", "alto": "xml", "csv": "csv"}
    extensions |= {"jsonl": "jsonl", "pdf": "pdf", "png": "png"}
    assert {name: file[0] for name, file in files.items()} == {k: f"{stem}.{extensions[k]}" for k in offered}
    assert set(offered) == set(extensions)
    texts = {name: data.decode() for name, (_, data) in files.items() if name not in ("pdf", "png")}
    assert texts["text"].split("\n")[:1] == [_NEW]
    assert SAMPLE[2] in texts["text"]
    assert "Größe" in texts["markdown"]
    assert "<b>" not in texts["markdown"].replace("\\<b\\>", "")
    for name in ("hocr", "alto"):
        root = ElementTree.fromstring(texts[name])
        said = " ".join([*root.itertext(), *(node.get("CONTENT", "") for node in root.iter())])
        assert {"Größe", "<b>文字</b>"} <= set(said.split()), name
    assert any(_NEW in row for row in csv.reader(io.StringIO(texts["csv"])))
    (document,) = json.loads(texts["json"])["documents"]
    lines = [line["text"] for part in document["pages"][0]["paragraphs"] for line in part["lines"]]
    assert lines == [_NEW, SAMPLE[2]]
    records = [json.loads(row) for row in texts["jsonl"].splitlines()]
    assert [record["type"] for record in records] == ["page", "end"]
    assert _NEW in [line["text"] for part in records[0]["page"]["paragraphs"] for line in part["lines"]]
    pdf = _text_of_pdf(files["pdf"][1])
    assert _NEW in " ".join(pdf.split())
    assert not any(SAMPLE[1] in text for text in (*texts.values(), pdf))
    drawn = cv2.imdecode(np.frombuffer(files["png"][1], np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert drawn.shape[0] >= 340


def test_several_files_become_one(page: Page) -> None:
    open_files(page, sample("a.png"), scan(2, "b.pdf"))
    page.locator("#files").get_by_title("b.pdf", exact=True).click()
    page.locator("#next-page").click()
    expect(page.locator("#lines .copy")).to_have_text(["Page 2"])
    correct(page, 0, "Second page")

    name, data = _download(page, "pdf")
    assert name == "a-and-1-more.pdf"
    pages = _text_of_pdf(data).split("\f")
    assert [" ".join(text.split()) for text in pages[1:3]] == ["Page 1", "Second page"]
    assert SAMPLE[2] in pages[0]
    assert _download(page, "text")[1].decode().endswith("Second page\n")
    name, data = _download(page, "png")
    assert name == "b-2.png"
    page.locator("#copy").click()
    expect(page.locator("#toast")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split("\n")[-5:] == [SAMPLE[2], "", "Page 1", "", "Second page"]


def test_a_pdf_with_text_of_its_own_is_said_to_keep_it(page: Page) -> None:
    remember_options(page, pdf_text="prefer")
    open_files(page, pdf_with_text(1, 1))
    toast = page.locator("#toast")
    _download(page, "pdf")
    expect(toast).to_have_text("Downloaded")

    correct(page, 0, "corrected")

    assert _text_of_pdf(_download(page, "pdf")[1]).split() == ["Page", "1", "line", "1"]
    expect(toast).to_have_text(
        "Downloaded. The PDF keeps its own text without your corrections; other formats include them."
    )
    assert _download(page, "text")[1] == b"corrected\n"
    expect(toast).to_have_text("Downloaded")


def test_a_region_that_was_corrected_is_downloaded(page: Page) -> None:
    open_files(page, sample())
    draw_region(page, (0, 0.01), (1, 0.33))
    expect(page.locator("#lines .copy")).to_have_text([SAMPLE[0]])
    correct(page, 0, "Only this")

    assert _download(page, "text")[1].decode() == "Only this\n"
    assert _text_of_pdf(_download(page, "pdf")[1]).split() == ["Only", "this"]


def test_what_cannot_be_read_does_not_spoil_the_rest(page: Page) -> None:
    page.goto("/")
    choose(
        page,
        File("no.png", "image/png", b"this is no picture"),
        sample("sample.png"),
    )
    expect(page.locator("body")).to_have_attribute("data-state", "failed")
    show_file(page, "sample.png")

    assert SAMPLE[0] in _download(page, "text")[1].decode()
    assert SAMPLE[0] in _text_of_pdf(_download(page, "pdf")[1])


def test_a_download_that_fails_says_why_and_can_be_repeated_from_the_keyboard(page: Page, watch: Watch) -> None:
    watch.expect_status(503)
    watch.expect_broken_connections()
    open_files(page, sample())
    answers = iter([(503, '{"error": {"code": "overloaded", "message": "<b>busy</b>"}}'), (0, "")])

    def fail(route: Route) -> None:
        status, body = next(answers)
        if status:
            route.fulfill(status=status, headers={"Retry-After": "7"}, content_type="application/json", body=body)
        else:
            route.abort()

    page.route("**/v1/render", fail, times=2)
    button, toast = page.locator(".primary[data-format=pdf]"), page.locator("#toast")
    button.focus()
    page.keyboard.press("Enter")
    expect(toast).to_have_text("The server is busy. Try again in 7 seconds.")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(toast).to_contain_text("The server cannot be reached.")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "sample.pdf"
    expect(toast).to_have_text("Downloaded")
    expect(button).not_to_have_attribute("aria-busy", "true")
    assert lines(page) == list(SAMPLE)
