"""Common base of the four PaddleHub modules; each adds its name and its defaults."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace
from paddlehub.module.module import RunModule, runnable, serving

from ppocr_serving.engines import EnginePool
from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.inputs import check_arrays, decode_base64, decode_pictures, read_source
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import ServerSettings, load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.web.hubserving import MODULES, Results

__all__ = ["OcrModule"]


class OcrModule(RunModule):  # type: ignore[misc]  # PaddleHub has no type hints
    """Base of the modules.

    Args:
        use_gpu: True runs on the first visible CUDA device; False and None leave it to the other settings, because
            every `config.json` written for hubserving contains `"use_gpu": false`.
        enable_mkldnn: Use oneDNN instead of native kernels; None leaves it to the other settings.
        **init_args: Any other model or reading setting, by name.

    Raises:
        InvalidSetting: A setting is unknown or not allowed.
        ModelNotFound: A model's files are missing.
    """

    name: ClassVar[str]
    params: ClassVar[Mapping[str, Any]]

    # PaddleHub creates the modules one by one and offers no place for what they share.
    _pool: ClassVar[EnginePool] = EnginePool()

    def __init__(self, use_gpu: bool | None = None, enable_mkldnn: bool | None = None, **init_args: Any) -> None:
        super().__init__()
        given = {"use_gpu": use_gpu or None, "enable_mkldnn": enable_mkldnn, **init_args}
        settings = load_settings(self.params, {key: value for key, value in given.items() if value is not None})
        self._reader = Reader(settings=settings, pool=self._pool, roles=MODULES[self.name].roles)

    def __getattribute__(self, name: str) -> Any:
        # PaddleHub's runs every method in Paddle's mode for static graphs, which has nothing to do with its inference
        # but would import it.
        return object.__getattribute__(self, name)

    def reader_for(self, server: ServerSettings) -> Reader:
        """Return a reader for use in a server.

        Args:
            server: The server's settings; its processes share the CPUs.
        """
        settings = replace(self._reader.settings, server=server)
        return Reader(settings=settings, pool=self._pool, roles=MODULES[self.name].roles)

    def predict(
        self,
        images: Sequence[npt.NDArray[np.uint8]] = (),
        paths: Sequence[str | Path] = (),
        options: ReadOptions | None = None,
    ) -> Results:
        """Run the module on pictures in this process, given either as arrays or as files.

        Args:
            images: (H, W, 3) uint8 BGR each.
            paths: Picture files.
            options: Options of this call.

        Returns:
            The `results` that the service would return.

        Raises:
            InvalidRequest: Neither or both are given, or an item is not a picture; the message names the item.
            EngineError: A network failed.
        """
        if bool(len(images)) == bool(len(paths)):
            raise InvalidRequest("predict: give either images or paths, one of them with at least one item")
        pictures = check_arrays(images) if len(images) else self._read(paths)
        return MODULES[self.name].run(self._reader, pictures, options, Stopwatch())

    @serving  # type: ignore[untyped-decorator]
    def serving_method(self, images: Sequence[str]) -> Results:
        """Run the module on base64 pictures. PaddleHub serves only modules that have such a method.

        Args:
            images: Base64 of one picture file each.
        """
        files = []
        for index, text in enumerate(images):
            with naming_item(f"images[{index}]:"):
                files.append(decode_base64(text))
        pictures = decode_pictures(files, self._reader.settings.reading.max_pixels, Stopwatch())
        return MODULES[self.name].run(self._reader, pictures, None, Stopwatch())

    @runnable  # type: ignore[untyped-decorator]
    def run_cmd(self, argv: Sequence[str]) -> Results:
        """Handle `hub run <module> --input_path <picture>`."""
        parser = argparse.ArgumentParser(prog=f"hub run {self.name}", description=f"Run the module {self.name}.")
        parser.add_argument("--input_path", required=True, metavar="PICTURE", help="the picture to read")
        return self.predict(paths=[parser.parse_args(argv).input_path])

    def _read(self, paths: Sequence[str | Path]) -> Iterator[BgrImage]:
        for index, path in enumerate(paths):
            with naming_item(f"paths[{index}]: {path}"):
                image = read_source(path, self._reader.settings.reading.max_pixels)
            yield image
