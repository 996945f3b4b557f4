"""start.sh: its arguments, and the errors it reports before it sets anything up."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
PORT_NAMES = ("PORT", "FC_CUSTOM_LISTEN_PORT")


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


@pytest.fixture(params=["hub", "python3"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Image layout as start.sh finds it, with a command that prints its arguments."""
    command = tmp_path / request.param
    command.write_text('#!/bin/sh\necho "PORT=${PORT:-} $*"\n')
    command.chmod(0o755)
    (tmp_path / ".image").write_text(f"{command}\n")
    shutil.copy(ROOT / "start.sh", tmp_path)
    return tmp_path


def start(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith((*PORT_NAMES, "PPOCR_"))}
    return subprocess.run(
        ["sh", str(folder / "start.sh"), *arguments],
        env={**inherited, "PPOCR_HOST": "127.0.0.1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--port", "{}"], []),
        (["--port={}"], []),
        (["--port", "{}"], ["PORT"]),
        ([], ["PORT"]),
        ([], ["FC_CUSTOM_LISTEN_PORT"]),
    ],
)
def test_the_argument_overrides_the_variable(image: Path, arguments: list[str], names: list[str]) -> None:
    port = free_port()
    wrong = "1" if arguments else port

    result = start(image, *(part.format(port) for part in arguments), **dict.fromkeys(names, wrong))

    assert (result.returncode, result.stderr) == (0, "")
    if (image / "hub").exists():
        assert result.stdout.endswith(f" serving start --modules ocr_system ocr_cls ocr_det ocr_rec -p {port}\n")
    else:
        assert result.stdout == f"PORT={port} -m ppocr_serving\n"


def test_only_hub_gets_the_workers_as_arguments(image: Path) -> None:
    result = start(image, "--port", free_port(), PPOCR_WORKERS="3")

    assert result.returncode == 0
    assert ("--use_multiprocess --workers 3" in result.stdout) == (image / "hub").exists()


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_is_printed(argument: str) -> None:
    result = start(ROOT, argument)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: start.sh ")
    for word in ("--port", *PORT_NAMES, "PPOCR_WORKERS"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prot", "80"], "unknown argument '--prot'; see start.sh --help"),
        (["9000"], "unknown argument '9000'; see start.sh --help"),
        (["--port"], "--port needs a number; see start.sh --help"),
        (["--port", ""], "--port must be 1-65535, got ''"),
        (["--port=65536"], "--port must be 1-65535, got '65536'"),
    ],
)
def test_a_wrong_argument_is_a_one_line_error(arguments: list[str], message: str) -> None:
    result = start(ROOT, *arguments, PORT="9000")

    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"start: {message}\n")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "http", "1-65535"),
        ("FC_CUSTOM_LISTEN_PORT", "0", "1-65535"),
        ("PPOCR_WORKERS", "0", "1-1024"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, allowed: str) -> None:
    result = start(ROOT, **{name: value})

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"start: {name} must be {allowed}, got '{value}'\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_an_occupied_port_is_reported_before_anything_is_set_up(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = start(ROOT, "--port", port, PPOCR_HOST=host)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"start: port {port} is in use; stop the process using it, or start with --port N or PORT=N\n"
    )


def test_a_port_in_use_on_another_address_is_free(image: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        result = start(image, "--port", str(taken.getsockname()[1]))

    assert (result.returncode, result.stderr) == (0, "")


def test_a_recently_used_port_is_free(image: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = server.accept()
            accepted.close()  # the side that closes first stays in TIME_WAIT, on the server's port
            client.recv(1)

    result = start(image, "--port", str(address[1]))

    assert (result.returncode, result.stderr) == (0, "")


def test_a_service_whose_output_cannot_be_written_starts_nevertheless() -> None:
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith((*PORT_NAMES, "PPOCR_"))}
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(
            [ROOT / "start.sh", "--port", port],
            env={**inherited, "PPOCR_HOST": "127.0.0.1"},
            stdout=full,
            stderr=subprocess.STDOUT,
        ) as server,
    ):
        try:
            while server.poll() is None and not is_ready(port):
                time.sleep(0.1)
            server.terminate()
            assert server.wait() == 0
        finally:
            server.kill()


def is_ready(port: str) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
    except requests.ConnectionError:
        return False
