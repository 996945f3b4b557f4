"""Startup and shutdown: signals, ports, bad models, and `start.sh`."""

import json
import os
import select
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from ppocr_serving.models import default_model_dir
from tests.served.samples import as_base64, line, page
from tests.served.server import (
    HUB,
    MODULES,
    MULTIPROCESS,
    ROOT,
    Launch,
    Served,
    environment,
    free_port,
    has_ended,
    loading,
    running,
    serving,
)

pytestmark = pytest.mark.thorough_with_hub

HELLO = as_base64(line("Hello World"))
LARGE = [as_base64(page([f"Line {number} of a long page" for number in range(12)]))] * 2
LONG = {"PPOCR_GRACEFUL_TIMEOUT": "600"}  # longer than `Served.wait` waits, so that no test depends on it


def assert_ends_cleanly(server: Served) -> None:
    assert server.wait() == 0, server.log()
    assert "Traceback" not in server.log()
    assert "FatalError" not in server.log()


def test_an_unreaped_process_counts_as_ended() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert not has_ended(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{process.pid}").exists()
        assert has_ended(process.pid)
    assert has_ended(process.pid)


@pytest.mark.parametrize(
    ("workers", "group"),
    [
        pytest.param(1, False, id="1-process", marks=pytest.mark.thorough),
        pytest.param(1, True, id="1-process-group", marks=pytest.mark.thorough),
        pytest.param(2, False, id="2-process", marks=pytest.mark.thorough),
        pytest.param(2, True, id="2-process-group"),
    ],
)
def test_sigterm_under_load_finishes_the_running_requests(launch: Launch, workers: int, group: bool) -> None:
    with launch(workers, **LONG) as server:
        assert server.results("ocr_system", [HELLO])
        server.wait_until_idle()  # a process that is still loading would keep its request waiting
        # An idle connection, as proxies keep them.
        with requests.Session() as idle:
            idle.get(f"{server.url}/healthz", timeout=60)
            begun = [server.begin("ocr_system", LARGE) for _ in range(2)]
            answered, _, _ = select.select([connection.sock for connection in begun], [], [], 0)
            assert len(answered) < len(begun)
            idle.get(f"{server.url}/healthz", timeout=60)  # by now, both requests have been handed over
            processes = server.workers()

            (os.killpg if group else os.kill)(server.process.pid, signal.SIGTERM)

            for connection in begun:
                with closing(connection):
                    answer = connection.getresponse()
                    assert answer.status == 200
                    assert [len(items) for items in json.load(answer)["results"]] == [12, 12]
            assert_ends_cleanly(server)
        assert all(has_ended(process) for process in processes)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


def test_sigterm_drops_requests_that_outlast_the_graceful_timeout(launch: Launch) -> None:
    with launch(PPOCR_GRACEFUL_TIMEOUT="1") as server, closing(server.begin("ocr_system", LARGE * 32)) as long:
        server.process.send_signal(signal.SIGTERM)

        answer = long.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (503, "close")
        assert "the server is stopping" in json.load(answer)["msg"]
        assert server.wait() == 0
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "delay", [pytest.param(0.3, marks=pytest.mark.thorough), 0.8, pytest.param(2.0, marks=pytest.mark.thorough)]
)
def test_sigterm_while_starting_ends_the_process(launch: Launch, delay: float) -> None:
    with launch(until=None, **LONG) as server:
        time.sleep(delay)
        assert server.process.poll() is None, server.log()

        server.process.send_signal(signal.SIGTERM)

        # Until the event loop runs, the signal has Python's default effect.
        assert server.wait() in (0, -signal.SIGTERM), server.log()
        assert "FatalError" not in server.log()


def test_sigint_ends_the_process(launch: Launch) -> None:
    with launch() as server:
        server.process.send_signal(signal.SIGINT)

        assert server.wait() == 0


def test_a_mismatched_dictionary_ends_the_process_with_one_clear_line(launch: Launch, tmp_path: Path) -> None:
    dictionary = tmp_path / "short.txt"
    dictionary.write_text("a\nb\nc\n", encoding="utf-8")

    with launch(until=None, PPOCR_REC_DICT=str(dictionary)) as server:
        assert server.wait() != 0

        (reason,) = [entry for entry in server.log().splitlines() if "cannot start" in entry]
        assert "dictionary" in reason
        assert "Traceback" not in server.log()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


def test_damaged_model_files_end_the_process_with_a_clear_line(launch: Launch, tmp_path: Path) -> None:
    model = tmp_path / "cls"
    model.mkdir()
    for name in ("inference.pdmodel", "inference.pdiparams"):
        (model / name).write_bytes(b"damaged")

    with launch(until=None, PPOCR_CLS_MODEL_DIR=str(model)) as server:
        assert server.wait() != 0

        (reason,) = [entry for entry in server.log().splitlines() if "cannot start" in entry]
        assert str(model / "inference.pdmodel") in reason or "died while loading the models" in reason


