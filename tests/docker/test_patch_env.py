"""The patch of PaddleHub's env.py, on copies of the installed file, run by the real interpreter."""

import importlib.util
import os
import py_compile
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docker" / "patch_env.py"
INSTALLED = Path(str(distribution("paddlehub").locate_file("paddlehub/env.py")))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Import path with a paddlehub that has only the installed env.py and its metadata."""
    package = tmp_path / "paddlehub"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(INSTALLED, package)
    metadata = tmp_path / "paddlehub-2.4.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: paddlehub\nVersion: 2.4.0\n", encoding="utf-8")
    return tmp_path


def run(environment: Path, *command: str, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    variables = {
        "PYTHONPATH": str(environment),
        "HUB_HOME": str(home or environment / "home"),
        "PATH": os.environ["PATH"],
    }
    return subprocess.run([sys.executable, *command], env=variables, capture_output=True, text=True, check=False)


def folders(environment: Path) -> dict[str, str]:
    names = ("MODULE_HOME", "CONF_HOME", "LOG_HOME", "TMP_HOME", "CACHE_HOME")
    # -S leaves out the finder that adapts the real PaddleHub.
    code = f"import paddlehub.env as env; print(*(getattr(env, name) for name in {names}), sep='\\n')"
    shown = run(environment, "-S", "-c", code)
    assert shown.returncode == 0, shown.stderr
    return dict(zip(names, shown.stdout.split(), strict=True))


def test_writable_folders_move_to_tmp_and_modules_stay(environment: Path) -> None:
    before = folders(environment)
    assert before["CONF_HOME"] == f"{environment}/home/conf"
    assert run(environment, str(SCRIPT)).returncode == 0
    after = folders(environment)
    assert after["MODULE_HOME"] == before["MODULE_HOME"] == f"{environment}/home/modules"
    for name, folder in (("CONF_HOME", "conf"), ("LOG_HOME", "log"), ("TMP_HOME", "tmp"), ("CACHE_HOME", "cache")):
        assert after[name] == f"/tmp/paddlehub/{folder}"
        assert Path(after[name]).is_dir()


def test_a_second_run_changes_nothing(environment: Path) -> None:
    file = environment / "paddlehub" / "env.py"
    run(environment, str(SCRIPT))
    once = file.read_bytes()
    again = run(environment, str(SCRIPT))
    assert again.returncode == 0
    assert "already patched" in again.stdout
    assert file.read_bytes() == once


def test_unchecked_bytecode_is_recompiled(environment: Path) -> None:
    file = environment / "paddlehub" / "env.py"
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = py_compile.compile(str(file), doraise=True, invalidation_mode=unchecked)
    assert compiled == importlib.util.cache_from_source(str(file))
    assert run(environment, str(SCRIPT)).returncode == 0
    assert folders(environment)["CONF_HOME"] == "/tmp/paddlehub/conf"


def test_another_version_is_refused_and_left_alone(environment: Path) -> None:
    metadata = environment / "paddlehub-2.4.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text(encoding="utf-8").replace("2.4.0", "2.5.0"), encoding="utf-8")
    refused = run(environment, str(SCRIPT))
    assert refused.returncode == 1
    assert refused.stderr.startswith("patch_env: paddlehub 2.5.0 is installed, but only 2.4.0 is supported")
    assert (environment / "paddlehub" / "env.py").read_bytes() == INSTALLED.read_bytes()


def test_a_missing_paddlehub_is_named(tmp_path: Path) -> None:
    refused = run(tmp_path, "-S", str(SCRIPT))
    assert refused.returncode == 1
    assert "has no paddlehub" in refused.stderr
    assert "Traceback" not in refused.stderr
