"""docker-compose.yaml: valid under the Compose Specification, with a health check that reports readiness."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import compose_spec
import pytest

from ppocr_serving.settings import load_settings
from tests.deploy.manifests import ROOT

TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")


@pytest.fixture
def service() -> dict[str, Any]:
    document = compose_spec.PyCompose.from_yaml(TEXT).to_dict()
    (found,) = document["services"].values()
    return dict(found)


@pytest.mark.parametrize(("right", "wrong"), [("restart", "restrat"), ("unless-stopped", "sometimes")])
def test_the_parser_finds_mistakes(right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(ValueError, match=wrong):
        compose_spec.PyCompose.from_yaml(TEXT.replace(right, wrong))


def test_the_service_restarts_and_is_bounded(service: dict[str, Any]) -> None:
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"] == "2gb"
    assert service["ports"] == ["9000:9000"]
    assert service["cap_drop"] == ["ALL"]


def test_requests_can_finish_before_the_container_is_killed(service: dict[str, Any]) -> None:
    assert compose_spec.parse_duration(service["stop_grace_period"]) > load_settings(environ={}).server.graceful_timeout


class _Answer(http.server.BaseHTTPRequestHandler):
    status = HTTPStatus.OK

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else HTTPStatus.NOT_FOUND)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=[HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE])
def answering(request: pytest.FixtureRequest) -> Iterator[tuple[int, HTTPStatus]]:
    handler = type("Answer", (_Answer,), {"status": request.param})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, request.param
        server.shutdown()


def test_the_health_check_passes_only_when_ready(service: dict[str, Any], answering: tuple[int, HTTPStatus]) -> None:
    port, status = answering
    kind, program, *arguments = service["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python3")
    assert any(":9000/" in argument for argument in arguments)

    command = [sys.executable, *(argument.replace(":9000/", f":{port}/") for argument in arguments)]
    healthy = subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert healthy == (status == HTTPStatus.OK)
