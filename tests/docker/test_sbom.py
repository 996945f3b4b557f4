"""The list of what is in an image: valid SPDX, complete, and with licences that NOTICE confirms."""

import json
import re
import runpy
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from license_expression import get_spdx_licensing
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from ppocr_serving.models import default_model_dir

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "docker" / "sbom.py"))
LOCKS = {"hub": "requirements.txt", "lean": "requirements/lean.txt"}
BUILD_ONLY = {"hatchling", "networkx", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}  # docker/prune.py
PROFILES = {"hub": ("ppocr-v6", "ppocr-v4-mobile"), "lean": ("ppocr-v6",)}


def locked(image: str) -> dict[str, str]:
    text = (ROOT / LOCKS[image]).read_text(encoding="utf-8")
    return {name: version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M) if name not in BUILD_ONLY}


def installation(image: str, folder: Path) -> tuple[Path, Path]:
    """Lay out what the image would have: the metadata of its packages, and the folders of its models."""
    packages, models = folder / "packages", folder / "models"
    for name in locked(image):
        found = distribution(name)
        target = packages / f"{name.replace('-', '_')}-{found.version}.dist-info"
        target.mkdir(parents=True)
        (target / "METADATA").write_text(found.read_text("METADATA") or "", encoding="utf-8")
    for profile in PROFILES[image]:
        for role in (path for path in (default_model_dir() / profile).iterdir() if path.is_dir()):
            (models / profile / role.name).mkdir(parents=True)
    return packages, models


def described(image: str, folder: Path) -> dict[str, Any]:
    packages, models = installation(image, folder)
    lock = (ROOT / LOCKS[image]).read_text(encoding="utf-8")
    found: dict[str, Any] = SCRIPT["describe"](image, lock, packages, models, "2026-01-01T00:00:00Z")
    return found


@pytest.mark.parametrize("image", LOCKS)
def test_the_list_is_valid_spdx_and_complete(image: str, tmp_path: Path) -> None:
    document = described(image, tmp_path)
    file = tmp_path / "sbom.spdx.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    packages = {package["name"]: package for package in document["packages"]}
    references = [
        package["externalRefs"][0]["referenceLocator"] for package in packages.values() if "externalRefs" in package
    ]

    assert validate_full_spdx_document(parse_file(str(file)), "SPDX-2.3") == []
    assert set(references) == {f"pkg:pypi/{name}@{version}" for name, version in locked(image).items()}
    assert {"python", "python:3.11-slim-bookworm", "model-ppocr-v6-det", "model-ppocr-v6-reread"} <= set(packages)
    assert ("libgomp1" in packages) == (image == "hub")
    assert len(document["relationships"]) == len(packages) - 1


@pytest.mark.parametrize("image", LOCKS)
def test_every_package_has_a_licence_of_the_spdx_list(image: str, tmp_path: Path) -> None:
    licensing = get_spdx_licensing()
    for package in described(image, tmp_path)["packages"]:
        if package["licenseDeclared"] != "NOASSERTION":
            assert licensing.validate(package["licenseDeclared"]).errors == [], package["name"]


def test_licences_that_packages_do_not_state_are_those_of_notice() -> None:
    lines = (ROOT / "NOTICE").read_text(encoding="utf-8").splitlines()
    notice = {line.split()[0].lower(): line for line in lines if line[:1].strip()}

    for name, licence in SCRIPT["_LICENCES"].items():
        for part in re.split(r" AND | OR |[()]", licence):
            assert part in notice[name], f"{name}: {part}"


def test_what_is_not_in_the_lock_is_an_error(tmp_path: Path) -> None:
    packages, models = installation("lean", tmp_path)
    lock = (ROOT / LOCKS["lean"]).read_text(encoding="utf-8")
    with pytest.raises(LookupError, match=r"h11 0\.16\.0 is installed, but the lock has 0\.15\.0"):
        SCRIPT["describe"]("lean", lock.replace("h11==0.16.0", "h11==0.15.0"), packages, models, "")

    # What Python's venv brings is in no lock.
    (packages / "setuptools-65.5.0.dist-info").mkdir()
    (packages / "setuptools-65.5.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: setuptools\nVersion: 65.5.0\n"
    )
    document = SCRIPT["describe"]("lean", lock, packages, models, "")
    assert "setuptools" in {package["name"] for package in document["packages"]}

    (packages / "left_over-1.0.dist-info").mkdir()
    (packages / "left_over-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: left-over\nVersion: 1.0\n"
    )
    with pytest.raises(LookupError, match=r"left-over 1\.0 is installed, but the lock has no such package"):
        SCRIPT["describe"]("lean", lock, packages, models, "")


@pytest.mark.parametrize(("dockerfile", "image"), [("Dockerfile", "hub"), ("docker/lean.Dockerfile", "lean")])
def test_the_images_contain_the_list(dockerfile: str, image: str) -> None:
    text = (ROOT / dockerfile).read_text(encoding="utf-8")

    assert f"python3 docker/sbom.py {image} {LOCKS[image]} >sbom.spdx.json" in text
    assert text.index("docker/prune.py") < text.index("docker/sbom.py"), "it lists what is left"
    assert "/PaddleOCR/sbom.spdx.json " in text[text.rindex("FROM") :]
