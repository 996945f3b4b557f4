import json
from pathlib import Path

import pytest

from benchmarks.labels import LabelledLine, LabelledPicture, labelled_pictures, read_labels


def write_label_file(folder: Path, *rows: str) -> Path:
    path = folder / "Label.txt"
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def row(name: str, *texts: str) -> str:
    points = [[10, 20], [50, 22], [50, 40], [10, 38]]
    labels = [{"transcription": text, "points": points, "difficult": False} for text in texts]
    return f"{name}\t{json.dumps(labels, ensure_ascii=False)}"


def line(text: str) -> LabelledLine:
    return LabelledLine(text, (10, 20, 50, 40))


def test_labels_may_contain_commas(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("10,20,50,22,50,40,10,38,No. 5, Main Street\n", encoding="utf-8")

    assert read_labels(path) == [line("No. 5, Main Street")]


def test_a_broken_label_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("10,20,50,22,50,40,10,38,fine\n10,20,oops\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"labels\.csv:2: '10,20,oops' is not"):
        read_labels(path)


def test_only_pictures_with_a_csv_file_are_labelled(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "without.png", "text.csv"):
        (tmp_path / name).touch()
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("10,20,50,22,50,40,10,38,x\n", encoding="utf-8")

    assert labelled_pictures(tmp_path) == [
        LabelledPicture(tmp_path / "a.jpg", [line("x")]),
        LabelledPicture(tmp_path / "b.png", [line("x")]),
    ]


@pytest.mark.parametrize("prefix", ["", "pictures/"])  # data sets; the labelling tool, with the folder's own name
def test_a_label_file_names_pictures_from_its_folder_or_the_one_above(tmp_path: Path, prefix: str) -> None:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name in ("b.png", "more/a.jpg"):
        (folder / name).touch()
    write_label_file(folder, row(f"{prefix}b.png", "一\u2028二", "x"), "", row(f"{prefix}more/a.jpg"))

    pictures = labelled_pictures(folder)

    assert [picture.path.resolve() for picture in pictures] == [folder / "b.png", folder / "more" / "a.jpg"]
    assert [picture.labels for picture in pictures] == [[line("一\u2028二"), line("x")], []]


def test_a_label_file_counts_instead_of_csv_files(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    (tmp_path / "a.csv").write_text("10,20,50,22,50,40,10,38,of the csv file\n", encoding="utf-8")
    write_label_file(tmp_path, row("b.png", "of the label file"))

    assert labelled_pictures(tmp_path) == [LabelledPicture(tmp_path / "b.png", [line("of the label file")])]


@pytest.mark.parametrize(
    "broken",
    [
        "a.png",
        "a.png\t{}x",
        'a.png\t[{"points": [[0, 0]]}]',
        'a.png\t[{"transcription": "x", "points": [[0, 0, 0]]}]',
        'a.png\t[{"transcription": "x", "points": []}]',
        'a.png\t["x"]',
        "a.png\t7",
    ],
)
def test_a_broken_line_of_a_label_file_is_named(tmp_path: Path, broken: str) -> None:
    (tmp_path / "a.png").touch()
    write_label_file(tmp_path, row("a.png", "fine"), broken)

    with pytest.raises(ValueError, match=r"Label\.txt:2: 'a\.png.* is not a path, a tab and "):
        labelled_pictures(tmp_path)


@pytest.mark.parametrize("name", ["a.csv", "Label.txt"])
def test_another_encoding_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / name).write_bytes("文字".encode("gbk"))

    with pytest.raises(ValueError, match=rf"{tmp_path}/{name} is not in UTF-8 \(.* at byte 0\); convert it"):
        labelled_pictures(tmp_path)


def test_a_missing_picture_of_a_label_file_is_named(tmp_path: Path) -> None:
    write_label_file(tmp_path, row("gone.png", "x"))

    with pytest.raises(ValueError, match=rf"Label\.txt:1: there is no picture gone\.png in {tmp_path} or above it"):
        labelled_pictures(tmp_path)


def test_a_region_to_ignore_is_one() -> None:
    assert [line(text).ignored for text in ("###", "#", "x")] == [True, False, False]
