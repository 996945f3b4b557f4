"""Rules of accessibility that a program can check."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

__all__ = ["check_accessibility"]


def check_accessibility(page: Page) -> None:
    """Fail if the page, in its present state, breaks a rule of axe-core."""
    results = Axe().run(page)
    assert not results.violations_count, results.generate_report()
