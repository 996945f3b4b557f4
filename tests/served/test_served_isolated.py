"""No connection leaves the machine, at startup or while serving."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served.server import ROOT, WAYS

# A user namespace lets an unprivileged user create the others as root does.
NAMESPACE = ["unshare", "--net", "--mount"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])


@pytest.mark.thorough_with_hub
@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaves_the_machine(way: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    home = request.getfixturevalue("hub_home") if way == "hub" else tmp_path
    if shutil.which("ip") is None:
        pytest.skip("ip is missing; run: apt-get install iproute2")
    interface = ["ip", "link", "add", "outside", "type", "veth", "peer", "name", "nowhere"]
    if subprocess.run([*NAMESPACE, *interface], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow network namespaces, or virtual interfaces in them")

    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "tests.served.isolated_server", way, str(home)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["lines"], seen["code"]) == (1, 0)
    assert seen["served"] == 0
    # Proof that the counter counts: a name lookup and a connection attempt afterwards.
    assert seen["served"] < seen["named"] < seen["connected"]
