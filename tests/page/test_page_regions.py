"""Regions that are drawn on the picture, and read alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.drawing import Placed, draw_page, rotate
from tests.page.files import SAMPLE, picture, sample, scan
from tests.page.looks import LOCALES, SIZES, looks
from tests.page.opened import correct, draw_region, lines, middle_of, open_files, picture_rectangle, touch
from tests.page.proxy import Proxy, proxy_for
from tests.served.server import Served


@pytest.fixture(scope="module")
def server(server: Served) -> Iterator[Proxy]:
    """The server behind a proxy, which knows what was sent and can hold answers."""
    with proxy_for(server) as proxy:
        yield proxy


def _sent(proxy: Proxy) -> dict[str, str]:
    """Return the options of the last request; browsers do not tell Playwright what they send with a file."""
    parts = proxy.body.decode("latin-1").split("\r\n")
    return {parts[at].split('"')[1]: parts[at + 2] for at, part in enumerate(parts) if 'form-data; name="' in part}


def test_a_region_is_read_alone_and_the_whole_page_comes_back_as_it_was_corrected(page: Page, server: Proxy) -> None:
    open_files(page, sample())
    first = page.locator("#lines .line").first
    first.locator(".correct").click()
    page.keyboard.type("corrected")
    page.keyboard.press("Enter")
    whole = lines(page)
    assert whole == ["corrected", *SAMPLE[1:]]

    draw_region(page, (-0.01, 0.62), (1.3, 1.4))  # beyond the page on three sides
    expect(page.locator("#whole")).to_be_visible()
    assert lines(page) == [SAMPLE[2]]
    x, y, width, height = map(int, _sent(server)["region"].split(","))
    assert (x, width, y + height) == (0, 640, 340)
    assert y == pytest.approx(0.62 * 340, abs=3)
    expect(page.locator("#boxes .region")).to_have_attribute("height", str(height))
    expect(page.locator("#boxes polygon")).to_have_count(1)
    expect(page.locator("#region")).to_have_attribute("aria-pressed", "false")

    draw_region(page, (0, 0.02), (1, 0.33))  # a region of the page, not of the region
    expect(page.locator("#lines .copy")).to_have_text([SAMPLE[0]])
    page.locator("#turn").click()
    turned = picture_rectangle(page)
    page.locator("#whole button").click()
    expect(page.locator("#lines .copy")).to_have_text(whole)
    assert picture_rectangle(page) == pytest.approx(turned)
    expect(page.locator("#boxes .region")).to_have_count(0)
    expect(page.locator("#whole")).to_be_hidden()


def test_corrections_of_a_region_go_to_the_page_unless_it_has_no_such_line(page: Page) -> None:
    open_files(page, sample())
    copies, toast = page.locator("#lines .copy"), page.locator("#toast")
    draw_region(page, (0, 0.62), (1, 1))
    expect(copies).to_have_text([SAMPLE[2]])
    correct(page, 0, "third")

    draw_region(page, (0, 0.02), (1, 0.33))  # in place of the other one
    expect(copies).to_have_text([SAMPLE[0]])
    correct(page, 0, "")
    page.locator("#whole button").click()
    expect(copies).to_have_text(["left out", SAMPLE[1], "third"])
    expect(page.locator("#lines .corrected")).to_have_count(2)
    page.locator("#lines .restore").last.click()
    expect(copies).to_have_text(["left out", *SAMPLE[1:]])

    draw_region(page, (0, 0.02), (0.3, 0.33))  # the beginning of a line
    expect(copies).to_have_count(1)
    correct(page, 0, "half a line")
    page.locator("#whole button").click()
    expect(toast).to_have_text("Not kept, because the page has no line there: 1 correction")
    expect(copies).to_have_text(["left out", *SAMPLE[1:]])


def test_the_latest_region_is_shown(page: Page, proxy: Proxy) -> None:
    open_files(page, sample())
    copies, canvas = page.locator("#lines .copy"), page.locator("#canvas")
    proxy.hold_after(0)
    with page.expect_request("**/v1/read**"):
        draw_region(page, (0, 0.02), (1, 0.33))
    with page.expect_request("**/v1/read**"):
        draw_region(page, (0, 0.62), (1, 1))
    expect(canvas).to_have_class("waiting")
    expect(page.locator("#toast")).not_to_contain_text("Stopped")

    proxy.release()

    expect(copies).to_have_text([SAMPLE[2]])
    expect(canvas).not_to_have_class("waiting")
    expect(page.locator("#fault")).to_be_hidden()


def test_what_is_typed_while_a_region_comes_stays_with_its_line(page: Page, proxy: Proxy) -> None:
    open_files(page, sample())
    copies = page.locator("#lines .copy")
    proxy.hold_after(0)
    with page.expect_request("**/v1/read**"):
        draw_region(page, (0, 0.62), (1, 1))
    page.locator("#lines .correct").first.click()
    page.keyboard.insert_text("first")

    proxy.release()

    expect(copies).to_have_text([SAMPLE[2]])
    page.locator("#whole button").click()
    expect(copies).to_have_text(["first", *SAMPLE[1:]])


def test_escape_a_click_and_a_lost_finger_draw_nothing(page: Page) -> None:
    open_files(page, sample())
    x, y = middle_of(page, 0)
    region, frame = page.locator("#region"), page.locator("#boxes .region")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    region.click()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 50)
    expect(frame).to_have_count(1)
    page.keyboard.press("Escape")
    expect(frame).to_have_count(0)
    page.mouse.up()
    region.click()
    page.mouse.click(x, y)
    expect(region).to_have_attribute("aria-pressed", "false")
    region.click()
    touch(page, [(x, y)], [(x, y), (x + 90, y)], [(x + 3, y + 3), (x + 90, y + 90)])
    expect(region).to_have_attribute("aria-pressed", "false")

    expect(frame).to_have_count(0)
    assert lines(page) == list(SAMPLE)
    assert asked == []


def test_a_finger_draws_on_a_turned_page(page: Page) -> None:
    turned = picture(
        rotate(draw_page([Placed(text, 40, 40 + 90 * n) for n, text in enumerate(SAMPLE * 2)], 640, 560), 90)
    )
    open_files(page, turned)
    expect(page.locator("#lines .line")).to_have_count(len(SAMPLE * 2))
    left, top, width, height = picture_rectangle(page)
    assert width > height
    page.locator("#region").click()

    touch(page, [(left, top)], [(left + 20, top + 10)], [(left + width - 2, top + 0.18 * height)])

    expect(page.locator("#lines .copy")).to_have_text([SAMPLE[0]])
    x, y = middle_of(page, 0)
    assert left < x < left + width
    assert top < y < top + 0.18 * height


def test_a_region_of_a_page_of_a_pdf_is_read_on_that_page_alone(page: Page, server: Proxy) -> None:
    open_files(page, scan(3))
    page.locator("#next-page").click()
    expect(page.locator("#lines .copy")).to_have_text(["Page 2"])

    draw_region(page, (0.0, 0.0), (1.0, 1.0))

    expect(page.locator("#whole")).to_be_visible()
    assert _sent(server)["pages"] == "2"
    assert lines(page) == ["Page 2"]
    page.locator("#next-page").click()
    expect(page.locator("#lines .copy")).to_have_text(["Page 3"])
    expect(page.locator("#whole")).to_be_hidden()
    page.locator("#previous-page").click()
    expect(page.locator("#whole")).to_be_visible()


def test_drawing_selects_nothing(page: Page) -> None:
    open_files(page, scan(2))
    draw_region(page, (0.05, -0.2), (0.9, 1.2))
    expect(page.locator("#whole")).to_be_visible()
    assert page.evaluate("getSelection().type") != "Range"


@pytest.mark.parametrize("look", looks(LOCALES, sizes=SIZES[:1]), ids=str)
def test_the_hint_is_shown_in_full_on_phones(page: Page) -> None:
    open_files(page, sample())
    page.locator("#region").click()
    toast = page.locator("#toast.shown")
    expect(toast).to_be_visible()
    assert toast.evaluate("toast => toast.scrollHeight <= toast.clientHeight")
