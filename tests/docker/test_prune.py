"""Pruning of images, on small file trees."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docker" / "prune.py"


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
