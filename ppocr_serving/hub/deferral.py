"""Put off what PaddleHub imports at startup until it is used: Paddle, and its own modules for training.

Paddle takes more than a second and 150 MB, and the models that do not run on it need neither.
"""

import pkgutil
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = ["DEFERRED", "IMPORTERS", "Deferred", "deferred_import"]

DEFERRED = ("paddle", "paddlehub.compat", "paddlehub.datasets", "paddlehub.finetune", "paddlehub.text")
"""Packages that are not imported yet, with all that is in them."""

IMPORTERS = frozenset(
    {
        "paddlehub",
        "paddlehub.commands.run",
        "paddlehub.module.module",
        "paddlehub.server.server",
        "paddlehub.utils.download",
    }
)
"""Modules of PaddleHub for which that is done: those of its startup. What they do with Paddle is known, while others
may store its values when they are imported."""


class Deferred:
    """A package, or a name in one, that is imported when it is used: called, subclassed, or looked up later.

    Args:
        name: The dotted name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if _is_paddle_loaded():
            return getattr(_resolve(self._name), name)
        if name == "__version__":
            return _version_of_paddle()
        if name.startswith("__"):
            raise AttributeError(name)  # Python probes for optional dunder names
        return Deferred(f"{self._name}.{name}")  # annotations mention classes that may never be used

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Import what it stands for, and call it."""
        return _resolve(self._name)(*args, **kwargs)

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return (_resolve(self._name),)

    def __instancecheck__(self, instance: object) -> bool:
        return self.__subclasscheck__(type(instance))

    def __subclasscheck__(self, kind: type) -> bool:
        # Before Paddle is imported, nothing can be derived from what depends on it.
        return _is_paddle_loaded() and issubclass(kind, _resolve(self._name))

    def __repr__(self) -> str:
        return f"<{self._name}, imported when it is used>"


def deferred_import(importer: str, name: str, fromlist: Sequence[str]) -> Deferred | None:
    """Return what an import statement of PaddleHub binds or takes names from, if it can be put off.

    Args:
        importer: Name of the importing module.
        name: What is imported, or what names are imported from.
        fromlist: Those names.
    """
    if importer not in IMPORTERS or _is_paddle_loaded():
        return None
    if _is_deferred(name) or any(_is_deferred(f"{name}.{item}") for item in fromlist):
        return Deferred(name if fromlist else name.partition(".")[0])
    return None


def _is_deferred(name: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in DEFERRED)


def _is_paddle_loaded() -> bool:
    return "paddle" in sys.modules


def _version_of_paddle() -> str:
    try:
        return version("paddlepaddle")
    except PackageNotFoundError:  # installed under another name, such as paddlepaddle-gpu
        return str(_resolve("paddle").__version__)


def _resolve(name: str) -> Any:
    from ppocr_serving.engines.paddle import import_paddle

    import_paddle()
    return pkgutil.resolve_name(name)
