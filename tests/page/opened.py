"""A page with files that were read, and what it shows of them."""

import json
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import requests
from playwright.sync_api import Locator, Page, expect

from ppocr_serving.vision.pictures import BgrImage
from tests.page.files import File, choose
from tests.served.server import Served

__all__ = [
    "answer_for",
    "boxes_on_screen",
    "copied",
    "correct",
    "draw_region",
    "lines",
    "middle_of",
    "open_files",
    "picture_rectangle",
    "remember_options",
    "screen",
    "show_file",
    "tap",
    "text_for",
    "touch",
]

Point = tuple[float, float]

_SECONDS: Final = 120
_TAPS: Final = 20
_CORNERS: Final = """() => [...document.querySelectorAll("#boxes polygon")].map(polygon =>
  [...polygon.points].map(point => point.matrixTransform(polygon.getScreenCTM())).map(({ x, y }) => [x, y]))"""


def open_files(page: Page, *files: File, state: str = "done") -> None:
    """Open files in a fresh page, and wait until they have been read."""
    page.goto("/")
    choose(page, *files)
    expect(page.locator("body")).to_have_attribute("data-state", state)


def correct(page: Page, index: int, text: str, end: str = "Enter") -> None:
    """Correct a line, counted from 0; `end` is the key that ends it."""
    page.locator("#lines .line").nth(index).locator(".correct").click()
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    page.keyboard.press(end)


def draw_region(page: Page, start: Point, end: Point) -> None:
    """Draw a region between two points, as shares of the picture's width and height as it is shown."""
    left, top, width, height = picture_rectangle(page)
    page.locator("#region").click()
    page.mouse.move(left + start[0] * width, top + start[1] * height)
    page.mouse.down()
    page.mouse.move(left + (start[0] + end[0]) / 2 * width, top + end[1] * height)
    page.mouse.move(left + end[0] * width, top + end[1] * height)
    page.mouse.up()


def remember_options(page: Page, **options: str) -> None:
    """Let the browser remember options that were chosen before, by the names and as the texts of the API."""
    page.add_init_script(f"localStorage.setItem('ppocr.options', {json.dumps(json.dumps(options))})")


def show_file(page: Page, name: str) -> None:
    """Show one of the open files."""
    page.locator("#files").get_by_title(name, exact=True).click()


def answer_for(server: Served, file: File, **options: str) -> Any:
    """Return the pages that the API answers for a file."""
    answer = requests.post(
        f"{server.url}/v1/read", data=options, files={"file": (file.name, file.data)}, timeout=_SECONDS
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["documents"][0]["pages"]


def text_for(server: Served, file: File, **options: str) -> str:
    """Return the text that the API answers for a file, without the line break at its end."""
    options["format"] = "text"
    answer = requests.post(f"{server.url}/v1/read", options, files={"file": file.data}, timeout=_SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.content.decode().removesuffix("\n")


def lines(page: Page) -> list[str]:
    """Return the lines in the list."""
    return page.locator("#lines .copy").all_text_contents()


def copied(page: Page) -> str:
    """Return the text in the clipboard."""
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def boxes_on_screen(page: Page) -> list[list[Point]]:
    """Return the corners of the boxes over the picture, in pixels of the window."""
    corners: list[list[Point]] = page.evaluate(_CORNERS)
    return corners


def middle_of(page: Page, index: int) -> Point:
    """Return the middle of a box over the picture, in pixels of the window."""
    corners = boxes_on_screen(page)[index]
    return sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4


def picture_rectangle(page: Page) -> tuple[float, float, float, float]:
    """Return left, top, width and height of the picture, in pixels of the window."""
    box = page.locator("#picture").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


def screen(shown: Locator) -> BgrImage:
    """Return what the window shows of an element."""
    image = cv2.imdecode(np.frombuffer(shown.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def tap(page: Page, point: Point) -> None:
    """Tap with a finger; again if that took so long, on a busy machine, that the browser saw a long press."""
    page.evaluate("window.hasClicked = false; addEventListener('click', () => { window.hasClicked = true }, true)")
    for _ in range(_TAPS):
        touch(page, [point])
        page.wait_for_timeout(200)
        if page.evaluate("window.hasClicked"):
            return
    raise AssertionError(f"no click came of {_TAPS} taps at {point}")


def touch(page: Page, *steps: Sequence[Point]) -> None:
    """Put fingers on the window, move them from step to step, and lift them.

    Args:
        page: The page.
        *steps: The places of all fingers at a time.
    """
    session = page.context.new_cdp_session(page)
    for number, step in enumerate(steps):
        fingers = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(step)]
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()
