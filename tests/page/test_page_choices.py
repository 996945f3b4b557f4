"""Language and colours: as the browser wants them, or as they were chosen."""

import pytest
from playwright.sync_api import Page, expect

from tests.page.looks import SCHEMES, Look

WELCOME = {"en": "Read the text in pictures and PDFs", "zh-CN": "识别图片和 PDF 中的文字"}


@pytest.mark.parametrize(
    ("look", "language"),
    [
        (Look("zh-TW"), "zh-CN"),
        (Look("zh-HK"), "zh-CN"),
        (Look("zh"), "zh-CN"),
        (Look("en-GB"), "en"),
        (Look("fr"), "en"),
    ],
    ids=str,
)
def test_it_speaks_the_browsers_language(page: Page, language: str) -> None:
    page.goto("/")

    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("h2").first).to_have_text(WELCOME[language])


def test_the_first_language_that_it_speaks_is_taken(page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'languages', { value: ['de', 'zh-CN', 'en'] })")

    page.goto("/")

    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_another_language_is_remembered(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h2").first).to_have_text(WELCOME["zh-CN"])

    page.reload()

    expect(page.locator("h2").first).to_have_text(WELCOME["zh-CN"])
    page.get_by_role("button", name="English").click()
    expect(page.locator("h2").first).to_have_text(WELCOME["en"])


@pytest.mark.parametrize("look", [Look(scheme=scheme) for scheme in SCHEMES], ids=str)
def test_other_colours_are_remembered_and_there_before_anything_is_painted(page: Page, look: Look) -> None:
    page.add_init_script("""document.addEventListener("readystatechange", () => {
      if (document.readyState !== "interactive") return; // the page's module runs only after this
      const { documentElement: root, body } = document;
      window.early = [getComputedStyle(root).colorScheme, getComputedStyle(body).visibility];
    })""")
    page.goto("/")
    (other,) = {*SCHEMES} - {look.scheme}
    while page.locator("html").get_attribute("data-theme") != other:
        page.locator("#theme").click()

    page.reload()

    assert page.evaluate("early") == [other, "hidden"]
    expect(page.locator("body")).to_be_visible()
    expect(page.locator("#theme")).to_have_attribute("aria-label", f"Theme: {other}")
