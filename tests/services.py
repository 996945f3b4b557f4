"""The services of the four modules, in process."""

from collections.abc import Iterable
from typing import NamedTuple

from ppocr_serving.engines import Engine, EnginePool, Runtime
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import Settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.web.hubserving import MODULES, Results

__all__ = ["POOL", "Service", "create_service"]


class _SharedEngines(EnginePool):
    def clear(self) -> None:
        """Drop all engines except Paddle's: Paddle never frees what it has prepared for a model."""
        self._engines = {spec: engine for spec, engine in self._engines.items() if spec.runtime is Runtime.PADDLE}


POOL = _SharedEngines()
"""Only the first test of a file that uses a model pays for loading it; with Paddle, the first of the process."""


class Service(NamedTuple):
    """One of the four modules with its reader."""

    name: str
    reader: Reader

    def run(
        self, images: Iterable[BgrImage], watch: Stopwatch | None = None, options: ReadOptions | None = None
    ) -> Results:
        """Answer pictures as the service does."""
        return MODULES[self.name].run(self.reader, images, options, watch or Stopwatch())

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Engines that must be loaded before it can answer."""
        return self.reader.engines


def create_service(name: str, settings: Settings, pool: EnginePool = POOL) -> Service:
    """Assemble one service."""
    return Service(name, Reader(settings=settings, pool=pool, roles=MODULES[name].roles))
