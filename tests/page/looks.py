"""What a browser's user has chosen: language, colours and the size of the window."""

from collections.abc import Iterable
from itertools import product
from typing import Final, Literal, NamedTuple

__all__ = ["LOCALES", "SCHEMES", "SIZES", "Look", "Scheme", "looks"]

Scheme = Literal["light", "dark"]

LOCALES: Final = ("en-US", "zh-CN")
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
SIZES: Final = ((360, 740), (768, 1024), (1440, 900))
"""A phone, a tablet and a desk, in CSS pixels."""


class Look(NamedTuple):
    """A user's choice.

    Attributes:
        locale: Language and country.
        scheme: Colours.
        size: Width and height of the window in CSS pixels.
    """

    locale: str = LOCALES[0]
    scheme: Scheme = SCHEMES[0]
    size: tuple[int, int] = SIZES[-1]

    def __str__(self) -> str:
        return f"{self.locale}-{self.scheme}-{self.size[0]}x{self.size[1]}"


def looks(
    locales: Iterable[str] = LOCALES[:1],
    schemes: Iterable[Scheme] = SCHEMES[:1],
    sizes: Iterable[tuple[int, int]] = SIZES[-1:],
) -> list[Look]:
    """Return all combinations. A test with the fixture `page` is run with each if its `look` is parametrized.

    Args:
        locales: Languages.
        schemes: Colours.
        sizes: Sizes of the window.
    """
    return [Look(*choice) for choice in product(locales, schemes, sizes)]
