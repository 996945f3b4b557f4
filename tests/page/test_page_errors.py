"""What may go wrong with a file: what has happened, what to do, and the server's own words."""

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.drawing import draw_line
from tests.page.accessibility import check_accessibility
from tests.page.files import File, choose, picture, sample, scan
from tests.page.looks import LOCALES, Look, looks
from tests.page.proxy import Proxy, proxy_for
from tests.page.reading import FAILED, READ, option, wait_for
from tests.page.watch import Watch
from tests.served.samples import as_base64, line
from tests.served.server import Served, launch_lean

LIMITS = {
    "PPOCR_MAX_BODY_MB": "1",
    "PPOCR_MAX_CONCURRENCY": "1",
    "PPOCR_MAX_PAGES": "4",
    "PPOCR_MAX_PIXELS": "500000",
    "PPOCR_MAX_QUEUE": "1",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A server with small limits, behind a proxy."""
    with launch_lean(tmp_path_factory.mktemp("limited"))(**LIMITS) as served, proxy_for(served) as proxy:
        yield proxy


class Told(NamedTuple):
    """A fault as the page tells it.

    Attributes:
        file: What causes it.
        english: Of what has happened and what to do.
        chinese: The same.
        server: Of the server's own words; empty if it was not asked.
    """

    file: File
    english: tuple[str, str]
    chinese: tuple[str, str]
    server: str


NO_PICTURE = Told(
    File("notes.txt", "text/plain", b"no picture"),
    ("not a picture or PDF", "Save it as JPEG, PNG or PDF"),
    ("不是服务器能读取的图片或 PDF", "请另存为"),
    "is not a picture or document in a supported format",
)
DAMAGED = Told(
    sample("damaged.png")._replace(data=sample().data[:2000]), NO_PICTURE.english, NO_PICTURE.chinese, "damaged"
)
TOO_LARGE = Told(
    File("large.png", "image/png", sample().data.ljust(2 << 20, b"\0")),
    ("The file is too large: this server takes up to 1 MB.", "split the PDF"),
    ("文件太大：这台服务器最多接受 1 MB。", "拆分 PDF"),
    "",
)
TOO_MANY_PAGES = Told(
    scan(5), ("more than the server accepts", "choose fewer pages"), ("超出了", "少选几页"), "5 pages"
)
TOO_MANY_PIXELS = Told(
    picture(draw_line("wide", size=700), "wide.png"),
    ("more than the server accepts", "Make the picture smaller"),
    ("超出了", "缩小图片"),
    "pixels",
)


@pytest.mark.parametrize("look", looks(LOCALES), ids=str)
def test_files_that_cannot_be_read_are_explained(page: Page, proxy: Proxy, look: Look) -> None:
    page.goto("/")
    expect(page.locator("#server")).to_contain_text("ppocr")
    told = (NO_PICTURE, DAMAGED, TOO_LARGE, TOO_MANY_PAGES, TOO_MANY_PIXELS)

    choose(page, sample(), *(one.file for one in told))
    wait_for(page, READ, *[FAILED] * len(told))

    expect(page.locator("#fault")).to_be_hidden()
    for one, chip in zip(told, page.locator("#files > li").all()[1:], strict=True):
        chip.locator("button").first.click()
        for words in one.english if look.locale == LOCALES[0] else one.chinese:
            expect(page.locator("#fault")).to_contain_text(words)
        details = page.locator("#fault details")
        if one.server:
            details.locator("summary").click()
            expect(details.locator("code")).to_contain_text(one.server)
            expect(details.locator("code")).to_contain_text("request" if look.locale == LOCALES[0] else "请求")
        else:
            expect(details).to_have_count(0)
    check_accessibility(page)
    assert sum(path.startswith("/v1/read") for path in proxy.paths) == 1 + sum(
        bool(one.server) for one in told
    )  # nothing was sent in vain


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> File:
    """A PDF that a password protects."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "plain.pdf").write_bytes(scan(1).data)
    subprocess.run(
        ["qpdf", "--encrypt", "Grüße", "owner", "256", "--", "plain.pdf", "locked.pdf"], cwd=folder, check=True
    )
    return File("locked.pdf", "application/pdf", (folder / "locked.pdf").read_bytes())


def test_a_protected_pdf_asks_for_its_password(page: Page, proxy: Proxy, locked: File) -> None:
    page.goto("/")
    fault = page.locator("#fault")

    choose(page, locked)
    wait_for(page, FAILED)
    expect(fault).to_contain_text("This PDF is password-protected. Enter the right one under Options")
    expect(fault.locator("code")).to_be_visible()
    fault.get_by_role("button", name="Options").click()
    page.locator("#option-password").fill("wrong")
    page.locator("#again").click()
    expect(fault.locator("code")).to_contain_text("does not open")
    wait_for(page, FAILED)
    option(page, "password", "Grüße")
    fault.get_by_role("button", name="Try again").click()
    wait_for(page, READ)

    expect(page.locator("#lines")).to_contain_text("1")
    assert "Gr" not in page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert "Gr" not in proxy.served.log()
    assert not any("Gr" in path or "password" in path for path in proxy.paths)
    page.reload()
    page.locator("#show-options").click()
    expect(page.locator("#option-password")).to_have_value("")


def test_a_page_that_fails_leaves_the_others(page: Page) -> None:
    first, *others = (
        Image.fromarray(draw_line(text, size)) for text, size in (("Page 1", 40), ("Page 2", 700), ("Page 3", 40))
    )
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others, compression="tiff_deflate")
    page.goto("/")

    choose(page, File("mixed.tif", "image/tiff", file.getvalue()))
    wait_for(page, READ)

    expect(page.locator("#page option")).to_have_text(["1", "2", "3"])
    expect(page.locator("#fault")).to_be_hidden()
    page.locator("#next-page").click()
    expect(page.locator("#fault")).to_contain_text("more than the server accepts")
    page.locator("#next-page").click()
    expect(page.locator("#fault")).to_be_hidden()
    expect(page.locator("#lines .line")).to_have_count(1)


