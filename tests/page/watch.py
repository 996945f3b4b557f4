"""What goes wrong in a browser while a test uses it."""

import re
import time
from collections import Counter
from collections.abc import Iterator

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError

__all__ = ["Watch"]

_SECONDS = 30
_FAILED_CONNECTION = "Failed to load resource: net::ERR_"
_FAILED_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (\d{3})")


class Watch:
    """Listen to all pages of a browser's context.

    Errors and warnings in the console (what the page's policy has blocked is among them), exceptions that nothing
    catches, boxes such as `alert`, and requests to other servers are complaints.

    Args:
        context: A fresh one.
        origin: Scheme, host and port of the only server that may be asked.

    Attributes:
        requests: The URL of each request over the network, in order.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.requests: list[str] = []
        self._origin = origin
        self._may_break = False
        self._answers: list[tuple[str, bool]] = []
        self._complaints: list[str] = []
        self._expected: Counter[int] = Counter()
        self._failed: list[tuple[int, str]] = []
        context.on("console", self._hear)
        context.on("weberror", self._catch)
        context.on("dialog", self._close)
        context.on("request", self._note)

    def expect_status(self, *statuses: int) -> None:
        """Let requests be answered with these failing statuses, each as often as it is named."""
        self._expected.update(statuses)

    def answer_question(self, question: str, *, accept: bool) -> None:
        """Let the page ask this question, once, and answer it."""
        self._answers.append((question, accept))

    def expect_broken_connections(self) -> None:
        """Let requests fail without an answer; which of the browser's errors it is may depend on the moment."""
        self._may_break = True

    def complaints(self) -> list[str]:
        """Return what has gone wrong so far, a line each."""
        unasked = [f"{question} was not asked" for question, _ in self._answers]
        return [*self._complaints, *self._statuses(), *unasked]

    def wait_for_statuses(self, page: Page) -> None:
        """Wait until the console, which may lag behind the page, has told of the statuses that are expected."""
        deadline = time.monotonic() + _SECONDS
        while any("did not come" in complaint for complaint in self._statuses()) and time.monotonic() < deadline:
            page.wait_for_timeout(20)

    def _statuses(self) -> Iterator[str]:
        missing = self._expected.copy()
        for status, url in self._failed:
            if missing[status]:
                missing[status] -= 1
            else:
                yield f"status {status} of {url}"
        yield from (f"status {status} was expected, and did not come" for status in missing.elements())

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning", "assert"):
            return
        if self._may_break and message.text.startswith(_FAILED_CONNECTION):
            return
        if failed := _FAILED_STATUS.match(message.text):
            self._failed.append((int(failed[1]), message.location["url"]))
        else:
            self._complaints.append(f"console {message.type}: {message.text}")

    def _catch(self, error: WebError) -> None:
        self._complaints.append(f"exception: {error.error}")

    def _close(self, dialog: Dialog) -> None:
        if dialog.type == "confirm" and self._answers and self._answers[0][0] == dialog.message:
            if self._answers.pop(0)[1]:
                dialog.accept()
            else:
                dialog.dismiss()
            return
        self._complaints.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def _note(self, request: Request) -> None:
        if request.url.startswith(("about:", "blob:", "data:")):
            return
        self.requests.append(request.url)
        if not request.url.startswith(f"{self._origin}/"):
            self._complaints.append(f"request to another server: {request.url}")
