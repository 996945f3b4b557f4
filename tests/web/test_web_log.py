"""The log, as text and as JSON."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.web.log import _JsonFormatter
from ppocr_serving.web.record import Outcome, RequestRecord
from ppocr_serving.workers.messages import Answer

READ = Answer(
    1,
    200,
    module="ocr_system",
    pictures=2,
    pages=2,
    pixels=100,
    lines=7,
    reread=3,
    stages={"det_engine": 0.02, "decode": 0.0014},
    waited=0.005,
)


def outcome(answer: Answer | None = READ, door: str = "predict", key: str = "", error: str = "") -> Outcome:
    record = RequestRecord("some-id")
    record.answer, record.door, record.key, record.error = answer, door, key, error
    return record.outcome(200 if answer is not None else 503)


def entry(message: object, *arguments: object, error: BaseException | None = None) -> dict[str, Any]:
    """Format one message as JSON, which must be one line."""
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("ppocr_serving", logging.WARNING, "", 0, message, arguments, info)
    line = _JsonFormatter().format(record)
    assert line.splitlines() == [line]
    found: dict[str, Any] = json.loads(line.encode())
    return found


def test_the_line_of_a_request_to_a_module_is_as_ever() -> None:
    assert re.fullmatch(
        r"id=some-id module=ocr_system status=200 pictures=2 pixels=100 lines=7 reread=3 ms=\d+\.\d "
        r"decode=1\.4 det_engine=20\.0",
        str(outcome()),
    )


def test_a_line_names_key_door_pages_and_error_where_there_are_any() -> None:
    read = Answer(1, 200, module="-", pictures=1, pages=5)
    assert str(outcome(read, "v1-ocr", "alice")).startswith(
        "id=some-id module=- status=200 door=v1-ocr key=alice pictures=1 pages=5 pixels=0 "
    )
    assert str(outcome(None, "", error="overloaded")).startswith("id=some-id module=- status=503 pictures=0 pixels=0 ")
    assert str(outcome(None, "", error="overloaded")).endswith(" error=overloaded")


def test_a_request_is_an_object() -> None:
    found = entry(outcome(key="alice"))
    logged = datetime.fromisoformat(found.pop("time"))
    assert logged.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - logged) < timedelta(minutes=10)
    assert found.pop("ms") >= 0
    assert found == {
        "level": "WARNING",
        "message": "request",
        "id": "some-id",
        "status": 200,
        "pictures": 2,
        "pages": 2,
        "pixels": 100,
        "lines": 7,
        "queue_ms": 5.0,
        "door": "predict",
        "module": "ocr_system",
        "key": "alice",
        "reread": 3,
        "stages": {"decode": 1.4, "det_engine": 20.0},
    }


def test_an_object_has_nothing_that_is_empty() -> None:
    found = entry(outcome(None, "", error="not_ready"))
    assert not {"door", "module", "key", "reread", "stages"} & found.keys()
    assert (found["status"], found["error"]) == (503, "not_ready")


def raised(act: Callable[[], object]) -> Exception:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("no error")


def test_a_traceback_is_one_text_beside_the_id_of_the_request() -> None:
    found = entry("id=%s failed", "some-id", error=raised(lambda: 1 // 0))
    assert (found["id"], found["message"]) == ("some-id", "id=some-id failed")
    assert found["traceback"].startswith("Traceback (most recent call last):\n")
    assert found["traceback"].endswith("ZeroDivisionError: integer division or modulo by zero")
    assert "id" not in entry("process %d has died", 7)


def test_the_documentation_shows_what_is_logged() -> None:
    text = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
    request, fault = (json.loads(block) for block in re.findall(r"^```json\n(.*?)\n```", text, re.M | re.S))
    assert list(request) == list(entry(outcome()))
    assert list(fault) == list(entry("id=%s failed", "some-id", error=raised(lambda: 1 // 0)))
    cells = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", text.partition("## JSON log")[2], re.M)
    documented = {key for cell in cells for key in cell.split(", ")}
    logged = {*entry(outcome(key="alice", error="x")), *fault}
    assert {f"`{key}`" for key in logged} == documented


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_is_one_line_that_keeps_it(text: str) -> None:
    def fail() -> None:
        raise ValueError(f"about {text}")

    kept = text.encode("utf-8", "backslashreplace").decode()
    assert entry("said: %s", text)["message"] == f"said: {kept}"
    assert entry("failed", error=raised(fail))["traceback"].endswith(f"ValueError: about {kept}")


@pytest.mark.parametrize("form", ["text", "json"])
def test_processes_that_a_process_forks_log_in_the_same_form(form: str) -> None:
    program = f"""
import logging, os
from ppocr_serving.web.log import configure_logging
configure_logging({form!r})
if os.fork() == 0:
    logging.getLogger("ppocr_serving.workers.worker").warning("a child\\nspeaks")
    os._exit(0)
os.wait()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=dict(os.environ))
    if form == "json":
        assert json.loads(done.stderr)["message"] == "a child\nspeaks"
        assert done.stderr.count(b"\n") == 1
    else:
        assert re.fullmatch(rb"\d{4}-\d\d-\d\d \S+ WARNING a child\nspeaks\n", done.stderr)