def test_a_full_queue_says_when_to_try_again(page: Page, proxy: Proxy, watch: Watch) -> None:
    watch.expect_status(503)
    page.goto("/")
    (worker,) = proxy.served.workers()
    hello = [as_base64(line("Hello"))]
    os.kill(worker, signal.SIGSTOP)
    try:
        with closing(proxy.served.begin("ocr_rec", hello)), closing(proxy.served.begin("ocr_rec", hello)):
            choose(page, sample())
            wait_for(page, FAILED)
    finally:
        os.kill(worker, signal.SIGCONT)
    fault = page.locator("#fault")
    expect(fault).to_contain_text("The server is busy. Try again in")
    fault.locator("summary").click()
    expect(fault.locator("code")).to_contain_text("the queue is full")

    fault.get_by_role("button", name="Try again").click()
    wait_for(page, READ)


class TestWithoutProxy:
    """What the server does to the browser's connection itself."""

    @pytest.fixture
    def server(self, server: Proxy) -> Served:
        return server.served

    def test_a_refusal_while_the_browser_still_sends_is_not_taken_for_a_missing_server(
        self, page: Page, watch: Watch
    ) -> None:
        watch.expect_broken_connections()
        watch.expect_status(413)
        page.route("**/v1/capabilities", lambda route: route.abort())  # so that the page knows no limit
        page.goto("/")
        expect(page.locator("#server")).to_contain_text("cannot be reached")
        page.unroute("**/v1/capabilities")

        choose(page, File("large.pdf", "application/pdf", scan(1).data.ljust(10 << 20, b"\0")))
        wait_for(page, FAILED)

        expect(page.locator("#fault")).not_to_contain_text("cannot be reached")
        expect(page.locator("#fault")).to_contain_text("limit")


def test_a_proxy_s_own_refusal_is_told_from_the_server_s(page: Page, proxy: Proxy, watch: Watch) -> None:
    watch.expect_status(502)
    page.goto("/")
    expect(page.locator("#server")).to_contain_text("ppocr-v6")  # what else the page asks for has been answered
    proxy.fail()

    choose(page, sample())
    wait_for(page, FAILED)

    expect(page.locator("#fault")).to_contain_text("Something else answered in place of the server (status 502)")


def test_a_file_that_the_browser_cannot_read_is_told(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    file = tmp_path / "gone.png"
    file.write_bytes(sample().data)
    page.locator("#file").set_input_files(file)
    wait_for(page, READ)
    file.unlink()

    page.locator("#show-options").click()
    page.locator("#again").click()
    wait_for(page, FAILED)

    expect(page.locator("#fault")).to_contain_text("The browser cannot read this file. It may have been moved")
