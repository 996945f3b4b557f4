"""What the page shows while files are read, and what a user may do meanwhile.

A proxy holds bodies and answers, so that nothing depends on how fast anything is.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.drawing import draw_line
from tests.page.files import File, choose, picture, sample, scan
from tests.page.opened import correct
from tests.page.proxy import Proxy, proxy_for
from tests.page.reading import FAILED, READ, names, option, shown_text, wait_for
from tests.page.watch import Watch
from tests.served.server import Served

LARGE = 16 << 20  # more than what the sockets between the browser and the proxy hold


@pytest.fixture(scope="module")
def server(server: Served) -> Iterator[Proxy]:
    """The server behind a proxy."""
    with proxy_for(server) as proxy:
        yield proxy


def large(name: str) -> File:
    """Return a picture with many bytes after its end."""
    small = sample(name)
    return small._replace(data=small.data.ljust(LARGE, b"\0"))


def test_progress_is_shown_while_a_file_is_sent(page: Page, proxy: Proxy) -> None:
    page.goto("/")
    status, progress = page.locator("#status"), page.locator("#progress")
    proxy.hold_bodies()

    choose(page, large("large.png"))
    wait_for(page, "reading")
    expect(status).to_contain_text("Uploading")
    expect(progress).to_have_attribute("value", re.compile(r"0\.\d*[1-9]"))
    # The list of files stays as it is while it changes, so that a click hits what it was meant for.
    page.evaluate("window.chip = document.querySelector('#files > li')")
    proxy.release()
    wait_for(page, READ)

    assert page.evaluate("document.querySelector('#files > li') === window.chip")
    expect(progress).to_be_hidden()
    expect(status).to_contain_text("3 lines, read in")


def test_pages_are_shown_as_they_arrive_and_reading_can_be_stopped(page: Page, proxy: Proxy) -> None:
    page.goto("/")
    proxy.hold_after(1)

    choose(page, scan(3))
    expect(page.locator("#lines .line")).to_have_count(1)
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#status")).to_have_text("Reading page 2…")
    assert page.title().startswith("… scan.pdf")
    wait_for(page, "reading")

    page.locator("#stop").click()
    wait_for(page, FAILED)
    expect(page.locator("#fault")).to_contain_text("Stopped.")
    expect(page.locator("#status")).to_have_text("Only 1 page with 1 line could be read")
    expect(page.locator("#lines .line")).to_have_count(1)

    proxy.release()
    page.locator("#fault button").click()
    wait_for(page, READ)
    expect(page.locator("#page option")).to_have_count(3)
    expect(page.locator("#fault")).to_be_hidden()


def test_files_are_added_and_closed_while_others_are_read(page: Page, proxy: Proxy) -> None:
    page.goto("/")
    proxy.hold_after(0)
    choose(page, sample("one.png"), sample("two.png"), sample("three.png"), sample("four.png"))
    wait_for(page, "reading", "reading", "waiting", "waiting")

    choose(page, picture(draw_line("five"), "five.png"))
    page.get_by_role("button", name="Close one.png").click()
    wait_for(page, "reading", "reading", "waiting", "waiting")
    page.get_by_role("button", name="Close four.png").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close five.png")).to_be_focused()
    proxy.release()
    wait_for(page, READ, READ, READ)

    assert names(page) == ["two.png", "three.png", "five.png"]
    page.locator("#files > li").last.locator("button").first.click()
    assert shown_text(page) == ["five"]
    page.locator("#clear").click()
    expect(page.locator("#welcome")).to_be_visible()
    choose(page, sample())
    wait_for(page, READ)


def test_files_are_read_again_while_they_are_read(page: Page, proxy: Proxy) -> None:
    """What the first reading still sends is not taken for the second one's."""
    page.goto("/")
    proxy.hold_after(1)
    choose(page, scan(3))
    expect(page.locator("#lines .line")).to_have_count(1)

    option(page, "pages", "2-3")
    page.locator("#show-options").click()
    page.locator("#again").click()
    expect(page.locator("#page option")).to_have_text(["2"])
    proxy.release()
    wait_for(page, READ)

    expect(page.locator("#page option")).to_have_text(["2", "3"])


def test_a_stream_that_breaks_off_leaves_what_was_read(page: Page, proxy: Proxy, watch: Watch) -> None:
    watch.expect_broken_connections()
    page.goto("/")
    proxy.hold_after(2)

    choose(page, scan(3))
    expect(page.locator("#page option")).to_have_count(2)
    proxy.break_off()
    wait_for(page, FAILED)
    expect(page.locator("#fault")).to_contain_text("The connection was lost before everything was read. Try again.")
    expect(page.locator("#status")).to_have_text("Only 2 pages with 2 lines could be read")

    correct(page, 0, "first")
    watch.answer_question("Read again and lose your corrections?", accept=False)
    page.locator("#fault button").click()
    expect(page.locator("#lines .copy")).to_have_text("first")
    watch.answer_question("Read again and lose your corrections?", accept=True)
    proxy.reset()
    page.locator("#fault button").click()
    wait_for(page, READ)
    expect(page.locator("#lines .copy")).to_have_text("Page 1")


def test_a_server_that_is_gone_is_told_and_all_files_are_tried_again(page: Page, watch: Watch) -> None:
    watch.expect_broken_connections()
    page.goto("/")
    expect(page.locator("#server")).to_contain_text("languages")
    page.context.set_offline(True)

    choose(page, sample("one.png"), sample("two.png"), sample("three.png"))
    wait_for(page, FAILED, FAILED, FAILED)
    expect(page.locator("#fault")).to_contain_text("The server cannot be reached. Check that it is running")
    page.locator("#language").click()
    expect(page.locator("#fault")).to_contain_text("无法连接服务器。")

    page.context.set_offline(False)
    page.locator("#fault button").click()
    wait_for(page, READ, READ, READ)


def test_a_server_that_comes_late_is_asked_again(page: Page, watch: Watch) -> None:
    watch.expect_broken_connections()
    page.route("**/v1/capabilities", lambda route: route.abort())  # a network that fails for a moment
    page.goto("/")
    expect(page.locator("#server")).to_contain_text("The server cannot be reached. Try again")
    page.unroute("**/v1/capabilities")

    page.locator("#server button").click()
    expect(page.locator("#server")).to_contain_text("ppocr-v6")


def test_where_the_time_went_is_shown(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#server")).to_have_text(r"ppocr-v6 · 49 languages · 1.0.0")
    assert "English" in (page.locator("#server").get_attribute("title") or "")

    choose(page, sample())
    wait_for(page, READ)

    shown = page.locator("#times")
    assert shown.locator("li").all_inner_texts()
    for stage in ("Decoding", "Finding text", "Reading text"):
        expect(shown).to_contain_text(stage)
    grown = shown.locator(".times > span").evaluate_all("parts => parts.map(part => Number(part.style.flexGrow))")
    assert len(grown) == shown.locator("li").count()
    assert all(part > 0 for part in grown)
