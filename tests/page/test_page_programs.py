"""Programs for a server that wants a key, as the page shows them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.files import scan
from tests.page.opened import draw_region, open_files
from tests.page.programs import programs, run_programs
from tests.served.server import Served, launch_lean

_KEY = "a-key-that-nobody-guesses"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that wants a key."""
    with launch_lean(tmp_path_factory.mktemp("keyed"))(PPOCR_API_KEYS=_KEY) as server:
        yield server


def test_they_read_a_region_of_the_shown_page_with_the_key(page: Page, tmp_path: Path) -> None:
    page.add_init_script(f"sessionStorage.setItem('ppocr.key', {json.dumps(json.dumps(_KEY))})")
    file = scan(3, "three pages.pdf")
    open_files(page, file)
    page.locator("#next-page").click()
    expect(page.locator("#lines .copy")).to_have_text(["Page 2"])
    draw_region(page, (0, 0), (1, 1))
    expect(page.locator("#whole")).to_be_visible()

    assert all(_KEY not in program and "PPOCR_API_KEY" in program for program in programs(page))
    assert run_programs(page, tmp_path, file, key=_KEY) == [["Page 2"]] * 3
