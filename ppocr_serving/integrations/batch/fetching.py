"""The bytes of a file, from wherever it lies."""

import logging
from http import HTTPStatus
from typing import Final

import aiohttp
import stamina

from ppocr_serving.errors import DownloadError, InvalidRequest, LimitExceeded, OcrError
from ppocr_serving.integrations.batch.storage import described, open_url

__all__ = ["fetch"]

_MAX_FILE_BYTES: Final = 2**30  # a file is read into memory
_ATTEMPTS: Final = 5
_FIRST_WAIT: Final = 1.0  # seconds; each time twice as long, and up to as much more at random
_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_BUSY: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_LASTING: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)

logging.getLogger("stamina").setLevel(logging.ERROR)  # each retry is not worth a line


def fetch(source: str) -> bytes:
    """Return the bytes of a file. What may pass, such as a store that is busy, is waited for some 15 s.

    Args:
        source: Path or URL.

    Raises:
        InvalidRequest: There is no such file, or it may not be read.
        LimitExceeded: It is too large.
        DownloadError: It cannot be read now.
    """
    try:
        for attempt in stamina.retry_context(
            _may_pass,
            attempts=_ATTEMPTS,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_FIRST_WAIT * 2**_ATTEMPTS,
            wait_jitter=_FIRST_WAIT,
        ):
            with attempt:
                return _read(source)
    except (OSError, aiohttp.ClientError) as error:
        reason = _reason(error)
        if _may_pass(error):
            raise DownloadError(f"cannot be fetched, tried {_ATTEMPTS} times ({reason})") from error
        if isinstance(reason, FileNotFoundError) or getattr(reason, "status", None) in _GONE:
            raise InvalidRequest("does not exist") from error
        raise InvalidRequest(f"cannot be read ({getattr(reason, 'strerror', None) or reason})") from error
    except (OcrError, MemoryError):
        raise
    except Exception as error:  # each kind of store has its own, of missing credentials for example
        raise DownloadError(f"cannot be fetched {described(error)}") from error
    raise AssertionError  # the last attempt returns or raises


def _may_pass(error: Exception) -> bool:
    reason = _reason(error)
    if isinstance(reason, aiohttp.ClientResponseError):
        return reason.status in _BUSY or reason.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(reason, (OSError, aiohttp.ClientError)) and not isinstance(reason, _LASTING)


def _reason(error: BaseException) -> BaseException:
    """Return what fsspec has made a missing file of: all that goes wrong when it asks a web server for its size."""
    cause = error.__cause__
    return cause if isinstance(error, FileNotFoundError) and isinstance(cause, aiohttp.ClientError) else error


def _read(source: str) -> bytes:
    fs, path = open_url(source)
    with fs.open(path, "rb") as file:
        data: bytes = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise LimitExceeded(f"has more than {_MAX_FILE_BYTES} bytes, which is the limit; split it")
    return data
