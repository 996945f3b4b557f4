"""Paddle Inference, with its native kernels, oneDNN's or OpenVINO's."""

import itertools
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ppocr_serving.engines.base import Backend, EngineSpec, Float32Array, Precision, T, computes_bfloat16
from ppocr_serving.errors import EngineError, InvalidSetting
from ppocr_serving.models import ModelFiles

__all__ = ["PaddleEngine", "import_paddle"]

_log = logging.getLogger(__name__)

_VARIABLE_NAME = re.compile(rb"\b[a-z]\w*\.[a-z]+_[0-9]+")  # conv2d_0.w_0, batch_norm_3.tmp_2
_import_lock = threading.Lock()
_names_lock = threading.Lock()
_names_in_use: set[int] = set()
_numbers = itertools.count()


class PaddleEngine:
    """A model behind one Paddle predictor.

    A predictor is not thread-safe: copying in, running and copying out are one critical section.

    Args:
        spec: What to load and how.

    Raises:
        InvalidSetting: A GPU is requested, but there is none.
    """

    def __init__(self, spec: EngineSpec) -> None:
        if spec.use_gpu:
            _require_gpu()
        self._spec = spec
        self._lock = threading.Lock()
        self._predictor: Any = None

    def load(self) -> None:
        """Create the predictor now; see `Engine.load`."""
        with self._lock:
            self._load_locked()

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """Run the model; see `Engine.__call__`."""
        with self._lock:
            self._load_locked()
            try:
                self._input.reshape(inputs.shape)
                self._input.copy_from_cpu(inputs)
                self._predictor.run()
                outputs: Float32Array = self._output.copy_to_cpu()
            except Exception as error:  # Paddle raises bare C++ errors as several unrelated classes
                raise EngineError(
                    f"{self._spec.model.program}: the model cannot run on an input of shape {inputs.shape}: "
                    f"{_first_line(error)}"
                ) from error
            return outputs

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """Run the model; see `Engine.run`. Paddle always copies its outputs."""
        return read(self(inputs))

    def release_memory(self) -> None:
        """Do nothing: Paddle's allocator decides what it keeps."""

    def _load_locked(self) -> None:
        if self._predictor is not None:
            return
        _require_program(self._spec.model.program)
        import_paddle()
        import paddle.inference

        failures = []
        for backend in _usable_backends(self._spec):
            try:
                predictor = _create_predictor(paddle.inference, self._spec, backend)
            except Exception as error:  # as above; the next back end may load the model
                failures.append(f"{backend}: {_first_line(error)}")
                _log.warning(
                    "%s: back end %s cannot load the model, trying the next", self._spec.model.program, backend
                )
                continue
            self._input = predictor.get_input_handle(predictor.get_input_names()[0])
            self._output = predictor.get_output_handle(predictor.get_output_names()[0])
            self._predictor = predictor
            return
        raise EngineError(f"{self._spec.model.program}: no back end can load the model ({'; '.join(failures)})")


def import_paddle() -> None:
    """Import Paddle without its handler of SIGTERM, which prints a stack trace and can leave the process hanging."""
    with _import_lock:
        if "paddle" in sys.modules:
            return  # disabling it any later would also remove a server's handler, which lets requests in flight finish
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        # It suggests installing ccache, but nothing is compiled here.
        warnings.filterwarnings("ignore", "No ccache found")
        try:
            import paddle

            paddle.disable_signal_handler()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _usable_backends(spec: EngineSpec) -> Iterator[Backend]:
    if spec.use_gpu:
        yield spec.backend  # ignored on a GPU, so there is no fallback
        return
    backends = list(Backend)
    for backend in backends[backends.index(spec.backend) :]:
        if backend is Backend.OPENVINO and spec.model.program.suffix == ".json":
            # It would accept the file and silently run every operator on Paddle's slow native kernels.
            _log.warning("%s: openvino cannot read .json models, using onednn", spec.model.program)
            continue
        yield backend


def _require_program(path: Path) -> None:
    # Paddle crashes the process on other content, such as a web page or a Git LFS pointer saved under this name.
    start = b"{" if path.suffix == ".json" else b"\n"  # JSON, or a protocol buffer whose first field is the blocks
    try:
        with path.open("rb") as stream:
            content = stream.read(1)
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}; run `python -m ppocr_serving models fetch`") from error
    if content != start:
        raise EngineError(
            f"{path}: is not a Paddle program (it starts with {content!r}); run `python -m ppocr_serving models fetch`"
        )


