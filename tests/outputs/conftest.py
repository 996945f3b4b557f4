"""Documents that the real models have read, for all tests of formats."""

from pathlib import Path

import pytest

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.engines import Runtime
from ppocr_serving.results import Document
from tests.conftest import settings_for

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
