"""Draw the pictures and documents that readers and visitors can try: `.venv/bin/python docs/draw_examples.py`.

They are the two lines that the commands of the documentation read, and the page's examples: a photograph of a receipt,
one of a Chinese notice, and a report of three pages, all of them made up. It needs Debian's packages fonts-liberation
and fonts-wqy-microhei.
"""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

EXAMPLE = Path(__file__).parent / "example.png"
FOLDER = Path(__file__).parents[1] / "ppocr_serving" / "web" / "page" / "examples"
FONTS = Path("/usr/share/fonts/truetype")
MONO, MONO_BOLD = (str(FONTS / f"liberation/LiberationMono-{style}.ttf") for style in ("Regular", "Bold"))
SERIF = str(FONTS / "liberation/LiberationSerif-Regular.ttf")  # as wide as Times
CHINESE = str(FONTS / "wqy/wqy-microhei.ttc")
SCALE = 2  # pictures are drawn larger, and reduced when they are photographed

# Without a space between the scripts: some processors would read it and others would not.
EXAMPLE_LINES = ("图中的文字2026", "Text in pictures")

RECEIPT = (
    ("MILL LANE GROCERS", None),
    ("48 Mill Lane, Eastbrook", None),
    ("Phone 555-0117", None),
    ("", None),
    ("14 Mar 2026   16:42", "No. 20391"),
    ("-", None),
    ("Wholemeal bread", "3.20"),
    ("Butter 250 g", "2.85"),
    ("Apples 1.2 kg", "4.08"),
    ("Sunflower oil", "8.50"),
    ("Coffee beans", "11.90"),
    ("2 x Oat milk", "4.50"),
    ("-", None),
    ("Subtotal", "35.03"),
    ("VAT 5%", "1.75"),
    ("TOTAL", "36.78"),
    ("-", None),
    ("Cash", "40.00"),
    ("Change", "3.22"),
    ("", None),
    ("Thank you, see you soon!", None),
)
BOLD = ("MILL LANE GROCERS", "TOTAL")

HEADLINE = "社区读书会通知"
NOTICE = (
    "时间：四月十八日（星期六）下午两点半",
    "地点：青石巷十二号社区图书室",
    "主题：一起读一本关于河流的书",
    "座位共三十个，请提前到前台登记。",
    "请自带茶杯，现场提供热水和点心。",
    "联系电话：555-0142（林老师）",
)
COLUMN = "开卷有益温故知新"

PAGE_SIZE = (595, 842)  # points
PAGE_MARGIN, GUTTER, TEXT_SIZE, LEADING = 54, 27, 13, 18
COLUMN_WIDTH = (PAGE_SIZE[0] - 2 * PAGE_MARGIN - GUTTER) / 2
TITLE = "Bees above the city"
SUBTITLE = "First report on the roof gardens of Eastbrook, summer 2025"
FIRST_PAGE = (
    """\
# Why we put hives on roofs

Five years ago nobody in Eastbrook would have looked for honey above the fourth floor. Then the library moved,
its old roof stood empty, and a retired bus driver asked whether two of his hives could spend the summer there.

The bees did better than anybody had expected. Parks, balconies and railway banks flower from March to October,
and gardens in the city are hardly ever sprayed. Within a year three schools and the fire station wanted hives,
too.

# How we worked

This report covers six roofs with nineteen hives. Every hive stands on a scale that sends its weight to a
computer once an hour. Volunteers open each hive on the first Sunday of the month, count the frames with brood
and note what they see.
""",
    """\
We took samples of honey in May, July and September, and had the pollen in them counted. Lime trees and clover
made up more than half of it, followed by chestnut, bramble and the lavender of one very proud balcony.

# What we found

A hive on a roof gave 24 kilograms of honey on average, a third more than those at the edge of the city. Winter
losses were low: one colony of nineteen. The roof of the swimming hall came first, that of the station last,
because of the wind that blows over the tracks.

Neighbours were asked before the summer and after it. Of 212 answers only four mentioned stings, and all four of
those people wanted the hives to stay. Most asked when they could buy the honey.
""",
)
SECOND_PAGE = (
    """\
# The harvest by month

June was the best month by far. The lime trees in Station Road flowered for eighteen days, and some hives gained
two kilograms on each of them. In August it did not rain for three weeks, and the bees lived on what they had.

# Water

Bees drink more than one would think. In July the hives of the school emptied a tray of five litres every day.
Where there was no tray, the bees went to the paddling pools next door, which was the only cause of complaints.
""",
    """\
# Next year

We would like to add four roofs and to plant two of them. A roof with twenty centimetres of soil carries thyme,
sedum and clover without being watered, keeps the rooms below it cool, and feeds the bees when the trees have
finished.

The scales will stay. All of the data are open, and the class of Mrs Arden has already found a mistake in them.
""",
)
HARVEST = (("Apr", 12), ("May", 31), ("Jun", 44), ("Jul", 26), ("Aug", 10), ("Sep", 15))
CAPTION = "Figure 1. Honey by month, kilograms per roof"
FOOTER = "Eastbrook Roof Gardens"
TABLE_TITLE = "Table 1. Roofs, hives and honey"
TABLE = (
    ("Roof", "Floor", "Hives", "Honey (kg)", "Lost in winter"),
    ("Library", "5", "4", "98", "0"),
    ("Swimming hall", "3", "3", "91", "0"),
    ("Fire station", "4", "2", "47", "0"),
    ("Lane School", "3", "5", "118", "1"),
    ("Town hall", "6", "3", "70", "0"),
    ("Railway station", "7", "2", "32", "0"),
    ("All roofs", "", "19", "456", "1"),
)


