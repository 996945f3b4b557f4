"""A server that wants a key."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.accessibility import check_accessibility
from tests.page.files import choose, sample, scan
from tests.page.reading import FAILED, NO_STORAGE, READ, wait_for
from tests.page.watch import Watch
from tests.served.server import Served, launch_lean

ALICE = "alice-has-this-key-of-hers"
BOB = "bob-has-another-one-here"

# Nothing is asserted about this: it only bounds how long a failing test hangs.
_SECONDS = 60


def allow(file: Path, *keys: str) -> None:
    """Let these keys in, and no others."""
    lines = [f"key{number}:{hashlib.sha256(key.encode()).hexdigest()}\n" for number, key in enumerate(keys)]
    new = file.with_suffix(".new")
    new.write_text("".join(lines), encoding="utf-8")
    new.replace(file)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of keys, which the server reads again when it changes."""
    file = tmp_path_factory.mktemp("keys") / "keys.txt"
    allow(file, ALICE)
    return file


@pytest.fixture(scope="module")
def server(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with keys, whose paths may begin with a prefix."""
    with launch_lean(tmp_path_factory.mktemp("keyed"))(
        PPOCR_API_KEYS_FILE=str(keys), PPOCR_PATH_PREFIX="/ocr"
    ) as server:
        yield server


def give(page: Page, key: str, *, for_good: bool = False) -> None:
    """Enter a key in the dialog."""
    expect(page.locator("#key")).to_be_visible()
    page.locator("#key-field").fill(key)
    page.locator("#key-kept").set_checked(for_good)
    page.keyboard.press("Enter")


def test_the_page_asks_at_once_and_uses_the_key_for_everything(page: Page, watch: Watch, server: Served) -> None:
    watch.expect_status(401, 401, 401)
    page.goto("/")
    expect(page.locator("#key")).to_be_visible()
    expect(page.locator("#key-fault")).to_be_hidden()
    check_accessibility(page)

    give(page, "not the right key “of hers”")  # no header takes these quotation marks
    expect(page.locator("#key-fault")).to_be_visible()
    give(page, "this-one-is-not-known-either")
    expect(page.locator("#key-fault")).to_be_visible()
    give(page, ALICE)
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator("#server")).to_contain_text("ppocr-v6")

    choose(page, sample())
    wait_for(page, READ)
    page.locator("[data-opens=file]").last.focus()
    with page.expect_download() as download:
        page.locator("[data-format=pdf]").first.click()
    assert download.value.suggested_filename == "sample.pdf"

    page.locator("#tab-request").click()
    shown = page.content()
    assert ALICE not in shown
    assert ALICE not in page.url
    assert not any(ALICE in url for url in watch.requests)
    assert ALICE not in server.log()
    assert page.evaluate("Object.values(localStorage).join()").find(ALICE) == -1

    page.reload()
    expect(page.locator("#server")).to_contain_text("ppocr-v6")
    expect(page.locator("#key")).to_be_hidden()


def test_a_key_is_kept_for_the_tab_or_for_good(page: Page, watch: Watch) -> None:
    watch.expect_status(401, 401)
    page.goto("/")
    give(page, ALICE)
    expect(page.locator("#server")).to_contain_text("ppocr-v6")

    other = page.context.new_page()
    other.goto("/")
    give(other, ALICE, for_good=True)
    expect(other.locator("#server")).to_contain_text("ppocr-v6")
    third = page.context.new_page()
    third.goto("/")
    expect(third.locator("#server")).to_contain_text("ppocr-v6")
    expect(third.locator("#key")).to_be_hidden()


def test_without_a_key_examples_open_and_one_is_asked_for_once(page: Page, watch: Watch) -> None:
    watch.expect_status(*[401] * 3)
    page.goto("/")
    expect(page.locator("#key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator("#server")).to_contain_text("The server needs an API key. Try again")

    # Two are sent at once; the others are not, and the user is not asked again for each of them.
    choose(page, sample("one.png"), sample("two.png"), sample("three.png"), sample("four.png"))
    page.locator("#key-cancel").click()
    wait_for(page, FAILED, FAILED, FAILED, FAILED)
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator("#fault")).to_contain_text("The server needs an API key. Try again and enter one.")

    watch.expect_status(401, 401)
    page.locator("#fault button").click()
    give(page, ALICE)
    wait_for(page, READ, READ, READ, READ)
    expect(page.locator("#server")).to_contain_text("ppocr-v6")  # asked again, now that there is a key


def test_a_key_is_used_where_nothing_may_be_remembered(page: Page, watch: Watch) -> None:
    watch.expect_status(401)
    page.add_init_script(NO_STORAGE)
    page.goto("/")
    give(page, ALICE, for_good=True)

    choose(page, sample())
    wait_for(page, READ)


def test_a_revoked_key_is_asked_for_again(page: Page, watch: Watch, keys: Path) -> None:
    watch.expect_status(401)
    page.goto("/ocr/")
    give(page, ALICE)
    expect(page.locator("#server")).to_contain_text("ppocr-v6")

    try:
        allow(keys, BOB)
        _wait_until_refused(page, watch)
        watch.expect_status(401)
        choose(page, scan(2))
        expect(page.locator("#key-fault")).to_be_visible()
        give(page, BOB)
        wait_for(page, READ)
    finally:
        allow(keys, ALICE, BOB)


def _wait_until_refused(page: Page, watch: Watch) -> None:
    """Wait until the server has read the file of keys again."""
    asked = "key => fetch('v1/capabilities', { headers: { Authorization: `Bearer ${key}` } }).then(got => got.status)"
    end = time.monotonic() + _SECONDS
    while page.evaluate(asked, ALICE) != 401:
        assert time.monotonic() < end, "the key is still accepted"
        page.wait_for_timeout(50)
    watch.expect_status(401)
