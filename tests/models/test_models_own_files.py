"""What the files of a recognition model say about it: characters and the shape of the input."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import ModelNotFound
from ppocr_serving.models import ModelFiles, find_characters, load_dictionary, read_line_shape, read_thresholds
from ppocr_serving.models.onnx import read_input_shape, read_metadata
from ppocr_serving.models.own_files import keep_dictionary
from ppocr_serving.models.paddle_config import read_list
from tests.engines.onnx_file import write_onnx

WEIGHTS = np.zeros((1, 3, 3, 3), dtype=np.float32)
BREAKS = "\n\r\x85\u2028\u2029"  # of YAML; PyYAML writes them into several lines
ENTRY = st.text(st.characters(codec="utf-8", exclude_characters=BREAKS), min_size=1, max_size=2)


def configuration(entries: list[str], allow_unicode: bool = True) -> str:
    """What Paddle writes beside a model, as far as it matters here."""
    content = {
        "Global": {"model_name": "tiny"},
        "Hpi": {"backend_configs": {"shapes": {"x": [[1, 3, 48, 160], [8, 3, 48, 3200]]}}},
        "PreProcess": {"transform_ops": [{"DecodeImage": None}, {"RecResizeImg": {"image_shape": [3, 48, 320]}}]},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": entries},
    }
    text: str = yaml.dump(content, sort_keys=False, allow_unicode=allow_unicode)
    return text


def onnx_file(folder: Path, **metadata: str) -> ModelFiles:
    write_onnx(folder / "inference.onnx", WEIGHTS, metadata=metadata)
    return ModelFiles(folder / "inference.onnx", None)


@given(st.lists(ENTRY, min_size=1), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_the_dictionary_of_a_configuration_is_read_as_it_was_written(entries: list[str], raw: bool, end: str) -> None:
    text = configuration(entries, allow_unicode=raw).replace("\n", end)
    assert yaml.safe_load(text)["PostProcess"]["character_dict"] == entries
    assert read_list(text, "character_dict") == entries


def test_an_entry_of_several_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inference.yml").write_text(configuration(["a", "\n"]))
    with pytest.raises(ModelNotFound, match=r"inference\.yml: character_dict: .* goes on in the next line"):
        find_characters(onnx_file(tmp_path))


def test_other_lists_of_a_configuration_are_found_at_any_depth() -> None:
    text = configuration(["'", '"', "\u3000", "-", "- ", "#", "null"])
    assert read_list(text, "character_dict") == ["'", '"', "\u3000", "-", "- ", "#", "null"]
    assert read_list(text, "image_shape") == ["3", "48", "320"]
    assert read_list(text, "name") == read_list(text, "none") == []


def test_a_text_file_beats_a_configuration_which_beats_metadata(tmp_path: Path) -> None:
    model = onnx_file(tmp_path)
    assert find_characters(model) is None
    model = onnx_file(tmp_path, other="x", character="a\n\u3000\nb")
    assert find_characters(model) == ("a", "\u3000", "b")
    (tmp_path / "inference.yml").write_text(configuration(["c", "\u3000"]), encoding="utf-8")
    assert find_characters(model) == ("c", "\u3000")
    (tmp_path / "dictionary.txt").write_text("d\ne\n")
    assert find_characters(model) == ("d", "e")


def test_a_configuration_without_a_dictionary_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "inference.yml").write_text("Global:\n  model_name: tiny\n")
    assert find_characters(onnx_file(tmp_path)) is None
    assert find_characters(onnx_file(tmp_path, character="a\nb")) == ("a", "b")


def test_only_a_dictionary_that_a_conversion_would_lose_is_written(tmp_path: Path) -> None:
    written = tmp_path / "dictionary.txt"
    keep_dictionary(onnx_file(tmp_path))
    assert not written.exists()
    keep_dictionary(onnx_file(tmp_path, character="\u3000\n \nb"))
    assert load_dictionary(written) == ("\u3000", " ", "b")
    keep_dictionary(onnx_file(tmp_path, character="c"))
    assert load_dictionary(written) == ("\u3000", " ", "b")


def test_the_shape_of_the_input_comes_from_the_configuration_or_the_network(tmp_path: Path) -> None:
    assert read_line_shape(tmp_path) is None
    write_onnx(tmp_path / "inference.onnx", WEIGHTS)
    assert read_input_shape(tmp_path / "inference.onnx") == (0, 3, 0, 0)
    assert read_line_shape(tmp_path) is None
    write_onnx(tmp_path / "inference.onnx", WEIGHTS, height=32)
    assert read_line_shape(tmp_path) == (3, 32, 320)
    (tmp_path / "inference.yml").write_text(configuration(["a"]))
    assert read_line_shape(tmp_path) == (3, 48, 320)


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_file_that_is_not_onnx_is_refused_or_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "inference.onnx"
    path.write_bytes(content)
    if not content:
        assert read_metadata(path) == {}
        assert read_input_shape(path) == ()
        return
    with pytest.raises(ModelNotFound, match=r"inference\.onnx: is not an ONNX model"):
        find_characters(ModelFiles(path, None))
    with pytest.raises(ModelNotFound, match=r"inference\.onnx: is not an ONNX model"):
        read_line_shape(tmp_path)


def test_a_configuration_that_cannot_be_read_is_refused_with_what_helps_whom_it_concerns(tmp_path: Path) -> None:
    path = tmp_path / "inference.yml"
    path.write_bytes(b"x: \xff")
    reasons = []
    for read in (read_thresholds, read_line_shape, lambda folder: find_characters(ModelFiles(folder / "x", None))):
        with pytest.raises(ModelNotFound) as caught:
            read(tmp_path)
        reasons.append(str(caught.value))
    assert reasons == [
        f"{path}: byte 3 is not UTF-8; replace it, or remove it to use what the profile states",
        f"{path}: byte 3 is not UTF-8; replace it, or remove it to use what the profile states",
        f"{path}: byte 3 is not UTF-8; set PPOCR_REC_DICT to the dictionary of the recognition model",
    ]


def test_a_truncated_onnx_file_is_refused(tmp_path: Path) -> None:
    model = onnx_file(tmp_path, character="a\nb\nc")
    intact = model.program.read_bytes()
    for end in (len(intact) // 2, len(intact) - 2):
        model.program.write_bytes(intact[:end])
        with pytest.raises(ModelNotFound, match=r"inference\.onnx: is not an ONNX model, or truncated; replace it, or"):
            find_characters(model)


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
