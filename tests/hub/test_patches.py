"""Patches: PaddleHub has every name that is replaced, and sends no telemetry."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ppocr_serving.hub.patches import REPLACEMENTS, Replacement, apply

MODULE_OF_PADDLEHUB = """
from paddlehub.module.module import moduleinfo

@moduleinfo(name="smallest", type="cv", author="tests", author_email="", summary="", version="1.0.0")
class Smallest:
    pass
"""

# Report the threads that run, from the interpreter's profile events, and network access, from its audit events.
# The connection at the end proves that the latter are seen.
START_TELEMETRY = """
import json, socket, sys, threading

threads, connections = [], []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")

def watch(event, arguments):
    if event in NETWORK:
        connections.append(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}")

def note_run(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "run":
        threads.append(type(frame.f_locals["self"]).__name__)

sys.addaudithook(watch)
threading.setprofile(note_run)

import paddlehub
from paddlehub.server.server import CacheUpdater

paddlehub.Module(directory=sys.argv[1])
paddlehub.Module(name="smallest")
CacheUpdater("hub_serving_start", module="smallest", version="1.0.0").update_resource_list_file()
for thread in threading.enumerate():
    if isinstance(thread, CacheUpdater):
        thread.join()

before = list(connections)
with socket.socket() as control:
    control.connect_ex(("127.0.0.1", 9))
print(json.dumps({"threads": threads, "connections": before, "control": connections[len(before):]}))
"""


def run_python(source: str, hub_home: Path, *arguments: str) -> Any:
    """Run a program in a separate interpreter, and return the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={**os.environ, "HUB_HOME": str(hub_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_telemetry_starts_but_makes_no_connection(tmp_path: Path) -> None:
    for directory in (tmp_path / "smallest", tmp_path / "hub" / "modules" / "smallest"):
        directory.mkdir(parents=True)
        (directory / "__init__.py").touch()
        (directory / "module.py").write_text(MODULE_OF_PADDLEHUB)

    seen = run_python(START_TELEMETRY, tmp_path / "hub", str(tmp_path / "smallest"))

    assert seen["threads"].count("CacheUpdater") == 2
    assert seen["connections"] == []
    assert len(seen["control"]) == 1


def test_paddlehub_has_every_name_that_is_replaced_and_calls_ours(tmp_path: Path) -> None:
    replaced = run_python(
        """
import functools, importlib, inspect, json
import paddlehub.commands
from ppocr_serving.hub.patches import REPLACEMENTS

def called(entry):
    function = functools.reduce(getattr, entry.name.split("."), importlib.import_module(entry.module))
    return inspect.getclosurevars(function).nonlocals["function"] if entry.wraps else function

print(json.dumps([called(entry) is entry.function for entry in REPLACEMENTS]))
""",
        tmp_path,
    )

    assert replaced == [True] * len(REPLACEMENTS)


@pytest.mark.parametrize("replacement", REPLACEMENTS, ids=lambda entry: f"{entry.module}.{entry.name}")
def test_a_name_that_paddlehub_no_longer_has_is_a_clear_error(replacement: Replacement) -> None:
    module = ModuleType(replacement.module)
    for other in REPLACEMENTS:
        if other is not replacement and other.module == replacement.module:
            *owners, name = other.name.split(".")
            owner: object = module
            for part in owners:
                setattr(owner, part, getattr(owner, part, SimpleNamespace()))
                owner = getattr(owner, part)
            setattr(owner, name, object())

    with pytest.raises(ImportError, match=r"requirements\.txt") as caught:
        apply(module)

    message = str(caught.value)
    assert replacement.module in message
    assert replacement.name in message
    assert replacement.reason in message
    assert "\n" not in message


def test_a_module_without_replacements_is_not_changed() -> None:
    module = ModuleType("paddlehub.env")
    before = dict(vars(module))

    apply(module)

    assert vars(module) == before
