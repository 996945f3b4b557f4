"""Errors that only a client has; all others are those of `ppocr_serving.errors`, as the server names them."""

from ppocr_serving.errors import OcrError

__all__ = ["ConnectionFailed", "ServerFault", "UnexpectedAnswer"]


class ConnectionFailed(OcrError):
    """The server could not be reached, did not answer in time, or broke off."""

    code = "connection_failed"


class UnexpectedAnswer(OcrError):
    """What answered is not this service, or not a version of it that the client understands."""

    code = "unexpected_answer"


class ServerFault(OcrError):
    """The server failed; its log has the reason, under the id in the message."""

    code = "internal_error"
