"""Real servers for the benchmarks, on the loopback interface, one process each."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

__all__ = ["ServerFailed", "check_running", "serving", "wait_until_ready"]

_ROOT = Path(__file__).parents[1]
_MODULES = ("ocr_system", "ocr_cls", "ocr_det", "ocr_rec")

# Timeouts for servers that hang.
_START_SECONDS = 300
_STOP_SECONDS = 60


class ServerFailed(Exception):
    """A server that did not start, or that ended; the message is one line."""


@contextmanager
def serving(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Start a server, and stop it at the end of the block.

    Args:
        command: Start command, with `{port}` for the port; if empty, PaddleHub's with the four modules.
        folder: Folder for its home and its log.
        variables: Additional environment variables.

    Yields:
        Its process and its URL.

    Raises:
        ServerFailed: The modules could not be installed.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, **(variables or {}), "PORT": str(port), "PPOCR_HOST": "127.0.0.1"}
    if not command:
        command = _install_modules(folder, env)
    words = [word.replace("{port}", str(port)) for word in command]
    with (folder / "log").open("wb") as output:
        # A separate process group, because wrapper commands do not always forward signals.
        process = subprocess.Popen(words, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _install_modules(folder: Path, env: dict[str, str]) -> list[str]:
    """Create a PaddleHub home with the modules, and return the command that serves them."""
    hub = Path(sys.executable).parent / "hub"
    if not hub.is_file():
        raise ServerFailed(f"{hub} is missing; run scripts/setup.sh, or pass another server's command after --")
    env.update(HUB_HOME=str(folder / "hub"), PYTHONWARNINGS="ignore:No ccache found")
    folders = [str(_ROOT / "modules" / name) for name in _MODULES]
    log = folder / "install.log"
    with log.open("wb") as output:
        installed = subprocess.run([hub, "install", *folders], env=env, stdout=output, stderr=output, check=False)
    if installed.returncode:
        raise ServerFailed(f"hub install failed: {_last_words(log)}")
    return [str(hub), "serving", "start", "--modules", *_MODULES, "-p", "{port}"]


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until a server has loaded its models.

    Raises:
        ServerFailed: It ended, or took too long.
    """
    deadline = time.monotonic() + _START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while True:
            with suppress(requests.RequestException):
                if session.get(f"{url}/readyz", timeout=_START_SECONDS).status_code == 200:
                    return
            check_running(process, log, "before it was ready")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{url}/readyz did not answer 200 in {_START_SECONDS} s: {_last_words(log)}")
            time.sleep(0.05)


def check_running(process: "subprocess.Popen[bytes]", log: Path, when: str) -> None:
    """Raise ServerFailed if a server has ended; `when` completes the message."""
    if process.poll() is not None:
        raise ServerFailed(f"the server ended with status {process.returncode} {when}: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    # The last line may only say that a process has failed; the reason is above it.
    return " / ".join(line[:300] for line in lines[-3:]) or "nothing was printed"
