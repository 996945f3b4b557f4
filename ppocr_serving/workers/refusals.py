"""Errors of requests that are not begun, in the words that all of them share."""

from ppocr_serving.errors import NotReady, Overloaded

__all__ = ["STARVED", "not_ready", "stopping"]

STARVED = "the server has no memory or files left for the request; try again later"
"""The message where a worker process lacks them."""


def not_ready() -> NotReady:
    """Return the error while no process has loaded its models."""
    return NotReady("the models are still being loaded; try again later")


def stopping() -> Overloaded:
    """Return the error once the server has been told to stop."""
    return Overloaded("the server is stopping; try again later")
