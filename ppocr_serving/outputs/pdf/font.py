"""A font whose glyphs are empty, for text that is selected and copied but not seen.

Every character is half as wide as the font is high, so that the scale of a text's width follows from its length. A
character's code is its code point; those beyond U+FFFF get the codes of surrogates, of which there are 2048.
"""

import struct
from typing import Final

from ppocr_serving.outputs.pdf.file import Reference, Writer, name, stream

__all__ = ["ADVANCE", "ASCENT", "DESCENT", "Codes", "add_font", "font_program"]

ADVANCE: Final = 0.5
"""Width of a character, as a part of the font's size."""

ASCENT: Final = 0.8
"""Height above the baseline, as a part of the font's size."""

DESCENT: Final = 1 - ASCENT
"""Depth below the baseline, as a part of the font's size."""

_UNITS = 1000  # per font size
_SURROGATES: Final = range(0xD800, 0xE000)
_REPLACEMENT: Final = 0xFFFD
_BATCH = 100  # mappings at a time that the form of a map allows
_NAME = "Empty"


class Codes:
    """The codes of the characters of one file."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._high: dict[str, int] = {}

    def encode(self, text: str) -> str:
        """Return a text as the hexadecimal digits of its codes, four each."""
        return "".join(f"{self._code(character):04X}" for character in text)

    def map_to_unicode(self) -> bytes:
        """Return the map from the codes in use to Unicode, as a PostScript program."""
        entries = [f"<{code:04X}> <{text.encode('utf-16-be').hex().upper()}>" for code, text in self._texts.items()]
        entries.sort()
        batches = [entries[start : start + _BATCH] for start in range(0, len(entries), _BATCH)]
        rows = "".join(
            f"{len(batch)} beginbfchar\n" + "".join(f"{entry}\n" for entry in batch) + "endbfchar\n"
            for batch in batches
        )
        return (
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
            "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{rows}"
            "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
        ).encode("ascii")

    def _code(self, character: str) -> int:
        code = ord(character)
        if code > 0xFFFF:
            free = len(self._high)
            if character not in self._high and free < len(_SURROGATES):
                self._high[character] = _SURROGATES[free]
            code = self._high.get(character, _REPLACEMENT)
        if code not in self._texts:
            self._texts[code] = "\ufffd" if code == _REPLACEMENT else character
        return code


def add_font(file: Writer, codes: Codes, reference: Reference) -> None:
    """Add the font to a file.

    Args:
        file: The file.
        codes: The codes of all texts that are in the file.
        reference: The font's own, which was reserved, because pages refer to it before all codes are known.
    """
    program = font_program()
    embedded = file.add(stream(program, Length1=len(program)))
    ascent, descent = round(ASCENT * _UNITS), -round(DESCENT * _UNITS)
    width = round(ADVANCE * _UNITS)
    descriptor = file.add(
        {
            "Type": name("FontDescriptor"),
            "FontName": name(_NAME),
            "Flags": 4,  # not of the standard characters
            "FontBBox": [0, descent, width, ascent],
            "ItalicAngle": 0,
            "Ascent": ascent,
            "Descent": descent,
            "CapHeight": ascent,
            "StemV": 80,
            "FontFile2": embedded,
        }
    )
    glyphs = file.add(stream(struct.pack(">H", 1) * 0x10000))  # all codes show the second glyph
    descendant = file.add(
        {
            "Type": name("Font"),
            "Subtype": name("CIDFontType2"),
            "BaseFont": name(_NAME),
            "CIDSystemInfo": {"Registry": b"Adobe", "Ordering": b"Identity", "Supplement": 0},
            "FontDescriptor": descriptor,
            "CIDToGIDMap": glyphs,
            "DW": width,
        }
    )
    unicode = file.add(stream(codes.map_to_unicode()))
    file.add(
        {
            "Type": name("Font"),
            "Subtype": name("Type0"),
            "BaseFont": name(_NAME),
            "Encoding": name("Identity-H"),
            "DescendantFonts": [descendant],
            "ToUnicode": unicode,
        },
        reference,
    )


def font_program() -> bytes:
    """Return a TrueType font of two glyphs that show nothing, in less than 500 bytes."""
    width, ascent, descent = round(ADVANCE * _UNITS), round(ASCENT * _UNITS), -round(DESCENT * _UNITS)
    tables = {
        # An outline of two points encloses nothing, but has a size: PDFium drops single characters without one.
        b"glyf": struct.pack(">hhhhhHHBBhhhh", 1, 0, descent, width, ascent, 1, 0, 1, 1, 0, width, descent, _UNITS),
        b"head": struct.pack(
            ">LLLLHHQQhhhhHHhhh",
            *(0x00010000, 0x00010000, 0, 0x5F0F3CF5),  # versions, checksum, magic number
            *(0b11, _UNITS, 0, 0),  # flags, units, no dates
            *(0, descent, width, ascent),
            *(0, 3, 2, 0, 0),  # style, smallest size, direction, forms
        ),
        b"hhea": struct.pack(
            ">LhhhHhhhhhhhhhhhH", 0x00010000, ascent, descent, 0, width, 0, 0, width, 1, 0, 0, 0, 0, 0, 0, 0, 1
        ),
        b"hmtx": struct.pack(">Hhh", width, 0, 0),
        b"loca": struct.pack(">HHH", 0, 0, 12),  # of the first and the second glyph, and the end, halved
        b"maxp": struct.pack(">LHHHHHHHHHHHHHH", 0x00010000, 2, 2, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
        b"post": struct.pack(">LLhhLLLLL", 0x00030000, 0, -75, 50, 1, 0, 0, 0, 0),
    }
    offset = 12 + 16 * len(tables)
    directory = struct.pack(">LHHHH", 0x00010000, len(tables), 64, 2, 16 * len(tables) - 64)
    body = b""
    for tag, table in tables.items():
        directory += struct.pack(">4sLLL", tag, _checksum(table), offset + len(body), len(table))
        body += table + bytes(-len(table) % 4)
    whole = directory + body
    head = whole.index(tables[b"head"]) + 8
    adjustment = (0xB1B0AFBA - _checksum(whole)) & 0xFFFFFFFF
    return whole[:head] + struct.pack(">L", adjustment) + whole[head + 4 :]


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}L", padded)
    return sum(words) & 0xFFFFFFFF
