"""The service as users run it: `hub serving start`, or `python -m ppocr_serving` without PaddleHub.

Each server runs in a separate process, with its own log file and home.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol

import requests

from tests.processes import children

__all__ = [
    "HUB",
    "MODULES",
    "MULTIPROCESS",
    "PYTHON",
    "ROOT",
    "WAYS",
    "Launch",
    "Served",
    "environment",
    "free_port",
    "has_ended",
    "install_modules",
    "launch_hub",
    "launch_lean",
    "loading",
    "processor_time",
    "running",
    "serving",
]

ROOT = Path(__file__).parents[2]
# To test another installation, name its command or interpreter, as scripts/test_image.sh does for the images. Then
# only the named installations are tested.
_NAMED = {"hub": os.environ.get("PPOCR_TEST_HUB"), "lean": os.environ.get("PPOCR_TEST_PYTHON")}
HUB = _NAMED["hub"] or str(Path(sys.executable).parent / "hub")
PYTHON = _NAMED["lean"] or sys.executable
WAYS = [way for way, command in _NAMED.items() if command] or list(_NAMED)
MODULES = ("ocr_system", "ocr_cls", "ocr_det", "ocr_rec")
MULTIPROCESS = ("--use_multiprocess", "--workers", "2")

# Nothing is asserted about these: they only bound how long a failing test hangs.
_START_SECONDS = 120
_STOP_SECONDS = 60

_SETTLED_SECONDS = 0.5


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def has_ended(pid: int) -> bool:
    """Return whether a process has no running threads left, even if it has not been reaped yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return True
    # The main thread can be a zombie while others still run.
    return state in ("Z", "X") and threads == 1


