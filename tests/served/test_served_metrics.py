"""`/metrics` and the JSON log of real servers with two processes that read."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import ppocr_serving
from tests.exposition import Samples
from tests.served.samples import as_base64, line, page
from tests.served.server import WAYS, Served, launch_hub, launch_lean, loading

HELLO = as_base64(line("Hello World"))
PAGE = as_base64(page(["Invoice 2024", "Total 318.50"]))


@pytest.fixture(scope="module", params=WAYS)
def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with two processes; `hub serving start --use_multiprocess --workers 2`, or without PaddleHub."""
    hub = request.param == "hub"
    launch = (
        launch_hub(request.getfixturevalue("hub_home")) if hub else launch_lean(tmp_path_factory.mktemp("observed"))
    )
    with launch(2, PPOCR_LOG_FORMAT="json", PPOCR_PRECISION="f32") as server:
        yield server


def metrics_of(server: Served) -> Samples:
    answer = requests.get(f"{server.url}/metrics", timeout=60)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Samples(answer.text)


def entries(server: Served) -> list[dict[str, Any]]:
    """Return the log, of which every line must be an object."""
    return [json.loads(entry) for entry in server.log().splitlines()]


@pytest.mark.thorough_with_hub
def test_requests_to_all_processes_are_counted_at_once(observed: Served) -> None:
    before = metrics_of(observed)
    for _ in range(6):
        assert observed.post("ocr_system", [PAGE]).status_code == 200
    assert observed.post("ocr_rec", [HELLO, HELLO]).status_code == 200
    assert observed.post("ocr_system", ["no picture"]).status_code == 400
    assert requests.get(f"{observed.url}/nowhere", timeout=60).status_code == 404
    after = metrics_of(observed)

    def counted(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert counted("ppocr_requests_total") == 9
    assert counted("ppocr_requests_total", door="predict", module="ocr_system", status="200") == 6
    assert counted("ppocr_requests_total", door="predict", module="ocr_system", status="400") == 1
    assert counted("ppocr_refused_total", reason="image_decode_error") == 1
    assert counted("ppocr_refused_total", reason="path_not_served") == 1
    assert counted("ppocr_pages_total") == 8
    assert counted("ppocr_lines_total") == 6 * 2 + 2
    assert counted("ppocr_stage_seconds_count", stage="det_engine") == 6
    assert counted("ppocr_queue_wait_seconds_count") == 8


def test_it_says_what_runs(observed: Served) -> None:
    found = metrics_of(observed)
    assert found.value("ppocr_ready") == 1
    assert found.value("ppocr_workers") == len(observed.workers()) == 2
    assert found.values_of("ppocr_memory_bytes", "process") == {"server", "worker-1", "worker-2"}
    assert found.value("ppocr_memory_bytes", process="worker-1") > 50e6
    hub = b"serving\0start" in Path(f"/proc/{observed.process.pid}/cmdline").read_bytes()
    profile, engine = ("ppocr-v4-mobile", "paddle") if hub else ("ppocr-v6", "openvino")
    what = {"profile": profile, "engine": engine, "precision": "f32", "version": ppocr_serving.__version__}
    assert found.value("ppocr_info") == found.value("ppocr_info", **what) == 1


def test_a_request_that_computes_is_seen(observed: Served) -> None:
    connection = observed.begin("ocr_system", [PAGE] * 64)
    deadline = time.monotonic() + 60
    while metrics_of(observed).value("ppocr_running") != 1:
        assert time.monotonic() < deadline
    connection.close()
    while metrics_of(observed).value("ppocr_refused_total", reason="cancelled") == 0:
        assert time.monotonic() < deadline


def test_nothing_is_lost_or_left_over_when_a_process_is_killed(observed: Served) -> None:
    assert observed.post("ocr_system", [PAGE]).status_code == 200  # the first one begins to be counted
    before = metrics_of(observed)
    os.kill(observed.workers()[0], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (after := metrics_of(observed)).value("ppocr_workers_started_total") == 2 or not after.value("ppocr_ready"):
        assert time.monotonic() < deadline
    assert observed.post("ocr_system", [PAGE]).status_code == 200
    after = metrics_of(observed)

    assert after.value("ppocr_workers_died_total") == 1
    assert after.value("ppocr_workers_started_total") == 3
    assert after.value("ppocr_workers") == 2
    assert after.values_of("ppocr_memory_bytes", "process") == {"server", "worker-1", "worker-2"}
    assert after.value("ppocr_pages_total") == before.value("ppocr_pages_total") + 1
    assert len(after) == len(before)


def test_every_line_of_the_log_is_an_object(observed: Served) -> None:
    answer = observed.post("ocr_system", [PAGE], **{"X-Request-Id": "seen-in-the-log"})
    observed.wait_for_log("seen-in-the-log")
    (request,) = [entry for entry in entries(observed) if entry.get("id") == "seen-in-the-log"]

    assert (request["door"], request["module"], request["status"]) == ("predict", "ocr_system", 200)
    assert (request["pictures"], request["pages"], request["lines"]) == (1, 1, 2)
    timing = dict(part.split(";dur=") for part in answer.headers["Server-Timing"].split(", "))
    for stage, milliseconds in request["stages"].items():
        assert milliseconds == float(timing[stage])
    assert all({"time", "level", "message"} <= entry.keys() for entry in entries(observed))


def test_metrics_stay_available_while_the_models_are_loaded(tmp_path: Path) -> None:
    if "lean" not in WAYS:
        pytest.skip("only PPOCR_TEST_HUB is set and tested")
    with loading(launch_lean(tmp_path)) as server:
        found = metrics_of(server)
        assert found.value("ppocr_ready") == 0
        assert found.value("ppocr_workers") == 1
        os.kill(server.workers()[0], signal.SIGCONT)
        server.wait_until("/readyz")
        assert metrics_of(server).value("ppocr_ready") == 1
