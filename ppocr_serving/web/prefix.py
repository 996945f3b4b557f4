"""The path under which a proxy shows the server."""

import re
from collections.abc import Mapping

from ppocr_serving.errors import InvalidSetting

__all__ = ["Prefix"]

# Segments without percent signs, and none of dots alone: nothing in it has a meaning in HTML, or as a host.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]{1,64}){1,8}")


class Prefix:
    """A prefix of all paths, which requests may have or not, depending on the proxy.

    Args:
        text: Such as `/ocr`; empty for none. A slash at its end is ignored.

    Raises:
        InvalidSetting: It is not a path.
    """

    def __init__(self, text: str) -> None:
        self._text = text.rstrip("/")
        if self._text and not _PREFIX.fullmatch(self._text):
            raise InvalidSetting(
                f"PPOCR_PATH_PREFIX is {text[:80]!r}; write a path such as /ocr, of letters, digits and . _ ~ -"
            )

    def remove_from(self, path: str) -> str:
        """Return a request's path as if there were no prefix."""
        if not self._text or not path.startswith(self._text):
            return path
        rest = path[len(self._text) :]
        if not rest:
            return "/"
        return rest if rest[0] == "/" else path

    def for_links(self, headers: Mapping[str, str]) -> str:
        """Return what links to the server have to begin with: what its proxy says, else the setting.

        Anybody can send the proxy's header, so that nothing but links in the answer may depend on it.

        Args:
            headers: The request's headers, by lower-case name.

        Returns:
            Empty, or a path without a slash at its end.
        """
        named = headers.get("x-forwarded-prefix", "").rstrip("/")
        return named if named and _PREFIX.fullmatch(named) else self._text
