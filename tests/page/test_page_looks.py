"""How the page looks and sounds in each of its states: to eyes, to a screen reader, and under fingers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.accessibility import check_accessibility
from tests.page.files import File, choose, pdf_with_text, sample
from tests.page.looks import SCHEMES, SIZES, Scheme
from tests.served.server import Served

LONG = "A contract with a supplier whose name is as long as this one, second copy, signed and returned.png"
SCHEMES_BY_SIZE: Final[Mapping[tuple[int, int], tuple[Scheme, ...]]] = dict(
    zip(SIZES, (SCHEMES, ("light",), ("dark",)), strict=True)
)
"""All colours and all sizes; not all combinations, because checking one takes long."""
LOOKS: Final = [(size, scheme) for size, schemes in SCHEMES_BY_SIZE.items() for scheme in schemes]
NARROW = (320, 568)
ZOOMED = (720, 450)  # 1440 x 900 at 200 %
WINDOWS: Final = (*SIZES, NARROW, ZOOMED)
FINGER = 44  # pixels

OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((shown) => {
  const { left, right, width } = shown.getBoundingClientRect();
  const isScrolled = shown.closest("#files, #canvas, pre, .hidden, .skip, #toast");
  return !isScrolled && shown.checkVisibility() && width > 0 && (left < -0.5 || right > innerWidth + 0.5);
}).map((shown) => `${shown.tagName} ${shown.id} ${shown.textContent.slice(0, 40)}`)"""
"""What is cut off at the side of the window."""

SMALL = """(least) => [...document.querySelectorAll("button, summary, select, input, a")].filter((shown) => {
  const { width, height } = shown.getBoundingClientRect();
  const isInline = shown.closest("p:not(.bar), label, .skip, #toast");
  return shown.checkVisibility() && !isInline && (width < least - 0.5 || height < least - 0.5);
}).map((shown) => `${shown.tagName} ${shown.id} ${shown.textContent.slice(0, 40)}`)"""


def ended(page: Page) -> None:
    expect(page.locator("#stop")).to_be_hidden()


def read(page: Page) -> None:
    choose(page, sample())
    ended(page)


def show_several_files(page: Page) -> None:
    choose(page, sample(LONG), *(pdf_with_text(1, name=f"{number}.pdf") for number in range(8)))
    ended(page)


def fail(page: Page) -> None:
    choose(page, File("empty.png", "image/png", b"no picture"))
    ended(page)


def open_formats(page: Page) -> None:
    read(page)
    page.locator("#more summary").click()


def correct(page: Page) -> None:
    read(page)
    page.locator(".line .correct").first.click()


def search(page: Page) -> None:
    read(page)
    page.locator("#find").fill("a")
    page.locator("#overlay").click()


def open_options(page: Page) -> None:
    page.locator("#show-options").click()


def ask_for_a_key(page: Page) -> None:
    page.evaluate("document.getElementById('key').showModal()")


def open_tab(name: str) -> Callable[[Page], None]:
    def opened(page: Page) -> None:
        choose(page, pdf_with_text(3))
        ended(page)
        page.locator(f"#tab-{name}").click()

    opened.__name__ = f"open_tab_{name}"
    return opened


STATES: tuple[Callable[[Page], None], ...] = (
    read,
    show_several_files,
    fail,
    open_formats,
    correct,
    search,
    open_options,
    ask_for_a_key,
    *map(open_tab, ("lines", "text", "json", "request")),
)


@pytest.mark.parametrize(
    ("enter", "checked"),
    [
        # In every run each state in one look, and each look in some states: checking one takes long.
        *(pytest.param(enter, [LOOKS[index % len(LOOKS)]], id=enter.__name__) for index, enter in enumerate(STATES)),
        *(pytest.param(enter, LOOKS, id=f"{enter.__name__}-all", marks=pytest.mark.thorough) for enter in STATES),
    ],
)
def test_every_state_is_accessible_and_whole_at_every_size(
    page: Page, enter: Callable[[Page], None], checked: Sequence[tuple[tuple[int, int], Scheme]]
) -> None:
    page.goto("/")
    enter(page)

    for size in WINDOWS:
        check_whole(page, size)
        for scheme in (scheme for wanted, scheme in checked if wanted == size):
            page.emulate_media(color_scheme=scheme)
            check_accessibility(page)
    page.locator("#language").evaluate("button => button.click()")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    for size in WINDOWS:
        check_whole(page, size)
    check_accessibility(page)


