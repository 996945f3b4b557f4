"""A real server, a real browser, and a page that no test may leave with a complaint."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.browser import chromium
from tests.page.looks import Look
from tests.page.proxy import Proxy
from tests.page.watch import Watch
from tests.served.server import ROOT, Served, launch_lean

# Nothing is asserted about this: it only bounds how long a failing test hangs.
_SECONDS = 60

expect.set_options(timeout=1000 * _SECONDS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the default settings. A file of tests may have another one by a fixture of this name."""
    with launch_lean(tmp_path_factory.mktemp("page"))() as server:
        yield server


@pytest.fixture
def proxy(server: Proxy) -> Iterator[Proxy]:
    """A file's server, if it is behind a proxy, which passes everything on until a test says otherwise."""
    server.reset()
    yield server
    server.reset()


# Not for the session: as long as it runs, its thread has an event loop, beside which other tests cannot run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that finds no host but this one."""
    with chromium("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def look() -> Look:
    """English, light, on a desk; parametrize it for others."""
    return Look()


@pytest.fixture
def context(browser: Browser, server: Served, look: Look) -> Iterator[BrowserContext]:
    """A user without cookies and storage."""
    width, height = look.size
    context = browser.new_context(
        base_url=server.url,
        color_scheme=look.scheme,
        locale=look.locale,
        permissions=["clipboard-read", "clipboard-write"],
        reduced_motion="reduce",
        viewport={"width": width, "height": height},
    )
    context.set_default_timeout(1000 * _SECONDS)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, server: Served) -> Watch:
    """What goes wrong in the browser."""
    return Watch(context, server.url)


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """A folder for screenshots, which is kept after the tests."""
    folder = Path(os.environ.get("PPOCR_TEST_SCREENSHOTS") or ROOT / "artefacts" / "page")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def page(request: pytest.FixtureRequest, context: BrowserContext, watch: Watch, screenshots: Path) -> Iterator[Page]:
    """An empty page. At its end it is kept as a screenshot, and fails the test if anything went wrong in it.

    Wait by locators: `wait_for_function` evaluates a text, which the page's policy blocks.
    """
    page = context.new_page()
    yield page
    name = re.sub(r"\W+", "-", f"{request.path.stem}-{request.node.name}").strip("-")
    page.screenshot(path=screenshots / f"{name}.png")
    watch.wait_for_statuses(page)
    assert watch.complaints() == []