def _create_predictor(inference: Any, spec: EngineSpec, backend: Backend) -> Any:
    with tempfile.TemporaryDirectory(prefix="ppocr_serving-") as folder:
        model = spec.model
        if backend is Backend.OPENVINO and not _is_first_with_its_names(model.program):
            model = _rename_input(model, Path(folder))
        config = _configure(inference, spec, model, backend)
        # By default, OpenVINO writes its compiled model to the working directory; reading it again saves no measurable
        # time.
        config.set_optim_cache_dir(folder)
        return inference.create_predictor(config)


# Paddle stores the networks that OpenVINO runs under a hash of the names in their programs. A second predictor for the
# same program, or for one fine-tuned from it, can get the same hash: its network then replaces the first one, which the
# first predictor keeps using after it has been freed. So no two predictors of a process may have the same names.
# Parsing takes 0.1 to 0.4 s, at the expense of the second one only.


def _is_first_with_its_names(program: Path) -> bool:
    names = hash(frozenset(_VARIABLE_NAME.findall(program.read_bytes())))
    with _names_lock:
        is_first = names not in _names_in_use
        _names_in_use.add(names)
    return is_first


def _rename_input(model: ModelFiles, folder: Path) -> ModelFiles:
    """Copy a program into a folder, with an input name that no other predictor of this process has.

    Returns:
        The copy, next to a link to the weights; the model itself if the program cannot be parsed, so that Paddle
        reports what is wrong with it.
    """
    from google.protobuf.message import DecodeError
    from paddle.base.proto.framework_pb2 import ProgramDesc

    if model.params is None:  # not one of Paddle's formats
        return model
    program = ProgramDesc()
    try:
        program.ParseFromString(model.program.read_bytes())
    except DecodeError:
        return model
    feeds = [operator for block in program.blocks for operator in block.ops if operator.type == "feed"]
    new_names = {
        name: f"{name}.of_predictor_{next(_numbers)}"
        for feed in feeds
        for slot in feed.outputs
        for name in slot.arguments
    }
    for block in program.blocks:
        for variable in block.vars:
            variable.name = new_names.get(variable.name, variable.name)
        for operator in block.ops:
            for slot in (*operator.inputs, *operator.outputs):
                slot.arguments[:] = [new_names.get(name, name) for name in slot.arguments]
    renamed, params = folder / model.program.name, folder / model.params.name
    renamed.write_bytes(program.SerializeToString())
    params.symlink_to(model.params.resolve())
    return ModelFiles(renamed, params)


def _configure(inference: Any, spec: EngineSpec, model: ModelFiles, backend: Backend) -> Any:
    config = inference.Config(str(model.program), str(model.params))
    config.disable_glog_info()
    if spec.use_gpu:
        config.enable_use_gpu(500, 0)
        return config
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(spec.threads)
    if spec.model.program.suffix != ".json":
        config.enable_memory_optim()  # fails with .json models: "Not find predictor_id"
    # oneDNN supports bfloat16, too, but Paddle's detector fails in it (elementwise_mul mixes float32 and bfloat16).
    if backend is not Backend.OPENVINO and spec.precision is Precision.BF16:
        _log.warning("%s: back end %s computes in float32, not in bf16", spec.model.program, backend)
    match backend:
        case Backend.OPENVINO:
            # Read when the first kernel is created. By default, the kernels of a thousand layers and shapes are kept.
            os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "200")
            bf16 = computes_bfloat16(spec.precision)
            config.enable_openvino_engine(inference.PrecisionType.Bfloat16 if bf16 else inference.PrecisionType.Float32)
        case Backend.ONEDNN:
            config.enable_onednn()
            # Primitives are kept for this many input shapes; without a limit they are kept for every shape ever seen.
            config.set_onednn_cache_capacity(16)
        case Backend.NATIVE:
            config.disable_onednn()
    return config


def _require_gpu() -> None:
    import_paddle()
    import paddle

    if not paddle.device.is_compiled_with_cuda():
        raise InvalidSetting(
            "use_gpu is true, but this paddlepaddle has no CUDA; install paddlepaddle-gpu or set it to false"
        )
    if not os.environ.get("CUDA_VISIBLE_DEVICES"):
        raise InvalidSetting("use_gpu is true, but CUDA_VISIBLE_DEVICES is not set; set it, for example to 0")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(("-", "[Hint:", "[operator"))]
    # Paddle puts the reason after a stack trace, in a line that names the kind of error.
    reasons = [line for line in lines if "Error:" in line]
    return (reasons or lines or [type(error).__name__])[-1]
