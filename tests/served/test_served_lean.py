"""`python -m ppocr_serving`: the same service without PaddleHub."""

import importlib.util
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ppocr_serving.models import default_model_dir
from ppocr_serving.settings import load_settings
from tests.served.samples import as_base64, line, page
from tests.served.server import (
    MODULES,
    PYTHON,
    ROOT,
    WAYS,
    Served,
    environment,
    free_port,
    launch_hub,
    launch_lean,
    running,
)

pytestmark = pytest.mark.skipif("lean" not in WAYS, reason="only PPOCR_TEST_HUB is set and tested")

COMMAND = [PYTHON, "-m", "ppocr_serving"]

HELLO_LINE = as_base64(line("Hello World"))
PAGES = [as_base64(page(["Invoice No. 2026-117", "Total: 1,024.50"])), as_base64(page(["Hello World"]))]


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of all four modules in two processes."""
    port = free_port()
    home = tmp_path_factory.mktemp("lean")
    with running(COMMAND, port, home, PORT=str(port), PPOCR_WORKERS="2", **models()) as server:
        server.wait_until("/readyz")
        yield server


def models() -> dict[str, str]:
    # An image has its own copy of the same models, next to its interpreter.
    return {"PPOCR_MODEL_DIR": str(default_model_dir())} if sys.executable == PYTHON else {}


def start(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home, **models(), **variables),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def exact(hub_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """This server and PaddleHub's, in float32: how bfloat16 rounds depends on the processor and OpenVINO's version."""
    home = tmp_path_factory.mktemp("lean")
    with (
        launch_lean(home)(PPOCR_PRECISION="f32", **models()) as lean,
        launch_hub(hub_home)(PPOCR_ENGINE="auto", PPOCR_PRECISION="f32") as hub,
    ):
        yield lean, hub


@pytest.mark.parametrize("module", MODULES)
def test_the_answers_match_those_of_hub_serving(exact: tuple[Served, Served], module: str) -> None:
    images = PAGES if module in ("ocr_system", "ocr_det") else [HELLO_LINE]

    found, expected = (server.results(module, images) for server in exact)

    for ours, theirs in zip(found, expected, strict=True):
        assert ours
        for item, other in zip(ours, theirs, strict=True):
            assert item.keys() == other.keys()
            # Engines may differ on whether a narrow gap is a space, which counts as a letter.
            assert item.get("text", "").replace(" ", "") == other.get("text", "").replace(" ", "")
            assert item.get("angle") == other.get("angle")
            if item.get("text") == other.get("text"):
                assert item.get("confidence", 1) == pytest.approx(other.get("confidence", 1), abs=0.02)
            np.testing.assert_allclose(item.get("text_region", []), other.get("text_region", []), atol=1)


def test_the_requested_number_of_processes_runs(lean: Served) -> None:
    assert len(lean.workers()) == 2


def test_only_workers_load_what_reads_pictures(lean: Served) -> None:
    assert lean.results("ocr_rec", [HELLO_LINE])
    for pid in (lean.process.pid, *lean.workers()):
        libraries = Path(f"/proc/{pid}/maps").read_text()
        found = [name for name in ("numpy", "cv2", "PIL", "openvino", "paddle/") if f"/{name}" in libraries]
        assert bool(found) == (pid != lean.process.pid), found


def test_the_modules_params_match_the_defaults() -> None:
    for module in MODULES:
        params = runpy.run_path(str(ROOT / "modules" / module / "params.py"))["PARAMS"]
        assert load_settings(params, environ={}) == load_settings(environ={}), module


@pytest.mark.parametrize("names", [("FC_CUSTOM_LISTEN_PORT",), ("PORT", "FC_CUSTOM_LISTEN_PORT")])
def test_the_server_listens_on_the_platforms_port_until_sigterm(tmp_path: Path, names: tuple[str, ...]) -> None:
    port = free_port()
    ports = dict(zip(names, [str(port), "1"], strict=False))
    with running(COMMAND, port, tmp_path, **ports, **models()) as server:
        # The first request comes before the models are loaded, and is answered.
        server.wait_until("/healthz")
        assert server.results("ocr_system", PAGES[1:])

        server.process.send_signal(signal.SIGTERM)

        assert server.wait() == 0
        assert "Traceback" not in server.log()
        assert "Warning" not in server.log()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PORT", "http", "PORT is 'http': must be a whole number from 1 to 65535"),
        ("PORT", "0", "PORT is '0': must be a whole number from 1 to 65535"),
        ("PORT", "65536", "PORT is '65536': must be a whole number from 1 to 65535"),
        ("PORT", "-1", "PORT is '-1': must be a whole number from 1 to 65535"),
        ("FC_CUSTOM_LISTEN_PORT", "80 81", "FC_CUSTOM_LISTEN_PORT is '80 81': must be a whole number "),
        ("PORT", "٩٠٠٠", "PORT is '٩٠٠٠': must be a whole number "),
        ("PPOCR_WORKERS", "0", "PPOCR_WORKERS is '0': "),
        ("PPOCR_THREADS", "many", "PPOCR_THREADS is 'many': must be a whole number from 0 to 1024"),
        ("PPOCR_PROFILE", "none", "profile 'none' does not exist; use "),
        ("PPOCR_ADAPTERS", "none,umiocr", "PPOCR_ADAPTERS is 'none,umiocr': give either none or the names"),
        (
            "PPOCR_URL_ALLOWED_NETWORKS",
            "intranet",
            "PPOCR_URL_ALLOWED_NETWORKS is 'intranet': 'intranet' does not appear",
        ),
        ("PPOCR_REC_MODEL_DIR", "/nonexistent", "rec model: /nonexistent has no usable inference.pdmodel"),
    ],
)
def test_a_wrong_setting_is_a_one_line_error(tmp_path: Path, variable: str, value: str, message: str) -> None:
    done = start(tmp_path, **{variable: value})

    assert done.returncode == 1
    assert done.stdout.startswith(f"ppocr_serving: {message}")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""  # platforms keep the standard output


def test_an_occupied_port_is_a_one_line_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = start(tmp_path, PORT=str(port))

    assert done.returncode == 1
    assert done.stdout == (
        f"ppocr_serving: port {port} is in use; stop the process using it, or choose another one with PORT\n"
    )


def test_help_is_printed_and_other_arguments_are_refused(tmp_path: Path) -> None:
    helped = start(tmp_path, "--help")
    assert helped.returncode == 0

    refused = start(tmp_path, "-p", "9000")
    assert refused.returncode == 2
    assert "unrecognized arguments: -p 9000" in refused.stderr


def test_openvino_loads_no_telemetry() -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed; run scripts/setup.sh --dev")
    program = "import openvino, sys; print(*(name for name in sys.modules if name.startswith('openvino_telemetry')))"
    imported = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, check=True)
    assert imported.stdout.split() == []
