"""The options of a request, and what the browser remembers of them."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.drawing import Placed, draw_page
from tests.page.accessibility import check_accessibility
from tests.page.files import choose, pdf_with_text, picture, sample
from tests.page.looks import LOCALES, Look, looks
from tests.page.reading import NO_STORAGE, READ, option, shown_text, wait_for
from tests.served.server import Served

_SIDES = [("left", 40), ("right", 660)]
COLUMNS = picture(
    draw_page(
        [Placed(f"{side} column, line number {row}", x, 40 + 50 * row) for side, x in _SIDES for row in range(4)],
        1280,
        260,
    ),
    "columns.png",
)
COLUMN_AFTER_COLUMN = ["left"] * 4 + ["right"] * 4
STRAIGHT_ACROSS = ["left", "right"] * 4


def sides(page: Page) -> list[str]:
    """Return the first word of each line of `COLUMNS`, in the order of reading."""
    return [text.split()[0] for text in shown_text(page) if text]


def again(page: Page) -> None:
    """Read again what is open, and wait for it."""
    page.locator("#show-options").click()
    page.locator("#again").click()
    wait_for(page, *[READ] * page.locator("#files > li").count())


@pytest.mark.parametrize("look", looks(LOCALES), ids=str)
def test_the_form_has_every_option_with_its_default(page: Page, look: Look, server: Served) -> None:
    page.goto("/")
    known = server.wait_until("/v1/capabilities").json()["options"]
    page.locator("#show-options").click()
    dialog = page.locator("#options")

    named = dialog.locator("label > code").all_inner_texts()
    assert sorted(named) == sorted(set(known) - {"format", "partial", "page_images", "region"})
    for name in named:
        field = dialog.locator(f"#option-{name}")
        about = field.get_attribute("aria-describedby")
        explained = dialog.locator(f"#{about}").inner_text()
        assert explained
        assert explained != known[name]["description"], f"{name} is not explained in the page's words"
        default = known[name]["default"]
        if field.evaluate("field => field.tagName") == "SELECT":
            assert field.evaluate("field => field.options[0].text").count(" ") or look.locale == LOCALES[1]
        elif default is not None:
            assert str(default) in (field.get_attribute("placeholder") or "")
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= look.size[0]


def test_options_are_sent_remembered_and_reset(page: Page) -> None:
    page.goto("/")
    choose(page, COLUMNS)
    wait_for(page, READ)
    assert sides(page) == COLUMN_AFTER_COLUMN

    option(page, "reading_order", "rows")
    again(page)
    assert sides(page) == STRAIGHT_ACROSS
    expect(page.locator("#show-options")).to_contain_class("changed")

    page.reload()
    choose(page, COLUMNS)
    wait_for(page, READ)
    assert sides(page) == STRAIGHT_ACROSS
    page.locator("#show-options").click()
    expect(page.locator("#option-reading_order")).to_have_value("rows")
    page.locator("#reset").click()
    expect(page.locator("#option-reading_order")).to_have_value("")
    page.locator("#again").click()
    wait_for(page, READ)
    assert sides(page) == COLUMN_AFTER_COLUMN
    expect(page.locator("#show-options")).not_to_contain_class("changed")


def test_options_of_documents_leave_pictures_alone(page: Page) -> None:
    page.goto("/")
    option(page, "pages", "2")
    option(page, "pdf_text", "prefer")
    option(page, "dpi", "100")

    choose(page, sample(), pdf_with_text(3))
    wait_for(page, READ, READ)

    page.locator("#files > li").last.locator("button").first.click()
    expect(page.locator("#page option")).to_have_text(["2"])
    expect(page.locator("#picture")).to_be_visible()
    page.locator("#tab-json").click()
    shown = json.loads(page.locator("#panel-json > pre").inner_text())
    assert '"dpi": 100' in json.dumps(shown)
    assert '"text_source": "pdf"' in json.dumps(shown)


def test_a_value_that_is_not_valid_is_not_taken(page: Page) -> None:
    page.goto("/")
    page.locator("#show-options").click()
    field = page.locator("#option-dpi")

    field.fill("9000")
    page.locator("#options .primary").click()
    expect(page.locator("#options")).to_be_visible()
    assert not field.evaluate("field => field.checkValidity()")
    page.keyboard.press("Escape")
    page.locator("#show-options").click()
    expect(field).to_have_value("")
    assert page.evaluate("localStorage.getItem('ppocr.options')") in (None, "{}")


def test_options_that_this_server_does_not_have_are_left_out(page: Page) -> None:
    page.goto("/")
    page.evaluate(
        "kept => localStorage.setItem('ppocr.options', kept)",
        json.dumps({"of_another_version": "1", "reading_order": "backwards", "drop_score": "0.1"}),
    )
    page.reload()
    expect(page.locator("#server")).to_contain_text("ppocr")

    choose(page, sample())
    wait_for(page, READ)
    page.locator("#show-options").click()

    expect(page.locator("#option-drop_score")).to_have_value("0.1")
    expect(page.locator("#option-reading_order")).to_have_value("")
    expect(page.locator("#options")).not_to_contain_text("of_another_version")


@pytest.mark.parametrize(
    "kept",
    [
        {"options": {"constructor": "x", "__proto__": "y", "dpi": 10**308, "drop_score": [], "words": {}}},
        {"options": "text", "theme": {}, "language": {"toString": None}, "key": {}},
        {"options": 1, "theme": '"><script>', "language": ["zh"], "key": 1},
        {"options": None, "theme": None, "language": None, "key": None},
    ],
    ids=["invalid options", "objects", "numbers and lists", "nothing"],
)
def test_remembered_values_that_nobody_chose_do_no_harm(page: Page, kept: dict[str, object]) -> None:
    page.add_init_script(
        f"for (const [name, value] of Object.entries({json.dumps(kept)}))"
        " localStorage.setItem(`ppocr.${name}`, JSON.stringify(value));"
    )
    page.goto("/")
    expect(page.locator("#server")).to_contain_text("ppocr")

    choose(page, sample())
    wait_for(page, READ)


def test_the_page_works_where_nothing_may_be_remembered(page: Page) -> None:
    page.add_init_script(NO_STORAGE)
    page.goto("/")
    page.locator("#language").click()
    page.locator("#theme").click()
    option(page, "words", "false")

    choose(page, sample())
    wait_for(page, READ)
