"""Inference engines: arrays in, arrays out. Nothing here knows what a picture or a letter is."""

from ppocr_serving.engines.base import Backend, Engine, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.engines.registry import PACKAGES, choose_runtime, installed_runtimes, shared_engine

__all__ = [
    "PACKAGES",
    "Backend",
    "Engine",
    "EngineSpec",
    "Float32Array",
    "Precision",
    "Runtime",
    "choose_runtime",
    "installed_runtimes",
    "shared_engine",
]
