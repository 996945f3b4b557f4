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


@pytest.fixture(scope="module")
def reader() -> Reader:
    """A reader with the default models."""
    return Reader(settings=settings_for(Runtime.OPENVINO))


@pytest.fixture(scope="session")
def documents() -> tuple[Document, ...]:
    """The three documents below."""
    reader = Reader(settings=settings_for(Runtime.OPENVINO))  # its models do not outlive the reading
    names = ("example.png", "turned.png", "languages/vertical/columns.png")
    return tuple(reader.read(DOCS / name, ReadOptions(words=True)) for name in names)


@pytest.fixture(scope="session")
def example(documents: tuple[Document, ...]) -> Document:
    """A line of Chinese and one of English, with words."""
    return documents[0]


@pytest.fixture(scope="session")
def turned(documents: tuple[Document, ...]) -> Document:
    """A page that lies on its side, with words."""
    return documents[1]


@pytest.fixture(scope="session")
def columns(documents: tuple[Document, ...]) -> Document:
    """Four columns of vertical Japanese, with words."""
    return documents[2]


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
