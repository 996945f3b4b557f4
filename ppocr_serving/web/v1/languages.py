"""The languages that a client says its files are in."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.models import load_profile, profile_names

__all__ = ["matches", "require_languages"]

_MAX_LANGUAGES: Final = 20
_TAG: Final = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}")
# As other programs call them.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "ch": "zh-Hans",
    "chi_sim": "zh-Hans",
    "chi_tra": "zh-Hant",
    "chinese": "zh-Hans",
    "chinese_cht": "zh-Hant",
    "chs": "zh-Hans",
    "cht": "zh-Hant",
    "cn": "zh-Hans",
    "zho": "zh-Hans",
    "eng": "en",
    "english": "en",
    "fra": "fr",
    "french": "fr",
    "deu": "de",
    "ger": "de",
    "german": "de",
    "ita": "it",
    "japan": "ja",
    "japanese": "ja",
    "jp": "ja",
    "jpn": "ja",
    "por": "pt",
    "spa": "es",
    "spanish": "es",
}


def require_languages(wanted: str | None, known: Iterable[str]) -> None:
    """Refuse languages that the models do not read.

    Args:
        wanted: BCP 47 tags separated by commas; None is any.
        known: What the models read, as BCP 47 tags.

    Raises:
        InvalidRequest: There are too many, or one that is not read; the message says what to do about it.
    """
    if wanted is None:
        return
    read = tuple(known)
    tags = [tag.strip() for tag in wanted.split(",")]
    if len(tags) > _MAX_LANGUAGES:
        raise InvalidRequest(f"languages has {len(tags)} languages; the limit is {_MAX_LANGUAGES}")
    for tag in tags:
        if not _is_read(tag, read):
            way = _way_out(tag, read)
            raise InvalidRequest(f"languages: {tag[:40]!r} is not read here; {way} The models read {', '.join(read)}")


def _way_out(tag: str, read: Iterable[str]) -> str:
    meant = _OTHER_NAMES.get(tag.lower())
    if meant is not None and _is_read(meant, read):
        return f"did you mean {meant}?"
    if _TAG.fullmatch(tag) is None:
        return "give tags such as en or zh-Hans, separated by commas."
    if names := [name for name, languages in _languages_of_profiles().items() if _is_read(meant or tag, languages)]:
        return f"the server can be started with PPOCR_PROFILE={names[0]}, which reads it."
    return "no profile reads it, but docs/languages.md says how to bring a recogniser that does."


def _is_read(tag: str, read: Iterable[str]) -> bool:
    plain = tag.lower().replace("_", "-")
    return _TAG.fullmatch(tag) is not None and any(matches(plain, one.lower()) for one in read)


def matches(tag: str, read: str) -> bool:
    """Return whether one of two BCP 47 tags, in the same letter case, is the other one or says it more precisely."""
    return tag == read or tag.startswith(f"{read}-") or read.startswith(f"{tag}-")


@cache
def _languages_of_profiles() -> Mapping[str, tuple[str, ...]]:
    return {name: load_profile(name).languages for name in profile_names()}
