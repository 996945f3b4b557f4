"""Pictures for `soak.py`: any number of different ones generated from a seed, each drawn on demand.

A run has two halves, and the pictures of the second are like those of the first: the n-th picture of either half has
the same place in the distributions of size, shape and number of lines, the same module, format and background. What
differs is the exact size, portrait for landscape, the texts and the noise. So if a server needs more memory in the
second half, the cause is the server and not the pictures.
"""

import io
import math
import random
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "LARGEST",
    "MOST_LINES",
    "SMALLEST_SIDE",
    "Drawn",
    "PicturePlan",
    "draw",
    "page_plan",
    "plan_pictures",
]

SMALLEST_SIDE = 20
"""Pixels of the shortest side of a picture."""
LARGEST = (4000, 3000)
"""Pixels of the sides of the largest picture, the longer one first."""
MOST_LINES = 300
"""Lines of text on a picture."""

_MODULES = (
    *("ocr_system", "ocr_det", "ocr_rec", "ocr_cls", "ocr_system", "ocr_system"),
    *("ocr_system", "ocr_system", "ocr_system", "ocr_system", "ocr_det", "ocr_rec"),
)
_FOR_LARGEST = (0, 4)  # ocr_system
_FORMATS = {"JPEG": {"quality": 90}, "PNG": {"compress_level": 1}, "WEBP": {"quality": 80, "method": 0}}
_BACKGROUNDS = ("plain", "gradient", "noise")
_UPSIDE_DOWN_EVERY = 5
_LARGEST_WEBP = 1_000_000  # pixels; above, a picture takes half a second to write

# The smallest text that a detector still sees when it shrinks the longer side to this many pixels.
_SEEN_SIDE = 960
_CELL_WIDTH, _CELL_HEIGHT = 144, 16
_SMALLEST_LETTERS, _LARGEST_LETTERS = 8, 48
_MOST_CROPS = 64  # per request, the server's default limit

_FONT_FOLDER = Path("/usr/share/fonts/truetype")
_LATIN = (_FONT_FOLDER / "dejavu/DejaVuSans.ttf", "fonts-dejavu-core")
_CHINESE = (_FONT_FOLDER / "wqy/wqy-microhei.ttc", "fonts-wqy-microhei")
_LATIN_WIDTH, _CHINESE_WIDTH = 0.65, 1.0  # of a letter, in font sizes
_WORDS = (
    *("account", "bottle", "coffee", "dinner", "evening", "figure", "garden", "handle", "invoice", "kettle"),
    *("letter", "market", "number", "orange", "picture", "quality", "receipt", "service", "ticket", "yellow"),
)
_CHARACTERS = (
    "一二三四五六七八九十上下左右大小中国人口手日月水火山石田土木金天地风雨花草车马东西南北春夏秋冬你我他们"
    "学生老师工作电话时间地方文字图书报纸新闻广告商店公司银行医院学校城市道路桥梁船只飞机茶酒米面果蔬肉鱼蛋奶"
)


class PicturePlan(NamedTuple):
    """A picture that has not been drawn yet.

    Attributes:
        number: Which of the run's pictures it is, from 1.
        module: Which module reads it. ocr_rec and ocr_cls get the cropped lines, the others the page.
        width: Pixels of the page.
        height: Pixels of the page.
        lines: Lines of text on it.
        background: `plain`, `gradient` or `noise`.
        file_format: `JPEG`, `PNG` or `WEBP`.
        upside_down: The page, or each line cut out of it, is upside down.
        seed: Seed of the texts, their places and the colours.
    """

    number: int
    module: str
    width: int
    height: int
    lines: int
    background: str
    file_format: str
    upside_down: bool
    seed: int


class Drawn(NamedTuple):
    """Picture files, as a client sends them.

    Attributes:
        texts: The text of every line on the page.
        files: Picture files: the page, or up to 64 lines of it.
    """

    texts: list[str]
    files: list[bytes]


