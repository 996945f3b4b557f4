"""The tabs: plain text, JSON, and programs that really ask for the same."""

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.drawing import Placed, draw_page
from tests.page.files import SAMPLE, File, picture, sample, scan
from tests.page.opened import answer_for, copied, open_files, text_for
from tests.page.programs import programs, run_programs
from tests.page.reading import shown_text
from tests.served.server import Served

_COLUMNS = ("The first column has", "two lines of text", "while the second one", "has other words")


def _columns() -> File:
    places = ((40, 60), (40, 110), (600, 60), (600, 110))
    lines = [Placed(text, x, y, 32) for text, (x, y) in zip(_COLUMNS, places, strict=True)]
    return picture(draw_page([*lines, Placed("A paragraph of its own", 40, 320, 32)], 1040, 420), "columns.png")


def test_tabs_are_chosen_by_mouse_and_keys(page: Page) -> None:
    open_files(page, sample())
    tabs = page.get_by_role("tab")
    page.locator("#tab-json").click()
    expect(page.locator("#panel-json")).to_be_visible()
    expect(page.locator("#panel-lines")).to_be_hidden()

    for key, chosen in (("ArrowRight", 3), ("ArrowRight", 0), ("ArrowLeft", 3), ("Home", 0), ("End", 3)):
        page.keyboard.press(key)
        expect(tabs.nth(chosen)).to_be_focused()
        expect(tabs.nth(chosen)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tab", selected=True)).to_have_count(1)
        expect(page.get_by_role("tabpanel")).to_have_count(1)
    page.locator("#snippets button").first.click()
    expect(page.locator("#toast")).to_have_text("Copied")
    assert copied(page) == page.locator("#snippets pre").first.inner_text()


def test_page_down_turns_the_page_but_scrolls_a_panel_that_has_the_focus(page: Page) -> None:
    open_files(page, scan(2))
    number = page.locator("#page")
    page.locator("#tab-json").click()
    page.locator("#panel-json pre").focus()
    page.keyboard.press("PageDown")
    expect(number).to_have_value("0")

    for place in ("#tab-json", "#canvas"):
        page.locator(place).focus()
        page.keyboard.press("PageDown")
        expect(number).to_have_value("1")
        page.keyboard.press("PageUp")
        expect(number).to_have_value("0")


def test_text_and_json_are_those_of_the_api(page: Page, server: Served) -> None:
    file = _columns()
    open_files(page, file)

    assert "\n".join(shown_text(page)) == text_for(server, file)
    page.locator("#tab-json").click()
    (answered,) = answer_for(server, file, words="true")
    shown = json.loads(page.locator("#panel-json pre").inner_text())
    assert shown == answered
    page.locator("#copy").click()
    expect(page.locator("#toast")).to_have_text("Copied")
    assert json.loads(copied(page)) == answered

    page.evaluate("localStorage.setItem('ppocr.options', JSON.stringify({ reading_order: 'rows' }))")
    open_files(page, file)
    assert "\n".join(shown_text(page)) == text_for(server, file, reading_order="rows")


def test_a_paragraph_whose_first_line_is_left_out_stays_one(page: Page) -> None:
    open_files(page, _columns())
    before = "\n".join(shown_text(page)).split("\n\n")
    page.locator("#tab-lines").click()
    page.locator("#lines .line.first .correct").first.click()  # of the second paragraph
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")

    after = "\n".join(shown_text(page)).split("\n\n")
    assert after[0] == before[0]
    assert after[1] == before[1].partition("\n")[2] or after[1:] == before[2:]


def test_the_programs_do_what_they_show(page: Page, tmp_path: Path) -> None:
    name = 'it\'s a "file"; 文字, 50%.png'
    file = sample(name)
    open_files(page, file)

    assert run_programs(page, tmp_path, file) == [list(SAMPLE)] * 3
    page.locator("#snippets pre").first.evaluate("node => getSelection().selectAllChildren(node)")
    page.locator("#show-options").click()
    page.locator("#option-reading_order").select_option("rows")
    page.locator("#option-drop_score").fill("0.999")
    page.keyboard.press("Tab")
    page.locator("#options button.primary").click()
    assert all("reading_order" in program and "0.999" in program for program in programs(page))
    page.locator("#show-options").click()
    page.locator("#again").click()
    expect(page.locator("body")).to_have_attribute("data-state", "done")
    shown = shown_text(page)
    assert run_programs(page, tmp_path, file) == [[line for line in shown if line]] * 3
