"""Hook into PaddleHub while it is being imported.

`hub serving start` begins in PaddleHub, which sends its telemetry before it loads any of our modules. So
`ppocr_serving_hub.pth`, at the root of site-packages, puts a finder in front of all others when Python starts. It only
recognises PaddleHub's name, and calls `find_spec` below when that is imported. An interpreter that never imports
PaddleHub never loads this file.
"""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

from ppocr_serving.hub import patches, placeholders

__all__ = ["find_spec"]


class _AdaptingLoader(SourceFileLoader):
    """Execute a module of PaddleHub with placeholders available, then apply its patches."""

    def exec_module(self, module: ModuleType) -> None:
        placeholders.make_importable(module)
        if module.__name__ == "paddlehub":
            with _new_threads_without_sigterm():
                super().exec_module(module)
        else:
            super().exec_module(module)
        patches.apply(module)


@contextmanager
def _new_threads_without_sigterm() -> Iterator[None]:
    """Let threads that are started, such as those of NumPy's BLAS, leave SIGTERM to the main thread for good.

    If Paddle is imported later, it takes over SIGTERM for a moment, in which only the main thread holds it back.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
    """Find a module of PaddleHub as Python would, and give it the loader that adapts it.

    Args:
        name: Dotted name of the module, `paddlehub` or inside it.
        path: Where to look for a module inside a package; None for `paddlehub` itself.
        target: The module that is being reloaded, if any.

    Returns:
        The module's specification; None if it is not installed.
    """
    spec = PathFinder.find_spec(name, path, target)
    if spec is not None and isinstance(spec.loader, SourceFileLoader):
        spec.loader = _AdaptingLoader(name, spec.loader.get_filename(name))
    return spec
