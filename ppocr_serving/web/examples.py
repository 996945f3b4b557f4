"""Pictures and documents for visitors of the page who have none at hand; docs/draw_examples.py draws them."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files as resources
from types import MappingProxyType
from typing import Final

from ppocr_serving.web.assets import Asset

__all__ = ["EXAMPLES", "EXAMPLES_PREFIX", "example"]

EXAMPLES_PREFIX = "/examples/"
"""Before the name of an example."""

EXAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {"receipt.png": "image/png", "chinese.png": "image/png", "report.pdf": "application/pdf"}
)
"""The media type of each file."""


@cache
def example(name: str) -> Asset:
    """Return one of the examples.

    Args:
        name: Its key in EXAMPLES.
    """
    file = resources("ppocr_serving.web").joinpath("page", "examples", name)
    return Asset(EXAMPLES[name], file.read_bytes())
