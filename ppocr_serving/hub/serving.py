"""Replacement for PaddleHub's own application and servers."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from ppocr_serving.engines.paddle import PaddleEngine, import_paddle
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.hub.module import OcrModule
from ppocr_serving.reading.specs import models_in_use
from ppocr_serving.server import serve as serve_readers
from ppocr_serving.settings import load_settings

__all__ = ["serve"]


def serve(configs: Mapping[str, Mapping[str, Any]], port: int, workers: int) -> None:
    """Serve modules until the process is told to stop.

    Args:
        configs: PaddleHub's table of the modules that it has created, by name; `module` is the object.
        port: Port to listen on.
        workers: Number of processes; they share the CPUs.

    Raises:
        InvalidSetting: A module belongs to another package, or a setting is not allowed.
    """
    for name, config in configs.items():
        if not isinstance(config["module"], OcrModule):
            raise InvalidSetting(f"module {name!r} does not belong to this service; serve it with a separate PaddleHub")
    settings = replace(load_settings().server, port=port, workers=workers)
    readers = {name: config["module"].reader_for(settings) for name, config in configs.items()}
    if any(isinstance(engine, PaddleEngine) for reader in readers.values() for engine in reader.engines):
        import_paddle()  # now, so that the processes to be forked share its memory
    models = [models_in_use(reader.settings, reader.roles) for reader in readers.values()]
    serve_readers(readers, lambda: readers, settings, models)
