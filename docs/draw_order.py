"""Draw docs/order.png, a page in two columns with the order of its lines: `.venv/bin/python docs/draw_order.py`.

The page is read with the default models. It needs Debian's package fonts-dejavu-core.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ppocr_serving import Reader

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


def main() -> None:
    """Draw the picture: each line with its number, each paragraph in a colour."""
    picture = draw_page()
    (page,) = Reader().read(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])).pages
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(FONT, 15)
    for number, line in enumerate(page.lines, start=1):
        colour = COLOURS[line.paragraph % len(COLOURS)]
        pen.polygon(line.box, outline=colour, width=2)
        x, y = line.box[0]
        pen.text((x - 6, y + 14), str(number), fill=colour, font=font, anchor="rm")
    picture.quantize(32).save(Path(__file__).parent / "order.png", optimize=True)


if __name__ == "__main__":
    main()