def check_whole(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(OUTSIDE) == []


@pytest.fixture
def phone(browser: Browser, server: Served) -> Iterator[Page]:
    width, height = SIZES[0]
    context = browser.new_context(
        base_url=server.url, viewport={"width": width, "height": height}, has_touch=True, is_mobile=True
    )
    yield context.new_page()
    context.close()


def test_fingers_find_every_button_of_a_phone(phone: Page) -> None:
    phone.goto("/")
    assert phone.evaluate(SMALL, FINGER) == []

    choose(phone, sample(LONG), pdf_with_text(3))
    ended(phone)
    phone.locator("#files li").last.locator("button").first.tap()
    expect(phone.locator("#next-page")).to_be_visible()

    assert phone.evaluate(SMALL, FINGER) == []


def test_the_picture_stays_in_sight_while_the_lines_of_a_phone_are_scrolled(phone: Page) -> None:
    phone.goto("/")
    choose(phone, pdf_with_text(1, lines=60))
    ended(phone)

    phone.locator(".line .copy").last.focus()

    expect(phone.locator(".line").last).to_be_in_viewport()
    expect(phone.locator("#canvas")).to_be_in_viewport(ratio=1)
    covered = """row => {
      const { left, top, height } = row.getBoundingClientRect();
      return !row.contains(document.elementFromPoint(left + 20, top + height / 2));
    }"""
    assert not phone.locator(".line").last.evaluate(covered)


def test_nothing_moves_when_further_pages_arrive(page: Page) -> None:
    page.goto("/")
    page.evaluate("""() => {
      window.places = new Set();
      const note = () => places.add(["canvas", "status", "take", "lines"].map((id) =>
        Math.round(document.getElementById(id).getBoundingClientRect().top)).join());
      new MutationObserver(() => document.body.dataset.state !== "empty" && note())
        .observe(document.body, { subtree: true, childList: true, attributes: true });
    }""")

    choose(page, pdf_with_text(6))
    ended(page)

    expect(page.locator("#page option")).to_have_count(6)
    assert len(page.evaluate("[...places]")) == 1


def test_the_keyboard_alone_reads_copies_and_closes(page: Page) -> None:
    page.goto("/")
    focused = page.locator(":focus")
    page.locator("[data-example='receipt.png']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_be_focused()
    ended(page)

    while not focused.evaluate("shown => shown.id === 'copy'"):
        page.keyboard.press("Tab")
        assert focused.evaluate("shown => document.getElementById('results').contains(shown)")
    page.keyboard.press("Enter")
    assert "MILL" in page.evaluate("navigator.clipboard.readText()")

    page.locator("#files .close").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Choose files")


def test_dialogs_return_the_focus_to_what_opened_them(page: Page) -> None:
    page.goto("/")
    page.locator("#show-options").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#options :focus")).to_have_count(1)

    page.keyboard.press("Escape")

    expect(page.locator("#show-options")).to_be_focused()


def test_a_download_does_not_take_the_focus(page: Page) -> None:
    page.goto("/")
    read(page)
    for opened, pressed in ((None, "#take > [data-format=text]"), ("#more summary", "#formats [data-format=csv]")):
        if opened:
            page.locator(opened).press("Enter")
        with page.expect_download():
            page.locator(pressed).press("Enter")
        expect(page.locator(opened or pressed)).to_be_focused()


def test_beginnings_and_ends_are_spoken_and_not_each_page(page: Page) -> None:
    page.goto("/")
    page.evaluate("""() => {
      window.spoken = [];
      for (const live of document.querySelectorAll("[role=status]")) {
        new MutationObserver(() => spoken.push(live.textContent)).observe(live, { childList: true });
      }
    }""")

    choose(page, pdf_with_text(12), sample())
    ended(page)

    expect(page.locator("#files .done")).to_have_count(2)
    assert page.evaluate("spoken") == ["Reading…", "2 files done"]
