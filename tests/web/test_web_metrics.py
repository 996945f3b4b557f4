"""What `/metrics` shows after known requests: real models in a worker, and a client without a connection."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ppocr_serving.engines import Runtime
from ppocr_serving.errors import Overloaded
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import STAGES
from ppocr_serving.web.app import Application
from ppocr_serving.web.exposition import exposition
from ppocr_serving.web.metrics import Metrics
from ppocr_serving.web.record import RequestRecord
from ppocr_serving.workers.members import PoolState
from ppocr_serving.workers.messages import Answer as WorkersAnswer
from tests.asgi import Answer, ask
from tests.conftest import settings_for
from tests.exposition import Samples
from tests.served.samples import as_base64, line, page
from tests.web.reading_pool import Client, reading

HELLO = as_base64(line("Hello World"))
TWO = as_base64(page(["Invoice 2024", "Total 318.50"]))
BLANK = as_base64(Image.new("RGB", (64, 64), "white"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "observability.md"
IDLE = PoolState(is_ready=True, waiting=0, running=0, pids=(), started=0, died=0, outgrown=0)


class Served(NamedTuple):
    """An application and its client."""

    client: Client
    application: Application

    def get(self, path: str, method: str = "GET") -> Answer:
        return self.client.ask(self.application, method, path)

    def read(self, module: str, *pictures: str, **headers: str) -> Answer:
        body = json.dumps({"images": pictures}).encode()
        named = {"content_type": "application/json", **headers}
        return self.client.post(self.application, f"/predict/{module}", body, **named)

    def metrics(self) -> Samples:
        return Samples(self.get("/metrics").body.decode())


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with reading(dict.fromkeys(("ocr_system", "ocr_det"), settings_for(Runtime.OPENVINO)), ServerSettings()) as client:
        yield client


@pytest.fixture
def served(client: Client) -> Served:
    """A new application, which has counted nothing."""
    return Served(client, client.application(ServerSettings(max_body_mb=1)))


def test_known_requests_are_counted(served: Served) -> None:
    assert served.read("ocr_system", HELLO, TWO).status == 200
    assert served.read("ocr_det", BLANK).status == 200
    assert served.read("ocr_system", "no picture").status == 400
    assert served.read("ocr_rec", HELLO).status == 404
    assert served.read("ocr_system", HELLO, content_type="text/plain").status == 415
    assert served.read("ocr_system", "A" * 2**20).status == 413
    assert served.get("/predict/ocr_system").status == 405
    assert served.get("/nowhere").status == 404
    found = served.metrics()

    def requests(**labels: str) -> float:
        return found.value("ppocr_requests_total", **labels)

    assert requests() == 8
    assert requests(door="predict", module="ocr_system", status="200", key="") == 1
    assert requests(door="predict", module="ocr_det", status="200") == 1
    assert requests(door="predict", module="ocr_system", status="400") == 1
    assert requests(door="predict", module="ocr_rec", status="404") == 1
    assert requests(door="predict", status="415") == requests(status="413") == requests(status="405") == 1
    assert requests(door="none", module="", status="404") == 1
    reasons = {
        "image_decode_error",
        "module_not_served",
        "unsupported_media_type",
        "limit_exceeded",
        "method_not_allowed",
        "path_not_served",
    }
    assert {reason: found.value("ppocr_refused_total", reason=reason) for reason in reasons} == dict.fromkeys(
        reasons, 1
    )
    assert found.value("ppocr_refused_total") == len(reasons)
    assert found.value("ppocr_pictures_total") >= 3
    assert found.value("ppocr_pages_total") == 3
    assert found.value("ppocr_lines_total") == 3
    assert found.value("ppocr_pixels_total") > 3 * 64 * 64
    assert found.value("ppocr_request_seconds_count", door="predict") == 7
    assert found.value("ppocr_request_seconds_count", door="none") == 1


def test_times_are_those_of_the_requests(served: Served) -> None:
    answer = served.read("ocr_system", TWO)
    timing = dict(part.split(";dur=") for part in answer.headers["Server-Timing"].split(", "))
    found = served.metrics()

    assert next(iter(timing)) == "queue"
    assert list(timing)[-1] == "total"
    assert {"decode", "det_engine", "rec_engine", "encode"} <= set(timing) <= {"queue", *STAGES, "total"}
    for stage in STAGES:
        assert found.value("ppocr_stage_seconds_count", stage=stage) == (stage in timing)
        total = found.value("ppocr_stage_seconds_sum", stage=stage)
        assert total * 1000 == pytest.approx(float(timing.get(stage, 0)), abs=0.051)
    assert found.value("ppocr_queue_wait_seconds_count") == 1
    assert found.value("ppocr_queue_wait_seconds_sum") * 1000 == pytest.approx(float(timing["queue"]), abs=0.051)
    total = found.value("ppocr_request_seconds_sum", door="predict")
    assert total * 1000 >= float(timing["total"]) - 0.051
    assert float(timing["total"]) + 1 >= sum(map(float, list(timing.values())[:-1]))


def test_buckets_count_what_is_not_longer(served: Served) -> None:
    served.read("ocr_system", TWO)
    found = served.metrics()
    seconds = found.value("ppocr_request_seconds_sum", door="predict")
    bounds = found.values_of("ppocr_request_seconds_bucket", "le")

    assert {"0.001", "60", "+Inf"} <= bounds
    for bound in bounds:
        assert found.value("ppocr_request_seconds_bucket", door="predict", le=bound) == (seconds <= float(bound))


def test_an_error_without_an_answer_of_a_worker_has_no_waiting_time(served: Served) -> None:
    refused = served.read("ocr_system", HELLO, x_request_timeout="1e-9")
    assert refused.status == 503
    assert "Server-Timing" not in refused.headers
    found = served.metrics()
    assert found.value("ppocr_refused_total", reason=Overloaded.code) == 1
    assert found.value("ppocr_queue_wait_seconds_count") == 0
    assert found.value("ppocr_pictures_total") == 0


def test_an_event_is_counted_by_its_own_door(served: Served) -> None:
    read = served.client.post(served.application, "/invoke", json.dumps({"images": [TWO]}).encode())
    assert read.status == 200, read.body
    event = {"path": "/predict/ocr_nothing", "body": "{}"}
    served.client.post(served.application, "/event-invoke", json.dumps(event).encode())
    found = served.metrics()

    assert found.value("ppocr_requests_total", door="event", module="ocr_system", status="200") == 1
    assert found.value("ppocr_requests_total", door="event", module="") == 1
    assert found.value("ppocr_refused_total", reason="module_not_served") == 1
    assert found.value("ppocr_pages_total") == 1


def test_what_nobody_has_asked_for_is_not_counted(served: Served) -> None:
    before = served.metrics()
    for path in ("/", "/examples/report.pdf", "/healthz", "/readyz", "/version", "/openapi.json", "/metrics"):
        assert served.get(path).status == 200
    after = served.metrics()
    assert len(after) == len(before)
    assert after.value("ppocr_requests_total") == 0


def test_nothing_grows_with_what_clients_send(served: Served) -> None:
    known = ("ocr_system", "ocr_cls", "ocr_nothing")

    def visit(number: int) -> None:
        for method in ("GET", "POST", f"X{number}"):
            for path in (f"/{number}", f"/predict/module-{number}", "/predict/" + known[number % 3], "/metrics"):
                served.client.run(ask(served.application, method, path, [b"{"], {"authorization": f"Bearer {number}"}))
        served.client.post(served.application, "/invoke", json.dumps({"path": f"/predict/{number}"}).encode())

    for number in range(3):
        visit(number)
    before = served.metrics()
    for number in range(3, 60):
        visit(number)
    after = served.metrics()

    assert len(after) == len(before)
    assert after.value("ppocr_requests_total") == 20 * before.value("ppocr_requests_total")
    assert after.values_of("ppocr_requests_total", "module") == {"", "ocr_system", "ocr_cls"}
    assert after.values_of("ppocr_requests_total", "key") == {""}
    assert after.values_of("ppocr_requests_total", "door") == {"predict", "event", "none"}


def test_metrics_can_be_turned_off(client: Client) -> None:
    served = Served(client, client.application(ServerSettings(metrics=False)))
    assert served.get("/metrics").status == 404
    assert served.read("ocr_system", HELLO).status == 200


def test_with_keys_metrics_need_one_and_show_names_alone(client: Client) -> None:
    keys = {"alice": "a-key-that-is-long-enough", "scraper": "another-key-that-is-long-enough"}
    settings = ServerSettings(api_keys=tuple(f"{name}:{key}" for name, key in keys.items()))
    served = Served(client, client.application(settings))
    assert served.get("/metrics").status == 401
    assert served.read("ocr_system", HELLO, x_api_key=keys["alice"]).status == 200
    for number in range(3):
        assert served.read("ocr_system", HELLO, x_api_key=f"wrong-{number}").status == 401
    sent = {"authorization": f"Bearer {keys['scraper']}"}
    answer = client.run(ask(served.application, "GET", "/metrics", headers=sent))
    assert answer is not None
    assert not any(key.encode() in answer.body for key in keys.values())
    found = Samples(answer.body.decode())
    assert found.values_of("ppocr_requests_total", "key") == {"", "alice"}
    assert found.value("ppocr_requests_total", key="alice", status="200") == 1
    assert found.value("ppocr_pages_total", key="alice") == 1
    assert found.value("ppocr_refused_total", reason="unauthorized") == 3


def test_only_reading_is_allowed(served: Served) -> None:
    answer = served.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert served.get("/metrics", "HEAD").status == 200
    assert served.get("/metrics", "POST").status == 405


def test_a_server_that_stops_is_not_ready(served: Served) -> None:
    assert served.metrics().value("ppocr_ready") == 1
    served.application.announce_stop()
    assert served.metrics().value("ppocr_ready") == 0


def noted(*outcomes: tuple[str, str, int, str, WorkersAnswer | None]) -> Samples:
    """Count outcomes of (key, error, status, module, answer)."""
    metrics = Metrics()
    for key, error, status, module, answer in outcomes:
        record = RequestRecord("id")
        record.door, record.key, record.error, record.module, record.answer = "predict", key, error, module, answer
        metrics.note(record.outcome(status))
    return Samples(exposition(metrics, IDLE, ()).body.decode())


def test_work_is_counted_by_key() -> None:
    done: dict[str, Any] = {"module": "ocr_system", "pixels": 100, "lines": 5, "reread": 2, "pages": 3, "waited": 0.1}
    found = noted(
        ("alice", "", 200, "-", WorkersAnswer(1, 200, pictures=1, **done)),
        ("alice", "", 200, "-", WorkersAnswer(2, 200, pictures=1, **done)),
        ("bob", "", 200, "-", WorkersAnswer(3, 200, pictures=2, **done)),
        ("bob", "overloaded", 503, "-", None),
    )
    assert found.value("ppocr_requests_total", key="alice", module="ocr_system") == 2
    assert found.value("ppocr_requests_total", key="bob", status="503") == 1
    assert found.value("ppocr_pictures_total", key="bob") == 2
    assert found.value("ppocr_pages_total", key="alice") == 6
    assert found.value("ppocr_lines_total", key="alice") == 10
    assert found.value("ppocr_lines_reread_total", key="bob") == 2
    assert found.value("ppocr_pixels_total") == 300
    assert found.value("ppocr_pages_total", key="") == 0


@given(st.text(), st.text(min_size=1), st.text())
def test_no_text_breaks_the_format(key: str, error: str, module: str) -> None:
    found = noted((key, error, 500, module, WorkersAnswer(1, 500, module=module, error=error, waited=1.0)))
    assert found.value("ppocr_requests_total") == 1
    assert found.value("ppocr_refused_total") == 1


def test_errors_that_nobody_has_foreseen_are_internal() -> None:
    found = noted(("", "ZeroDivisionError", 500, "-", None), ("", "MemoryError", 503, "-", None))
    assert found.value("ppocr_refused_total", reason="internal_error") == 2


def test_the_documentation_has_every_metric(served: Served) -> None:
    served.read("ocr_system", HELLO)
    found = served.metrics()
    rows = [
        f"| `{name}` | {kind} | {labels_of(found, name, kind)} | {found.help[name]} |"
        for name, kind in found.kinds.items()
        if name != "ppocr_info"  # this application was not told what it runs
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = re.findall(r"^\| `ppocr_.*", text, re.M)
    assert [row for row in documented if "`ppocr_info`" not in row] == rows


def labels_of(found: Samples, name: str, kind: str) -> str:
    labels = found.labels[f"{name}_count" if kind == "histogram" else name]
    order = ("door", "module", "status", "key", "reason", "stage", "process")
    return ", ".join(f"`{label}`" for label in order if label in labels)
