"""Errors that this package raises deliberately.

Messages are one line, safe to show to a client, and name the thing, its value and the way out. Nothing here depends on
HTTP: `ppocr_serving.web.errors` maps classes to status codes along their hierarchy.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

__all__ = [
    "DeadlineExceeded",
    "DownloadError",
    "EngineError",
    "ImageDecodeError",
    "InvalidRequest",
    "InvalidSetting",
    "KeyRequired",
    "LimitExceeded",
    "MethodNotAllowed",
    "ModelNotFound",
    "ModuleNotServed",
    "NotAcceptable",
    "NotReady",
    "OcrError",
    "Overloaded",
    "PageDeadlineExceeded",
    "PathNotServed",
    "QuotaExceeded",
    "RequestCancelled",
    "RequestTimedOut",
    "UnsupportedMediaType",
]


class OcrError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: Stable identifier for logs and metrics, independent of the message.
        details: What helps a program besides the code, such as the file and the page; set by whoever knows it.
    """

    code: ClassVar[str] = "error"
    details: Mapping[str, str | int] = MappingProxyType({})


class InvalidRequest(OcrError):
    """The caller's input does not have the required form."""

    code = "invalid_request"


class ImageDecodeError(InvalidRequest):
    """The bytes of one picture are not valid base64, not a supported picture, truncated, or of zero size."""

    code = "image_decode_error"


class UnsupportedMediaType(InvalidRequest):
    """The request's content type is not JSON."""

    code = "unsupported_media_type"


class NotAcceptable(InvalidRequest):
    """None of the forms of an answer is one that the client accepts."""

    code = "not_acceptable"


class LimitExceeded(OcrError):
    """The input is well-formed but larger than the limits allow."""

    code = "limit_exceeded"


class ModuleNotServed(OcrError):
    """The request names a module that does not exist or was not started."""

    code = "module_not_served"


class PathNotServed(OcrError):
    """There is nothing at the path of the request, or of one that a gateway forwards."""

    code = "path_not_served"


class MethodNotAllowed(OcrError):
    """The path exists, but not for the request's method."""

    code = "method_not_allowed"


class KeyRequired(OcrError):
    """The request has no API key, or one that the server does not know."""

    code = "unauthorized"


class QuotaExceeded(OcrError):
    """An API key has used up what it may use per minute.

    Args:
        message: See the other errors.
        retry_after: Whole seconds until it may be used again.
    """

    code = "quota_exceeded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Overloaded(OcrError):
    """The server has no room or no time for the request now, or is stopping; another attempt may succeed."""

    code = "overloaded"


class DeadlineExceeded(OcrError):
    """A request has begun to compute and was not finished in the time that it may take."""

    code = "deadline_exceeded"


class PageDeadlineExceeded(DeadlineExceeded):
    """A page was not read in the time that one page may take; other pages of its document may be read."""

    code = "page_deadline_exceeded"


class RequestTimedOut(OcrError):
    """The body of a request arrives too slowly."""

    code = "request_timed_out"


class RequestCancelled(OcrError):
    """The client has left, or has been given another answer: nobody waits for this one."""

    code = "cancelled"


class NotReady(OcrError):
    """The models are still being loaded, or the server is stopping."""

    code = "not_ready"


class InvalidSetting(OcrError):
    """A setting has a value that is not allowed, or that this machine does not support."""

    code = "invalid_setting"


class ModelNotFound(OcrError):
    """A model, its dictionary or its profile is missing or unusable."""

    code = "model_not_found"


class DownloadError(OcrError):
    """Model files could not be fetched; existing files are untouched."""

    code = "download_error"


class EngineError(OcrError):
    """An inference engine could not load a model or failed to run it."""

    code = "engine_error"
