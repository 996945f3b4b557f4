"""Objects of PDF, and a file of them."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, NewType

__all__ = ["Name", "Reference", "Stream", "Writer", "name", "number", "stream", "text_string"]

Name = NewType("Name", str)

_HEADER: Final = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"  # the second row says that this is not text


class Reference(NamedTuple):
    """A reference to an object by its number."""

    number: int


class Stream(NamedTuple):
    """Data with a dictionary that describes them."""

    entries: Mapping[str, "Object"]
    data: bytes


Object = Name | Reference | Stream | bool | int | float | bytes | Sequence["Object"] | Mapping[str, "Object"]
"""Bytes are a string; entries of dictionaries are named without a slash."""


def name(text: str) -> Name:
    """Return a name, which here consists of letters, digits and hyphens only."""
    return Name(text)


def stream(data: bytes, **entries: "Object") -> Stream:
    """Return data to be compressed."""
    return Stream({**entries, "Filter": name("FlateDecode")}, zlib.compress(data, 9))


def text_string(text: str) -> bytes:
    """Return a text for people as a string."""
    return b"\xfe\xff" + text.encode("utf-16-be")


def number(value: float) -> str:
    """Return a number as a file has it: to five digits after the point, without an exponent."""
    return f"{value:.5f}".rstrip("0").rstrip(".") if value else "0"


class Writer:
    """The objects of a file, written one after the other."""

    def __init__(self) -> None:
        self._parts: list[bytes] = [_HEADER]
        self._size = len(_HEADER)
        self._offsets: dict[int, int] = {}
        self._count = 0

    def reserve(self) -> Reference:
        """Return a reference to an object that is added later."""
        self._count += 1
        return Reference(self._count)

    def add(self, value: Object, reference: Reference | None = None) -> Reference:
        """Add an object.

        Args:
            value: The object.
            reference: One that was reserved for it; None takes the next number.
        """
        reference = reference or self.reserve()
        self._offsets[reference.number] = self._size
        self._append(b"%d 0 obj\n" % reference.number)
        if isinstance(value, Stream):
            self._append(_encoded({**value.entries, "Length": len(value.data)}))
            self._append(b"\nstream\n")
            self._append(value.data)
            self._append(b"\nendstream")
        else:
            self._append(_encoded(value))
        self._append(b"\nendobj\n")
        return reference

    def finish(self, root: Reference, info: Reference) -> bytes:
        """Return the file.

        Args:
            root: The catalogue.
            info: What the file says about itself.
        """
        start = self._size
        identifier = hashlib.sha256()
        for part in self._parts:
            identifier.update(part)
        entries = b"".join(b"%010d 00000 n \n" % self._offsets[item] for item in range(1, self._count + 1))
        self._append(b"xref\n0 %d\n0000000000 65535 f \n%s" % (self._count + 1, entries))
        key = identifier.digest()[:16]
        trailer: Mapping[str, Object] = {"Size": self._count + 1, "Root": root, "Info": info, "ID": [key, key]}
        self._append(b"trailer\n%s\nstartxref\n%d\n%%%%EOF\n" % (_encoded(trailer), start))
        return b"".join(self._parts)

    def _append(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)


def _encoded(value: Object) -> bytes:
    match value:
        case Reference(number_):
            return b"%d 0 R" % number_
        case bool():
            return b"true" if value else b"false"
        case str():
            return b"/" + value.encode("ascii")
        case bytes():
            return b"<" + value.hex().encode("ascii") + b">"
        case int() | float():
            return number(value).encode("ascii")
        case Mapping():
            return (
                b"<< "
                + b"".join(b"/%s %s " % (key.encode("ascii"), _encoded(item)) for key, item in value.items())
                + b">>"
            )
        case _ if isinstance(value, Sequence):
            return b"[" + b" ".join(map(_encoded, value)) + b"]"
    raise TypeError(f"{type(value).__name__} is not an object of PDF")
