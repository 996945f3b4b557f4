"""deploy/caddy: the Caddyfile in front of a real server, and the Compose file that runs both."""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import compose_spec
import pytest
import requests

from ppocr_serving.models import default_model_dir
from ppocr_serving.settings import load_settings
from tests.deploy.manifests import DEPLOY, ROOT, TOOLS, check_environment
from tests.served.server import PYTHON, free_port, running

FOLDER = DEPLOY / "caddy"
KEY = "a-key-for-the-test-of-the-proxy"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}
EXAMPLE = (ROOT / "docs" / "example.png").read_bytes()
_SECONDS = 60  # only bounds how long a failing test hangs


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    text = (FOLDER / "docker-compose.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = compose_spec.PyCompose.from_yaml(text).to_dict()["services"]
    return found


class Proxy(NamedTuple):
    """Caddy in front of a server.

    Attributes:
        url: Where it listens.
        root: Certificate of the authority that it has made.
    """

    url: str
    root: Path

    def get(self, path: str, **headers: str) -> requests.Response:
        """Send a request."""
        return requests.get(self.url + path, headers=headers, verify=str(self.root), timeout=_SECONDS)

    def read(self, query: str) -> requests.Response:
        """Have the example read."""
        url = f"{self.url}/v1/read?{query}"
        return requests.post(url, data=EXAMPLE, headers=AUTHORIZED, verify=str(self.root), timeout=_SECONDS)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The Caddyfile as it is, with a storage of its own and nothing that needs root."""
    folder, port, upstream = tmp_path_factory.mktemp("caddy"), free_port(), free_port()
    keys = folder / "keys.txt"
    keys.write_text(f"alice:{hashlib.sha256(KEY.encode()).hexdigest()}\n", encoding="utf-8")
    options = f"admin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system {folder}/storage"
    config = folder / "Caddyfile"
    config.write_text(f"{{\n\t{options}\n}}\nimport {FOLDER / 'Caddyfile'}\n", encoding="utf-8")
    variables = {"OCR_HOST": f"127.0.0.1:{port}", "OCR_UPSTREAM": f"127.0.0.1:{upstream}"}
    server = running(
        [PYTHON, "-m", "ppocr_serving"],
        upstream,
        folder,
        PORT=str(upstream),
        PPOCR_API_KEYS_FILE=str(keys),
        PPOCR_MODEL_DIR=str(default_model_dir()),
    )
    with server as served, (folder / "log").open("wb") as log:
        served.wait_until("/readyz")
        command = [str(TOOLS / "caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
        environment = {**os.environ, **variables, "HOME": str(folder)}
        with subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
            found = Proxy(f"https://127.0.0.1:{port}", folder / "storage/pki/authorities/local/root.crt")
            deadline = time.monotonic() + _SECONDS
            while True:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                try:
                    if found.root.exists() and found.get("/readyz").ok:
                        break
                except requests.ConnectionError:
                    pass
                time.sleep(0.05)
            yield found
            process.send_signal(signal.SIGTERM)


def test_the_caddyfile_is_formatted_and_valid() -> None:
    file = FOLDER / "Caddyfile"
    formatted = subprocess.run(
        [str(TOOLS / "caddy"), "fmt", str(file)], capture_output=True, text=True, check=True
    ).stdout

    assert formatted == file.read_text(encoding="utf-8")
    subprocess.run([str(TOOLS / "caddy"), "validate", "--config", str(file), "--adapter", "caddyfile"], check=True)


def test_the_proxy_speaks_tls_and_the_server_asks_for_a_key(proxy: Proxy) -> None:
    answer = requests.post(f"{proxy.url}/v1/read", data=EXAMPLE, verify=str(proxy.root), timeout=_SECONDS)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Text in pictures" in proxy.read("format=text").text


def test_answers_in_parts_pass_through(proxy: Proxy) -> None:
    answer = proxy.read("format=jsonl")

    assert answer.status_code == 200
    assert [line.split('"type":"')[1].split('"')[0] for line in answer.text.splitlines()] == ["page", "end"]


def test_the_page_is_visible_and_what_platforms_call_is_not(proxy: Proxy) -> None:
    assert "<html" in proxy.get("/").text
    for path in ("/metrics", "/invoke", "/event-invoke", "/initialize", "/pre-stop", "/pre-freeze"):
        assert proxy.get(path, **AUTHORIZED).status_code == 404
        assert proxy.get(path, **AUTHORIZED).text == ""


def test_a_body_above_the_limit_is_refused(proxy: Proxy, tmp_path: Path) -> None:
    limit = load_settings(environ={}).server.max_body_mb
    file = tmp_path / "large"
    file.write_bytes(bytes(limit * 2**20 + 1))
    # Unlike requests, curl reads an answer that comes before it has sent everything; then it reports an error.
    command = ["curl", "-s", "-o", str(tmp_path / "answer"), "-w", "%{http_code}", "--cacert", str(proxy.root)]
    command += ["-H", f"Authorization: Bearer {KEY}", "--data-binary", f"@{file}", f"{proxy.url}/v1/read"]

    assert f"max_size {limit}MiB" in (FOLDER / "Caddyfile").read_text(encoding="utf-8")
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "413"


def test_only_the_proxy_is_reachable_and_the_service_reaches_nothing(services: dict[str, Any]) -> None:
    service, caddy = services["ppocr-serving"], services["caddy"]

    assert "ports" not in service
    assert list(service["networks"]) == ["inside"]
    assert list(caddy["networks"]) == ["inside", "outside"]
    assert service["read_only"] is True
    assert service["cap_drop"] == caddy["cap_drop"] == ["ALL"]
    assert caddy["cap_add"] == ["NET_BIND_SERVICE"]


def test_the_service_accepts_its_environment(services: dict[str, Any]) -> None:
    environment = dict(services["ppocr-serving"]["environment"])

    assert environment == {"PPOCR_API_KEYS_FILE": "/etc/ppocr/keys.txt"}
    check_environment(environment)


def test_variables_of_the_caddyfile_have_the_values_of_the_compose_file(services: dict[str, Any]) -> None:
    caddyfile = (FOLDER / "Caddyfile").read_text(encoding="utf-8")

    assert "{$OCR_HOST:localhost}" in caddyfile
    assert services["caddy"]["environment"] == {"OCR_HOST": "${OCR_HOST:-localhost}"}
    assert "{$OCR_UPSTREAM:ppocr-serving:9000}" in caddyfile
