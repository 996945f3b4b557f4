"""The pages of a TIFF file, each as a file of its own, so that it is read like any other picture."""

import struct

__all__ = ["file_of_page", "page_offsets"]

_MAX_DIRECTORIES = 100_000
_MAX_TAGS = 16  # looked at in a directory: they are sorted, and few come before the one that says its kind
_SUBFILE_TYPE = 254
_REDUCED, _MASK = 1, 4  # bits of that tag: a smaller copy of another page, or its transparency
_SHORT = 3


def page_offsets(data: bytes) -> list[int]:
    """Return where the directory of each page is; copies in other sizes and masks are left out.

    Args:
        data: The bytes of a file.

    Returns:
        One offset per page; none if this is not a TIFF file.
    """
    if not data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return []
    order = "<" if data.startswith(b"II") else ">"
    is_big = b"+" in data[:4]
    offsets: list[int] = []
    seen: set[int] = set()
    position = 8 if is_big else 4
    form = f"{order}Q" if is_big else f"{order}I"
    try:
        while len(seen) < _MAX_DIRECTORIES:
            (offset,) = struct.unpack_from(form, data, position)
            if not offset or offset in seen:  # the end, or a loop
                break
            seen.add(offset)
            kind, position = _look_at(data, offset, order, is_big)
            if not offsets or not kind & (_REDUCED | _MASK):
                offsets.append(offset)
    except (struct.error, OverflowError):
        pass  # truncated: what has been found can be read
    return offsets


def file_of_page(data: bytes, offset: int) -> bytes:
    """Return a TIFF file whose first page is another one.

    Args:
        data: The bytes of the file.
        offset: Where the page's directory is.
    """
    order = "<" if data.startswith(b"II") else ">"
    if b"+" in data[:4]:
        return b"".join((data[:8], struct.pack(f"{order}Q", offset), data[16:]))
    return b"".join((data[:4], struct.pack(f"{order}I", offset), data[8:]))


def _look_at(data: bytes, offset: int, order: str, is_big: bool) -> tuple[int, int]:
    """Return the kind of a directory's picture, and where the offset of the next directory is."""
    (count,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}H", data, offset)
    first, step = offset + (8 if is_big else 2), 20 if is_big else 12
    kind = 0
    for entry in range(first, first + min(count, _MAX_TAGS) * step, step):
        tag, type_ = struct.unpack_from(f"{order}HH", data, entry)
        if tag >= _SUBFILE_TYPE:  # tags are sorted
            if tag == _SUBFILE_TYPE:
                at = entry + (12 if is_big else 8)
                (kind,) = struct.unpack_from(f"{order}{'H' if type_ == _SHORT else 'I'}", data, at)
            break
    return kind, first + count * step
