"""Contents of the wheel, and agreement of the locks with its dependencies."""

import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ppocr_serving.models import profile_names

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS_OF_INTEGRATIONS = ("mcp", "ocrmypdf")


def locked(name: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    rows = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (row.split(" ")[0].split("==") for row in rows if "==" in row)
    return {canonicalize_name(package): version for package, version in pairs}


@pytest.mark.parametrize(
    ("lock", "extras", "base"),
    [
        ("requirements.txt", ("hub",), True),
        ("requirements/lean.txt", (), True),
        ("requirements/dev.txt", ("client", "completion"), False),
    ],
    ids=["hub", "lean", "dev"],
)
def test_a_lock_satisfies_the_projects_dependencies(lock: str, extras: tuple[str, ...], base: bool) -> None:
    required = [*PROJECT["dependencies"]] if base else []
    for extra in extras:
        required += PROJECT["optional-dependencies"][extra]
    assert len(required) >= (8 if base else 3)
    versions = locked(lock)
    for requirement in map(Requirement, required):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_tests_use_what_the_extras_for_other_programs_allow() -> None:
    versions = locked("requirements/dev.txt")
    for extra in EXTRAS_OF_INTEGRATIONS:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_lean_lock_is_a_subset_of_the_full_one() -> None:
    assert locked("requirements/lean.txt").items() <= locked("requirements.txt").items()


def test_images_do_without_what_only_clients_need() -> None:
    for lock in ("requirements.txt", "requirements/lean.txt"):
        assert not {"httpx2", "stamina", "shtab"} & locked(lock).keys()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return zipfile.ZipFile(folder / build_wheel(str(folder)))


def test_the_wheel_contains_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"ppocr_serving/py.typed", "ppocr_serving/web/page/index.html", "ppocr_serving_hub.pth"} <= names
    assert {f"ppocr_serving/models/profiles/{name}.toml" for name in profile_names()} <= names
    packaged = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "ppocr_serving").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("ppocr_serving/")} == packaged


def test_the_wheel_declares_its_dependencies(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = wheel.read(name).decode()
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert f"Requires-Dist: {requirement.name}" in metadata
    for extra in ("hub", "client", "completion"):
        assert f"Provides-Extra: {extra}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
