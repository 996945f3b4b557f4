"""Draw docs/page-receipt.png, docs/page-chinese.png and docs/page-pdf.png: `.venv/bin/python docs/draw_screenshots.py`.

They are the page at / with its examples, as a browser shows it. It needs what the tests need: `scripts/setup.sh --dev`,
and Debian's packages chromium, fonts-dejavu-core and fonts-wqy-microhei.
"""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from benchmarks.browser import chromium  # noqa: E402

DESK, PHONE = (1440, 900), (390, 780)
COLOURS = 128
SECONDS = 600
WITHOUT_TIMES = """() => {
  document.getElementById("times").hidden = true;
  const status = document.getElementById("status");
  status.textContent = status.textContent.replace(/, read in.*|，用时.*/, "");
}"""

expect.set_options(timeout=1000 * SECONDS)


@contextmanager
def served() -> Iterator[str]:
    """Run a server until the end of the block; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"PPOCR_HOST": "127.0.0.1", "PORT": str(port), "PPOCR_ENGINE": "openvino"}
    command = [sys.executable, "-m", "ppocr_serving"]
    environ = os.environ | settings
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            log = []
            for line in server.stdout or ():
                log.append(line)
                if "INFO ready:" in line:
                    break
            else:
                raise SystemExit("".join(log))
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


@contextmanager
def opened(browser: Browser, url: str, size: tuple[int, int], locale: str, scheme: str, example: str) -> Iterator[Page]:
    """Open the page in a window of this size, have it read an example, and wait until it has."""
    width, height = size
    touch = size == PHONE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale=locale,
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=touch,
        is_mobile=touch,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    page.locator(f"[data-example='{example}']").click()
    expect(page.locator("body")).to_have_attribute("data-state", "done")
    yield page
    context.close()


def shot(page: Page) -> Image.Image:
    """Return what the window shows, with the pointer out of the way, and without times: they are this machine's."""
    page.evaluate(WITHOUT_TIMES)
    page.mouse.move(0, 0)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    """Save a picture in this folder."""
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)


def main() -> None:
    """Draw the pictures."""
    with served() as url, chromium() as browser:
        with opened(browser, url, DESK, "en-US", "light", "receipt.png") as page:
            page.locator(".line .copy", has_text="TOTAL").last.focus()
            save(shot(page), "page-receipt.png")
        with opened(browser, url, DESK, "zh-CN", "dark", "chinese.png") as page:
            save(shot(page), "page-chinese.png")
        with opened(browser, url, PHONE, "en-US", "light", "report.pdf") as page:
            top = shot(page)
            page.locator("#find").fill("hives")
            page.locator("#find").press("Enter")
            page.locator("#results").evaluate("shown => window.scrollTo(0, shown.offsetTop)")
            bottom = shot(page)
        both = Image.new("RGB", (2 * PHONE[0] + 40, PHONE[1]), "white")
        both.paste(top, (0, 0))
        both.paste(bottom, (PHONE[0] + 40, 0))
        save(both, "page-pdf.png")


if __name__ == "__main__":
    main()
