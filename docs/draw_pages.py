"""Draw docs/order.png, docs/turned.png and docs/words.png: `.venv/bin/python docs/draw_pages.py`.

They are a page in two columns with the order of its lines, a receipt on its side, and words, as the default models read
them. It needs Debian's packages fonts-dejavu-core and fonts-wqy-microhei.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ppocr_serving import Page, Reader, ReadOptions

FOLDER = Path(__file__).parent
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
SIZE, LEADING, MARGIN, WIDTH = 20, 30, 50, 330  # pixels
COLOURS = ("#c0392b", "#1f5fbf", "#1e8449", "#8e44ad", "#b9770e", "#117a8b")

HEADLINE = "The market by the river"
COLUMNS = (
    (
        "Every Saturday the square fills before the sun is up. Farmers bring bread, apples and honey from the hills.",
        "At noon the bells ring and the stalls begin to close. What is left is sold for half the price.",
    ),
    (
        "In winter the market moves into the old station, where trains have not stopped for thirty years.",
        "Musicians play on the platform, and children ride a wooden horse between the rails for a coin.",
    ),
)

CHINESE_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
RECEIPT = (
    ("Corner Bakery", ""),
    ("2 Rye bread", "7.80"),
    ("1 Apple cake", "3.20"),
    ("4 Pretzels", "4.40"),
    ("Total", "15.40"),
)
WORDS = (("Every word has a box of its own", FONT), ("每个汉字也有自己的框", CHINESE_FONT))


def wrap(text: str, font: ImageFont.FreeTypeFont) -> list[str]:
    """Break a paragraph into lines."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_page() -> Image.Image:
    """Draw the page without numbers."""
    picture = Image.new("RGB", (2 * WIDTH + 3 * MARGIN, 440), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, 70), HEADLINE, fill="black", font=ImageFont.truetype(FONT, 36), anchor="ls")
    font = ImageFont.truetype(FONT, SIZE)
    for number, paragraphs in enumerate(COLUMNS):
        baseline = 135
        for paragraph in paragraphs:
            for line in wrap(paragraph, font):
                pen.text((MARGIN + number * (WIDTH + MARGIN), baseline), line, fill="black", font=font, anchor="ls")
                baseline += LEADING
            baseline += LEADING // 2
    return picture


def draw_receipt() -> Image.Image:
    """Draw a receipt that lies on its side."""
    picture = Image.new("RGB", (420, 300), "white")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 24)
    for number, (name, price) in enumerate(RECEIPT):
        pen.text((40, 60 + 50 * number), name, fill="black", font=font, anchor="ls")
        pen.text((380, 60 + 50 * number), price, fill="black", font=font, anchor="rs")
    return picture.transpose(Image.Transpose.ROTATE_90)


def draw_words() -> Image.Image:
    """Draw a line with spaces, and one without."""
    picture = Image.new("RGB", (620, 150), "white")
    pen = ImageDraw.Draw(picture)
    for number, (text, font) in enumerate(WORDS):
        pen.text((30, 60 + 60 * number), text, fill="black", font=ImageFont.truetype(font, 34), anchor="ls")
    return picture


def read(reader: Reader, picture: Image.Image, options: ReadOptions | None = None) -> Page:
    """Read a picture."""
    (page,) = reader.read(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]), options).pages
    return page


def number_lines(picture: Image.Image, page: Page) -> None:
    """Draw each line's box and number, in a colour for each paragraph, beside the corner where its text begins."""
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 15)
    for number, line in enumerate(page.lines, start=1):
        colour = COLOURS[line.paragraph % len(COLOURS)]
        pen.polygon(line.box, outline=colour, width=2)
        (x, y), (right, _), *_ = line.box
        offset, anchor = ((-6, 14), "rm") if right > x + 5 else ((14, 14), "mm")
        pen.text((x + offset[0], y + offset[1]), str(number), fill=colour, font=font, anchor=anchor)


def save(picture: Image.Image, name: str) -> None:
    """Save a picture in this folder."""
    picture.quantize(32).save(FOLDER / name, optimize=True)


def main() -> None:
    """Draw the pictures."""
    reader = Reader()
    for name, picture in (("order.png", draw_page()), ("turned.png", draw_receipt())):
        number_lines(picture, read(reader, picture))
        save(picture, name)
    picture = draw_words()
    pen = ImageDraw.Draw(picture)
    for line in read(reader, picture, ReadOptions(words=True)).lines:
        for number, word in enumerate(line.words):
            pen.polygon(word.box, outline=COLOURS[number % len(COLOURS)], width=2)
    save(picture, "words.png")


if __name__ == "__main__":
    main()
