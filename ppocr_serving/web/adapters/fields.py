"""The fields of a request, with the types that an adapter gives them."""

from collections.abc import Mapping
from typing import Any

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.values import convert, suggestion
from ppocr_serving.web.v1.languages import matches

__all__ = ["convert_fields", "language_of", "require_known", "require_language"]


def convert_fields(values: Mapping[str, Any], hints: Mapping[str, Any], *, strict: bool = True) -> dict[str, Any]:
    """Return the values of fields, converted to their types; those without a value are left out.

    Args:
        values: By name; None has no value, and where `strict` is false, an empty text has none.
        hints: The type of each field.
        strict: Do not take text for numbers and booleans.

    Raises:
        InvalidRequest: A field is unknown, or its value is not allowed.
    """
    require_known(values, hints)
    return {
        name: convert(name, value, hints[name], InvalidRequest, strict=strict)
        for name, value in values.items()
        if value is not None and (strict or value != "")
    }


def require_known(values: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse fields that are not known: they would be without effect, and nobody would notice."""
    for name in values:
        if name not in known:
            hint = suggestion(name[:40], known) or f"; known fields: {', '.join(known)}"
            raise InvalidRequest(f"{name[:40]!r} is not a field of this request{hint}")


def require_language(field: str, value: str, tag: str, languages: tuple[str, ...]) -> None:
    """Refuse a language that the models do not read.

    Args:
        field: The field's name.
        value: The field's value.
        tag: The language as BCP 47 tag.
        languages: What the models read.

    Raises:
        InvalidRequest: It is none of them.
    """
    if not any(matches(tag, known) for known in languages):
        raise InvalidRequest(
            f"{field} is {value[:40]!r}, which the models do not read; they read {', '.join(languages)}. "
            f"Leave it out, or have the operator choose another PPOCR_PROFILE"
        )


def language_of(field: str, value: str, tags: Mapping[str, str]) -> str:
    """Return the BCP 47 tag of a language that a client names in its service's own way.

    Raises:
        InvalidRequest: The service has no such language.
    """
    if value not in tags:
        raise InvalidRequest(f"{field} is {value[:40]!r}; allowed: {', '.join(tags)}")
    return tags[value]
