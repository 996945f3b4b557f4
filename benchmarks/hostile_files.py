"""Picture files that cost much: hostile ones, and legitimate ones that come close to them. All are made here."""

import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = [
    "HOSTILE",
    "LARGE",
    "LEGITIMATE",
    "Make",
    "baseline_jpeg",
    "coded_block",
    "empty_png_blocks",
    "photo",
    "plain_png",
    "progressive_jpeg",
    "saved",
    "tiff",
    "webp_of_many_tables",
]

LARGE: Final = (7071, 7071)
"""Width and height of a picture of the service's limit, 50 megapixels."""
_MEGAPIXEL: Final = (1024, 1024)
_ZLIB_HEADER: Final = b"\x78\x01"
_MANY_BYTES: Final = 23_000_000  # 31 MB in base64

Make = Callable[[], bytes]


def photo(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Return a picture with gradients, edges and a little noise."""
    rng = np.random.default_rng(5)
    x, y = np.meshgrid(np.arange(512), np.arange(512))
    tile = np.stack([x // 2, y // 2, (x + y) // 4], axis=2) + (x // 64 + y // 32)[:, :, None] % 2 * 90
    tile = (tile + rng.integers(0, 4, tile.shape)).clip(0, 255).astype(np.uint8)
    rows = np.tile(tile, (1, -(-size[0] // 512), 1))[:, : size[0]]
    image = np.tile(rows, (-(-size[1] // 512), 1, 1))[: size[1]]
    picture = Image.fromarray(image)
    if mode in ("RGBA", "LA"):
        picture.putalpha(picture.getchannel(0))
    return picture if picture.mode == mode else picture.convert(mode)


def saved(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    """Return a picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def baseline_jpeg(size: tuple[int, int]) -> bytes:
    """Return an ordinary JPEG file."""
    return saved(photo(size), "JPEG")


def plain_png(size: tuple[int, int]) -> bytes:
    """Return an ordinary PNG file."""
    return saved(photo(size), "PNG", compress_level=1)


# PNG


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(size: tuple[int, int], parts: Iterable[bytes], colour: int = 0, depth: int = 8, interlace: int = 0) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(_chunk(b"IDAT", part) for part in parts) + _chunk(b"IEND", b"")


def empty_png_blocks(block: bytes) -> bytes:
    """Return a PNG file of 64 pixels whose data begin with very many copies of an empty deflate block."""
    rows = zlib.compress(bytes(9 * 8), 0)[2:]
    return _png((8, 8), [_ZLIB_HEADER + block * (_MANY_BYTES // len(block)) + rows])


def coded_block(is_fixed: bool) -> bytes:
    """Return four empty blocks of deflate, with the fixed code or with codes of their own (RFC 1951, 3.2.7)."""
    bits = _Bits()
    for _ in range(4):
        bits.add(0, 1)
        bits.add(1 if is_fixed else 2, 2)
        if is_fixed:
            bits.add(0, 7)
            continue
        for value, count in ((0, 5), (0, 5), (14, 4)):
            bits.add(value, count)
        for symbol in (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1):
            bits.add(symbol in (18, 1), 3)
        for value, count in ((1, 1), (138 - 11, 7), (1, 1), (118 - 11, 7), (0, 3)):
            bits.add(value, count)
    return bits.data()


def _tiny_idats() -> bytes:
    data = zlib.compress(bytes(1025 * 1024), 0)[:90_000]
    return _png(_MEGAPIXEL, [data[at : at + 1] for at in range(len(data))])


def _interlaced(size: tuple[int, int]) -> bytes:
    return _png(size, [zlib.compress(bytes(size[0] * size[1] + 16 * size[1]))], interlace=1)


# JPEG


def _segment(kind: int, data: bytes) -> bytes:
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(data) + 2) + data


def progressive_jpeg(size: tuple[int, int], scans: int, process: int = 0xC2) -> bytes:
    """Return a grey progressive file of nothing with refining scans."""
    width, height = size
    blocks = -(-width // 8) * -(-height // 8)
    head = b"\xff\xd8" + _segment(0xDB, b"\0" + b"\1" * 64)
    head += _segment(process, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    head += _segment(0xC4, b"\0\1" + bytes(16)) + _segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    ends = b"\0" * (2 * (blocks // 16384 + 1))  # runs of blocks that end at once

    def scan(first: int, last: int, low: int) -> bytes:
        return _segment(0xDA, bytes([1, 1, 0, first, last, low]))

    data = scan(0, 0, 0) + bytes(blocks // 8 + 1) + scan(1, 63, 1) + ends
    return head + data + (scan(1, 63, 0x10) + ends) * scans + b"\xff\xd9"


def _after_first_scan(extra: bytes) -> bytes:
    return saved(photo((64, 64)), "JPEG")[:-2] + extra * (_MANY_BYTES // len(extra)) + b"\xff\xd9"


# WebP


class _Bits:
    """Bits of a lossless WebP stream, the lowest of each byte first."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.uint8]] = []

    def add(self, value: int, count: int) -> None:
        self._parts.append(np.array([value >> at & 1 for at in range(count)], np.uint8))

    def extend(self, bits: npt.NDArray[np.uint8]) -> None:
        self._parts.append(bits)

    def data(self) -> bytes:
        return np.packbits(np.concatenate(self._parts), bitorder="little").tobytes()


def _lossless_stream(size: tuple[int, int], header: bool, cache_bits: int = 0) -> bytes:
    """Return a stream with a group of prefix codes for each 4 x 4 pixels (RFC 9649, 3.7.2)."""
    bits = _Bits()
    if header:
        for value, count in ((0x2F, 8), (size[0] - 1, 14), (size[1] - 1, 14), (0, 1), (0, 3)):
            bits.add(value, count)
    bits.add(0, 1)  # no transform
    bits.add(bool(cache_bits), 1)
    if cache_bits:
        bits.add(cache_bits, 4)
    bits.add(1, 1)  # many groups
    bits.add(0, 3)  # for 4 x 4 pixels each
    groups = min(65_536, (-(-size[0] // 4)) * (-(-size[1] // 4)))
    bits.add(0, 1)  # no cache in the picture of groups
    for alphabet in (280, 256):  # green and red, all codes of which have 8 bits
        bits.add(0, 1)
        bits.add(8, 4)  # 12 lengths: of codes for 17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8
        for length in (0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1):
            bits.add(length, 3)
        bits.add(0, 1)
        bits.extend(np.zeros(256, np.uint8))
        if alphabet == 280:
            bits.add(1, 1)  # 24 zeros
            bits.add(24 - 11, 7)
    one_symbol = np.array([1, 0, 0, 0], np.uint8)
    bits.extend(np.tile(one_symbol, 3))
    count = (-(-size[0] // 4)) * (-(-size[1] // 4))
    numbers = np.minimum(np.arange(count), groups - 1)
    both = np.stack([numbers & 255, numbers >> 8], axis=1).astype(np.uint8)
    bits.extend(np.unpackbits(both, axis=1).reshape(-1))
    bits.extend(np.tile(one_symbol, 5 * groups))
    return bits.data()


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for kind, data in chunks:
        body += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def _canvas(size: tuple[int, int], flags: int) -> tuple[bytes, bytes]:
    return b"VP8X", bytes([flags, 0, 0, 0]) + _three(size[0] - 1) + _three(size[1] - 1)


def webp_of_many_tables(size: tuple[int, int] = _MEGAPIXEL, cache_bits: int = 0) -> bytes:
    """Return a lossless WebP file with a group of prefix codes for each 4 x 4 pixels."""
    return _riff((b"VP8L", _lossless_stream(size, True, cache_bits)))


def _alpha_of_many_tables(size: tuple[int, int] = _MEGAPIXEL) -> bytes:
    lossy = saved(photo(size), "WEBP", quality=10, method=0)
    return _riff(_canvas(size, 16), (b"ALPH", b"\1" + _lossless_stream(size, False)), (b"VP8 ", lossy[20:]))


def _animation(canvas: tuple[int, int], size: tuple[int, int], frame: tuple[bytes, bytes], frames: int = 1) -> bytes:
    inner = _riff(frame)[12:]
    place = bytes(6) + _three(size[0] - 1) + _three(size[1] - 1) + _three(100) + b"\0"
    return _riff(_canvas(canvas, 18), (b"ANIM", bytes(6)), *[(b"ANMF", place + inner)] * frames)


# TIFF


def tiff(size: tuple[int, int], compression: int, strips: list[bytes] | bytes, **options: Any) -> bytes:
    """Return a TIFF file; `strips` are the data of each, or one that all of them share."""
    count = options.get("count", 1 if isinstance(strips, bytes) else len(strips))
    data = strips if isinstance(strips, bytes) else b"".join(strips)
    sizes = [len(strips)] * count if isinstance(strips, bytes) else [len(strip) for strip in strips]
    offsets = [8] * count if isinstance(strips, bytes) else [8 + sum(sizes[:at]) for at in range(count)]
    tile = options.get("tile")
    body = b"II*\0\0\0\0\0" + data
    tables = []
    for values in (offsets, sizes):
        tables.append(len(body) if count > 1 else values[0])
        body += np.array(values, "<u4").tobytes() if count > 1 else b""
    tags = {
        256: size[0],
        257: size[1],
        258: options.get("bits", 8),
        259: compression,
        262: options.get("photometric", 1),
        277: options.get("samples", 1),
        284: options.get("planar", 1),
    }
    if tile:
        tags |= {322: tile[0], 323: tile[1]}
    else:
        tags |= {278: options.get("rows", size[1])}
    entries = [(tag, 4, 1, value) for tag, value in tags.items()]
    for tag, table in zip((324, 325) if tile else (273, 279), tables, strict=True):
        entries.append((tag, 4, count, table))
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return body[:4] + struct.pack("<I", len(body)) + body[8:] + directory + bytes(4)


def _large_dictionary() -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**24}]
    data = bytearray(lzma.compress(bytes(1024 * 1024), lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=filters))
    at = data.index(b"\x21\x01") + 2  # the filter's property: 1.5 GB
    data[at] = 37
    data[20:24] = struct.pack("<I", zlib.crc32(bytes(data[12:20])))
    return tiff(_MEGAPIXEL, 34925, bytes(data))


def _lzw_of_clear_codes() -> bytes:
    return tiff(_MEGAPIXEL, 5, np.packbits(np.tile([1, 0, 0, 0, 0, 0, 0, 0, 0], _MANY_BYTES * 8 // 9)).tobytes())


# GIF and BMP


def _gif(size: tuple[int, int], frame: tuple[int, int], codes: bytes, minimum: int = 8) -> bytes:
    blocks = b"".join(b"\xff" + codes[at : at + 255] for at in range(0, len(codes) - 254, 255))
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + bytes(range(256)) * 3
    return head + b",\0\0\0\0" + struct.pack("<HHBB", *frame, 0, minimum) + blocks + b"\0;"


def _bmp(size: tuple[int, int], bits: int, runs: bytes) -> bytes:
    colours = 4 * 2**bits
    header = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, 1 if bits == 8 else 2, len(runs), 0, 0, 2**bits, 0)
    head = struct.pack("<2sIHHI", b"BM", 54 + colours + len(runs), 0, 0, 54 + colours)
    return head + header + bytes(colours) + runs


def _clear_codes() -> bytes:
    return np.packbits(np.tile(np.array([0] * 8 + [1], np.uint8), _MANY_BYTES * 8 // 9), bitorder="little").tobytes()


HOSTILE: Final[dict[str, tuple[tuple[int, int], Make]]] = {
    "WebP, lossless, tables for each 4x4": (_MEGAPIXEL, webp_of_many_tables),
    "WebP, the same with colour caches": (_MEGAPIXEL, lambda: webp_of_many_tables(_MEGAPIXEL, 11)),
    "WebP, alpha with tables for each 4x4": (_MEGAPIXEL, _alpha_of_many_tables),
    "WebP, such a frame in an animation": (
        _MEGAPIXEL,
        lambda: _animation(_MEGAPIXEL, _MEGAPIXEL, (b"VP8L", _lossless_stream(_MEGAPIXEL, True))),
    ),
    "WebP, animation, frame of 4x4 on 50 MP": (
        LARGE,
        lambda: _animation(LARGE, (4, 4), (b"VP8L", _lossless_stream((4, 4), True))),
    ),
    "PNG, 23 MB of empty stored blocks": ((8, 8), lambda: empty_png_blocks(b"\0\0\0\xff\xff")),
    "PNG, 23 MB of empty coded blocks": ((8, 8), lambda: empty_png_blocks(coded_block(True))),
    "PNG, 23 MB of empty blocks with codes": ((8, 8), lambda: empty_png_blocks(coded_block(False))),
    "PNG, 90,000 IDAT chunks of a byte": (_MEGAPIXEL, _tiny_idats),
    "PNG, 23 MB of data for nothing": ((8, 8), lambda: _png((8, 8), [zlib.compress(bytes(72)) + bytes(_MANY_BYTES)])),
    "PNG, interlaced, a million rows": ((1, 1_000_000), lambda: _interlaced((1, 1_000_000))),
    "PNG, interlaced, a million columns": ((1_000_000, 1), lambda: _interlaced((1_000_000, 1))),
    "JPEG, 16 scans": (LARGE, lambda: progressive_jpeg(LARGE, 14)),
    "JPEG, 1000 scans": (LARGE, lambda: progressive_jpeg(LARGE, 1000)),
    "JPEG, a million scans of a block": ((8, 8), lambda: progressive_jpeg((8, 8), 1_000_000)),
    "JPEG, arithmetic, 100 scans": (LARGE, lambda: progressive_jpeg(LARGE, 100, 0xCA)),
    "JPEG, 6 million empty APP1 after a scan": ((64, 64), lambda: _after_first_scan(b"\xff\xe1\0\2")),
    "JPEG, a million tables after a scan": (
        (64, 64),
        lambda: _after_first_scan(_segment(0xC4, b"\0\1" + bytes(16))),
    ),
    "JPEG, restart markers only": ((64, 64), lambda: _after_first_scan(b"\xff\xd0\xff\xd3")),
    "TIFF, deflate, one strip": (
        LARGE,
        lambda: tiff(LARGE, 8, zlib.compress(bytes(3 * LARGE[0] * LARGE[1]), 1), samples=3, photometric=2, bits=8),
    ),
    "TIFF, deflate, 23 MB of empty blocks": (
        (8, 8),
        lambda: tiff((8, 8), 8, _ZLIB_HEADER + b"\0\0\0\xff\xff" * (_MANY_BYTES // 5) + zlib.compress(bytes(64))[2:]),
    ),
    "TIFF, 150,000 strips that are the same": (
        (8, 150_000),
        lambda: tiff((8, 150_000), 8, zlib.compress(bytes(8)) + bytes(10_000), count=150_000, rows=1),
    ),
    "TIFF, raw, 150,000 strips that are the same": (
        (8, 150_000),
        lambda: tiff((8, 150_000), 1, bytes(100_000), count=150_000, rows=1),
    ),
    "TIFF, a tile of 20000x20000 for a pixel": (
        (1, 1),
        lambda: tiff((1, 1), 8, zlib.compress(bytes(20_000 * 20_000), 9), tile=(20_000, 20_000)),
    ),
    "TIFF, tiles of 16384x16 for a column": (
        (1, 1_000_000),
        lambda: tiff((1, 1_000_000), 8, zlib.compress(bytes(2**18)), tile=(16384, 16), count=62_500),
    ),
    "TIFF, LZW, clear codes only": (_MEGAPIXEL, _lzw_of_clear_codes),
    "TIFF, packbits, nothing but no-ops": (_MEGAPIXEL, lambda: tiff(_MEGAPIXEL, 32773, b"\x80" * _MANY_BYTES)),
    "TIFF, LZMA, dictionary of 1.5 GB": (_MEGAPIXEL, _large_dictionary),
    "TIFF, JPEG of 1000 scans": (LARGE, lambda: tiff(LARGE, 7, progressive_jpeg(LARGE, 1000))),
    "TIFF, old JPEG of 1000 scans": (LARGE, lambda: tiff(LARGE, 6, progressive_jpeg(LARGE, 1000))),
    "TIFF, fax, a million bad lines": (
        (16, 1_000_000),
        lambda: tiff((16, 1_000_000), 3, np.random.default_rng(3).bytes(6_000_000), bits=1),
    ),
    "TIFF, planar, 255 samples": (
        (512, 512),
        lambda: tiff((512, 512), 8, zlib.compress(bytes(512 * 512)), samples=255, planar=2, count=255),
    ),
    "TIFF, deflate, RGBA in one strip": (
        LARGE,
        lambda: tiff(LARGE, 8, zlib.compress(bytes(4 * LARGE[0] * LARGE[1]), 1), samples=4, photometric=2),
    ),
    "TIFF, LZMA, 23 MB after its end": (
        _MEGAPIXEL,
        lambda: tiff(_MEGAPIXEL, 34925, lzma.compress(bytes(2**20)) + bytes(_MANY_BYTES)),
    ),
    "JPEG, 65500x763, chroma 4x4 times smaller": (
        (65500, 763),
        lambda: baseline_jpeg((65500, 763)).replace(b"\x01\x22\x00", b"\x01\x44\x00", 1),
    ),
    "GIF, clear codes only": (_MEGAPIXEL, lambda: _gif(_MEGAPIXEL, _MEGAPIXEL, _clear_codes())),
    "GIF, frame of a pixel on 50 MP": (LARGE, lambda: _gif(LARGE, (1, 1), bytes(300))),
    "BMP, runs of a pixel": (_MEGAPIXEL, lambda: _bmp(_MEGAPIXEL, 8, b"\1\7" * (_MANY_BYTES // 2))),
    "BMP, ends of lines only": (_MEGAPIXEL, lambda: _bmp(_MEGAPIXEL, 4, b"\0\0" * (_MANY_BYTES // 2))),
    "BMP, moves by nothing": (_MEGAPIXEL, lambda: _bmp(_MEGAPIXEL, 8, b"\0\2\0\0" * (_MANY_BYTES // 4))),
}
"""Name, width and height that are declared, and how to make the file."""


LEGITIMATE: Final[dict[str, tuple[tuple[int, int], Make]]] = {
    "JPEG, progressive": (LARGE, lambda: saved(photo(LARGE), "JPEG", progressive=True)),
    "JPEG, CMYK": (LARGE, lambda: saved(photo(LARGE, "CMYK"), "JPEG")),
    "PNG, RGBA": (LARGE, lambda: saved(photo(LARGE, "RGBA"), "PNG", compress_level=1)),
    "PNG, RGBA of 16 bits": (LARGE, lambda: _png(LARGE, [_blank_rows(8)], 6, 16)),
    "PNG, grey with alpha": (LARGE, lambda: saved(photo(LARGE, "LA"), "PNG", compress_level=1)),
    "PNG, a transparent colour": (LARGE, lambda: saved(photo(LARGE), "PNG", compress_level=1, transparency=(1, 2, 3))),
    "PNG, interlaced": (LARGE, lambda: _interlaced(LARGE)),
    "WebP": (LARGE, lambda: saved(photo(LARGE), "WEBP", quality=50, method=0)),
    "WebP, alpha": (LARGE, lambda: saved(photo(LARGE, "RGBA"), "WEBP", quality=50, method=0)),
    "WebP, lossless": (LARGE, lambda: saved(photo(LARGE), "WEBP", lossless=True, quality=0, method=0)),
    "WebP, lossless, alpha": (LARGE, lambda: saved(photo(LARGE, "RGBA"), "WEBP", lossless=True, quality=0, method=0)),
    "TIFF, 16x16 tiles": (LARGE, lambda: tiff(LARGE, 1, bytes(256), tile=(16, 16), count=442 * 442)),
    "TIFF, deflated tiles": (LARGE, lambda: tiff(LARGE, 8, zlib.compress(bytes(256)), tile=(16, 16), count=442 * 442)),
    "GIF": (LARGE, lambda: saved(photo(LARGE, "L"), "GIF")),
    "BMP": ((2600, 2600), lambda: saved(photo((2600, 2600)), "BMP")),
    "TIFF, LZW": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="tiff_lzw")),
    "TIFF, deflate": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="tiff_adobe_deflate")),
    "TIFF, packbits": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="packbits")),
    "TIFF, zstd": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="zstd")),
    "TIFF, LZMA": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="lzma")),
    "TIFF, JPEG": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="jpeg")),
    "TIFF, LZW, turned": (LARGE, lambda: saved(photo(LARGE), "TIFF", compression="tiff_lzw", tiffinfo={274: 6})),
    "TIFF, CMYK, deflate": (LARGE, lambda: saved(photo(LARGE, "CMYK"), "TIFF", compression="tiff_adobe_deflate")),
    "TIFF, fax": (LARGE, lambda: saved(photo(LARGE, "1"), "TIFF", compression="group4")),
}
"""The same for files that have to be read."""


def _blank_rows(bytes_per_pixel: int) -> bytes:
    return zlib.compress(bytes((1 + bytes_per_pixel * LARGE[0]) * LARGE[1]), 1)
