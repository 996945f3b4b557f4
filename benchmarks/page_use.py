"""What a user does with the page after opening a large file, step by step, and the long tasks in each step."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser

from benchmarks.server import ServerFailed
from benchmarks.small_files import pdf_of_pictures, text_picture

__all__ = ["Step", "pages_file", "use_page"]

# Timeouts for pages that hang.
_ACTION_SECONDS: Final = 30
_READING_SECONDS: Final = 1200

_WHEELS: Final = 40  # turns of the wheel, down the list and up again
_WHEEL_PIXELS: Final = 2000
_HOVERS: Final = 60  # places of the pointer
_TURNS: Final = 20  # pages, there and back
_SEARCHED: Final = "line 49"
_SETTLED_MILLISECONDS: Final = 300  # what a page does a moment after a step belongs to the step

# Text of PDF pages is taken as it is, so that many lines are there at once. Pages that have none are read all the same.
_WATCH: Final = """
if (location.protocol.startsWith("http")) localStorage.setItem("ppocr.options", JSON.stringify({ pdf_text: "prefer" }));
window.longTasks = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) longTasks.push([entry.startTime, entry.duration]);
}).observe({ type: "longtask", buffered: true });
"""
# The page's policy allows no eval, so conditions are selectors.
_ENDED: Final = "body[data-state=done], body[data-state=failed]"
_LINE: Final = "#lines .line"
# Corners of what is visible of the list.
_VISIBLE: Final = """() => {
  let [left, top, right, bottom] = [0, 0, innerWidth, innerHeight];
  for (let box = document.querySelector("#lines"); box; box = box.parentElement) {
    const edges = box.getBoundingClientRect();
    const clips = box.id === "lines" || getComputedStyle(box).overflowY !== "visible";
    if (!clips || box === document.body || box === document.documentElement) continue;
    [left, top] = [Math.max(left, edges.left), Math.max(top, edges.top)];
    [right, bottom] = [Math.min(right, edges.right), Math.min(bottom, edges.bottom)];
  }
  return [left, top, right, bottom];
}"""


class Step(NamedTuple):
    """One step.

    Attributes:
        name: What the user does.
        seconds: How long it takes.
        cpu_seconds: CPU time of the thread that runs the page. It depends less on what else the machine does.
        tasks: Milliseconds of each task of 50 ms and more, in which the page answers nobody.
    """

    name: str
    seconds: float
    cpu_seconds: float
    tasks: tuple[float, ...]


def pages_file(count: int) -> bytes:
    """Return a PDF of this many drawn pages, each with a line of its own."""
    return pdf_of_pictures([text_picture(f"Page {number} of {count}") for number in range(1, count + 1)])


def use_page(browser: Browser, url: str, pdf: bytes, lines: int | None) -> list[Step]:
    """Open a file in the page, and use what it shows.

    Args:
        browser: Runs the page.
        url: The page.
        pdf: The file.
        lines: Lines that must be listed at last; None does not count them.

    Raises:
        ServerFailed: The file could not be read.
    """
    steps: list[Step] = []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(_WATCH)
    context.set_default_timeout(1000 * _ACTION_SECONDS)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def cpu_seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    @contextmanager
    def step(name: str) -> Iterator[None]:
        since = page.evaluate("performance.now()")
        cpu, start = cpu_seconds(), time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        page.wait_for_timeout(_SETTLED_MILLISECONDS)
        tasks = page.evaluate("since => longTasks.filter(([start]) => start >= since)", since)
        steps.append(Step(name, seconds, cpu_seconds() - cpu, tuple(duration for _, duration in tasks)))

    page.goto(url)
    page.wait_for_selector("#file", state="attached")
    with tempfile.TemporaryDirectory(prefix="page-") as folder:
        file = Path(folder, "large.pdf")
        file.write_bytes(pdf)
        with step("open, until the first line"):
            page.set_input_files("#file", file)
            page.wait_for_selector(f"{_LINE}, {_ENDED}", state="attached", timeout=1000 * _READING_SECONDS)
        with step("until all is read"):
            page.wait_for_selector(_ENDED, timeout=1000 * _READING_SECONDS)
            if page.get_attribute("body", "data-state") == "failed":
                raise ServerFailed(f"the page has not read the file: {page.text_content('#fault')}")
            if lines is not None:
                page.locator(_LINE).nth(lines - 1).wait_for(state="attached")

    left, top, right, bottom = page.evaluate(_VISIBLE)
    middle = (left + right) / 2
    with step("scroll the list"):
        page.mouse.move(middle, (top + bottom) / 2)
        for direction in (1, -1):
            for _ in range(_WHEELS):
                page.mouse.wheel(0, direction * _WHEEL_PIXELS)
    with step("point at lines"):
        for number in range(_HOVERS):
            page.mouse.move(middle, top + (bottom - top) * (number + 0.5) / _HOVERS)
    with step("search"):
        page.focus("#find")
        page.keyboard.type(_SEARCHED)
        for _ in _SEARCHED:
            page.keyboard.press("Backspace")
    with step("switch pages"):
        for button in ("#next-page", "#previous-page"):
            for _ in range(_TURNS):
                if not page.is_visible(button) or page.is_disabled(button):
                    break
                page.click(button)
    context.close()
    return steps
