"""OpenVINO by itself: the same kernels as inside Paddle, without Paddle, and without holding Python's global lock."""

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
from ppocr_serving.engines.upsampling import REVISION, pack_upsampling
from ppocr_serving.errors import EngineError
from ppocr_serving.models import ModelFiles

__all__ = ["OpenVinoEngine", "convert_model"]

_log = logging.getLogger(__name__)

# Where this package is installed, as the metadata of openvino ask for, `import openvino` reports to a server on the
# internet. OpenVINO goes on without it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

_ENTRIES_PER_SHAPE = 60  # layers of one kind that a model has, at most


class OpenVinoEngine:
    """A model compiled by OpenVINO for one call at a time.

    Args:
        spec: What to load and how; `backend` and `use_gpu` do not matter.
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
        """Read the compiled model, or compile the model now; see `Engine.load`."""
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
        """Free the feature maps, which are kept for the next call, as large as the largest input needed them."""
        with self._lock:
            if self._request is not None:
                self._compiled.release_memory()

    def save_compiled(self) -> Path:
        """Compile the model and write it beside the model's files, where `load` looks for it.

        Returns:
            The file, which fits processors with the same instruction sets and the same version of OpenVINO.

        Raises:
            EngineError: The model could not be compiled, or the file not written.
        """
        path = compiled_path(self._spec.model, _variant(self._spec))
        try:
            content = bytes(_compile(self._spec).export_model().getbuffer())
        except RuntimeError as error:  # OpenVINO's own
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
            except RuntimeError as error:  # OpenVINO's own, for want of memory
                raise _unloadable(self._spec.model, error) from error

    def _read_compiled(self) -> Any:
        """The compiled model that was written for this processor; None where there is none that can be used."""
        path = compiled_path(self._spec.model, _variant(self._spec))
        if not path.is_file():
            others = sorted(path.parent.glob("*.blob"))
            if others:
                _log.info("%s: compiled for another processor, version or precision, compiling anew", others[0])
            return None
        import openvino

        try:
            # Mapped and not read: processes share the pages. OpenVINO asks for memory that could be written to.
            with path.open("rb") as stream:
                self._content = mmap.mmap(stream.fileno(), 0, mmap.MAP_PRIVATE)  # what is inside stays there
            tensor = openvino.Tensor(np.frombuffer(self._content, np.uint8), shared_memory=True)
            compiled = _core().import_model(tensor, "CPU", {**_configuration(self._spec), **_weights(self._spec.model)})
            # OpenVINO has copies in the layout that it needs; should it look again, the pages come from the file.
            self._content.madvise(mmap.MADV_DONTNEED)
            return compiled
        except Exception as error:  # as above; the model itself is there
            _log.warning("%s: cannot be used, compiling anew: %s", path, _reason(error))
            return None


def convert_model(model: ModelFiles) -> ModelFiles:
    """Rewrite a model in OpenVINO's own format, and remove the files that it was read from.

    Compiled, the model then takes a twentieth of the space: what is written beside it refers to its weights, while it
    has copies of those of other formats. Answers stay the same bit for bit.

    Args:
        model: Any model that the engine can read.

    Returns:
        The new files; `model` where it has this format already.

    Raises:
        EngineError: The model could not be read, or the files not written; then the old ones or the new ones are all
            there.
    """
    if _is_own_format(model):
        return model
    from openvino import save_model

    # The only way to what compiling does first: without it, most weights that the compiled form needs are in no file.
    from openvino._offline_transformations import apply_moc_transformations

    converted = ModelFiles(model.program.with_suffix(".xml"), model.program.with_suffix(".bin"))
    network = _read(model)
    folder = model.program.parent
    try:
        apply_moc_transformations(network, cf=True, smart_reshape=False)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            written = Path(scratch, converted.program.name)
            save_model(network, str(written), compress_to_fp16=False)
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
        if spec.fixed_shape is not None:
            network.reshape(spec.fixed_shape)
        return _core().compile_model(network, "CPU", _configuration(spec))
    except Exception as error:  # as above
        raise _unloadable(spec.model, error) from error


def _read(model: ModelFiles) -> Any:
    for path in (model.program, model.params):
        if path is not None and not path.is_file():
            raise EngineError(f"{path}: No such file; run scripts/fetch_models.py again")
    try:
        network = _core().read_model(str(model.program))
        if len(network.inputs) != 1:  # none in an empty file, which it reads without an error
            raise ValueError(f"it has {len(network.inputs)} inputs instead of one")
        pack_upsampling(network)
    except Exception as error:  # as above
        raise _unloadable(model, error) from error
    return network


def _unloadable(model: ModelFiles, error: Exception) -> EngineError:
    return EngineError(f"{model.program}: OpenVINO cannot load the model: {_reason(error)}")


def _is_own_format(model: ModelFiles) -> bool:
    return model.program.suffix == ".xml"


def _weights(model: ModelFiles) -> dict[str, str]:
    """Return where a compiled model finds the weights that it does not contain."""
    return {"WEIGHTS_PATH": str(model.params)} if _is_own_format(model) else {}


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
        # Engines know nothing of each other, so all of them would choose the same CPUs.
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": spec.kept_shapes * _ENTRIES_PER_SHAPE,
        # Files of OpenVINO's own format can be referred to; other weights have to be inside the compiled model.
        "CACHE_MODE": "OPTIMIZE_SIZE" if _is_own_format(spec.model) else "OPTIMIZE_SPEED",
    }


def _variant(spec: EngineSpec) -> str:
    import openvino

    return f"{openvino.get_version()} {_precision(spec)} {spec.fixed_shape} upsampling {REVISION}"


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception from ")]
    return " ".join(lines) or type(error).__name__
