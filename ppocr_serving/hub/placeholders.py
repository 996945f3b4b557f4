"""Placeholders for packages that PaddleHub imports at startup but OCR never calls.

The packages would add over 800 MB. Only modules of PaddleHub see a placeholder: it never enters `sys.modules`, so no
other library can mistake it for the real package, and a package that is installed always wins.
"""

import builtins
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from ppocr_serving.hub.deferral import Deferred, deferred_import

__all__ = ["STANDS_IN_FOR", "make_importable"]

# The importable name, and what PaddleHub does with it. The package to install has the same name.
STANDS_IN_FOR: Mapping[str, str] = {
    "paddle2onnx": "exporting a module to ONNX",
    "paddlenlp": "text models and their data sets",
    "scipy": "measuring segmentation models",
    "visualdl": "drawing curves while training",
}


def _missing(name: str) -> ModuleNotFoundError:
    package = name.partition(".")[0]
    return ModuleNotFoundError(
        f"{name} is not available: PaddleHub needs {package} for {STANDS_IN_FOR[package]}, which this service never "
        f"does, so it is not installed; `pip install {package}` if you do",
        name=package,
    )


class _PlaceholderType(type):
    """Type of the names imported from a placeholder: they may appear in annotations and be subclassed, never used."""

    stands_in_for: str

    def __call__(cls, *_args: object, **_kwargs: object) -> Any:
        raise _missing(cls.stands_in_for)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Python probes for optional dunder names, which must be absent
        raise _missing(f"{cls.stands_in_for}.{name}")

    def __fspath__(cls) -> str:
        # PaddleHub joins paddlenlp.embeddings.token_embedding.EMBEDDING_HOME to a file name.
        raise _missing(cls.stands_in_for)

    def __repr__(cls) -> str:
        return f"<placeholder for {cls.stands_in_for}>"


class _PlaceholderModule(ModuleType):
    """A module in which every public name is a placeholder."""

    def __getattr__(self, name: str) -> Any:
        full_name = f"{self.__name__}.{name}"
        if name.startswith("__"):
            raise AttributeError(str(_missing(full_name)))
        return _PlaceholderType(name, (), {"stands_in_for": full_name, "__module__": self.__name__})

    def __repr__(self) -> str:
        return f"<placeholder for {self.__name__}>"


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002  # Python passes these by name
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType | Deferred:
    """Import like `__import__`, but put off what PaddleHub's startup does not use.

    For a package of the table that is not installed, return a placeholder.
    """
    if not level and (deferred := deferred_import(str((globals or {}).get("__name__")), name, fromlist or ())):
        return deferred
    if name.partition(".")[0] == "paddle":
        from ppocr_serving.engines.paddle import import_paddle

        import_paddle()  # first, since it takes over SIGTERM otherwise
    try:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        # error.name differs if the package is installed, but one of its dependencies is not.
        if level or package not in STANDS_IN_FOR or error.name != package or package in sys.modules:
            raise
    return _PlaceholderModule(name if fromlist else package)


# Python looks up `__import__` in the `__builtins__` of the importing code's globals, so imports in functions work, too.
_BUILTINS = {**vars(builtins), "__import__": _import}


def make_importable(module: ModuleType) -> None:
    """Make placeholders available to the import statements of one module.

    Args:
        module: A module that has not been executed yet.
    """
    vars(module)["__builtins__"] = _BUILTINS