def plan_pictures(count: int, seed: int) -> list[PicturePlan]:
    """Plan the pictures of a run.

    Longer sides are distributed evenly on a logarithmic scale from 20 to 4000 pixels. Each half contains the smallest
    picture of 20 x 20, one of 4000 x 3000 with 300 lines and an empty one of that size, one of them landscape and one
    portrait.

    Args:
        count: Number of pictures, even and at least 12.
        seed: The same seed gives the same pictures.

    Returns:
        The pictures in the order in which they are to be sent.
    """
    half = count // 2
    rng = random.Random(seed)  # noqa: S311  # no secrets here
    ranks = [rng.sample(range(half), half) for _ in range(7)]
    sizes, modules = ranks[0], ranks[3]
    for rank, module in zip((half - 1, half - 2), _FOR_LARGEST, strict=True):
        place, other = sizes.index(rank), modules.index(module)
        modules[place], modules[other] = modules[other], modules[place]
    plans = []
    for index in range(2 * half):
        is_second, place = divmod(index, half)
        size, shape, filling, module, file_format, background, turn = (rank[place] for rank in ranks)
        sides = _page_sides(size, shape, half, rng)
        width, height = reversed(sides) if (size + is_second) % 2 else sides
        share = (filling + rng.random()) / half
        kind = list(_FORMATS)[file_format % len(_FORMATS)]
        if sides == LARGEST:  # of the two in a half, one is full and one is empty
            share = float(size == half - 1)
        plans.append(
            PicturePlan(
                number=index + 1,
                module=_MODULES[module % len(_MODULES)],
                width=width,
                height=height,
                lines=round(_room(width, height) * share**2),
                background=_BACKGROUNDS[background % len(_BACKGROUNDS)],
                file_format="JPEG" if kind == "WEBP" and width * height > _LARGEST_WEBP else kind,
                upside_down=turn % _UPSIDE_DOWN_EVERY == 0,
                seed=rng.getrandbits(32),
            )
        )
    return plans


def page_plan(number: int, width: int, height: int, lines: int, seed: int) -> PicturePlan:
    """Plan one upright page for ocr_system; a JPEG with a gradient behind the text."""
    return PicturePlan(number, "ocr_system", width, height, lines, "gradient", "JPEG", False, seed)


def draw(plan: PicturePlan) -> Drawn:
    """Draw a picture.

    Raises:
        FileNotFoundError: A font is missing; the message names the package that has it.
    """
    rng = random.Random(plan.seed)  # noqa: S311  # no secrets here
    page = _background(plan, rng)
    texts, boxes = _write_lines(plan, page, rng)
    pictures = [page]
    if plan.module in ("ocr_rec", "ocr_cls") and boxes:
        pictures = [page.crop(box) for box in boxes[:_MOST_CROPS]]
    return Drawn(texts, [_encode(picture, plan) for picture in pictures])


def _page_sides(size: int, shape: int, half: int, rng: random.Random) -> tuple[int, int]:
    """Return the longer and the shorter side of the page with these ranks among `half` sizes and shapes."""
    within_size, within_shape = rng.random(), rng.random()
    if size >= half - 2:
        return LARGEST
    if size == 0:
        return SMALLEST_SIDE, SMALLEST_SIDE
    longer = SMALLEST_SIDE * (LARGEST[0] / SMALLEST_SIDE) ** ((size + within_size) / half)
    narrow, wide = max(SMALLEST_SIDE, longer / 4), min(longer, LARGEST[1])
    return round(longer), round(narrow * (wide / narrow) ** ((shape + within_shape) / half))


def _room(width: int, height: int) -> int:
    """Return the maximum number of legible lines on a page."""
    seen = min(1.0, _SEEN_SIDE / max(width, height)) ** 2 * width * height
    return min(MOST_LINES, round(seen / (_CELL_WIDTH * _CELL_HEIGHT)))


