"""A server for integrations that have it read files."""

from collections.abc import Iterator

import pytest

from tests.served.server import Served, launch_lean


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server in its default state."""
    with launch_lean(tmp_path_factory.mktemp("lean"))() as served:
        yield served
