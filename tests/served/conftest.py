"""Servers that many tests share: one a mode of PaddleHub."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.served.server import MULTIPROCESS, Served, install_modules, serving


@pytest.fixture(scope="session")
def hub_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PaddleHub's home with the four modules installed."""
    home = tmp_path_factory.mktemp("hub")
    installed = install_modules(home)
    assert installed.returncode == 0, installed.stderr
    return home


@pytest.fixture(scope="session", params=[(), MULTIPROCESS], ids=["default", "multiprocess"])
def served(request: pytest.FixtureRequest, hub_home: Path) -> Iterator[Served]:
    """A server of all four modules, in both modes. Tests send it what they like; none may leave it worse."""
    with serving(hub_home, *request.param) as server:
        yield server


@pytest.fixture(scope="session")
def default_served(hub_home: Path) -> Iterator[Served]:
    """A server in PaddleHub's default mode, for what does not depend on the mode, with a small limit of the body."""
    with serving(hub_home, PPOCR_MAX_BODY_MB="2", PPOCR_MAX_IMAGES="4") as server:
        yield server
