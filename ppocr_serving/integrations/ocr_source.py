"""Where an integration has files read: in its own process, or by a server."""

from collections.abc import Mapping
from threading import Lock
from typing import Any, Protocol

from ppocr_serving import __version__
from ppocr_serving.outputs import Item
from ppocr_serving.outputs.origins import origin_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

__all__ = ["Here", "OcrSource", "Remote", "source_of"]


class OcrSource(Protocol):
    """What reads files. It may be used by several threads."""

    def read(self, file: bytes, options: ReadOptions) -> Item:
        """Read a file.

        Args:
            file: The bytes of a picture, or of a TIFF, GIF or PDF file.
            options: How it is read.

        Returns:
            The document, with what made it; pages that cannot be read have an `error`.

        Raises:
            OcrError: The file cannot be read.
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return `version`, `profiles`, `languages` and `limits`, as `/v1/capabilities` states them.

        Raises:
            OcrError: The server does not say.
        """
        ...


class Here:
    """A reader in this process. It reads one file at a time, with all threads that the settings give it.

    Raises:
        OcrError: The models or the settings are not usable.
    """

    def __init__(self) -> None:
        self._reader = Reader()
        self._turn = Lock()

    def read(self, file: bytes, options: ReadOptions) -> Item:
        """Read a file; see `OcrSource`."""
        with self._turn:
            document = self._reader.read(file, options)
        return Item(document, origin_of(self._reader, options))

    def describe(self) -> Mapping[str, Any]:
        """Describe the reader; see `OcrSource`."""
        settings = self._reader.settings
        profile = settings.models.profile
        return {
            "version": __version__,
            "profiles": [{"name": profile.name, "summary": profile.summary}],
            "languages": list(profile.languages),
            "limits": {
                "max_body_mb": settings.server.max_body_mb,
                "max_pages": settings.reading.max_pages,
                "max_pixels": settings.reading.max_pixels,
                "max_request_pixels": settings.server.max_request_pixels,
            },
        }


class Remote:
    """A server of this service.

    Args:
        url: Its address.

    Raises:
        OcrError: The address cannot be one.
        ModuleNotFoundError: The packages of the extra `client` are missing.
    """

    def __init__(self, url: str) -> None:
        from ppocr_serving.client import OcrClient  # its packages are not needed otherwise

        self._client = OcrClient(url)

    def read(self, file: bytes, options: ReadOptions) -> Item:
        """Have the server read a file; see `OcrSource`."""
        item = self._client.read_item(file, options)
        if item.document.error is not None:
            raise item.document.error
        return item

    def describe(self) -> Mapping[str, Any]:
        """Ask the server; see `OcrSource`."""
        return self._client.capabilities()


def source_of(url: str | None) -> OcrSource:
    """Return what reads files.

    Args:
        url: Address of a server; None reads them in this process.

    Raises:
        OcrError: The models, the settings or the address are not usable.
    """
    return Here() if url is None else Remote(url)
