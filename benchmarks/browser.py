"""Debian's Chromium without a window, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

__all__ = ["CHROMIUM", "chromium"]

CHROMIUM: Final = Path("/usr/bin/chromium")

_FLAGS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # with it, root could not start the browser
)


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Run a browser with an empty profile, and end it at the end of the block.

    Args:
        *flags: Further flags of its command line.

    Raises:
        FileNotFoundError: It is not installed; the message is one line.
    """
    if not CHROMIUM.exists():
        raise FileNotFoundError(f"{CHROMIUM} is missing; run: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()
