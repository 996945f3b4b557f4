"""Pruning of images, on small file trees."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docker" / "prune.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prune", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prune"] = module  # NamedTuple looks up its module there
    spec.loader.exec_module(module)
    return module


def fill(root: Path, patterns: list[str]) -> None:
    for pattern in patterns:
        path = root / pattern.replace("**/", "package/").replace("*", "x")
        path.mkdir(parents=True, exist_ok=True)
        (path / "file").write_bytes(bytes(100))


@pytest.mark.parametrize("image", ["hub", "lean"])
def test_listed_files_are_removed_and_the_rest_stays(script: ModuleType, tmp_path: Path, image: str) -> None:
    fill(tmp_path, [pattern for _, patterns in script.PRUNES[image] for pattern in patterns])
    kept = tmp_path / "package" / "module.py"
    kept.write_text("1\n", encoding="utf-8")

    saved = script.prune(tmp_path, image)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]
    assert all(count >= 100 for count in saved.values())


def test_a_pattern_that_matches_nothing_is_an_error(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"has no match for '.*'; update the table in prune\.py"):
        script.prune(tmp_path, "lean")


def test_pictures_are_read_without_what_the_lean_image_leaves_out(script: ModuleType) -> None:
    patterns = [pattern for entry in script.PRUNES["lean"] for pattern in entry.patterns]
    folders = [pattern for pattern in patterns if re.fullmatch(r"(numpy|openvino)(/[a-z0-9]+)+", pattern)]
    left_out = [folder.replace("/", ".") for folder in folders]
    assert {"numpy.ma", "openvino.tools"} <= set(left_out)
    program = f"""if True:
        import sys
        sys.modules.update(dict.fromkeys({left_out}))  # an import now fails as if they were absent
        from ppocr_serving import Reader
        from ppocr_serving.server import run
        print(len(Reader().read("docs/example.png").lines))
    """
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


@pytest.mark.parametrize(("machine", "plugin"), [("x86_64", True), ("aarch64", False)])
def test_only_packages_for_x86_64_have_plugins_for_intels_gpus(
    machine: str, plugin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    table = runpy.run_path(str(SCRIPT))["PRUNES"]["lean"]

    assert any("intel" in pattern for entry in table for pattern in entry.patterns) == plugin


@pytest.mark.parametrize(
    "path", ["Dockerfile", "Dockerfile.tx", "docker/lean.Dockerfile", "docker/compile.sh", "docker/seal.sh"]
)
def test_no_step_of_a_build_names_a_processor(path: str) -> None:
    assert not re.findall(r"x86|amd64|aarch64|arm64", (ROOT / path).read_text(encoding="utf-8"))
