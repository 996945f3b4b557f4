"""Draw text whose words are known, read it with words, and print how well their boxes fit.

The measure of a word is the intersection over union (IoU) with the read word that fits best, whatever its text; 0 if
none does. It is the one along the line: a word, and in Chinese and Japanese a character, reaches from the left end of
its ink to the right end, and is as high as its line. `box` is the IoU of the whole boxes, where a drawn line is as
high as the ink of all its letters: it says as much about the detector, which leaves room above and below.

Rows are scripts, sizes in pixels and ways to stand; columns the profile's first recogniser alone, and its second one.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ppocr_serving import Line, Reader, ReadOptions
from ppocr_serving.errors import OcrError
from ppocr_serving.settings import load_settings
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.scripts import is_unspaced

__all__ = ["DrawnPage", "Fit", "Kind", "draw", "fit", "kinds"]

_FONTS = Path("/usr/share/fonts/truetype")
_LATIN_FONTS = tuple(_FONTS / "dejavu" / name for name in ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf"))
_CHINESE_FONTS = (_FONTS / "wqy" / "wqy-microhei.ttc",)
_TEXTS = {
    "Latin": (
        "All human beings are born free and equal",
        "in dignity and rights. They are endowed",
        "Alle Menschen sind frei und gleich an Würde",
        "Invoice No. 4711 of 12/05/2024, total: 1,234.50",
        "Tous les êtres humains naissent libres et égaux",
        "Todos los seres humanos nacen libres; I am a part",
    ),
    "Chinese": (
        "人人生而自由在尊严和权利上一律平等",
        "他们赋有理性和良心，并应以兄弟关系的精神",
        "人皆生而自由，在尊嚴及權利上均各平等。",
        "第一条：本合同自双方签字盖章之日起生效",
    ),
    "Chinese and Latin": (
        "订单 4711 已于 2024 年 5 月 12 日发货",
        "使用 Python 3.11 和 OpenVINO 的文字识别服务",
        "联系电话：010-8888 6666，邮箱 info@example.com",
    ),
    "Japanese": (
        "すべての人間は生まれながらにして自由であり",
        "コーヒーとケーキのセットを注文しました",
        "第一条　契約は署名の日から効力を生じる。",
    ),
}
_SIZES = (12, 16, 24, 40, 72)
_USUAL_SIZE = 32
_ANGLES = {"slanted by 5°": 5.0, "slanted by -12°": -12.0, "upside down": 180.0}
_RECOGNISERS = (ReadOptions(words=True, reread_score=0.0), ReadOptions(words=True, reread_score=1.0))

Corners = npt.NDArray[np.float32]


class Kind(NamedTuple):
    """A way to draw text.

    Attributes:
        name: What is particular about it.
        size: Font size in pixels.
        degrees: Rotation, counter-clockwise.
        inverted: White on black.
        scanned: Blurred, with noise and uneven light.
        underlined: With a line below the text.
    """

    name: str
    size: int = _USUAL_SIZE
    degrees: float = 0.0
    inverted: bool = False
    scanned: bool = False
    underlined: bool = False


class DrawnPage(NamedTuple):
    """A page with its words.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        words: (4, 2) float32 corners of each, clockwise from the text's top left.
        degrees: How far the page is rotated, counter-clockwise.
    """

    image: BgrImage
    words: list[Corners]
    degrees: float


class Fit(NamedTuple):
    """How well the word boxes of a page fit.

    Attributes:
        along: IoU along the line, of each drawn word.
        boxes: IoU of the boxes.
    """

    along: list[float]
    boxes: list[float]


def kinds() -> list[Kind]:
    """Return the ways to draw text."""
    turned = [Kind(name, degrees=degrees) for name, degrees in _ANGLES.items()]
    others = [
        Kind("white on black", inverted=True),
        Kind("scanned", 20, scanned=True),
        Kind("underlined", underlined=True),
    ]
    return [*(Kind(f"{size} pixels", size) for size in _SIZES), *turned, *others]


def draw(script: str, kind: Kind) -> Iterator[DrawnPage]:
    """Draw the texts of a script, a page for each font."""
    for path in _LATIN_FONTS if script == "Latin" else _CHINESE_FONTS:
        yield _draw_page(_TEXTS[script], ImageFont.truetype(str(path), kind.size), kind)


def _draw_page(texts: Sequence[str], font: ImageFont.FreeTypeFont, kind: Kind) -> DrawnPage:
    size = kind.size
    width = math.ceil(max(map(font.getlength, texts))) + 4 * size
    page = Image.new("RGB", (width, 2 * size * (len(texts) + 1)), "black" if kind.inverted else "white")
    pen = ImageDraw.Draw(page)
    words: list[Corners] = []
    for row, text in enumerate(texts):
        left, baseline = 2 * size, 2 * size * (row + 1)
        pen.text((left, baseline), text, fill="white" if kind.inverted else "black", font=font, anchor="ls")
        if kind.underlined:
            below = baseline + size // 5
            pen.line((left, below, left + font.getlength(text), below), fill="black", width=max(1, size // 16))
        _, top, _, bottom = font.getbbox(text, anchor="ls")
        for start, word in _words_of(text):
            offset = left + font.getlength(text[:start])
            first, last = _ink(word, font)
            words.append(_rectangle(offset + first, baseline + top, offset + last, baseline + bottom))
    turned = page.rotate(kind.degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=page.getpixel((0, 0)))
    cosine, sine = math.cos(math.radians(kind.degrees)), math.sin(math.radians(kind.degrees))
    rotation = np.array([[cosine, -sine], [sine, cosine]])  # of row vectors, with y downwards
    middle, turned_middle = np.array(page.size) / 2, np.array(turned.size) / 2
    image = np.ascontiguousarray(np.asarray(turned)[:, :, ::-1])
    return DrawnPage(
        _scan(image) if kind.scanned else image,
        [((word - middle) @ rotation + turned_middle).astype(np.float32) for word in words],
        kind.degrees,
    )


def _scan(image: BgrImage) -> BgrImage:
    """Return a picture as a poor scanner gives it."""
    light = np.linspace(0.6, 1.0, image.shape[1])[np.newaxis, :, np.newaxis]
    noise = np.random.default_rng(1).normal(0, 12, image.shape)
    scanned: BgrImage = np.clip(cv2.GaussianBlur(image, (0, 0), 1.0) * light + noise, 0, 255).astype(np.uint8)
    return scanned


def _ink(word: str, font: ImageFont.FreeTypeFont) -> tuple[float, float]:
    """Return where the ink of a word begins and ends, in pixels from where its first letter is set."""
    mask, (left, _) = font.getmask2(word, mode="L", anchor="ls")
    first, _, last, _ = mask.getbbox()
    return left + first, left + last


def _words_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the words of a line, with the index of the first character of each."""
    word = ""
    for index, character in enumerate(f"{text} "):
        apart = character.isspace() or is_unspaced(character)
        if word and apart:
            yield index - len(word), word
            word = ""
        if not apart:
            word += character
        elif not character.isspace():
            yield index, character


