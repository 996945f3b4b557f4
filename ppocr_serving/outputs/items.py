"""What a writer gets: documents, how they were made, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ppocr_serving import __version__
from ppocr_serving.results import Document, Page

if TYPE_CHECKING:
    from ppocr_serving.reading.documents import DocumentKind
    from ppocr_serving.vision.pixels import BgrImage

__all__ = ["Check", "Item", "Origin", "PageSource", "pages_of"]

Check = Callable[[], None]
"""Called every so often while something is written; what it raises ends that."""

_NONE: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a document.

    Attributes:
        profile: Name of the profile.
        files: The SHA-256 of models and dictionaries, by name.
        options: The options that took effect, by name, with plain values.
        version: Version of this package.
    """

    profile: str
    files: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, bool | float | str | None] = field(default_factory=dict)
    version: str = __version__


class PageSource(Protocol):
    """The file of a document and the pictures of its pages.

    Attributes:
        file: The bytes of the file.
        kind: What it is.
    """

    @property
    def file(self) -> bytes:
        """The bytes of the file."""
        ...

    @property
    def kind(self) -> DocumentKind:
        """What the file is."""
        ...

    def image(self, number: int) -> BgrImage:
        """Return the picture of a page as it was read.

        Args:
            number: The page's number, from 1.

        Returns:
            (H, W, 3) uint8, BGR, with the size that the page of the document has.
        """
        ...

    def original_jpeg(self, number: int) -> bytes | None:
        """Return the JPEG file that a page was read from, as it is; None if it was not one.

        Its EXIF orientation need not be 1: whoever shows it turns it.
        """
        ...


class Item(NamedTuple):
    """One document to write.

    Attributes:
        document: What was read.
        origin: What made it; None if that is not known.
        times: Seconds by stage that it took; empty if that is not known.
        pages: Its pictures; None if they are not at hand, which formats that show them refuse.
    """

    document: Document
    origin: Origin | None = None
    times: Mapping[str, float] = _NONE
    pages: PageSource | None = None


def pages_of(items: Sequence[Item], check: Check) -> Iterator[tuple[int, Page]]:
    """Yield all pages, for formats that say of each why it could not be read.

    Args:
        items: The documents.
        check: Called for each document and each page.

    Yields:
        The position of a page's document, from 0, and the page. What could not be read of a document comes before its
        pages, as one without a size.
    """
    for index, item in enumerate(items):
        check()
        if item.document.error is not None:
            yield index, Page(0, 0, error=item.document.error)
        for page in item.document.pages:
            check()
            yield index, page
