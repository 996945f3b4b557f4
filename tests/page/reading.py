"""What a user waits for, and sees, while files are read."""

from typing import Final

from playwright.sync_api import Page, expect

__all__ = ["FAILED", "NO_STORAGE", "READ", "names", "option", "shown_text", "wait_for"]

READ: Final = "done"
FAILED: Final = "failed"

NO_STORAGE: Final = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } });
}"""
"""A script that does to a page what browsers do that are told to remember nothing."""


def wait_for(page: Page, *states: str) -> None:
    """Wait until the open files are in these states, in their order: waiting, reading, done or failed."""
    expect(page.locator("#files > li")).to_have_class(list(states))


def names(page: Page) -> list[str]:
    """Return the names of the open files, in order."""
    return page.locator("#files > li > button:first-child > span[dir]").all_inner_texts()


def shown_text(page: Page) -> list[str]:
    """Return the lines that the page shows, without what the models may add or leave out between words."""
    page.locator("#tab-text").click()
    return page.locator("#panel-text > pre").inner_text().split("\n")


def option(page: Page, name: str, value: str) -> None:
    """Open the options, choose a value for one, and close them."""
    page.locator("#show-options").click()
    field = page.locator(f"#option-{name}")
    if field.evaluate("field => field.tagName") == "SELECT":
        field.select_option(value)
    else:
        field.fill(value)
    page.locator("#options .primary").click()
