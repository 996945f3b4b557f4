"""The pictures of a document's pages, from the file that it was read from."""

from collections.abc import Callable
from typing import Final, Self

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.documents import DocumentKind, DocumentLimits, OpenDocument, open_document
from ppocr_serving.results import Document, Page
from ppocr_serving.settings import load_settings
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["FileSource", "OpenedSource"]

_JPEG: Final = b"\xff\xd8\xff"


class OpenedSource:
    """The pages of a file that somebody else opens; see `ppocr_serving.outputs.PageSource`.

    Args:
        file: The bytes of the file.
        opened: Returns the file, open.
        dpi: Pixels per inch at which pages of a PDF are rendered if nothing else is known of them.

    Attributes:
        file: As given.
    """

    def __init__(self, file: bytes, opened: Callable[[], OpenDocument], dpi: int) -> None:
        self.file = file
        self._opened = opened
        self._dpi = dpi
        self._pages: dict[int, Page] = {}

    @property
    def kind(self) -> DocumentKind:
        """What the file is."""
        return self._opened().kind

    def belongs_to(self, document: Document) -> None:
        """Take a document for what was read of this file."""
        self._pages = {}
        for page in document.pages:
            self._remember(page)

    def image(self, number: int) -> BgrImage:
        """Return the picture of a page as it was read.

        Args:
            number: The page's number, from 1.

        Returns:
            (H, W, 3) uint8, BGR.

        Raises:
            InvalidRequest: The file has no such page, or it has another size.
            ImageDecodeError: The page is damaged.
            LimitExceeded: The page has too many pixels.
        """
        document = self._opened()
        if number > document.page_count or number not in self._pages:
            raise InvalidRequest(f"the file has no page {number}, and the document has one; use the document's file")
        page = self._pages[number]
        image = document.render(number, self._dpi if page.dpi is None else round(page.dpi)).image
        height, width = image.shape[:2]
        if (width, height) != (page.width, page.height):
            raise InvalidRequest(
                f"page {number} has {width}x{height} pixels in the file, and {page.width}x{page.height} in the "
                "document; use the file that it was read from"
            )
        return image

    def original_jpeg(self, number: int) -> bytes | None:
        """Return the JPEG file that shows a page as it was read, EXIF orientation being ignored; None if none does."""
        return self.file if number == 1 and self.kind == "picture" and self.file.startswith(_JPEG) else None

    def _remember(self, page: Page) -> None:
        """Keep only what is needed to look at a page again."""
        self._pages[page.number] = Page(page.width, page.height, number=page.number, dpi=page.dpi)


class FileSource(OpenedSource):
    """The pictures of a document's pages; see `ppocr_serving.outputs.PageSource`. Close it after use.

    Args:
        file: The bytes of the file that the document was read from.
        document: The document.
        limits: Limits of the file; None takes those of the settings.
        password: Opens a PDF; may be empty.

    Raises:
        InvalidRequest: The password is missing or wrong.
        ImageDecodeError: It is a damaged PDF.
        LimitExceeded: A GIF has more pixels than allowed.
    """

    def __init__(
        self, file: bytes, document: Document, limits: DocumentLimits | None = None, password: str = ""
    ) -> None:
        settings = load_settings()
        self._open = open_document(file, limits or DocumentLimits.of(settings), password=password, name=document.name)
        super().__init__(file, lambda: self._open, settings.reading.pdf_dpi)
        self.belongs_to(document)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called more than once."""
        self._open.close()
