"""What the server answers without models, and always the same: its page, examples, version and description."""

from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from importlib.resources import files as resources

import msgspec

from ppocr_serving import __version__
from ppocr_serving.web.assets import Asset
from ppocr_serving.web.examples import EXAMPLES, EXAMPLES_PREFIX, example
from ppocr_serving.web.pages import Page
from ppocr_serving.web.prefix import Prefix
from ppocr_serving.web.responses import Response

__all__ = ["Site"]

_PAGE = "/"
_JSON = "application/json"


class Site:
    """Answers to GET requests.

    Args:
        prefix: Of all paths.
    """

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix
        self._page = Page(resources("ppocr_serving.web").joinpath("page"))
        self._assets: Mapping[str, Callable[[], Asset]] = {
            "/version": _version,
            "/openapi.json": _description,
            **{f"{EXAMPLES_PREFIX}{name}": partial(example, name) for name in EXAMPLES},
        }

    @property
    def paths(self) -> Collection[str]:
        """The paths that are answered."""
        return (_PAGE, *self._assets)

    def response(self, path: str, headers: Mapping[str, str]) -> Response:
        """Return the answer at a path.

        Args:
            path: One of `paths`.
            headers: The request's headers, by lower-case name.
        """
        if path == _PAGE:
            return self._page.response(self._prefix.for_links(headers), headers)
        return self._assets[path]().response(headers)


@cache
def _version() -> Asset:
    return Asset(_JSON, msgspec.json.encode({"name": "ppocr-serving", "version": __version__}))


@cache
def _description() -> Asset:
    return Asset(_JSON, resources("ppocr_serving.web").joinpath("openapi.json").read_bytes(), is_text=True)
