"""Profiles, and model files on disk."""

import re
import sys
from pathlib import Path

import pytest

from ppocr_serving.errors import InvalidSetting, ModelNotFound
from ppocr_serving.models import (
    ModelFiles,
    default_model_dir,
    find_models,
    load_profile,
    paddle_profiles,
    profile_names,
    resolve_model,
)
from ppocr_serving.models.sources import ArchiveSource, PackageSource, WheelSource
from tests.models.archive_server import write_profile

SOURCE = {"kind": "archive", "url": "https://models.example/all.tar"}


def test_the_package_contains_the_profiles() -> None:
    assert profile_names() == (
        "ppocr-v2.0-mobile",
        "ppocr-v2.0-server",
        "ppocr-v4-en",
        "ppocr-v4-mobile",
        "ppocr-v5-mobile",
        "ppocr-v6",
        "ppocr-v6-small",
        "ppocr-v6-tiny",
    )
    assert paddle_profiles() == (
        "ppocr-v2.0-mobile",
        "ppocr-v2.0-server",
        "ppocr-v4-en",
        "ppocr-v4-mobile",
        "ppocr-v5-mobile",
    )


@pytest.mark.parametrize("name", profile_names())
def test_every_packaged_profile_is_valid_and_has_the_name_of_its_file(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.rec.image_shape == ((3, 32, 320) if "v2.0" in name else (3, 48, 320))
    assert (profile.det.box_thresh, profile.det.unclip_ratio) == ((0.6, 1.5) if name[7] in "56" else (0.5, 1.6))
    assert profile.licences == ("Apache-2.0",)
    assert "en" in profile.languages


@pytest.mark.parametrize("name", profile_names())
def test_every_file_is_pinned_except_those_whose_publisher_names_no_hash(name: str) -> None:
    profile = load_profile(name)
    unpinned = {
        role for role in profile.roles for files in profile.alternatives(role) for file in files if not file.sha256
    }
    assert unpinned == ({"det", "rec"} if "v2.0" in name else set())


@pytest.mark.parametrize("name", [name for name in profile_names() if "v2.0" not in name])
def test_official_addresses_come_first_and_packages_of_registries_follow(name: str) -> None:
    profile = load_profile(name)
    for role in profile.roles:
        first, *others = (profile.sources[origin.source] for origin in profile.model(role).origins)
        assert isinstance(first, ArchiveSource)
        assert others
        assert all(isinstance(source, WheelSource | PackageSource) for source in others)


def test_the_profile_with_a_second_recogniser_reads_what_either_reads() -> None:
    profile = load_profile("ppocr-v6")
    assert profile.roles == ("det", "cls", "rec", "reread")
    assert "ja" not in profile.rec.languages
    assert "ja" in profile.languages
    assert profile.recognizer("reread").origins != profile.recognizer("rec").origins
    with pytest.raises(InvalidSetting, match="profile ppocr-v6-tiny has no reread model"):
        load_profile("ppocr-v6-tiny").recognizer("reread")


def test_the_server_profile_detects_with_the_mobile_model_as_paddleocrs_image_does() -> None:
    server, mobile = load_profile("ppocr-v2.0-server"), load_profile("ppocr-v2.0-mobile")
    assert (server.sources["official_det"], server.det) == (mobile.sources["official_det"], mobile.det)
    assert server.sources["official_rec"] != mobile.sources["official_rec"]


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ModelNotFound, match=re.escape("'ppocr-v9' does not exist; use " + ", ".join(profile_names()))):
        load_profile("ppocr-v9")


