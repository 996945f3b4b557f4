"""What the four PaddleHub modules have in common; each adds its name and its defaults."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from paddlehub.module.module import RunModule, runnable, serving

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.http.contract import decode_pictures, naming_item
from ppocr_serving.pictures import BgrImage, decode_base64, decode_picture
from ppocr_serving.settings import load_settings
from ppocr_serving.tasks import Results, create_task
from ppocr_serving.timing import Stopwatch

__all__ = ["OcrModule"]


class OcrModule(RunModule):  # type: ignore[misc]  # PaddleHub has no type hints
    """Base of the modules.

    Args:
        use_gpu: Run on the first visible CUDA device; None leaves it to the other settings.
        enable_mkldnn: Do not use plain CPU kernels; None leaves it to the other settings.
        **init_args: Any other setting, by its name in `Settings`.

    Attributes:
        task: What the module does.

    Raises:
        InvalidSetting: A setting is unknown or not allowed.
        ModelNotFound: A model's files are missing.
    """

    name: ClassVar[str]
    params: ClassVar[Mapping[str, Any]]

    def __init__(self, use_gpu: bool | None = None, enable_mkldnn: bool | None = None, **init_args: Any) -> None:
        super().__init__()
        given = {"use_gpu": use_gpu, "enable_mkldnn": enable_mkldnn, **init_args}
        self._settings = load_settings(self.params, {key: value for key, value in given.items() if value is not None})
        self.task = create_task(self.name, self._settings)

    def predict(self, images: Sequence[npt.NDArray[np.uint8]] = (), paths: Sequence[str | Path] = ()) -> Results:
        """Answers for pictures of the same process: either arrays or files.

        Args:
            images: (H, W, 3) uint8 BGR each.
            paths: Picture files.

        Returns:
            What the service answers as `results`.

        Raises:
            InvalidRequest: Neither or both are given, or an item is no picture; the message names which.
            EngineError: A network failed.
        """
        if bool(len(images)) == bool(len(paths)):
            raise InvalidRequest("predict: give either images or paths, one of them with at least one item")
        pictures = _checked(images) if len(images) else self._read(paths)
        return self.task.run(pictures, Stopwatch())

    @serving  # type: ignore[untyped-decorator]
    def serving_method(self, images: Sequence[str]) -> Results:
        """Answers for base64 pictures. PaddleHub serves only modules that have such a method.

        Args:
            images: Base64 of a picture file each.
        """
        files = []
        for index, text in enumerate(images):
            with naming_item(f"images[{index}]:"):
                files.append(decode_base64(text))
        return self.task.run(decode_pictures(files, self._settings.max_pixels, Stopwatch()), Stopwatch())

    @runnable  # type: ignore[untyped-decorator]
    def run_cmd(self, argv: Sequence[str]) -> Results:
        """Answers for `hub run <module> --input_path <picture>`."""
        parser = argparse.ArgumentParser(prog=f"hub run {self.name}", description=f"Run the module {self.name}.")
        parser.add_argument("--input_path", required=True, metavar="PICTURE", help="the picture to read")
        return self.predict(paths=[parser.parse_args(argv).input_path])

    def _read(self, paths: Sequence[str | Path]) -> Iterator[BgrImage]:
        for index, path in enumerate(paths):
            with naming_item(f"paths[{index}]: {path}"):
                try:
                    data = Path(path).read_bytes()
                except OSError as error:
                    raise InvalidRequest(f"cannot be read ({error.strerror}); give a picture file") from error
                image = decode_picture(data, self._settings.max_pixels)
            yield image


def _checked(images: Sequence[npt.NDArray[np.uint8]]) -> Iterator[BgrImage]:
    for index, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            form = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InvalidRequest(f"images[{index}]: is {form}; give a uint8 array of shape (H, W, 3), BGR")
        if not image.size:
            raise InvalidRequest(f"images[{index}]: has the shape {image.shape}; give at least 1x1 pixel")
        yield np.ascontiguousarray(image)
