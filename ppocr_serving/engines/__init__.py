"""Inference engines: arrays in, arrays out, with no notion of pictures or letters."""

from ppocr_serving.engines.base import Backend, Engine, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.engines.pool import PACKAGES, EnginePool, choose_model, choose_runtime, installed_runtimes

__all__ = [
    "PACKAGES",
    "Backend",
    "Engine",
    "EnginePool",
    "EngineSpec",
    "Float32Array",
    "Precision",
    "Runtime",
    "choose_model",
    "choose_runtime",
    "installed_runtimes",
]
