"""Lines that the first recogniser is unsure of are read again by the second."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.engines import EnginePool
from ppocr_serving.errors import InvalidRequest, InvalidSetting
from ppocr_serving.models.profile import ROLES
from ppocr_serving.settings import load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import Packing, RecognitionOptions, TextRecognizer
from ppocr_serving.vision.rereading import LineReader
from tests.drawing import Placed, draw_line, draw_page
from tests.reading.profiles import Prepare, prepare

__all__ = ["prepare"]  # a fixture

CLEAR = [draw_line(text) for text in ("Departures", "Platform 7", "2026-03-15", "欢迎光临图书馆")]
UNCLEAR = [draw_line(text, margin=4) for text in ("カタカナ", "ひらがな")]  # the first recogniser knows no kana
NEVER, SOMETIMES, ALWAYS = (ReadOptions(reread_score=score) for score in (0, 0.9, 1))


@pytest.fixture(scope="module")
def reader(prepare: Prepare) -> Reader:
    return Reader(settings=prepare("ppocr-v6"), pool=EnginePool())


def page(words: list[str], blur: int = 1) -> BgrImage:
    drawn = draw_page([Placed(word, 30, 20 + 50 * row) for row, word in enumerate(words)], 620, 50 * len(words) + 40)
    blurred: BgrImage = cv2.GaussianBlur(drawn, (blur, blur), 0)
    return blurred


def test_only_doubtful_lines_are_read_again(reader: Reader) -> None:
    lines = [*CLEAR, *UNCLEAR]
    watch = Stopwatch()

    texts = reader.recognize(lines, SOMETIMES, watch)

    first, second = reader.recognize(lines, NEVER), reader.recognize(lines, ALWAYS)
    doubtful = [text.confidence < 0.9 for text in first]
    assert doubtful == [False] * len(CLEAR) + [True] * len(UNCLEAR)
    assert texts == [*first[: len(CLEAR)], *second[len(CLEAR) :]]
    assert [text.text for text in texts[-2:]] == ["カタカナ", "ひらがな"]
    assert watch.lines_reread == len(UNCLEAR)


def test_at_one_the_second_recogniser_reads_alone(reader: Reader) -> None:
    watch = Stopwatch()
    reader.recognize(CLEAR, ALWAYS, watch)
    assert watch.lines_reread == len(CLEAR)
    assert "reread_engine" in watch.seconds
    assert "rec_engine" not in watch.seconds


def test_at_zero_the_second_recogniser_is_not_loaded(prepare: Prepare) -> None:
    reader = Reader(settings=prepare("ppocr-v6", reread_score="0"), pool=EnginePool())
    assert reader.roles == ROLES
    watch = Stopwatch()
    assert [line.text for line in reader.pages([page(["Departures"])], watch=watch)[0].lines] == ["Departures"]
    assert watch.lines_reread == 0
    assert "reread_engine" not in watch.seconds


def test_of_a_poor_scan_the_first_recogniser_reads_only_a_sample(reader: Reader) -> None:
    words = [f"Rechnung {number} über {number * 37} Euro" for number in range(20)]
    scan = page(words, blur=11)
    (alone,) = reader.pages([scan], NEVER)
    doubted = sum(line.confidence < 0.9995 for line in alone.lines)
    assert doubted >= 0.9 * len(alone.lines)  # otherwise this test shows nothing
    watch = Stopwatch()

    (read,) = reader.pages([scan], ReadOptions(reread_score=0.9995), watch)

    (again,) = reader.pages([scan], ALWAYS)
    assert watch.lines_reread == len(again.lines)
    assert read == again


def test_what_is_read_from_a_picture_does_not_depend_on_others(reader: Reader) -> None:
    pictures = [
        page(["Departures", "カタカナ"]),
        page([f"Rechnung {number}" for number in range(20)], blur=11),
        page([f"Platform {number}" for number in range(17)]),
    ]
    options = ReadOptions(reread_score=0.97)
    alone = [reader.pages([picture], options)[0] for picture in pictures]
    assert [[line.text for line in page.lines] for page in reader.pages(pictures, options)] == [
        [line.text for line in page.lines] for page in alone
    ]


def test_a_small_picture_is_looked_at_twice(reader: Reader, shared_data: Path) -> None:
    picture = shared_data / "images" / "ch_en_num.jpg"
    assert len(reader.read(picture, ReadOptions(det_closer_side_len=0)).lines) < 17
    assert len(reader.read(picture).lines) >= 17  # of 18


def test_upside_down_lines_are_read_again_as_well(reader: Reader) -> None:
    upright = page(["Departures 2026", "Platform 7", "カタカナ"])
    (read,) = reader.pages([cv2.rotate(upright, cv2.ROTATE_180)], ReadOptions(orientation=False))
    assert read.angle == 0  # otherwise the page was turned, not its lines
    assert [line.text for line in read.lines] == ["カタカナ", "Platform 7", "Departures 2026"]


def test_lines_of_an_upside_down_page_are_read_again_as_well(reader: Reader) -> None:
    upright = page(["Departures 2026", "Platform 7", "カタカナ"])
    (read,) = reader.pages([cv2.rotate(upright, cv2.ROTATE_180)])
    assert read.angle == 180
    assert [line.text for line in read.lines] == ["Departures 2026", "Platform 7", "カタカナ"]


@pytest.mark.parametrize(("score", "again"), [(0, False), (0.5, True), (1, True)])
def test_the_second_recogniser_gets_a_wider_strip_of_the_picture(score: float, again: bool) -> None:
    picture = np.zeros((200, 400, 3), dtype=np.uint8)
    picture[50:90, 100:300] = 255
    box = np.array([[100, 50], [300, 50], [300, 90], [100, 90]], dtype=np.float32)
    first, second = (
        TextRecognizer([], RecognitionOptions((3, 48, 320), (), Packing((1,), 1000), (1000,), margin=margin))
        for margin in (0, 0.1)
    )

    line = LineReader(first, second).cut(picture, box, score)

    assert line.first.shape == (48, 240, 3)
    assert (line.first == 255).all()
    if again:
        assert line.second.shape == (48, 208, 3)  # of 208 x 48 pixels
        assert (line.second[5:43, 5:203] == 255).all()
        assert not line.second[[0, -1]].any()
        assert not line.second[:, [0, -1]].any()
    else:
        assert line.second is line.first
    turned = line.upside_down()
    assert (turned.first == np.rot90(line.first, 2)).all()
    assert (turned.second == np.rot90(line.second, 2)).all()
    assert (turned.second is turned.first) == (not again)


def test_an_option_that_needs_a_second_recogniser_is_refused_without_one() -> None:
    reader = Reader(settings=load_settings(environ={"PPOCR_PROFILE": "ppocr-v4-mobile"}))
    with pytest.raises(InvalidRequest, match=r"reread_score is 0\.97, but this reader has no second recogniser"):
        reader.pages([], ReadOptions(reread_score=0.97))
    assert reader.pages([], NEVER) == []


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("PPOCR_PROFILE", "ppocr-v4-mobile", "set it to 0, or set PPOCR_PROFILE=ppocr-v6"),
        ("PPOCR_ENGINE", "paddle", "set it to 0"),  # Paddle runs no profile that has one
    ],
)
def test_a_setting_that_needs_a_second_recogniser_is_refused_without_one(
    variable: str, value: str, remedy: str
) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Reader(settings=load_settings(environ={variable: value, "PPOCR_REREAD_SCORE": "0.97"}))
    assert str(refused.value) == (
        f"PPOCR_REREAD_SCORE is 0.97, but there is no second recogniser in profile ppocr-v4-mobile; {remedy}"
    )


def test_a_custom_recogniser_is_not_combined_with_the_profiles_second_one(prepare: Prepare) -> None:
    own = prepare("ppocr-v6-tiny").models.directory("rec")
    reader = Reader(settings=prepare("ppocr-v6", rec_model_dir=str(own)))
    assert reader.roles == ROLES
