"""Setup, as far as it can be repeated on a complete installation."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = {"ocr_system", "ocr_det", "ocr_cls", "ocr_rec"}


def test_the_path_of_paddlehubs_folder_may_have_hyphens(tmp_path: Path) -> None:
    hub_home = tmp_path / "jean-luc" / "hub"
    other = Path(str(hub_home).replace("-", "_"))  # where PaddleHub would put its temporary copies

    result = subprocess.run(
        ["bash", str(ROOT / "scripts" / "setup.sh")],
        env={**os.environ, "HUB_HOME": str(hub_home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert {path.name for path in (hub_home / "modules").iterdir()} >= MODULES
    assert not other.exists()
