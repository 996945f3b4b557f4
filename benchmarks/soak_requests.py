"""Clients: one request, and for `soak.py` many that draw pictures, send them, and check the answers."""

import base64
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from benchmarks.soak_pictures import PicturePlan, draw

__all__ = ["BadAnswer", "Results", "Tally", "ask", "send"]

_ANSWER_SECONDS = 300  # timeout for a server that hangs

Results = list[list[dict[str, Any]]]
"""One list per picture, an item per line."""


class Tally:
    """Outcome of the requests; clients in several threads add to it.

    Attributes:
        answered: Pictures that have had an answer, good or bad.
        lines: Lines drawn for ocr_system.
        lines_read: Those of them whose text was read somewhere in their picture, exactly except for spaces.
        failures: A line for each request that was not answered correctly.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.lines = 0
        self.lines_read = 0
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def add_answer(self, lines: int, lines_read: int) -> None:
        """Count a picture with a good answer."""
        with self._lock:
            self.answered += 1
            self.lines += lines
            self.lines_read += lines_read

    def add_failure(self, failure: str) -> None:
        """Count a picture with a bad answer or none."""
        with self._lock:
            self.answered += 1
            self.failures.append(failure)


class BadAnswer(Exception):
    """A request that was not answered correctly; the message says how."""


def send(url: str, plans: Iterable[PicturePlan], clients: int, tally: Tally) -> None:
    """Draw and send pictures, one per request.

    Args:
        url: The server's, without a path.
        plans: The pictures.
        clients: Number of concurrent clients, each on one persistent connection.
        tally: Receives the outcome.
    """
    waiting = iter(plans)  # shared: each idle client takes the next

    def client() -> None:
        with requests.Session() as session:
            session.trust_env = False  # a proxy cannot reach this machine's loopback interface
            for plan in waiting:
                texts, files = draw(plan)
                try:
                    results = ask(session, f"{url}/predict/{plan.module}", files)
                    _check(results, plan, len(files))
                except (BadAnswer, requests.RequestException) as error:
                    where = f"picture {plan.number} ({plan.module}, {plan.width} x {plan.height} {plan.file_format})"
                    tally.add_failure(f"{where}: {' '.join(str(error).split())[:200]}")
                else:
                    is_read = plan.module == "ocr_system"
                    tally.add_answer(is_read * len(texts), is_read * _count_read(texts, results))

    with ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(client) for _ in range(clients)]:
            future.result()


def ask(session: requests.Session, url: str, files: Sequence[bytes]) -> Results:
    """Have a server read pictures.

    Args:
        session: Persistent connection.
        url: Address of one of the four modules.
        files: The bytes of each picture file.

    Returns:
        The `results` of the answer.

    Raises:
        BadAnswer: The status is not 200.
        requests.RequestException: There was no answer.
    """
    images = [base64.b64encode(file).decode("ascii") for file in files]
    answer = session.post(url, json={"images": images}, timeout=_ANSWER_SECONDS)
    if answer.status_code != 200:
        raise BadAnswer(f"status {answer.status_code}: {answer.text}")
    results: Results = answer.json()["results"]
    return results


def _check(results: Results, plan: PicturePlan, files: int) -> None:
    if len(results) != 1:
        raise BadAnswer(f"{len(results)} lists of results, not 1")
    if plan.module in ("ocr_rec", "ocr_cls") and len(results[0]) != files:
        raise BadAnswer(f"{len(results[0])} results for {files} pictures of lines")


def _count_read(texts: Sequence[str], results: Results) -> int:
    read = "\n".join(_without_spaces(line.get("text", "")) for line in results[0])
    return sum(_without_spaces(text) in read for text in texts)


def _without_spaces(text: str) -> str:
    return "".join(text.split())
