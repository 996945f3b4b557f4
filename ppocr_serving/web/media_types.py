"""Media types of requests."""

from typing import Final

__all__ = ["MULTIPART", "URLENCODED", "is_json", "media_type_of"]

MULTIPART: Final = "multipart/form-data"

URLENCODED: Final = "application/x-www-form-urlencoded"
"""Also what curl's `--data-binary` says of every file if it is told nothing else."""


def media_type_of(content_type: str) -> str:
    """Return the media type of a header Content-Type, without its parameters, in lower case; empty if there is none."""
    return content_type.partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Return whether a media type is JSON, or a form of it such as `application/vnd.example+json`."""
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
