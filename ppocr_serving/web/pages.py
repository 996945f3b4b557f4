"""Pages of HTML, with headers by which browsers load and run nothing but what belongs to them."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib.resources.abc import Traversable

from ppocr_serving.web.assets import Asset
from ppocr_serving.web.responses import Response

__all__ = ["Page"]

_INLINE = re.compile(r"<(script|style)\b[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_HTML_TAG = re.compile(r"<html\b[^>]*>", re.IGNORECASE)
_HEADERS = (
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_PREFIXES = 4  # are kept; anybody can send others
_NOTHING = "'none'"


class Page:
    """A page with its styles and scripts inside; it is put together when somebody asks for it.

    Attributes such as `style` and `onclick` have no effect in it.

    Args:
        folder: Has the page, `index.html`, and its stylesheets and modules.
    """

    def __init__(self, folder: Traversable) -> None:
        self._folder = folder
        self._with_prefix = lru_cache(_PREFIXES)(self._asset)

    def response(self, prefix: str, headers: Mapping[str, str]) -> Response:
        """Return it.

        Args:
            prefix: What its relative links begin with; empty, or a path without a slash at its end.
            headers: The request's headers, by lower-case name.
        """
        return self._with_prefix(prefix).response(headers)

    @cached_property
    def _html(self) -> str:
        from ppocr_serving.web.bundle import bundle  # takes a while, and many servers are never asked

        return bundle("index.html", lambda name: self._folder.joinpath(name).read_text(encoding="utf-8"))

    @cached_property
    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (("Content-Security-Policy", _policy(self._html)), *_HEADERS)

    def _asset(self, prefix: str) -> Asset:
        html = self._html
        if prefix:
            html = _HTML_TAG.sub(lambda tag: f'{tag[0]}<base href="{prefix}/">', html, count=1)
        return Asset("text/html; charset=utf-8", html.encode(), self._headers, ("X-Forwarded-Prefix",), is_text=True)


def _policy(html: str) -> str:
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed[kind.lower()].append(f"'sha256-{digest}'")
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(allowed['script']) or _NOTHING}",
            f"style-src {' '.join(allowed['style']) or _NOTHING}",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
