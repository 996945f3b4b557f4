"""The page at a path of a proxy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.page.files import choose, sample
from tests.page.proxy import Proxy, proxy_for
from tests.page.reading import READ, wait_for
from tests.served.server import Served


@pytest.fixture(scope="module")
def server(server: Served) -> Iterator[Proxy]:
    """The server behind a proxy that says which prefix it has removed."""
    with proxy_for(server, "/tools/ocr") as proxy:
        yield proxy


def test_everything_is_asked_for_below_the_prefix(page: Page, server: Proxy) -> None:
    page.goto(f"{server.url}/")
    expect(page.locator("#server")).to_contain_text("ppocr")

    page.locator("[data-example='receipt.png']").click()
    wait_for(page, READ)
    choose(page, sample())
    wait_for(page, READ, READ)
    with page.expect_download() as download:
        page.locator("[data-format=text]").first.click()
    assert download.value.suggested_filename.endswith(".txt")
    links = page.locator("footer a").evaluate_all("links => links.map(link => link.href)")

    assert links == [f"{server.url}/{path}" for path in ("openapi.json", "v1/capabilities", "healthz")]
    assert all(path.startswith("/tools/ocr") for path in server.paths)
