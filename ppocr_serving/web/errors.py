"""HTTP status of each error: one table, found along an error's class hierarchy."""

from typing import NamedTuple

from ppocr_serving import errors

__all__ = ["HttpError", "to_http"]


class HttpError(NamedTuple):
    """HTTP form of an error.

    Attributes:
        http_status: The HTTP status code.
        status: The contract's `status`.
    """

    http_status: int
    status: str


_TABLE: dict[type[BaseException], HttpError] = {
    errors.InvalidRequest: HttpError(400, "101"),
    errors.UnsupportedMediaType: HttpError(415, "112"),
    errors.NotAcceptable: HttpError(406, "101"),
    errors.LimitExceeded: HttpError(413, "101"),
    errors.KeyRequired: HttpError(401, "101"),
    errors.QuotaExceeded: HttpError(429, "101"),
    errors.ModuleNotServed: HttpError(404, "111"),
    errors.PathNotServed: HttpError(404, "101"),
    errors.MethodNotAllowed: HttpError(405, "101"),
    errors.RequestTimedOut: HttpError(408, "101"),
    errors.RequestCancelled: HttpError(499, "101"),  # nobody receives it; the log has it
    errors.Overloaded: HttpError(503, "101"),
    errors.NotReady: HttpError(503, "101"),
    errors.DeadlineExceeded: HttpError(504, "101"),
    MemoryError: HttpError(503, "101"),
    BaseException: HttpError(500, "101"),
}


def to_http(error: BaseException) -> HttpError:
    """Return the HTTP form of the nearest of an error's classes; unknown errors count as server faults."""
    return next(_TABLE[cls] for cls in type(error).__mro__ if cls in _TABLE)
