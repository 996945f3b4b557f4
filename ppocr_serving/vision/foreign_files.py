"""Files that people often have in place of ones that can be read."""

from typing import Final

__all__ = ["foreign_kind"]

_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
)
_ZIP: Final = b"PK\x03\x04"
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def foreign_kind(data: bytes) -> str:
    """Return what a file is by its first bytes, with an article; empty if it is none of the kinds known here."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return "a HEIC or AVIF picture"
    if data.startswith(_ZIP):
        return "a ZIP archive or an Office document"
    return "an old Office document" if data.startswith(_OLD_OFFICE) else ""