def _rectangle(left: float, top: float, right: float, bottom: float) -> Corners:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float32)


def fit(page: DrawnPage, lines: Sequence[Line]) -> Fit:
    """Compare the words that were read with those that were drawn."""
    read = [np.array(word.box, dtype=np.float32) for line in lines for word in line.words]
    radians = math.radians(page.degrees)
    along = np.array([math.cos(radians), -math.sin(radians)])
    down = np.array([math.sin(radians), math.cos(radians)])
    fits, boxes = [], []
    for word in page.words:
        height = np.ptp(word @ down)
        beside = [other for other in read if abs(float((other.mean(axis=0) - word.mean(axis=0)) @ down)) < height]
        fits.append(max((_iou_along(word @ along, other @ along) for other in beside), default=0.0))
        boxes.append(max((_iou(word, other) for other in beside), default=0.0))
    return Fit(fits, boxes)


def _iou_along(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the IoU of two words by where their corners are along the line: the means of the two at each end."""
    (start, end), (other_start, other_end) = (
        (float(ends[:2].mean()), float(ends[2:].mean())) for ends in (np.sort(first), np.sort(second))
    )
    common = max(0.0, min(end, other_end) - max(start, other_start))
    return common / (end - start + other_end - other_start - common) if common else 0.0


def _iou(first: Corners, second: Corners) -> float:
    common, _ = cv2.intersectConvexConvex(first, second)
    return common / (cv2.contourArea(first) + cv2.contourArea(second) - common) if common else 0.0


def _print_table(reader: Reader) -> None:
    print("| script | text | words | first | second | first, box | second, box |")
    print("|---|---|---|---|---|---|---|")
    for script in _TEXTS:
        together = [Fit([], []) for _ in _RECOGNISERS]
        for kind in kinds():
            fits = [Fit([], []) for _ in _RECOGNISERS]
            for page in draw(script, kind):
                for sums, all_of_script, options in zip(fits, together, _RECOGNISERS, strict=True):
                    along, boxes = fit(page, reader.read(page.image, options).lines)
                    for total in (sums, all_of_script):
                        total.along.extend(along)
                        total.boxes.extend(boxes)
            _print_row(script, kind.name, fits)
        _print_row(script, "together", together)


def _print_row(script: str, name: str, fits: Sequence[Fit]) -> None:
    means = [*(fmean(part.along) for part in fits), *(fmean(part.boxes) for part in fits)]
    print(f"| {script} | {name} | {len(fits[0].along)} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


def main() -> int:
    """Command line entry point."""
    parser = argparse.ArgumentParser(prog="benchmarks.words", description=__doc__)
    parser.add_argument("--profile", default="ppocr-v6", help="a profile with two recognisers (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        _print_table(Reader(settings=load_settings(init_args={"profile": arguments.profile})))
    except OcrError as error:
        print(f"words: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
