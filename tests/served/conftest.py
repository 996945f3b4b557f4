"""Servers shared by many tests: one per way of starting the service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served.server import WAYS, Launch, Served, install_modules, launch_hub, launch_lean


@pytest.fixture(scope="session")
def hub_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PaddleHub's home with the four modules installed."""
    if "hub" not in WAYS:
        pytest.skip("only PPOCR_TEST_PYTHON is set and tested")
    home = tmp_path_factory.mktemp("hub")
    installed = install_modules(home)
    assert installed.returncode == 0, installed.stderr
    return home


@pytest.fixture(scope="session", params=WAYS)
def launch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Start a server: with PaddleHub and Paddle, or without and with OpenVINO."""
    if request.param == "hub":
        return launch_hub(request.getfixturevalue("hub_home"))
    return launch_lean(tmp_path_factory.mktemp("lean"))


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(mode, marks=[pytest.mark.thorough] * (mode == "hub-multiprocess"))
        for mode in ("hub", "hub-multiprocess", "lean")
        if mode.partition("-")[0] in WAYS
    ],
)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of all four modules, in each mode. Tests may send it anything, but none may leave it worse."""
    if request.param == "lean":
        launched = launch_lean(tmp_path_factory.mktemp("lean"))(2, PPOCR_KEPT_SHAPES="16")  # the default
    else:
        launched = launch_hub(request.getfixturevalue("hub_home"))(1 if request.param == "hub" else 2)
    with launched as server:
        yield server


SMALL_LIMITS = {"PPOCR_MAX_BODY_MB": "2", "PPOCR_MAX_IMAGES": "4"}


@pytest.fixture(scope="module")
def default_served(hub_home: Path) -> Iterator[Served]:
    """A server in PaddleHub's default mode with the default engine, and with small limits."""
    with launch_hub(hub_home)(**SMALL_LIMITS, PPOCR_ENGINE="auto") as server:
        yield server


@pytest.fixture(scope="module", params=WAYS)
def limited_served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with small limits, for tests that depend neither on PaddleHub's mode nor on the engine."""
    if request.param == "hub":
        yield request.getfixturevalue("default_served")
    else:
        with launch_lean(tmp_path_factory.mktemp("lean"))(**SMALL_LIMITS) as server:
            yield server
