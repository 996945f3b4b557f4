"""Keys, origins, a prefix and TLS, with real servers: with PaddleHub, and without."""

import hashlib
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.certificates import Pair, make_certificate
from tests.served.samples import as_base64, line
from tests.served.server import PYTHON, ROOT, Launch, Served, environment, free_port

pytestmark = pytest.mark.thorough_with_hub

HELLO = as_base64(line("Hello World"))
KEY = "a-key-that-is-long-enough"
ORIGIN = "https://app.example"
PATIENCE_SECONDS = 120


class Secured(NamedTuple):
    """A server that lets only some in, and its files."""

    served: Served
    keys: Path
    pair: Pair

    def request(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"https://127.0.0.1:{self.served.port}{path}"
        return requests.request(
            method, url, json=body, headers=named, verify=str(self.pair.cert), timeout=PATIENCE_SECONDS
        )

    def read(self, **headers: str) -> requests.Response:
        return self.request("POST", "/ocr/predict/ocr_rec", {"images": [HELLO]}, **headers)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def secured(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("access")
    keys = folder / "keys"
    keys.write_text(f"alice:{digest(KEY)}\nbob:{digest(KEY + '2')} requests=1\n")
    pair = make_certificate(folder)
    variables = {
        "PPOCR_API_KEYS_FILE": str(keys),
        "PPOCR_CORS_ORIGINS": ORIGIN,
        "PPOCR_PATH_PREFIX": "/ocr",
        "PPOCR_TLS_CERT": str(pair.cert),
        "PPOCR_TLS_KEY": str(pair.key),
    }
    with launch(until=None, **variables) as server:
        server.wait_for_log(" ready: ")
        yield Secured(server, keys, pair)


def test_the_log_says_where_the_service_is(secured: Secured) -> None:
    (ready,) = [line for line in secured.served.log().splitlines() if " ready: " in line]
    assert ready.endswith(f" at https://127.0.0.1:{secured.served.port}/")


def test_a_key_opens_the_door(secured: Secured) -> None:
    answer = secured.read(authorization=f"Bearer {KEY}")
    assert answer.json()["results"][0][0]["text"].startswith("Hello")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "key=alice" in secured.served.request_lines()[-1]
    assert KEY not in secured.served.log()


def test_without_a_key_a_large_request_is_refused_at_once(secured: Secured) -> None:
    answer = secured.request("POST", "/predict/ocr_rec", {"images": ["A" * (8 << 20)]})
    assert (answer.status_code, answer.json()["status"]) == (401, "101")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_keys_own_limit_counts(secured: Secured) -> None:
    answers = [secured.read(x_api_key=f"{KEY}2") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert 1 <= int(answers[1].headers["Retry-After"]) <= 60


def test_probes_need_no_key(secured: Secured) -> None:
    for path in ("/", "/healthz", "/readyz", "/ocr/", "/ocr/readyz"):
        assert secured.request("GET", path).status_code == 200


def test_browsers_may_ask_from_an_allowed_origin(secured: Secured) -> None:
    asked = secured.request("OPTIONS", "/predict/ocr_rec", origin=ORIGIN, access_control_request_method="POST")
    assert (asked.status_code, asked.headers["Access-Control-Allow-Methods"]) == (200, "POST")
    refused = secured.read(origin=ORIGIN)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)


def test_the_health_check_of_the_images_speaks_tls(secured: Secured) -> None:
    variables = {"PORT": str(secured.served.port), "PPOCR_TLS_CERT": str(secured.pair.cert)}
    script = [PYTHON, "-I", str(ROOT / "docker" / "healthcheck.py")]
    checked = subprocess.run(script, env=variables, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_new_key_and_a_new_certificate_are_taken_over_while_serving(secured: Secured, tmp_path: Path) -> None:
    keys = secured.keys.read_text()
    secured.keys.write_text(f"{keys}carol:{digest(KEY + '3')}\n")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while secured.read(x_api_key=f"{KEY}3").status_code != 200:
        assert time.monotonic() < deadline

    new = make_certificate(tmp_path)
    for source, target in zip(new, secured.pair, strict=True):
        target.write_bytes(source.read_bytes())
    while ssl.get_server_certificate(("127.0.0.1", secured.served.port)) != new.cert.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert secured.read(x_api_key=KEY).status_code == 200
    assert "Traceback" not in secured.served.log()


def test_clients_that_never_begin_the_handshake_do_not_keep_others_waiting(secured: Secured) -> None:
    silent = [socket.create_connection(("127.0.0.1", secured.served.port), timeout=60) for _ in range(200)]
    assert secured.read(x_api_key=KEY).status_code == 200
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PPOCR_API_KEYS", "short-secret", "PPOCR_API_KEYS: key 1 must be 16 to 256"),
        ("PPOCR_API_KEYS_FILE", "/no/such/file", "PPOCR_API_KEYS_FILE is '/no/such/file': No such file"),
        ("PPOCR_CORS_ORIGINS", "app.example", "PPOCR_CORS_ORIGINS has 'app.example'"),
        ("PPOCR_PATH_PREFIX", "ocr", "PPOCR_PATH_PREFIX is 'ocr'"),
        ("PPOCR_TLS_CERT", "/no/such/file", "PPOCR_TLS_CERT is '/no/such/file'"),
    ],
)
def test_a_setting_that_would_let_in_the_wrong_ones_ends_the_start(
    variable: str, value: str, words: str, tmp_path: Path
) -> None:
    environ = environment(tmp_path, **{variable: value, "PORT": str(free_port())})
    ended = subprocess.run([PYTHON, "-m", "ppocr_serving"], env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    output = ended.stdout + ended.stderr
    assert output.startswith(f"ppocr_serving: {words}")
    assert output.count("\n") == 1
    assert "short-secret" not in output


def test_the_documented_commands_make_a_key(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    (command,) = [block for block in re.findall(r"^```shell\n(.*?)^```", text, re.M | re.S) if "sha256 -r" in block]
    made = subprocess.run(["sh", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    key = made.stdout.strip().splitlines()[-1]
    assert (tmp_path / "keys.txt").read_text() == f"alice:{digest(key)} requests=120 pixels=500000000\n"
    assert (tmp_path / "keys.txt").stat().st_mode & 0o077 == 0
