"""Standalone OpenVINO: the same kernels as inside Paddle, without Paddle, and without holding the GIL."""

import functools
import logging
import mmap
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_serving.engines.base import EngineSpec, Float32Array, T, computes_bfloat16
from ppocr_serving.engines.compiled import compiled_path, write_compiled
from ppocr_serving.engines.concatenation import split_concatenations
from ppocr_serving.engines.upsampling import REVISION, pack_upsampling
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles

__all__ = ["OpenVinoEngine", "convert_model"]

_log = logging.getLogger(__name__)

# If this package is installed, as openvino's metadata requires, `import openvino` reports to a server on the internet.
# OpenVINO works without it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

_ENTRIES_PER_SHAPE = 60  # maximum number of layers of one kind in a model


class OpenVinoEngine:
    """A model compiled by OpenVINO for one call at a time.

    Args:
        spec: What to load and how; `backend` and `use_gpu` are ignored.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._request: Any = None

    @property
    def model(self) -> ModelFiles:
        """The files of the model."""
        return self._spec.model

    def load(self) -> None:
        """Load the compiled model, or compile it now; see `Engine.load`."""
        with self._lock:
            self._load_locked()

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """Run the model; see `Engine.__call__`."""
        return self.run(inputs, np.copy)

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """Run the model; see `Engine.run`."""
        with self._lock:
            self._load_locked()
            try:
                self._request.infer(inputs, share_inputs=True, share_outputs=True)
            except Exception as error:  # OpenVINO raises bare C++ errors
                raise EngineError(
                    f"{self._spec.model.program}: the model cannot run on an input of shape {inputs.shape}: "
                    f"{_reason(error)}"
                ) from error
            return read(self._request.get_output_tensor(0).data)

    def release_memory(self) -> None:
        """Free the feature maps, which are kept between calls at the size of the largest input."""
        with self._lock:
            if self._request is not None:
                self._compiled.release_memory()

    def save_compiled(self) -> Path:
        """Compile the model and write it next to the model's files, where `load` looks for it.

        Returns:
            The file, which suits processors with the same instruction sets and the same version of OpenVINO.

        Raises:
            EngineError: The model could not be compiled, or the file could not be written.
        """
        path = compiled_path(self._spec.model, _variant(self._spec))
        try:
            content = bytes(_compile(self._spec).export_model().getbuffer())
        except RuntimeError as error:  # from OpenVINO
            raise EngineError(f"{self._spec.model.program}: cannot be compiled: {_reason(error)}") from error
        try:
            write_compiled(path, content)
        except OSError as error:
            raise EngineError(f"{path}: {error.strerror}; make the folder writable") from error
        return path

    def _load_locked(self) -> None:
        if self._request is None:
            self._compiled = self._read_compiled() or _compile(self._spec)
            try:
                self._request = self._compiled.create_infer_request()
            except RuntimeError as error:  # from OpenVINO, when out of memory
                raise _unloadable(self._spec.model, error) from error

    def _read_compiled(self) -> Any:
        """Return the compiled model written for this processor; None if there is none that can be used."""
        path = compiled_path(self._spec.model, _variant(self._spec))
        if not path.is_file():
            others = sorted(path.parent.glob("*.blob"))
            if others:
                _log.info("%s: compiled for another processor, version or precision, compiling again", others[0])
            return None
        import openvino

        try:
            # Mapped rather than read, so that processes share the pages. OpenVINO requires writable memory.
            with path.open("rb") as stream:
                self._content = mmap.mmap(stream.fileno(), 0, mmap.MAP_PRIVATE)  # the compiled model refers to it
            tensor = openvino.Tensor(np.frombuffer(self._content, np.uint8), shared_memory=True)
            compiled = _core().import_model(tensor, "CPU", {**_configuration(self._spec), **_weights(self._spec.model)})
            # OpenVINO has copies in the layout that it needs; if it reads the pages again, they come from the file.
            self._content.madvise(mmap.MADV_DONTNEED)
            return compiled
        except Exception as error:  # as above; the model itself can still be compiled
            _log.warning("%s: cannot be used, compiling again: %s", path, _reason(error))
            return None


def convert_model(model: ModelFiles) -> ModelFiles:
    """Convert a model to OpenVINO's native format, and remove the original files.

    The compiled model then takes a twentieth of the space: it refers to the weights next to it, while for other formats
    it contains a copy of them. The weights are stored as 16-bit floats, which is closer to the original than the
    bfloat16 that many processors compute in; docs/accuracy.md has what that changes.

    Args:
        model: Any model that the engine can read.

    Returns:
        The new files; `model` if it already has this format.

    Raises:
        EngineError: The model could not be read, or the files could not be written; either all the old or all the new
            files then remain.
    """
    if _is_native_format(model):
        return model
    from openvino import save_model

    # The only access to the first step of compiling: without it, most weights that the compiled form needs are in no
    # file.
    from openvino._offline_transformations import apply_moc_transformations

    converted = ModelFiles(model.program.with_suffix(".xml"), model.program.with_suffix(".bin"))
    network = _read(model)
    folder = model.program.parent
    try:
        apply_moc_transformations(network, cf=True, smart_reshape=False)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            written = Path(scratch, converted.program.name)
            save_model(network, str(written), compress_to_fp16=True)
            written.with_suffix(".bin").replace(converted.program.with_suffix(".bin"))
            written.replace(converted.program)
        model.program.unlink()
        if model.params is not None:
            model.params.unlink()
    except OSError as error:
        raise EngineError(f"{folder}: {error.strerror}; make the folder writable") from error
    except RuntimeError as error:  # as above
        raise EngineError(
            f"{folder}: OpenVINO cannot write the converted model: {_reason(error)}; free some space there"
        ) from error
    return converted


def _compile(spec: EngineSpec) -> Any:
    network = _read(spec.model)
    try:
        if not computes_bfloat16(spec.precision):  # there, each part of a sum would be rounded
            split_concatenations(network)
        if spec.fixed_shape is not None:
            network.reshape(spec.fixed_shape)
        return _core().compile_model(network, "CPU", _configuration(spec))
    except Exception as error:  # as above
        raise _unloadable(spec.model, error) from error


def _read(model: ModelFiles) -> Any:
    for path in (model.program, model.params):
        if path is not None and not path.is_file():
            raise EngineError(f"{path}: No such file; run `python -m ppocr_serving models fetch`")
    try:
        network = _core().read_model(str(model.program))
        if len(network.inputs) != 1:  # an empty file has none, and is read without an error
            raise ValueError(f"it has {len(network.inputs)} inputs instead of one")
        pack_upsampling(network)
    except Exception as error:  # as above
        raise _unloadable(model, error) from error
    return network


def _unloadable(model: ModelFiles, error: Exception) -> EngineError:
    return EngineError(f"{model.program}: OpenVINO cannot load the model: {_reason(error)}")


def _is_native_format(model: ModelFiles) -> bool:
    return model.program.suffix == ".xml"


def _weights(model: ModelFiles) -> dict[str, str]:
    """Return where a compiled model finds the weights that it does not contain."""
    return {"WEIGHTS_PATH": str(model.params)} if _is_native_format(model) else {}


@functools.cache
def _core() -> Any:
    import openvino

    return openvino.Core()


def _precision(spec: EngineSpec) -> str:
    return "bf16" if computes_bfloat16(spec.precision) else "f32"


def _configuration(spec: EngineSpec) -> dict[str, Any]:
    return {
        "INFERENCE_PRECISION_HINT": _precision(spec),
        "INFERENCE_NUM_THREADS": spec.threads,
        "NUM_STREAMS": 1,
        # Engines are unaware of each other, so all of them would choose the same CPUs.
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": spec.kept_shapes * _ENTRIES_PER_SHAPE,
        # A compiled model can refer to weights in OpenVINO's native format; it must contain any others.
        "CACHE_MODE": "OPTIMIZE_SIZE" if _is_native_format(spec.model) else "OPTIMIZE_SPEED",
    }


def _variant(spec: EngineSpec) -> str:
    import openvino

    return f"{openvino.get_version()} {_precision(spec)} {spec.fixed_shape} rewritten {REVISION}"


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception from ")]
    return " ".join(lines) or type(error).__name__
