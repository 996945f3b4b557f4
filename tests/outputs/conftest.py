"""Documents that the real models have read, for all tests of formats."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.engines import Runtime
from ppocr_serving.outputs import FileSource, Item
from ppocr_serving.results import Document
from tests.conftest import settings_for
from tests.outputs.samples import Attach

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def reader() -> Reader:
    """A reader with the default models."""
    return Reader(settings=settings_for(Runtime.OPENVINO))


@pytest.fixture(scope="session")
def example(reader: Reader) -> Document:
    """A line of Chinese and one of English, with words."""
    return reader.read(DOCS / "example.png", ReadOptions(words=True))


@pytest.fixture(scope="session")
def turned(reader: Reader) -> Document:
    """A page that lies on its side, with words."""
    return reader.read(DOCS / "turned.png", ReadOptions(words=True))


@pytest.fixture(scope="session")
def columns(reader: Reader) -> Document:
    """Four columns of vertical Japanese, with words."""
    return reader.read(DOCS / "languages" / "vertical" / "columns.png", ReadOptions(words=True))


@pytest.fixture(scope="session")
def documents(example: Document, turned: Document, columns: Document) -> tuple[Document, ...]:
    """All of them."""
    return example, turned, columns


@pytest.fixture
def attach() -> Iterator[Attach]:
    """Attach the file that a document is of; closed at the end of the test."""
    with ExitStack() as stack:

        def attached(document: Document, file: bytes | None = None, password: str = "") -> Item:
            data = Path(document.name).read_bytes() if file is None else file
            return Item(document, pages=stack.enter_context(FileSource(data, document, password=password)))

        yield attached


@pytest.fixture
def read_file(reader: Reader, attach: Attach) -> Attach:
    """Read a file."""

    def read(file: bytes, options: ReadOptions | None = None) -> Item:
        return attach(reader.read(file, options or ReadOptions(words=True)), file)

    return read
