"""The pictures of a document's pages, from the file that it was read from."""

from typing import Final, Self

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs.items import FileKind
from ppocr_serving.reading.documents import DocumentLimits, OpenDocument, open_document
from ppocr_serving.results import Document
from ppocr_serving.settings import load_settings
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["FileSource"]

_JPEG: Final = b"\xff\xd8\xff"


class FileSource:
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
        self.file = file
        self._pages = {page.number: page for page in document.pages}
        self._open: OpenDocument = open_document(
            file, limits or DocumentLimits.of(load_settings()), password=password, name=document.name
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called more than once."""
        self._open.close()

    @property
    def kind(self) -> FileKind:
        """What the file is."""
        return self._open.kind

    def image(self, number: int) -> BgrImage:
        """Return the picture of a page as it was read.

        Args:
            number: The page's number, from 1.

        Returns:
            (H, W, 3) uint8, BGR.

        Raises:
            InvalidRequest: The file has no such page, or a page of another size.
            ImageDecodeError: The page is damaged.
            LimitExceeded: The page has too many pixels.
        """
        page = self._pages.get(number)
        if page is None or number > self._open.page_count:
            raise InvalidRequest(f"there is no page {number} in the file; give the file that the document is of")
        image = self._open.render(number, round(page.dpi or 1)).image
        height, width = image.shape[:2]
        if (width, height) != (page.width, page.height):
            raise InvalidRequest(
                f"page {number} has {width}x{height} pixels in the file, and {page.width}x{page.height} in the "
                "document; give the file that the document is of"
            )
        return image

    def original_jpeg(self, number: int) -> bytes | None:
        """Return the file, if it is a JPEG picture and this is its page."""
        is_jpeg = number == 1 and self.kind == "picture" and self.file.startswith(_JPEG)
        return self.file if is_jpeg else None
