"""Pool of engines, one per specification."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

from ppocr_serving.engines.base import Backend, Engine, EngineSpec, Runtime
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.models import ModelFiles

__all__ = ["PACKAGES", "EnginePool", "choose_model", "choose_runtime", "installed_runtimes"]

PACKAGES = {Runtime.OPENVINO: "openvino", Runtime.PADDLE: "paddlepaddle"}
"""PyPI distribution of each runtime."""

_MODULES = {Runtime.OPENVINO: "openvino", Runtime.PADDLE: "paddle"}
_ONLY_OPENVINO = {".onnx": "a model in the ONNX format", ".xml": "a model in OpenVINO's native format"}


class EnginePool:
    """Engines by their specification; equal specifications return the same engine.

    Models are loaded at an engine's first call, so that nothing is allocated before a server forks its workers.
    """

    def __init__(self) -> None:
        self._engines: dict[EngineSpec, Engine] = {}
        self._lock = threading.Lock()

    def engine(self, spec: EngineSpec) -> Engine:
        """Return the engine for a specification.

        Raises:
            InvalidSetting: The runtime is not installed, or does not support `spec`.
        """
        spec = replace(spec, runtime=choose_runtime(spec))
        with self._lock:
            if spec not in self._engines:
                self._engines[spec] = _create(spec)
            return self._engines[spec]


def choose_runtime(spec: EngineSpec) -> Runtime:
    """Choose the library that runs a model: OpenVINO if it is installed and can, because it is faster and leaner.

    Returns:
        The runtime, never `AUTO`.

    Raises:
        InvalidSetting: The runtime that `spec` names is not installed, or does not support the rest of `spec`.
    """
    only_paddle = _paddle_only_feature(spec)
    only_openvino = _ONLY_OPENVINO.get(spec.model.program.suffix)
    if only_paddle is not None and only_openvino is not None:
        raise InvalidSetting(f"no engine can run {only_openvino} {only_paddle} ({spec.model.program})")
    if spec.runtime is Runtime.AUTO:
        if only_paddle is None and (only_openvino is not None or Runtime.OPENVINO in installed_runtimes()):
            chosen = Runtime.OPENVINO
        else:
            chosen = Runtime.PADDLE
    else:
        chosen = spec.runtime
    obstacle = only_paddle if chosen is Runtime.OPENVINO else only_openvino
    if obstacle is not None:
        raise InvalidSetting(f"engine {chosen} cannot run {obstacle} ({spec.model.program}); set PPOCR_ENGINE=auto")
    if chosen not in installed_runtimes():
        raise InvalidSetting(f"engine {chosen} is not installed; run `pip install {PACKAGES[chosen]}`")
    return chosen


def choose_model(spec: EngineSpec, models: Sequence[ModelFiles]) -> EngineSpec:
    """Choose one of the formats of a model.

    Args:
        spec: How to run it; its `model` is ignored.
        models: The same model in several formats, the preferred one first.

    Returns:
        The specification with the first format that can be run that way; with the first of all if none can, so that
        the pool reports why.
    """
    for model in models:
        candidate = replace(spec, model=model)
        try:
            choose_runtime(candidate)
        except InvalidSetting:
            continue
        return candidate
    return replace(spec, model=models[0])


def _paddle_only_feature(spec: EngineSpec) -> str | None:
    if spec.use_gpu:
        return "on a GPU"
    if spec.backend is not Backend.OPENVINO:
        return f"with the back end {spec.backend}"
    return "a model in the inference.json format" if spec.model.program.suffix == ".json" else None


def installed_runtimes() -> list[Runtime]:
    """Return the installed runtimes, the preferred one first."""
    return [runtime for runtime, module in _MODULES.items() if find_spec(module) is not None]


def _create(spec: EngineSpec) -> Engine:
    # Imported here because this is the one place that chooses a runtime.
    if spec.runtime is Runtime.OPENVINO:
        from ppocr_serving.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(spec)
    from ppocr_serving.engines.paddle import PaddleEngine

    return PaddleEngine(spec)
