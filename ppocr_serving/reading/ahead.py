"""Load models while what reads with them is still being imported."""

import threading
from collections.abc import Iterable
from contextlib import suppress

from ppocr_serving.engines import EnginePool
from ppocr_serving.errors import OcrError
from ppocr_serving.models import Role
from ppocr_serving.reading.specs import engine_specs
from ppocr_serving.settings import Settings

__all__ = ["load_ahead"]


def load_ahead(settings: Settings, roles: Iterable[Role]) -> EnginePool:
    """Begin to load the models of a reader in another thread.

    The import of a reader takes about as long, and one CPU.

    Args:
        settings: The reader's settings.
        roles: The models to load; those that every picture needs.

    Returns:
        The pool to make the reader with. What cannot be loaded is tried again when the reader is used, which reports
        it.
    """
    pool = EnginePool()

    def load() -> None:
        with suppress(OcrError):
            for role in roles:
                for spec in engine_specs(settings, role):
                    pool.engine(spec).load()

    threading.Thread(target=load, name="load-ahead").start()
    return pool
