"""What is fixed in the contract of PaddleOCR's hubserving: the names of the modules, and the keys of every answer."""

from collections.abc import Collection
from typing import Any

import msgspec

from ppocr_serving.errors import ModuleNotServed

__all__ = ["MODULE_NAMES", "encode_answer", "encode_error", "require_module"]

MODULE_NAMES = ("ocr_system", "ocr_det", "ocr_cls", "ocr_rec")
"""As in `/predict/<name>`."""


def require_module(name: str, served: Collection[str]) -> None:
    """Check that a module is served.

    Args:
        name: What the client requested; may be anything.
        served: Names of the modules that are.

    Raises:
        ModuleNotServed: There is none of that name, or it was not started.
    """
    if name not in served:
        reason = "was not started" if name in MODULE_NAMES else "is unknown"
        raise ModuleNotServed(f"module {name[:40]!r} {reason}; this server has {', '.join(served)}")


def encode_answer(results: Any) -> bytes:
    """Return the body of an answer: UTF-8 JSON, with non-ASCII text unescaped."""
    return msgspec.json.encode({"msg": "", "results": results, "status": "000"})


def encode_error(message: str, status: str) -> bytes:
    """Return the body of an error: the same three keys."""
    return msgspec.json.encode({"msg": message, "results": "", "status": status})
