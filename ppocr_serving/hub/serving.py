"""What `hub serving start` runs in place of PaddleHub's own application and servers."""

from collections.abc import Mapping
from typing import Any

from ppocr_serving.errors import InvalidSetting
from ppocr_serving.http.serving import serve_tasks
from ppocr_serving.hub.module import OcrModule

__all__ = ["serve"]


def serve(configs: Mapping[str, Mapping[str, Any]], port: int, workers: int) -> None:
    """Serves modules until the process is told to stop.

    Args:
        configs: PaddleHub's table of the modules that it has created, by name; `module` holds the object.
        port: Port to listen on.
        workers: Number of processes.

    Raises:
        InvalidSetting: A module is none of this package, or a setting is not allowed.
    """
    for name, config in configs.items():
        if not isinstance(config["module"], OcrModule):
            raise InvalidSetting(f"module {name!r} does no character recognition; serve it with a PaddleHub of its own")
    serve_tasks({name: config["module"].task for name, config in configs.items()}, port, workers)