def _background(plan: PicturePlan, rng: random.Random) -> Image.Image:
    # Noise is drawn on a tile and repeated: drawing it for 12 million pixels takes a second.
    size = (plan.width, plan.height)
    paper = rng.randint(190, 255), rng.randint(190, 255), rng.randint(190, 255)
    if plan.background == "gradient":
        other = rng.randint(150, 255), rng.randint(150, 255), rng.randint(150, 255)
        ends = np.array([[paper, other], [other, paper]], np.uint8)
        return Image.fromarray(ends).resize(size, Image.Resampling.BILINEAR)
    page = Image.new("RGB", size, paper)
    if plan.background == "noise":
        noise = np.random.default_rng(plan.seed).normal(0, 10, (256, 256, 3)) + paper
        tile = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
        for top in range(0, plan.height, tile.height):
            for left in range(0, plan.width, tile.width):
                page.paste(tile, (left, top))
    return page


def _write_lines(
    plan: PicturePlan, page: Image.Image, rng: random.Random
) -> tuple[list[str], list[tuple[int, int, int, int]]]:
    """Write lines in columns; return their texts and boxes (left, top, right, bottom)."""
    texts: list[str] = []
    boxes: list[tuple[int, int, int, int]] = []
    if not plan.lines:
        return texts, boxes
    pen = ImageDraw.Draw(page)
    rows = min(plan.lines, math.ceil(math.sqrt(plan.lines * _CELL_WIDTH / _CELL_HEIGHT * plan.height / plan.width)))
    columns = math.ceil(plan.lines / rows)
    cell_width, cell_height = plan.width / columns, plan.height / rows
    shrunk = max(1.0, max(plan.width, plan.height) / _SEEN_SIDE)
    largest = min(0.65 * cell_height, cell_width / 4, _LARGEST_LETTERS * shrunk)
    for index in range(plan.lines):
        column, row = divmod(index, rows)
        size = 2 * round(max(_SMALLEST_LETTERS * shrunk, largest * rng.uniform(0.4, 1.0)) / 2)
        is_chinese = rng.random() < 0.4
        letters = cell_width * rng.uniform(0.4, 0.9) / size
        text = _chinese(letters, rng) if is_chinese else _latin(letters, rng)
        left, top = (column + 0.05) * cell_width, (row + 0.5) * cell_height
        ink = rng.randint(0, 70), rng.randint(0, 70), rng.randint(0, 70)
        font = _font(is_chinese, size)
        pen.text((left, top), text, fill=ink, font=font, anchor="lm")
        around = pen.textbbox((left, top), text, font=font, anchor="lm")
        margin = size / 8
        texts.append(text)
        boxes.append(
            (
                max(0, int(around[0] - margin)),
                max(0, int(around[1] - margin)),
                min(plan.width, math.ceil(around[2] + margin)),
                min(plan.height, math.ceil(around[3] + margin)),
            )
        )
    return texts, boxes


def _latin(letters: float, rng: random.Random) -> str:
    length = max(2, int(letters / _LATIN_WIDTH))
    text = f"{rng.choice(_WORDS)} {rng.randrange(10_000)}"
    while len(text) < length:
        text += " " + rng.choice(_WORDS)
    return text[:length].strip()


def _chinese(letters: float, rng: random.Random) -> str:
    return "".join(rng.choices(_CHARACTERS, k=max(2, int(letters / _CHINESE_WIDTH))))


@lru_cache(256)
def _font(is_chinese: bool, size: int) -> ImageFont.FreeTypeFont:
    path, package = _CHINESE if is_chinese else _LATIN
    if not path.is_file():
        raise FileNotFoundError(f"the font {path} is missing; run: apt-get install {package}")
    return ImageFont.truetype(str(path), size)


def _encode(picture: Image.Image, plan: PicturePlan) -> bytes:
    if plan.upside_down:
        picture = picture.transpose(Image.Transpose.ROTATE_180)
    file = io.BytesIO()
    picture.save(file, plan.file_format, **_FORMATS[plan.file_format])
    return file.getvalue()
