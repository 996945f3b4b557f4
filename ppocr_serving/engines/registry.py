"""One engine a model and process, whoever asks for it."""

import threading

from ppocr_serving.engines.base import Engine, EngineSpec

__all__ = ["shared_engine"]

_engines: dict[EngineSpec, Engine] = {}
_lock = threading.Lock()


def shared_engine(spec: EngineSpec) -> Engine:
    """Returns this process's engine for `spec`.

    The model is loaded at the engine's first call, so that nothing exists before a server forks its workers.
    """
    # Imported here because this is the one place that chooses a runtime.
    from ppocr_serving.engines.paddle import PaddleEngine

    with _lock:
        if spec not in _engines:
            _engines[spec] = PaddleEngine(spec)
        return _engines[spec]
