"""The picture and the boxes over it: where they are, and how they are moved."""

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import Placed, add_noise, draw_downwards, draw_page, rotate
from tests.page.files import File, picture, sample
from tests.page.opened import (
    boxes_on_screen,
    lines,
    middle_of,
    open_files,
    picture_rectangle,
    remember_options,
    screen,
    show_file,
    tap,
    touch,
)

_EXTENT = """text => {
  const onScreen = point => point.matrixTransform(text.getScreenCTM());
  const start = onScreen(text.getStartPositionOfChar(0));
  const end = onScreen(text.getEndPositionOfChar(text.getNumberOfChars() - 1));
  return [end.y - start.y, start.x];
}"""
_TRANSFORMS = "nodes => nodes.map(node => node.getAttribute('transform'))"
_TEXTS = ("Total amount 42.00", "Reading pictures", "Thank you for your visit", "Open from nine to five")


def _page() -> BgrImage:
    return draw_page([Placed(text, 40, 40 + 90 * number) for number, text in enumerate(_TEXTS)], 640, 420)


def _photo(orientation: int) -> File:
    """A JPEG file whose pixels are turned, and whose EXIF data says how."""
    turned = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_CLOCKWISE}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(cv2.rotate(_page(), turned)[:, :, ::-1]).save(buffer, "JPEG", quality=95, exif=exif)
    return File(f"photo-{orientation}.jpg", "image/jpeg", buffer.getvalue())


def _check_boxes(page: Page) -> None:
    """Check that all ink in the frame is in boxes, and that each box in the frame has ink."""
    frame = page.locator("#canvas")
    place = frame.bounding_box()
    assert place is not None
    page.evaluate("document.querySelector('#boxes').style.visibility = 'hidden'")
    shown = screen(frame)
    page.evaluate("document.querySelector('#boxes').style.visibility = ''")
    ink = np.where(shown.max(axis=2) < 90, 255, 0).astype(np.uint8)
    inside = np.zeros_like(ink)
    for corners in boxes_on_screen(page):
        polygon = np.rint(np.array(corners) - (place["x"], place["y"])).astype(np.int32)
        box = cv2.fillConvexPoly(np.zeros_like(ink), polygon, 255)
        if box[5:-5, 5:-5].sum() > box.sum() * 0.9 > 0:
            share = np.count_nonzero(ink & box) / np.count_nonzero(box)
            assert share > 0.05, f"there is no text in the box {polygon.tolist()}"
        inside |= box
    assert np.count_nonzero(ink) > 200
    outside = np.count_nonzero(ink & ~cv2.dilate(inside, np.ones((7, 7), np.uint8)))
    assert outside < 0.02 * np.count_nonzero(ink), f"{outside} of {np.count_nonzero(ink)} pixels of text are in no box"


def test_boxes_lie_over_the_text_however_the_page_is_turned_and_zoomed(page: Page) -> None:
    tilted = picture(rotate(_page(), 12), "tilted.png")
    lying = picture(rotate(_page(), 90), "lying.png")
    files = (sample(), tilted, lying, *map(_photo, (3, 6, 8)))
    open_files(page, *files)

    for file in files:
        show_file(page, file.name)
        assert len(lines(page)) == (3 if file.name == "sample.png" else 4)
        shown = boxes_on_screen(page)
        if file.name != "tilted.png":  # all are upright, whatever way they lie
            assert all(abs(corners[0][1] - corners[1][1]) < 4 < corners[1][0] - corners[0][0] for corners in shown)
            assert [corners[0][1] for corners in shown] == sorted(corners[0][1] for corners in shown)
        _check_boxes(page)
    for _ in range(3):
        page.locator("#turn").click()
        _check_boxes(page)
    x, y = middle_of(page, 0)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    _check_boxes(page)
    page.locator("#zoom-out").click(click_count=4)
    _check_boxes(page)


def test_it_is_moved_by_wheel_keys_and_buttons_and_cannot_be_lost(page: Page) -> None:
    open_files(page, sample())
    canvas, zoom = page.locator("#canvas"), page.locator("#zoom")
    fitting = picture_rectangle(page)
    frame = canvas.bounding_box()
    assert frame is not None
    assert fitting[0] - frame["x"] == pytest.approx(frame["x"] + frame["width"] - fitting[0] - fitting[2], abs=2)

    spot = (fitting[0] + 100, fitting[1] + 80)
    page.mouse.move(*spot)
    page.mouse.wheel(0, -300)
    left, top, width, height = picture_rectangle(page)
    assert width > 1.5 * fitting[2]
    assert (spot[0] - left) / width == pytest.approx(100 / fitting[2], abs=0.002)
    assert (spot[1] - top) / height == pytest.approx(80 / fitting[3], abs=0.002)

    canvas.focus()
    for key, (x, y) in {"ArrowLeft": (60, 0), "ArrowRight": (0, 0), "ArrowUp": (0, 60), "ArrowDown": (0, 0)}.items():
        page.keyboard.press(key)
        assert picture_rectangle(page)[:2] == pytest.approx((left + x, top + y), abs=0.1)
    page.keyboard.press("-")
    assert picture_rectangle(page)[2] == pytest.approx(width / 1.25, abs=1)
    page.keyboard.press("+")
    assert picture_rectangle(page)[2] == pytest.approx(width, abs=1)
    page.keyboard.press("0")
    assert picture_rectangle(page) == pytest.approx(fitting, abs=0.1)

    page.mouse.move(*spot)
    page.mouse.down()
    page.mouse.move(spot[0] + 30, spot[1] + 50)
    page.mouse.move(spot[0] + 60, spot[1] + 70)
    page.mouse.up()
    assert picture_rectangle(page)[:2] == pytest.approx((fitting[0] + 60, fitting[1] + 70), abs=0.1)
    expect(page.locator("#toast")).to_be_empty()  # a drag that ends on a line is no click

    for _ in range(40):
        page.mouse.wheel(0, -2000)
    expect(zoom).to_have_text("1,600%")
    for _ in range(40):
        page.mouse.wheel(0, 2000)
    expect(zoom).to_have_text("2%")
    page.locator("#fit").click()
    for _ in range(60):
        canvas.press("ArrowRight")
    left, _, width, _ = picture_rectangle(page)
    assert left + width == pytest.approx(frame["x"] + 48, abs=2)
    page.locator("#fit").click()
    assert picture_rectangle(page) == pytest.approx(fitting, abs=0.1)


