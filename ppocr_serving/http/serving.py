"""What every way of starting the service comes down to."""

from collections.abc import Mapping

from ppocr_serving.heap import return_freed_memory
from ppocr_serving.http.app import create_app
from ppocr_serving.http.log import configure_logging
from ppocr_serving.http.readiness import Readiness
from ppocr_serving.http.server import Server
from ppocr_serving.settings import load_settings, warn_of_unknown_variables
from ppocr_serving.tasks import Task

__all__ = ["serve_tasks"]


def serve_tasks(tasks: Mapping[str, Task], port: int, workers: int) -> None:
    """Serves tasks until the process is told to stop.

    Args:
        tasks: What is served, by name.
        port: Port to listen on.
        workers: Number of processes.

    Raises:
        InvalidSetting: A setting of the server is not allowed.
    """
    return_freed_memory()
    configure_logging()
    warn_of_unknown_variables()
    settings = load_settings()
    readiness = Readiness(tasks.values(), settings.queue_timeout)
    Server(create_app(tasks, settings, readiness), readiness, settings, port, workers).run()
