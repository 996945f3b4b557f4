"""Tesseract's names of languages."""

from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType
from typing import Final

__all__ = ["tesseract_names"]

_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "af": ("afr",),
        "ar": ("ara",),
        "az": ("aze",),
        "be": ("bel",),
        "bg": ("bul",),
        "bs": ("bos",),
        "ca": ("cat",),
        "cs": ("ces",),
        "cy": ("cym",),
        "da": ("dan",),
        "de": ("deu",),
        "el": ("ell",),
        "en": ("eng",),
        "es": ("spa",),
        "et": ("est",),
        "eu": ("eus",),
        "fa": ("fas",),
        "fi": ("fin",),
        "fr": ("fra",),
        "ga": ("gle",),
        "gl": ("glg",),
        "hi": ("hin",),
        "hr": ("hrv",),
        "hu": ("hun",),
        "id": ("ind",),
        "is": ("isl",),
        "it": ("ita",),
        "ja": ("jpn", "jpn_vert"),
        "ko": ("kor", "kor_vert"),
        "ku": ("kmr",),
        "la": ("lat",),
        "lb": ("ltz",),
        "lt": ("lit",),
        "lv": ("lav",),
        "mi": ("mri",),
        "mr": ("mar",),
        "ms": ("msa",),
        "mt": ("mlt",),
        "ne": ("nep",),
        "nl": ("nld",),
        "no": ("nor",),
        "oc": ("oci",),
        "pl": ("pol",),
        "pt": ("por",),
        "qu": ("que",),
        "ro": ("ron",),
        "ru": ("rus",),
        "sk": ("slk",),
        "sl": ("slv",),
        "sq": ("sqi",),
        "sr-Cyrl": ("srp",),
        "sr-Latn": ("srp_latn",),
        "sv": ("swe",),
        "sw": ("swa",),
        "ta": ("tam",),
        "te": ("tel",),
        "th": ("tha",),
        "tl": ("fil", "tgl"),
        "tr": ("tur",),
        "ug": ("uig",),
        "uk": ("ukr",),
        "ur": ("urd",),
        "uz": ("uzb",),
        "vi": ("vie",),
        "zh-Hans": ("chi_sim", "chi_sim_vert"),
        "zh-Hant": ("chi_tra", "chi_tra_vert"),
    }
)


def tesseract_names(tags: Iterable[str]) -> Set[str]:
    """Return Tesseract's names of languages, and the tags of those that it does not know.

    Args:
        tags: BCP 47 tags.
    """
    return {name for tag in tags for name in _NAMES.get(tag, (tag,))}
