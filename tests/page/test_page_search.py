"""Finding text in all pages of a file."""

import pytest
from playwright.sync_api import Page, expect

from tests.drawing import Placed, draw_page
from tests.page.files import SAMPLE, pdf_with_text, picture, sample, scan
from tests.page.looks import Look
from tests.page.opened import lines, open_files, remember_options, show_file

_MARKED = """() => [...CSS.highlights.get("found") ?? []].map(range => String(range))"""


def test_matches_are_counted_marked_and_gone_to_over_pages(page: Page) -> None:
    remember_options(page, pdf_text="prefer")
    open_files(page, pdf_with_text(3, name="three.pdf"), sample())
    field, found = page.locator("#find"), page.locator("#found")
    active, number = page.locator("#lines .line.active"), page.locator("#page")

    page.keyboard.press("Control+f")
    expect(field).to_be_focused()
    field.fill("LINE 2")
    expect(found).to_have_text("– of 3")
    expect(page.locator("#lines .line.found")).to_have_text(["Page 1 line 2100%✎"])
    expect(page.locator("#boxes polygon.found")).to_have_attribute("data-index", "1")
    assert page.evaluate(_MARKED) == ["line 2"]
    page.locator("#overlay").click()
    expect(page.locator("#boxes polygon.found")).to_have_attribute("data-index", "1")
    page.locator("#overlay").click()

    for at, current in enumerate([1, 2, 3, 1, 2]):
        if at % 2:
            page.locator("#next-match").click()
        else:
            field.press("Enter")
        expect(found).to_have_text(f"{current} of 3")
        expect(number).to_have_value(str(current - 1))
        expect(active).to_contain_text(f"Page {current} line 2")
        expect(page.locator("#boxes polygon.active")).to_have_attribute("data-index", "1")
    for current in (1, 3):
        if current == 1:
            page.locator("#previous-match").click()
        else:
            field.press("Shift+Enter")
        expect(found).to_have_text(f"{current} of 3")
        expect(number).to_have_value(str(current - 1))

    show_file(page, "sample.png")
    expect(found).to_have_text("not found")
    expect(page.locator("#next-match")).to_be_disabled()
    for text, count in (("文字", 1), ("reading PICTURES", 1), ("a", 2), (".", 1), ("$^.*\\[", 0), ("  2026 ", 1)):
        field.fill(text)
        expect(found).to_have_text(f"– of {count}" if count else "not found")
        assert [text.strip().lower() for _ in range(count)] <= [marked.lower() for marked in page.evaluate(_MARKED)]
    field.press("Escape")
    expect(found).to_be_empty()
    expect(page.locator(".found")).to_have_count(0)
    assert page.evaluate(_MARKED) == []


def test_the_next_match_is_the_next_from_the_shown_page_on(page: Page) -> None:
    remember_options(page, pdf_text="prefer")
    open_files(page, pdf_with_text(3))
    page.locator("#page").select_option(index=1)
    page.locator("#find").fill("line 3")

    page.locator("#next-match").click()
    expect(page.locator("#found")).to_have_text("2 of 3")
    page.locator("#find").fill("line 1")
    page.locator("#previous-match").click()
    expect(page.locator("#found")).to_have_text("1 of 3")


def test_matches_of_pages_that_arrive_are_counted(page: Page) -> None:
    page.goto("/")
    page.locator("#file").set_input_files({"name": "scan.pdf", "mimeType": "application/pdf", "buffer": scan(5).data})
    expect(page.locator("#lines .copy")).to_have_text(["Page 1"])
    page.locator("#find").fill("page")
    page.locator("#find").press("Enter")

    expect(page.locator("#found")).to_have_text("1 of 5")
    expect(page.locator("body")).to_have_attribute("data-state", "done")


@pytest.mark.parametrize("look", [Look(locale="tr-TR")], ids=str)
def test_capitals_are_found_whatever_the_browser_s_language(page: Page) -> None:
    open_files(page, sample())
    page.locator("#find").fill("READING PICTURES")

    expect(page.locator("#found")).to_have_text("– of 1")


def test_a_correction_is_found_and_keeps_its_marks(page: Page) -> None:
    open_files(page, picture(draw_page([Placed(text, 40, 40 + 90 * n) for n, text in enumerate(SAMPLE)], 640, 330)))
    page.locator("#find").fill("new")
    expect(page.locator("#found")).to_have_text("not found")

    row = page.locator("#lines .line").nth(1)
    row.locator(".correct").click()
    page.keyboard.insert_text("something New")
    page.keyboard.press("Enter")

    expect(page.locator("#found")).to_have_text("– of 1")
    expect(row).to_have_class("line sure found active")
    expect(page.locator("#boxes polygon").nth(1)).to_contain_class("found active")
    assert page.evaluate(_MARKED) == ["New"]
    assert lines(page)[1] == "something New"
