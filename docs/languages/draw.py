"""Draw the pictures of docs/languages.md, and their labels: `.venv/bin/python docs/languages/draw.py`.

It needs Debian's packages fonts-dejavu-core and fonts-wqy-microhei. A label is the line as drawn, in the form that
`benchmarks.evaluate` reads.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONTS = Path("/usr/share/fonts/truetype")
LATIN = FONTS / "dejavu" / "DejaVuSans.ttf"
EAST_ASIAN = FONTS / "wqy" / "wqy-microhei.ttc"
FOLDER = Path(__file__).parent
SIZE, MARGIN, SPACING = 24, 16, 42  # pixels
VERTICAL = ["国境の長いトンネルを抜けると", "雪国であった", "夜の底が白くなった", "信号所に汽車が止まった"]
SIDEWAYS = "ー"  # stands upright in a column

TEXTS = {
    "chinese": (
        EAST_ASIAN,
        ["请在入口处出示您的门票", "营业时间：上午9点至下午6点", "請勿在此停車，謝謝合作", "歡迎光臨臺灣圖書館"],
    ),
    "japanese": (EAST_ASIAN, ["足元にご注意ください", "コーヒーとケーキのセット", "毎週月曜日はお休みです"]),
    "western": (
        LATIN,
        [
            "Please mind the gap between train and platform",
            "Straße gesperrt: Fußgänger bitte über die Brücke",
            "Où se trouve l'hôtel près de la forêt ?",
            "El niño comió piña mañana",
            "Atenção: não há informações disponíveis",
            "La città è più bella così",
        ],
    ),
    "northern": (
        LATIN,
        [
            "Rødgrød med fløde på Færøerne",
            "Räksmörgås och kött från Åland",
            "Þetta er íslenskt mál, það er auðvelt",
            "Hyvää päivää, pöytä kahdelle",
        ],
    ),
    "eastern": (
        LATIN,
        [
            "Zażółć gęślą jaźń",
            "Příliš žluťoučký kůň úpěl",
            "Árvíztűrő tükörfúrógép",
            "Știri și anunțuri în București",
            "Đačka ćuprija, šuma i žaba",
            "Šiandien ąžuolai čia žydėjo",
            "Glāžšķūņu rūķīši ģērbjas",
        ],
    ),
    "others": (
        LATIN,
        [
            "Çocuğun şapkası ığdır ağacında",
            "Azərbaycan dilində əlifba",
            "Għażiż ħabib, il-ġurnata ċara",
            "Tŷ bach twt ar lan y môr, ŵyn",
            "Selamat pagi, apa kabar hari ini",
            "Karibu sana, chakula kiko tayari",
        ],
    ),
    "unread": (
        LATIN,
        ["Добро пожаловать в Москву", "Καλημέρα, πώς είστε σήμερα;", "Đường phố Việt Nam rất đẹp"],
    ),
}


def draw_vertical() -> None:
    """Draw columns from right to left, with a label for each."""
    font = ImageFont.truetype(EAST_ASIAN, SIZE)
    size = (SPACING * len(VERTICAL) + MARGIN, SIZE * max(map(len, VERTICAL)) + 2 * MARGIN)
    picture = Image.new("L", size, "white")
    rows = []
    for number, column in enumerate(VERTICAL, start=1):
        left = picture.width - number * SPACING
        for place, letter in enumerate(column):
            tile = Image.new("L", (SIZE, SIZE), "white")
            ImageDraw.Draw(tile).text((SIZE / 2, SIZE / 2), letter, fill="black", font=font, anchor="mm")
            picture.paste(tile.rotate(-90) if letter in SIDEWAYS else tile, (left, MARGIN + place * SIZE))
        right, bottom = left + SIZE, MARGIN + len(column) * SIZE
        rows.append(f"{left},{MARGIN},{right},{MARGIN},{right},{bottom},{left},{bottom},{column}\n")
    save("vertical/columns", picture, rows)


def save(name: str, picture: Image.Image, rows: list[str]) -> None:
    """Save a picture and its labels."""
    picture.quantize(16).save(FOLDER / f"{name}.png", optimize=True)
    (FOLDER / f"{name}.csv").write_text("".join(rows), encoding="utf-8")


def main() -> None:
    """Draw all pictures."""
    draw_vertical()
    for name, (path, lines) in TEXTS.items():
        font = ImageFont.truetype(path, SIZE)
        width = max(round(font.getlength(line)) for line in lines) + 2 * MARGIN
        picture = Image.new("L", (width, SPACING * len(lines) + MARGIN), "white")
        pen = ImageDraw.Draw(picture)
        rows = []
        for number, line in enumerate(lines):
            corner = (MARGIN, MARGIN + number * SPACING)
            left, top, right, bottom = (round(side) for side in pen.textbbox(corner, line, font))
            pen.text(corner, line, fill="black", font=font)
            rows.append(f"{left},{top},{right},{top},{right},{bottom},{left},{bottom},{line}\n")
        save(name, picture, rows)


if __name__ == "__main__":
    main()
