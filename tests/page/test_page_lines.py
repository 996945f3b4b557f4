"""The list of lines: shown together with the picture, copied, corrected."""

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.page.files import MARKUP, RIGHT_TO_LEFT, SAMPLE, markup, pdf_with_text, sample
from tests.page.opened import copied, correct, lines, middle_of, open_files, remember_options
from tests.page.watch import Watch

# Whether the first character of an element, or of each row of it, is to the right of the last one.
_ROWS_FROM_RIGHT = """node => {
  const range = new Range();
  const left = at => {
    range.setStart(node.firstChild, at);
    range.setEnd(node.firstChild, at + 1);
    return range.getBoundingClientRect().left;
  };
  let from = 0;
  return node.firstChild.data.split("\\n").flatMap(row => {
    const isFromRight = row !== "" && left(from) > left(from + row.length - 1);
    from += row.length + 1;
    return row ? [isFromRight] : [];
  });
}"""
_FROM_RIGHT = f"nodes => nodes.flatMap({_ROWS_FROM_RIGHT})"
_DRAWN_FROM_RIGHT = """nodes => nodes.map(node => {
  const left = at => node.getStartPositionOfChar(at).x;
  return left(0) > left(node.getNumberOfChars() - 1);
})"""


def _open_long_page(page: Page) -> None:
    remember_options(page, pdf_text="prefer")
    open_files(page, pdf_with_text(1, 40))


def _is_in_frame(page: Page, index: int) -> bool:
    frame = page.locator("#canvas").bounding_box()
    assert frame is not None
    x, y = middle_of(page, index)
    return frame["x"] <= x <= frame["x"] + frame["width"] and frame["y"] <= y <= frame["y"] + frame["height"]


def _active(page: Page) -> tuple[Locator, Locator]:
    return page.locator("#lines .line.active"), page.locator("#boxes polygon.active")


def test_a_line_is_shown_in_both_places(page: Page) -> None:
    _open_long_page(page)
    rows, (row, polygon) = page.locator("#lines .line"), _active(page)
    expect(rows).to_have_count(40)
    for _ in range(8):
        page.locator("#zoom-in").click()

    rows.nth(0).hover()
    expect(polygon).to_have_attribute("data-index", "0")
    assert _is_in_frame(page, 0)
    page.keyboard.press("Tab")
    rows.nth(0).locator(".copy").focus()
    page.keyboard.press("End")
    expect(polygon).to_have_attribute("data-index", "39")
    expect(rows.nth(39).locator(".copy")).to_be_focused()
    assert _is_in_frame(page, 39)

    page.locator("#fit").click()
    x, y = middle_of(page, 3)
    page.mouse.move(x, y)
    expect(row).to_have_attribute("data-index", "3")
    expect(polygon).to_have_attribute("data-index", "3")
    expect(rows.nth(3)).to_be_in_viewport(ratio=0.9)
    page.mouse.click(x, y)
    expect(page.locator("#toast")).to_have_text("Copied: Page 1 line 4")
    assert copied(page) == "Page 1 line 4"
    rows.nth(5).locator(".copy").click()
    expect(page.locator("#toast")).to_have_text("Copied: Page 1 line 6")
    assert copied(page) == "Page 1 line 6"


def test_keys_move_between_lines_and_the_list_is_one_stop_of_tab(page: Page) -> None:
    _open_long_page(page)
    rows, (row, polygon) = page.locator("#lines .line"), _active(page)
    place = rows.nth(6).bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 50, place["y"] + 5)  # a pointer that rests over the list has no say

    rows.nth(0).locator(".copy").focus()
    for at, key in enumerate(
        ["ArrowDown"] * 12 + ["PageDown", "ArrowUp", "PageUp", "Home", "ArrowUp", "End", "ArrowDown"]
    ):
        page.keyboard.press(key)
        wanted = at + 1 if at < 12 else {12: 22, 13: 21, 14: 11, 15: 0, 16: 0}.get(at, 39)
        expect(rows.nth(wanted).locator(".copy")).to_be_focused()
        expect(row).to_have_attribute("data-index", str(wanted))
        expect(polygon).to_have_attribute("data-index", str(wanted))
    page.keyboard.press("Enter")
    assert copied(page) == "Page 1 line 40"

    stops = []
    page.locator("#find").focus()
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert stops[:2] == ["copy", "correct"]
    assert "copy" not in stops[2:]


def test_reading_again_asks_before_it_loses_corrections(page: Page, watch: Watch) -> None:
    question = "Read again and lose your corrections?"

    def read_again() -> None:
        page.locator("#show-options").click()
        page.locator("#again").click()
        expect(page.locator("body")).to_have_attribute("data-state", "done")

    open_files(page, sample())
    texts = page.locator("#lines .copy")
    read_again()  # nothing would be lost
    correct(page, 0, "first")
    watch.answer_question(question, accept=False)
    read_again()
    expect(texts).to_have_text(["first", *SAMPLE[1:]])

    watch.answer_question(question, accept=True)
    read_again()
    expect(texts).to_have_text(SAMPLE)