def test_a_profile_can_be_a_custom_file(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "mine.toml", SOURCE)
    path.write_text(path.read_text().replace("box_thresh = 0.5", "box_thresh = 0.55"))
    profile = load_profile(str(path))
    assert profile.name == "tiny"
    assert profile.det.box_thresh == 0.55
    with pytest.raises(TypeError):
        profile.sources["s1"] = profile.sources["s0"]  # type: ignore[index]
    with pytest.raises(TypeError):
        profile.det.origins[0].files["inference.yml"] = profile.det.origins[0].files["inference.pdmodel"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        profile.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ('name = "tiny"', 'name = "tiny"\nextra = 1', "extra"),
        ("https://", "file://", "not an http or https address"),
        ('kind = "archive"', 'kind = "ftp"', "kind|ftp"),
        ('source = "s0"', 'source = "none"', "'none' is not one of"),
        ("det/inference.pdmodel", "../inference.pdmodel", "contains '..'"),
        ('files."inference.pdmodel"', 'files."inference.pdiparams.info"', "info"),
        ('files."inference.pdmodel"', 'files."inference.json"', ""),
        ('files."inference.pdmodel"', 'files."inference.xml"', "no complete model: inference.pdiparams, inference.xml"),
        ("[3, 48, 320]", "[1, 48, 320]", "colour channels"),
        ("[3, 48, 320]", "[3, 48]", "image_shape"),
        ('sha256 = "', 'sha256 = "X', "sha256"),
        ("[rec]", '[rec]\ninterpolation = "area"', "interpolation"),
        ("[det]", "[det", "line"),
    ],
)
def test_an_invalid_profile_is_explained_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_profile(tmp_path / "mine.toml", SOURCE)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    if not message:
        load_profile(str(path))
        return
    with pytest.raises(InvalidSetting, match=message) as caught:
        load_profile(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_profile_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=re.escape(str(tmp_path / "none.toml"))):
        load_profile(str(tmp_path / "none.toml"))


def test_the_default_model_folder_is_in_the_interpreters_prefix() -> None:
    assert default_model_dir() == Path(sys.prefix, "share", "ppocr_serving", "models")


def test_pdmodel_is_preferred_to_json(tmp_path: Path) -> None:
    for name in ("inference.json", "inference.pdiparams"):
        (tmp_path / name).write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.json"
    (tmp_path / "inference.pdmodel").write_bytes(b"x")
    files = resolve_model(tmp_path, "det")
    assert (files.program, files.params) == (tmp_path / "inference.pdmodel", tmp_path / "inference.pdiparams")


def test_onnx_needs_no_weights_file_and_paddles_json_comes_last(tmp_path: Path) -> None:
    (tmp_path / "inference.onnx").write_bytes(b"x")
    onnx = ModelFiles(tmp_path / "inference.onnx", None)
    assert find_models(tmp_path, "det") == (onnx,)
    (tmp_path / "inference.json").write_bytes(b"x")
    assert find_models(tmp_path, "det") == (onnx,)  # weights are missing
    params = tmp_path / "inference.pdiparams"
    params.write_bytes(b"x")
    assert find_models(tmp_path, "det") == (onnx, ModelFiles(tmp_path / "inference.json", params))


def test_openvinos_format_comes_after_paddles_and_before_onnx(tmp_path: Path) -> None:
    for name in ("inference.onnx", "inference.xml"):
        (tmp_path / name).write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.onnx"  # weights are missing
    (tmp_path / "inference.bin").write_bytes(b"x")
    assert resolve_model(tmp_path, "det") == ModelFiles(tmp_path / "inference.xml", tmp_path / "inference.bin")
    for name in ("inference.pdmodel", "inference.pdiparams"):
        (tmp_path / name).write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.pdmodel"


PROGRAMS = "inference.pdmodel or inference.xml or inference.onnx or inference.json"


@pytest.mark.parametrize(
    ("names", "missing", "holds"),
    [
        ((), PROGRAMS, "it holds nothing"),
        (("inference.pdiparams",), PROGRAMS, "it holds inference.pdiparams"),
        (("inference.pdmodel",), "inference.pdiparams", "it holds inference.pdmodel"),
        (("inference.xml",), "inference.bin", "it holds inference.xml"),
        (tuple(f"{n:02}.bin" for n in range(12)), PROGRAMS, "09.bin and 2 more"),
    ],
)
def test_a_missing_model_says_what_is_there_and_what_to_do(
    tmp_path: Path, names: tuple[str, ...], missing: str, holds: str
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelNotFound) as caught:
        resolve_model(tmp_path, "rec")
    message = str(caught.value)
    assert f"{tmp_path} has no usable {missing} " in message
    assert holds in message
    assert "python -m ppocr_serving models fetch" in message
    assert "PPOCR_REC_MODEL_DIR" in message


def test_an_empty_file_and_a_missing_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inference.pdmodel").write_bytes(b"x")
    (tmp_path / "inference.pdiparams").touch()
    with pytest.raises(ModelNotFound, match=r"no usable inference\.pdiparams"):
        resolve_model(tmp_path, "det")
    with pytest.raises(ModelNotFound, match="No such file"):
        resolve_model(tmp_path / "none", "det")
