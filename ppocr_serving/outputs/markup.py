"""Elements and attributes of XML."""

from html import escape
from typing import Final

from ppocr_serving.outputs.texts import plain

__all__ = ["XML_DECLARATION", "attributes", "content", "number"]

XML_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def content(text: str) -> str:
    """Return a text as the content of an element, or of an attribute in quotation marks."""
    return escape(plain(text))


def attributes(**values: str | float | None) -> str:
    """Return attributes with a space before each; those that are None are left out."""
    return "".join(
        f' {name}="{content(value) if isinstance(value, str) else number(value)}"'
        for name, value in values.items()
        if value is not None
    )


def number(value: float) -> str:
    """Return a number without an exponent or a needless decimal point, to four digits after it."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