def test_a_line_is_corrected_left_out_and_restored(page: Page) -> None:
    open_files(page, sample())
    rows, field = page.locator("#lines .line"), page.locator(".correction")

    rows.nth(0).locator(".copy").focus()
    page.keyboard.press("F2")
    expect(field).to_have_value(SAMPLE[0])
    expect(field).to_be_focused()
    page.keyboard.insert_text("first")
    page.keyboard.press("Escape")
    expect(rows.nth(0).locator(".copy")).to_have_text(SAMPLE[0])
    expect(rows.nth(0).locator(".copy")).to_be_focused()

    page.keyboard.press("F2")
    page.keyboard.insert_text("  first  ")
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True})  # chooses a character of an input method
    expect(field).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows.nth(0)).to_contain_text("corrected")
    assert lines(page) == ["first", *SAMPLE[1:]]
    expect(rows.nth(0).locator(".copy")).to_be_focused()

    session = page.context.new_cdp_session(page)
    rows.nth(1).locator(".correct").click()
    session.send("Input.imeSetComposition", {"text": "wenzi", "selectionStart": 5, "selectionEnd": 5})
    session.send("Input.insertText", {"text": "文字"})
    rows.nth(2).locator(".correct").click()  # the first field loses the focus, and keeps what was typed
    expect(rows.nth(1).locator(".copy")).to_have_text("文字")
    expect(field).to_have_value(SAMPLE[2])
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    expect(rows.nth(2).locator(".copy em")).to_have_text("left out")
    page.locator("#tab-text").click()
    expect(page.locator("#panel-text pre")).to_have_text("first\n文字")

    page.locator("#tab-lines").click()
    for index in (0, 2):
        rows.nth(index).locator(".restore").focus()
        page.keyboard.press("Enter")
        expect(rows.nth(index).locator(".copy")).to_be_focused()
    assert lines(page) == [SAMPLE[0], "文字", SAMPLE[2]]
    expect(rows.nth(0).locator(".confidence")).to_contain_text("%")
    correct(page, 1, SAMPLE[1])
    expect(page.locator("#lines .restore")).to_have_count(0)


def test_text_never_becomes_markup(page: Page) -> None:
    name = "<img src=x onerror=alert(2)>.png"
    open_files(page, markup(name))
    text = lines(page)[0]
    assert text.startswith("<img src=x onerror=alert(1")
    page.locator("#overlay").click()
    page.locator("#lines .copy").first.click()
    for tab, panel in (("text", "#panel-text pre"), ("json", "#panel-json pre"), ("request", "#snippets")):
        page.locator(f"#tab-{tab}").click()
        expect(page.locator(panel)).to_contain_text("onerror=alert(")
    page.locator("#tab-lines").click()
    correct(page, 0, "</script><b>bold</b><svg onload=alert(3)>")
    expect(page.locator("#toast")).to_contain_text("<img")
    expect(page.locator("#boxes text")).to_have_text("</script><b>bold</b><svg onload=alert(3)>")
    page.locator("#find").fill("</script>")

    assert page.title().startswith(name)
    assert page.locator("main img").count() == 1
    assert page.locator("body b, body script:not([type]), #lines svg").count() == 0
    assert MARKUP not in page.locator("#lines").inner_html()


def test_right_to_left_text_is_shown_from_the_right(page: Page) -> None:
    open_files(page, sample())
    page.locator("#overlay").click()
    texts = [f"{RIGHT_TO_LEFT[0]} Latin", f"{RIGHT_TO_LEFT[1]} Latin", "Latin 7"]
    for index, text in enumerate(texts):
        correct(page, index, text)
    assert lines(page) == texts
    assert page.locator("#lines .copy").evaluate_all(_FROM_RIGHT) == [True, True, False]
    assert page.locator("#boxes text").evaluate_all(_DRAWN_FROM_RIGHT) == [True, True, False]
    page.locator("#tab-text").click()
    ends = page.locator("#panel-text pre").evaluate(_ROWS_FROM_RIGHT)
    assert ends == [True, True, False]


def test_copying_works_where_browsers_have_no_clipboard(context: BrowserContext, page: Page) -> None:
    context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    open_files(page, sample())
    row = page.locator("#lines .copy").nth(1)
    page.evaluate("addEventListener('copy', () => { window.taken = String(getSelection()); })")

    row.click()
    expect(page.locator("#toast")).to_have_text(f"Copied: {SAMPLE[1]}")
    expect(row).to_be_focused()
    page.locator("#copy").click()
    expect(page.locator("#toast")).to_have_text("Copied")

    page.locator("#find").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#find")).not_to_be_empty()
    assert page.locator("#find").input_value().split() == " ".join(SAMPLE).split()


def test_a_line_that_is_not_in_the_list_yet_is_shown_when_it_comes(page: Page) -> None:
    remember_options(page, pdf_text="prefer")
    open_files(page, pdf_with_text(2, 700))
    row, polygon = _active(page)
    page.locator("#find").fill("Page 2 line 650")

    page.locator("#next-match").click()

    expect(row).to_have_attribute("data-index", "649")
    expect(row).to_be_in_viewport()
    expect(polygon).to_have_attribute("data-index", "649")
    expect(page.locator("#lines .line")).to_have_count(700)