def test_a_worker_that_dies_before_it_is_ready_is_not_replaced(launch: Launch) -> None:
    with loading(launch) as server:
        os.kill(server.workers()[0], signal.SIGKILL)

        assert server.wait() != 0
        (reason,) = [entry for entry in server.log().splitlines() if "cannot start" in entry]
        assert "died while loading the models (signal SIGKILL); check their files" in reason


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PPOCR_MODEL_DIR", "/no/such/folder", ["/no/such/folder"]),
        ("PPOCR_PROFILE", "no-such-profile", ["no-such-profile", "ppocr-v4-mobile"]),
        ("PPOCR_MAX_QUEUE", "many", ["PPOCR_MAX_QUEUE", "'many'"]),
    ],
)
def test_a_bad_setting_ends_the_process(launch: Launch, variable: str, value: str, words: list[str]) -> None:
    with launch(until=None, **{variable: value}) as server:
        assert server.wait() != 0
        last = server.log().splitlines()
        assert any(all(word in entry for word in words) for entry in last), server.log()


def test_a_missing_gpu_ends_the_process(hub_home: Path) -> None:
    with serving(hub_home, modules=["ocr_rec"], until=None, PPOCR_USE_GPU="true") as server:
        assert server.wait() != 0
        assert any("use_gpu" in entry and "CUDA" in entry for entry in server.log().splitlines()), server.log()


@pytest.mark.parametrize("mode", [(), MULTIPROCESS], ids=["default", "multiprocess"])
def test_an_occupied_port_is_a_clear_error(hub_home: Path, mode: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [HUB, "serving", "start", "--modules", "ocr_cls", "-p", port, *mode],
            env=environment(hub_home),
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode != 0
    assert done.stderr == f"hub: port {port} is in use; stop the process using it, or choose another one with -p\n"


@pytest.mark.parametrize("leads_group", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_hub_serving_stop_ends_the_server_of_a_port(hub_home: Path, leads_group: bool) -> None:
    port = str(free_port())
    options = ["serving", "start", "--modules", "ocr_cls", "-p", port]
    # When a script runs the command, its shell leads the process group.
    command = [HUB, *options] if leads_group else ["sh", "-c", '"$0" "$@"; exit $?', HUB, *options]
    with running(command, int(port), hub_home) as server:
        server.wait_until("/readyz")

        stop = subprocess.run(
            [HUB, "serving", "stop", "-p", port], env=environment(hub_home), capture_output=True, text=True, check=False
        )

        assert "will stop" in stop.stdout + stop.stderr
        assert server.wait() == 0
        assert "ocr_cls" in server.log()


@pytest.mark.parametrize(
    "module", [pytest.param(name, marks=[pytest.mark.thorough] * (name in ("ocr_cls", "ocr_det"))) for name in MODULES]
)
def test_a_modules_configuration_file_starts_the_module(hub_home: Path, tmp_path: Path, module: str) -> None:
    config = json.loads((ROOT / "modules" / module / "config.json").read_text())
    assert config["port"] == 9000
    config["port"] = free_port()
    config["use_multiprocess"] = module == "ocr_system"
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))

    with running([HUB, "serving", "start", "-c", str(file)], config["port"], hub_home) as server:
        server.wait_until("/readyz")

        assert len(server.results(module, [HELLO])) == 1
        assert len(server.workers()) == (config["workers"] if module == "ocr_system" else 1)


def test_a_port_on_the_command_line_overrides_that_of_a_configuration_file(hub_home: Path) -> None:
    port = free_port()
    file = ROOT / "modules" / "ocr_cls" / "config.json"
    with running([HUB, "serving", "start", "-c", str(file), "-p", str(port)], port, hub_home) as server:
        server.wait_until("/readyz")
        assert len(server.results("ocr_cls", [HELLO])) == 1


@pytest.mark.parametrize(
    "variables",
    [pytest.param(("FC_CUSTOM_LISTEN_PORT",), marks=pytest.mark.thorough), ("PORT", "FC_CUSTOM_LISTEN_PORT")],
)
def test_start_sh_serves_all_modules_in_its_own_process(tmp_path: Path, variables: tuple[str, ...]) -> None:
    if not (ROOT / ".venv").is_dir():
        pytest.skip("start.sh would set up .venv, which these tests do not run in")
    port = free_port()
    ports = dict(zip(variables, [str(port), "1"], strict=False))
    with running(
        ["sh", str(ROOT / "start.sh")], port, tmp_path, **ports, PPOCR_MODEL_DIR=str(default_model_dir())
    ) as server:
        server.wait_until("/readyz")
        assert server.results("ocr_system", [HELLO])
        assert "Warning" not in server.log()

        server.process.send_signal(signal.SIGTERM)
        assert_ends_cleanly(server)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "http"), ("PORT", "0"), ("PORT", "65536"), ("PORT", "-1"), ("PORT", "80 81"), ("PPOCR_WORKERS", "0")],
)
def test_start_sh_names_a_bad_value(tmp_path: Path, variable: str, value: str) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "start.sh")],
        env=environment(tmp_path, **{variable: value}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert done.stderr.startswith("start: ")
    assert done.stderr.count("\n") == 1
    assert variable in done.stderr
    assert value in done.stderr
    assert done.stdout == ""
