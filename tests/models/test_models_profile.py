"""Profiles, model files on disk, and dictionaries."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import InvalidSetting, ModelNotFound
from ppocr_serving.models import (
    ModelFiles,
    default_model_dir,
    load_dictionary,
    load_profile,
    profile_names,
    resolve_model,
)
from tests.models.archive_server import FILES, write_profile

SOURCE = {"kind": "archive", "url": "https://models.example/all.tar"}


def test_the_package_contains_the_three_profiles() -> None:
    assert profile_names() == ("ppocr-v2.0-mobile", "ppocr-v2.0-server", "ppocr-v4-mobile")


@pytest.mark.parametrize("name", profile_names())
def test_every_packaged_profile_is_valid_and_has_the_name_of_its_file(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert {str(file.path) for file in profile.files()} == set(FILES)
    assert profile.rec.picture_shape == ((3, 48, 320) if "v4" in name else (3, 32, 320))


def test_the_server_profile_detects_with_the_mobile_model_as_paddleocrs_image_does() -> None:
    server, mobile = load_profile("ppocr-v2.0-server"), load_profile("ppocr-v2.0-mobile")
    assert (server.sources["det"], server.det) == (mobile.sources["det"], mobile.det)
    assert server.sources["rec"] != mobile.sources["rec"]


def test_every_file_of_the_default_profile_is_pinned() -> None:
    assert all(file.sha256 for file in load_profile("ppocr-v4-mobile").files())


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ModelNotFound, match=re.escape("'ppocr-v9' does not exist; use " + ", ".join(profile_names()))):
        load_profile("ppocr-v9")


def test_a_profile_can_be_a_custom_file(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "mine.toml", SOURCE)
    path.write_text(path.read_text() + "\n[thresholds]\ndet_db_box_thresh = 0.6\n")
    profile = load_profile(str(path))
    assert profile.name == "tiny"
    assert profile.thresholds == {"det_db_box_thresh": 0.6}
    with pytest.raises(TypeError):
        profile.thresholds["det_db_box_thresh"] = 0.1  # type: ignore[index]
    with pytest.raises(AttributeError):
        profile.name = "other"  # type: ignore[misc]


def test_a_paddle_3_program_keeps_its_format_on_disk(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "mine.toml", SOURCE)
    path.write_text(path.read_text().replace("det/inference.pdmodel", "det/inference.json"))
    assert "det/inference.json" in {str(file.path) for file in load_profile(str(path)).files()}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ('name = "tiny"', 'name = "tiny"\nextra = 1', "extra"),
        ("https://", "file://", "not an http or https address"),
        ('kind = "archive"', 'kind = "ftp"', "kind|ftp"),
        ('source = "all"', 'source = "none"', "'none' is not one of"),
        ("det/inference.pdmodel", "../inference.pdmodel", "contains '..'"),
        ("det/inference.pdmodel", "det/inference.onnx", "must end in .pdmodel or .json"),
        ("[3, 48, 320]", "[1, 48, 320]", "colour channels"),
        ("[3, 48, 320]", "[3, 48]", "picture_shape"),
        ('sha256 = "', 'sha256 = "X', "sha256"),
        ("[det]", "[det", "line"),
    ],
)
def test_an_invalid_profile_is_explained_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_profile(tmp_path / "mine.toml", SOURCE)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
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


def test_onnx_needs_no_weights_file_and_comes_last(tmp_path: Path) -> None:
    (tmp_path / "inference.onnx").write_bytes(b"x")
    assert resolve_model(tmp_path, "det") == ModelFiles(tmp_path / "inference.onnx", None)
    (tmp_path / "inference.json").write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.onnx"  # weights are missing
    (tmp_path / "inference.pdiparams").write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.json"


def test_openvinos_format_comes_after_paddles_and_before_onnx(tmp_path: Path) -> None:
    for name in ("inference.onnx", "inference.xml"):
        (tmp_path / name).write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.onnx"  # weights are missing
    (tmp_path / "inference.bin").write_bytes(b"x")
    assert resolve_model(tmp_path, "det") == ModelFiles(tmp_path / "inference.xml", tmp_path / "inference.bin")
    for name in ("inference.json", "inference.pdiparams"):
        (tmp_path / name).write_bytes(b"x")
    assert resolve_model(tmp_path, "det").program == tmp_path / "inference.json"


PROGRAMS = "inference.pdmodel or inference.json or inference.xml or inference.onnx"


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
    assert "scripts/fetch_models.py" in message
    assert "PPOCR_REC_MODEL_DIR" in message


def test_an_empty_file_and_a_missing_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inference.pdmodel").write_bytes(b"x")
    (tmp_path / "inference.pdiparams").touch()
    with pytest.raises(ModelNotFound, match=r"no usable inference\.pdiparams"):
        resolve_model(tmp_path, "det")
    with pytest.raises(ModelNotFound, match="No such file"):
        resolve_model(tmp_path / "none", "det")


@given(
    entries=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=2), min_size=1
    ),
    end=st.sampled_from(["\n", "\r\n"]),
    closed=st.booleans(),
)
def test_a_dictionary_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, entries: list[str], end: str, closed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "dictionary.txt"
    path.write_bytes((end.join(entries) + end * closed).encode())
    assert load_dictionary(path) == tuple(entries)


def test_spaces_and_empty_lines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.txt"
    path.write_bytes("a\n\n \n\u3000\n\u2028\nz".encode())
    assert load_dictionary(path) == ("a", "", " ", "\u3000", "\u2028", "z")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty"), (b"\n", "empty"), (b"a\n\xff\n", "byte 2 is not UTF-8")]
)
def test_an_unusable_dictionary_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "dictionary.txt"
    path.write_bytes(content)
    with pytest.raises(ModelNotFound, match=message) as caught:
        load_dictionary(path)
    assert "PPOCR_REC_DICT" in str(caught.value)


def test_a_missing_dictionary_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=re.escape(str(tmp_path / "none.txt"))):
        load_dictionary(tmp_path / "none.txt")
