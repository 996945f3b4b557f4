"""Pages of HTML, with headers by which browsers load and run nothing but what belongs to them."""

import base64
import hashlib
import re

from ppocr_serving.web.responses import Response, text_response

__all__ = ["Page"]

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_HTML_TAG = re.compile(r"<html\b[^>]*>", re.IGNORECASE)
_HEADERS = (
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Vary", "X-Forwarded-Prefix"),
)


class Page:
    """A page whose scripts and styles are in elements without attributes, or files of this server.

    Attributes such as `style` and `onclick` have no effect in it.

    Args:
        html: Its text, with an `html` element.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self._headers = (("Content-Security-Policy", _policy(html)), *_HEADERS)

    def response(self, prefix: str) -> Response:
        """Return it.

        Args:
            prefix: What its relative links begin with; empty, or a path without a slash at its end.
        """
        html = self._html
        if prefix:
            html = _HTML_TAG.sub(lambda tag: f'{tag[0]}<base href="{prefix}/">', html, count=1)
        response = text_response(html, "html")
        return response._replace(headers=(*response.headers, *self._headers))


def _policy(html: str) -> str:
    allowed = {"script": ["'self'"], "style": ["'self'"]}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed[kind.lower()].append(f"'sha256-{digest}'")
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(allowed['script'])}",
            f"style-src {' '.join(allowed['style'])}",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