def processor_time(pid: int) -> int:
    """Return the processor time that a process has used, in units of the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return this process's environment without the service's settings, for a server on the loopback interface.

    After its start, it prepares no shapes of input: that takes longer than what most tests ask for.
    """
    # With this tree on the path, another installation would run this tree's package.
    ignored = ("PPOCR_", "PYTHONWARN", "PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ignored)}
    return {**inherited, "HUB_HOME": str(home), "PPOCR_HOST": "127.0.0.1", "PPOCR_KEPT_SHAPES": "0", **variables}


def install_modules(home: Path) -> "subprocess.CompletedProcess[str]":
    """Run `hub install` for the four modules, as setup does."""
    return subprocess.run(
        [HUB, "install", *(str(ROOT / "modules" / name) for name in MODULES)],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


class Served:
    """A server process.

    Attributes:
        port: The port it listens on.
        url: Its base URL.
        process: The process that was started; the leader of its own process group.
    """

    def __init__(self, command: Sequence[str], port: int, log: Path, env: dict[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command, env=env, cwd=log.parent, stdout=file, stderr=file, start_new_session=True
            )

    def log(self) -> str:
        """Return everything that the process has printed so far."""
        return self._log.read_text(encoding="utf-8")

    def request_lines(self) -> list[str]:
        """Return the log lines about requests to modules."""
        return [entry for entry in self.log().splitlines() if " module=" in entry]

    def wait_for_log(self, text: str) -> str:
        """Wait until the log contains `text`, and return the log."""
        deadline = time.monotonic() + _START_SECONDS
        while text not in (log := self.log()):
            assert time.monotonic() < deadline, f"{text!r} was never logged: {log}"
            time.sleep(0.02)
        return log

    def wait_until(self, path: str) -> requests.Response:
        """Wait until `path` is answered with 200."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            assert self.process.poll() is None, f"the server has ended: {self.log()}"
            assert time.monotonic() < deadline, f"{path} was never answered with 200: {self.log()}"
            try:
                answer = requests.get(self.url + path, timeout=_STOP_SECONDS)
                if answer.status_code == 200:
                    return answer
            except requests.ConnectionError:
                pass
            time.sleep(0.02)

    def post(self, module: str, images: object, **headers: str) -> requests.Response:
        """Send a request like a client."""
        return requests.post(
            f"{self.url}/predict/{module}", json={"images": images}, headers=headers, timeout=_START_SECONDS
        )

    def results(self, module: str, images: Sequence[str]) -> Any:
        """Return the `results` of a request that must succeed."""
        answer = self.post(module, images)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def begin(self, module: str, images: object) -> HTTPConnection:
        """Send a request and wait until the server has read it; the answer comes over the connection returned."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_START_SECONDS)
        body = json.dumps({"images": images})
        connection.request("POST", f"/predict/{module}", body, {"Content-Type": "application/json"})
        self.wait_until_all_is_read()
        return connection

    def wait_until_all_is_read(self) -> None:
        """Wait until the server has read everything that was sent to it."""
        port = f":{self.port:04X}"
        deadline = time.monotonic() + _START_SECONDS
        while True:
            rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            connected = [row for row in rows if row[3] == "01" and port in (row[1][-5:], row[2][-5:])]
            if connected and all(row[4] == "00000000:00000000" for row in connected):  # bytes not sent, not read
                return
            assert time.monotonic() < deadline, f"the server does not read what was sent: {self.log()}"
            time.sleep(0.02)

    def wait_until_idle(self) -> None:
        """Wait until the workers compute no more: after their start, they prepare what most lines need."""
        before, deadline = -1, time.monotonic() + _START_SECONDS
        while (now := sum(map(processor_time, self.workers()))) > before + 1:
            assert time.monotonic() < deadline, f"the workers are never idle: {self.log()}"
            before = now
            time.sleep(_SETTLED_SECONDS)

    def workers(self) -> list[int]:
        """Return the processes that answer requests: children of the one that was started."""
        return children(self.process.pid)

    def raw(self, data: bytes, timeout: float = _STOP_SECONDS) -> bytes:
        """Send raw bytes, and return everything that is answered until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(data)
            received = bytearray()
            while part := connection.recv(65536):
                received += part
            return bytes(received)

    def wait(self) -> int:
        """Wait until the process has ended, and return its exit code."""
        return self.process.wait(timeout=_STOP_SECONDS)

    def stop(self) -> int:
        """Stop the process as a platform does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


@contextmanager
def serving(
    home: Path, *options: str, modules: Sequence[str] = MODULES, until: str | None = "/readyz", **variables: str
) -> Iterator[Served]:
    """Run `hub serving start`, and stop it with all its children at the end of the block.

    Args:
        home: PaddleHub's home with the modules installed.
        *options: Further options of the command.
        modules: The modules to serve.
        until: The path that must be answered with 200 before the block begins; None does not wait.
        **variables: Environment variables.
    """
    port = free_port()
    command = [HUB, "serving", "start", "--modules", *modules, "-p", str(port), *options]
    with running(command, port, home, **variables) as server:
        if until is not None:
            server.wait_until(until)
        yield server


class Launch(Protocol):
    """A way of starting a server of all four modules."""

    def __call__(
        self, workers: int = 1, /, *, until: str | None = "/readyz", **variables: str
    ) -> AbstractContextManager[Served]:
        """Start a server, and stop it with all its children at the end of the block.

        Args:
            workers: Processes that answer requests.
            until: The path that must be answered with 200 before the block begins; None does not wait.
            **variables: Environment variables.
        """
        ...


def launch_hub(home: Path) -> Launch:
    """`hub serving start` with Paddle; `home` is PaddleHub's, with the modules installed."""

    @contextmanager
    def launch(workers: int = 1, /, *, until: str | None = "/readyz", **variables: str) -> Iterator[Served]:
        mode = () if workers == 1 else ("--use_multiprocess", "--workers", str(workers))
        with serving(home, *mode, until=until, **{"PPOCR_ENGINE": "paddle", **variables}) as server:
            yield server

    return launch


def launch_lean(home: Path) -> Launch:
    """`python -m ppocr_serving` with OpenVINO; `home` receives the log."""

    @contextmanager
    def launch(workers: int = 1, /, *, until: str | None = "/readyz", **variables: str) -> Iterator[Served]:
        port = free_port()
        own = {"PORT": str(port), "PPOCR_WORKERS": str(workers), "PPOCR_ENGINE": "openvino"}
        with running([PYTHON, "-m", "ppocr_serving"], port, home, **{**own, **variables}) as server:
            if until is not None:
                server.wait_until(until)
            yield server

    return launch


@contextmanager
def loading(launch: Launch, **variables: str) -> Iterator[Served]:
    """A server whose only worker is stopped before it has loaded the models, until it gets SIGCONT."""
    with launch(until=None, **variables) as server:
        # It is started when the server listens; earlier children are commands that Paddle runs.
        while not (_listens(server.port) and server.workers()) and server.process.poll() is None:
            time.sleep(0.005)
        os.kill(server.workers()[0], signal.SIGSTOP)
        server.wait_until("/healthz")
        yield server


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def running(command: Sequence[str], port: int, home: Path, **variables: str) -> Iterator[Served]:
    """Run any command that starts a server, and stop it with all its children at the end of the block."""
    environ = environment(home, **variables)
    if command[0] == HUB:
        # Line coverage would make importing Paddle take half as long again; tests/hub measures it.
        environ.pop("COVERAGE_PROCESS_CONFIG", None)
    server = Served(command, port, home / f"server-{port}.log", environ)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
            try:
                server.wait()
            except subprocess.TimeoutExpired:
                os.killpg(server.process.pid, signal.SIGKILL)
                server.wait()
                raise
