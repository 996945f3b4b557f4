"""The image's health check against a real HTTP server."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docker" / "healthcheck.py"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Keep the tests' output clean."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def check(**variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT)], env=variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1"])
def test_a_service_that_answers_is_healthy(port: int, host: str) -> None:
    assert check(PORT=str(port), PPOCR_HOST=host).returncode == 0


def test_the_port_is_found_as_in_start_sh(port: int) -> None:
    assert check(FC_CUSTOM_LISTEN_PORT=str(port)).returncode == 0
    assert check(FC_CUSTOM_LISTEN_PORT=str(port), PORT="1").returncode == 1


def test_proxies_are_ignored(port: int) -> None:
    assert check(PORT=str(port), http_proxy="http://127.0.0.1:1").returncode == 0


def test_a_service_that_is_down_is_unhealthy() -> None:
    checked = check(PORT="1")
    assert checked.returncode == 1
    assert checked.stderr.startswith("healthcheck: http://127.0.0.1:1/healthz: ")
