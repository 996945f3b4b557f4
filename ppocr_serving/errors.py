"""Errors that this package raises deliberately.

Messages are one line, safe to show to a client, and name the thing, the value it had and the way out. No class here
knows HTTP: `ppocr_serving.web.errors` maps classes to status codes along their hierarchy.
"""

from typing import ClassVar

__all__ = [
    "DownloadError",
    "EngineError",
    "ImageDecodeError",
    "InvalidRequest",
    "InvalidSetting",
    "LimitExceeded",
    "ModelNotFound",
    "ModuleNotServed",
    "NotReady",
    "OcrError",
    "Overloaded",
    "PathNotServed",
    "UnsupportedMediaType",
]


class OcrError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: A stable word for logs and metrics; it does not change when the message does.
    """

    code: ClassVar[str] = "error"


class InvalidRequest(OcrError):
    """The caller's input does not have the form that is asked for."""

    code = "invalid_request"


class ImageDecodeError(InvalidRequest):
    """The bytes of one picture are not valid base64, not a supported picture, truncated, or of zero size."""

    code = "image_decode_error"


class UnsupportedMediaType(InvalidRequest):
    """The request's content type is not JSON."""

    code = "unsupported_media_type"


class LimitExceeded(OcrError):
    """The input is well-formed but larger than the limits allow."""

    code = "limit_exceeded"


class ModuleNotServed(OcrError):
    """The request names a module that does not exist or was not started."""

    code = "module_not_served"


class PathNotServed(OcrError):
    """A request that a gateway passes on names a path that does not exist."""

    code = "path_not_served"


class Overloaded(OcrError):
    """The bounded queue is full, or a request waited in it for too long."""

    code = "overloaded"


class NotReady(OcrError):
    """The models are still being loaded."""

    code = "not_ready"


class InvalidSetting(OcrError):
    """A setting has a value that is not allowed, or contradicts the machine it runs on."""

    code = "invalid_setting"


class ModelNotFound(OcrError):
    """A model, its dictionary or its profile does not exist or is not usable."""

    code = "model_not_found"


class DownloadError(OcrError):
    """Model files could not be fetched; what was there before is untouched."""

    code = "download_error"


class EngineError(OcrError):
    """An inference engine could not load a model or failed to run it."""

    code = "engine_error"