def test_a_drag_that_ends_outside_of_the_frame_has_ended(page: Page) -> None:
    open_files(page, sample())
    frame = page.locator("#canvas").bounding_box()
    assert frame is not None
    before = picture_rectangle(page)

    page.mouse.move(frame["x"] + 100, frame["y"] + 2)
    page.mouse.down()
    page.mouse.move(frame["x"] + 100, frame["y"] - 1)
    page.mouse.up()
    page.mouse.move(frame["x"] + 100, frame["y"] + 100)
    page.mouse.move(frame["x"] + 200, frame["y"] + 200)

    assert picture_rectangle(page) == before


def test_fingers_move_it_zoom_it_and_copy_a_line(page: Page) -> None:
    open_files(page, sample())
    left, top, width, height = picture_rectangle(page)
    x, y = middle_of(page, 1)

    touch(page, [(x, y)], [(x + 10, y)], [(x + 20, y + 10)], [(x + 40, y + 30)])
    assert picture_rectangle(page) == pytest.approx((left + 40, top + 30, width, height), abs=1)
    expect(page.locator("#toast")).to_be_empty()

    page.locator("#fit").click()
    x, y = left + width / 2, top + height / 2
    touch(page, *([(x - 40 * n, y), (x + 40 * n, y)] for n in (1, 1.5, 2)))
    assert picture_rectangle(page) == pytest.approx((x - width, y - height, 2 * width, 2 * height), rel=0.02)

    page.locator("#fit").click()
    tap(page, middle_of(page, 1))
    expect(page.locator("#toast")).to_contain_text(lines(page)[1])


def test_small_and_very_large_pictures_fit_and_are_zoomed(page: Page) -> None:
    small = picture(draw_page([Placed("42", 8, 8, 18)], 40, 34), "small.png")
    wide = np.full((1500, 12_000, 3), 255, np.uint8)
    wide[500:920, 11_000:11_640] = _page()
    open_files(page, small, picture(wide, "wide.png"))
    frame = page.locator("#canvas").bounding_box()
    assert frame is not None

    assert picture_rectangle(page)[2:] == pytest.approx((120, 102), abs=1)
    show_file(page, "wide.png")
    left, _, width, _ = picture_rectangle(page)
    assert frame["x"] <= left < left + width <= frame["x"] + frame["width"]
    x, y = middle_of(page, 1)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -1300)
    _check_boxes(page)


def test_text_over_the_picture_lies_as_the_picture_has_it(page: Page) -> None:
    column = picture(draw_downwards("图中的文字"), "column.png")
    tilted = picture(rotate(_page(), 12), "tilted.png")
    open_files(page, tilted, column)
    overlay = page.locator("#overlay")
    overlay.click()
    expect(overlay).to_have_attribute("aria-pressed", "true")

    texts = page.locator("#boxes text")
    assert texts.all_text_contents() == lines(page)
    angles = [float(text.partition("rotate(")[2].rstrip(")")) for text in texts.evaluate_all(_TRANSFORMS)]
    assert angles == pytest.approx([-12] * 4, abs=1.5)
    expect(page.locator("#lines .angle")).to_have_text(["∠ -12°"] * 4)
    show_file(page, "column.png")
    expect(texts).to_have_text("图中的文字")
    expect(texts).to_have_class("vertical")
    (length, middle), (top, bottom) = texts.evaluate(_EXTENT), boxes_on_screen(page)[0][1:3]
    assert length == pytest.approx(bottom[1] - top[1], rel=0.05)
    assert middle == pytest.approx(middle_of(page, 0)[0], abs=2)
    overlay.click()
    expect(texts).to_have_count(0)


def test_doubtful_lines_are_tinted_in_both_places(page: Page) -> None:
    clear = Placed("Total amount 42.00", 40, 30)
    noisy = add_noise(draw_page([Placed("Total 38 xlI0O", 40, 20, 20)], 640, 60), 40, 7)
    image = np.concatenate([draw_page([clear], 640, 100), cv2.GaussianBlur(noisy, (0, 0), 2.5)])
    remember_options(page, drop_score="0")
    open_files(page, picture(image))

    rows, polygons = page.locator("#lines .line"), page.locator("#boxes polygon")
    levels = [row.get_attribute("class") for row in rows.all()]
    assert levels[0] == "line sure"
    assert {level for level in levels[1:] if level} & {"line unsure", "line doubtful"}
    assert [f"line {polygon.get_attribute('class')}" for polygon in polygons.all()] == levels
    shown = [int(re.findall(r"(\d+)%", row.inner_text())[-1]) for row in rows.all()]
    assert shown[0] >= 90 > min(shown[1:])
    assert page.locator("#lines mark").count() >= 1