def draw_example() -> Image.Image:
    """Draw the two lines that the commands of the documentation read."""
    picture = Image.new("RGB", (300, 96), "white")
    pen = ImageDraw.Draw(picture)
    font = ImageFont.truetype(CHINESE, 30)
    for number, text in enumerate(EXAMPLE_LINES):
        pen.text((12, 8 + 44 * number), text, fill="black", font=font)
    return picture


def draw_receipt() -> Image.Image:
    """Draw a receipt, flat and clean."""
    width, leading, size, margin = 400 * SCALE, 30 * SCALE, 19 * SCALE, 28 * SCALE
    picture = Image.new("RGB", (width, leading * (len(RECEIPT) + 2)), "#f6f3ea")
    pen = ImageDraw.Draw(picture)
    for number, (text, price) in enumerate(RECEIPT):
        y = int(leading * (number + 1.7))
        font = ImageFont.truetype(MONO_BOLD if text in BOLD else MONO, int(size * 1.15) if text in BOLD else size)
        if text == "-":
            for x in range(margin, width - margin, 10 * SCALE):
                pen.line((x, y - size // 3, x + 5 * SCALE, y - size // 3), fill="#44413c", width=SCALE)
        elif price is None:
            pen.text((width // 2, y), text, fill="#2b2926", font=font, anchor="ms")
        else:
            pen.text((margin, y), text, fill="#2b2926", font=font, anchor="ls")
            pen.text((width - margin, y), price, fill="#2b2926", font=font, anchor="rs")
    return picture


def draw_notice() -> Image.Image:
    """Draw a Chinese notice with a frame and a column, flat and clean."""
    width, height, red = 620 * SCALE, 440 * SCALE, "#b3261e"
    picture = Image.new("RGB", (width, height), "#fbf3dd")
    pen = ImageDraw.Draw(picture)
    for inset, thickness in ((14, 4), (22, 1)):
        edge = inset * SCALE
        pen.rectangle((edge, edge, width - edge, height - edge), outline=red, width=thickness * SCALE)
    font = ImageFont.truetype(CHINESE, 50 * SCALE)
    pen.text((270 * SCALE, 95 * SCALE), HEADLINE, fill=red, font=font, anchor="ms")
    font = ImageFont.truetype(CHINESE, 22 * SCALE)
    for number, text in enumerate(NOTICE):
        pen.text((55 * SCALE, (165 + 46 * number) * SCALE), text, fill="#2a2522", font=font, anchor="ls")
    font = ImageFont.truetype(CHINESE, 34 * SCALE)
    for number, character in enumerate(COLUMN):
        pen.text((560 * SCALE, (80 + 37 * number) * SCALE), character, fill=red, font=font, anchor="mm")
    return picture


def photograph(paper: Image.Image, table: tuple[int, int, int], corners: list[tuple[float, float]]) -> Image.Image:
    """Return a sheet of paper as it looks on a table: not quite straight, with a shadow, in uneven light.

    Args:
        paper: The sheet.
        table: Colour of the table.
        corners: How far each corner is off, clockwise from the top left, in pixels of the result.
    """
    margin = 34 * SCALE
    width, height = paper.width + 2 * margin, paper.height + 2 * margin
    sheet = np.array([(0, 0), (paper.width, 0), (paper.width, paper.height), (0, paper.height)], np.float32)
    warp = cv2.getPerspectiveTransform(sheet, sheet + margin + SCALE * np.array(corners, np.float32))
    size = (width, height)
    laid = cv2.warpPerspective(np.asarray(paper, np.float32), warp, size, flags=cv2.INTER_AREA)
    covered = cv2.warpPerspective(np.ones((paper.height, paper.width), np.float32), warp, size)
    shadow = cv2.GaussianBlur(np.roll(covered, (6 * SCALE, 5 * SCALE), (0, 1)), (0, 0), 7 * SCALE)
    ground = np.array(table, np.float32) * (1 - 0.55 * shadow[:, :, np.newaxis])
    picture = ground + (laid - ground) * covered[:, :, np.newaxis]
    light = np.linspace(1.03, 0.9, width)[np.newaxis, :] * np.linspace(1.0, 0.95, height)[:, np.newaxis]
    picture *= light[:, :, np.newaxis]
    small = cv2.resize(picture, (width // SCALE, height // SCALE), interpolation=cv2.INTER_AREA)
    random = np.random.default_rng(1)
    specks = random.normal(0, 9, small.shape[:2]) * (random.random(small.shape[:2]) < 0.02)
    small += specks[:, :, np.newaxis]
    return Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Break a paragraph into lines."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def show(x: float, y: float, size: float, text: str, font: str = "Text") -> str:
    """Return the operators of a line of text in a PDF file."""
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /{font} {size:g} Tf {x:.1f} {y:.1f} Td ({escaped}) Tj ET"


def column(text: str, left: float, top: float) -> Iterator[str]:
    """Yield the operators of a column of text.

    Args:
        text: Its paragraphs, with empty lines between them; those that begin with `#` are headings.
        left: Points from the left edge of the page.
        top: Points from the lower edge of the page.
    """
    measure = ImageFont.truetype(SERIF, 100)
    y = top
    for paragraph in text.split("\n\n"):
        is_heading = paragraph.startswith("#")
        for line in wrap(paragraph.removeprefix("#"), measure, COLUMN_WIDTH / TEXT_SIZE * 100):
            yield show(left, y, TEXT_SIZE, line, "Head" if is_heading else "Text")
            y -= LEADING
        y -= 0 if is_heading else LEADING / 2


def chart(left: float, bottom: float) -> Iterator[str]:
    """Yield the operators of a bar chart."""
    step = COLUMN_WIDTH / len(HARVEST)
    yield "0.80 0.58 0.16 rg"
    for number, (_, value) in enumerate(HARVEST):
        yield f"{left + step * number + 6:.1f} {bottom} {step - 12:.1f} {value * 2.5} re f"
    yield "0 g 0.8 w"
    yield f"{left} {bottom} m {left + COLUMN_WIDTH} {bottom} l S"
    for number, (month, value) in enumerate(HARVEST):
        yield show(left + step * number + 8, bottom - 15, 11, month)
        yield show(left + step * number + 12, bottom + value * 2.5 + 5, 11, str(value))
    yield show(left, bottom - 36, 10, CAPTION, "Slanted")


def table(top: float) -> Iterator[str]:
    """Yield the operators of a table."""
    for row, cells in enumerate(TABLE):
        y = top - 38 * row
        for column, cell in enumerate(cells):
            yield show(60 + 145 * column, y, 12, cell, "Text" if row else "Head")
        yield f"0.5 w 55 {y - 10} m 785 {y - 10} l S"


def report() -> bytes:
    """Return a report of three pages as a PDF file; the table on its last page lies on its side."""
    width, height = PAGE_SIZE
    right = PAGE_MARGIN + COLUMN_WIDTH + GUTTER
    first = [
        show(PAGE_MARGIN, 770, 24, TITLE, "Head"),
        show(PAGE_MARGIN, 746, 12, SUBTITLE, "Slanted"),
        f"0.8 w {PAGE_MARGIN} 732 m {width - PAGE_MARGIN} 732 l S",
        *column(FIRST_PAGE[0], PAGE_MARGIN, 700),
        *column(FIRST_PAGE[1], right, 700),
    ]
    second = [
        *chart(PAGE_MARGIN, 650),
        *column(SECOND_PAGE[0], PAGE_MARGIN, 575),
        *column(SECOND_PAGE[1], right, 770),
    ]
    third = [f"0 1 -1 0 {width} 0 cm", show(60, 520, 18, TABLE_TITLE, "Head"), *table(475)]
    pages = [
        [*page, show(PAGE_MARGIN, 40, 10, f"{FOOTER}, page {number}", "Slanted")]
        for number, page in enumerate((first, second), 1)
    ]
    fonts = {"Text": "Times-Roman", "Head": "Helvetica-Bold", "Slanted": "Times-Italic"}
    resources = " ".join(f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{font} >>" for name, font in fonts.items())
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 3 /Kids [3 0 R 5 0 R 7 0 R] "
        + f"/MediaBox [0 0 {width} {height}] /Resources << /Font << {resources} >> >> >>".encode(),
    ]
    for operators in (*pages, third):
        content = zlib.compress("\n".join(operators).encode("ascii"), 9)
        objects += [
            f"<< /Type /Page /Parent 2 0 R /Contents {len(objects) + 2} 0 R >>".encode(),
            f"<< /Length {len(content)} /Filter /FlateDecode >>\nstream\n".encode() + content + b"\nendstream",
        ]
    return pdf_of(objects)


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """Return a PDF file of objects that are numbered from 1 on; the first is the catalog."""
    file = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(file)


def main() -> None:
    """Draw the files."""
    draw_example().quantize(16, dither=Image.Dither.NONE).save(EXAMPLE, optimize=True)
    FOLDER.mkdir(exist_ok=True)
    receipt = photograph(draw_receipt(), (96, 74, 58), [(16, -4), (14, 10), (-6, 8), (-16, -6)])
    notice = photograph(draw_notice(), (120, 128, 132), [(-4, 8), (2, -8), (6, 4), (-2, 10)])
    for name, picture in (("receipt.png", receipt), ("chinese.png", notice)):
        picture.quantize(40, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)
    (FOLDER / "report.pdf").write_bytes(report())


if __name__ == "__main__":
    main()
