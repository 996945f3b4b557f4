"""Options of one call: validation, effect on the stages, and isolation from other calls."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.engines import EnginePool
from ppocr_serving.errors import InvalidRequest
from ppocr_serving.models import load_profile
from ppocr_serving.reading.options import pipeline_options
from ppocr_serving.settings import ReadingSettings, Settings
from ppocr_serving.vision.detection import DetectionOptions
from ppocr_serving.vision.pipeline import PipelineOptions
from tests.drawing import Placed, draw_page, rotate
from tests.flat_settings import with_values

PAGE = draw_page([Placed("Platform 9", 50, 60), Placed("Departures", 50, 160)], 500, 300)


def test_options_are_the_reading_settings_except_the_limits_and_the_mode() -> None:
    options = get_type_hints(ReadOptions, include_extras=True)
    for name in ("region", "pages", "pdf_text", "password"):  # of a call alone
        assert options.pop(name)
    settings = get_type_hints(ReadingSettings, include_extras=True)
    settings["dpi"] = settings.pop("pdf_dpi")
    assert settings.pop("max_pages")
    assert settings.pop("max_pixels")
    assert settings.pop("max_lines")
    assert settings.pop("compatible")
    assert options == {name: hint | None for name, hint in settings.items()}


DETECTOR = load_profile("ppocr-v6").det


def test_the_settings_apply_without_options() -> None:
    defaults = ReadingSettings()
    detection = DetectionOptions(closer_side_len=1600, box_thresh=0.6, unclip_ratio=1.5)
    assert pipeline_options(defaults, None, DETECTOR) == pipeline_options(defaults, ReadOptions(), DETECTOR)
    assert pipeline_options(defaults, None, DETECTOR) == PipelineOptions(detection, reread_score=0.98)
    in_their_order = replace(detection, paddleocr_order=True)
    compatible = PipelineOptions(in_their_order, reread_score=0.98, natural_order=False)
    assert pipeline_options(ReadingSettings(compatible=True), None, DETECTOR) == compatible
    natural = ReadOptions(reading_order="natural")
    assert pipeline_options(ReadingSettings(compatible=True), natural, DETECTOR) == compatible


def test_each_option_reaches_its_stage() -> None:
    options = ReadOptions(
        det_limit_side_len=736,
        det_limit_type="min",
        det_closer_side_len=1280,
        det_db_thresh=0.2,
        det_db_box_thresh=0.4,
        det_db_unclip_ratio=2.0,
        det_db_score_mode="slow",
        use_dilation=True,
        use_angle_cls=False,
        cls_thresh=0.8,
        drop_score=0.1,
        reread_score=0.9,
        reading_order="rows",
        orientation=False,
        words=True,
        region=(0, 0, 1, 1),
        pages="1",
        dpi=150,
        pdf_text="prefer",
        password="x",
    )
    assert len(options.given()) == len(get_type_hints(ReadOptions))
    detection = DetectionOptions(736, "min", 1280, 0.2, 0.4, 2.0, True, "slow")
    expected = PipelineOptions(detection, False, 0.8, 0.1, 0.9, natural_order=False, orientation=False, words=True)
    assert pipeline_options(ReadingSettings(), options, DETECTOR) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"drop_score": 1.5}, "drop_score is 1.5: must be a number from 0 to 1$"),
        ({"drop_score": "0.5"}, "drop_score is '0.5': must be a number from 0 to 1$"),
        ({"det_limit_side_len": 31}, "det_limit_side_len is 31: must be a whole number from 32 to 8192$"),
        ({"det_limit_side_len": 960.5}, "det_limit_side_len is 960.5: "),
        ({"det_limit_type": "maximum"}, "det_limit_type is 'maximum': must be one of m.., m..$"),
        ({"use_dilation": 1}, "use_dilation is 1: must be true or false$"),
        ({"use_dilatation": True}, r"unknown option 'use_dilatation'; did you mean use_dilation\?$"),
        ({"dpi": 71}, "dpi is 71: must be a whole number from 72 to 600$"),
        ({"pdf_text": "always"}, "pdf_text is 'always': must be one of never, prefer$"),
        ({"pages": 3}, "pages is 3: must be text, and is a whole number$"),
        (
            {"pages": "3-1"},
            "pages is '3-1', in which '3-1' is not a range; give numbers and ranges from 1 on, such as ",
        ),
        ({"region": []}, r"region is \[\]; give \[x, y, width, height\] in whole pixels"),
        ({"region": [1, 2, 3]}, r"region is \[1, 2, 3\]; give "),
        ({"region": [1, 2, 0, 4]}, r"region is \[1, 2, 0, 4\]; give "),
        ({"region": [[0, 0, 9, 9], [-1, 0, 1, 1]]}, r"region is \[\[0, 0, 9, 9\], \[-1, 0, 1, 1\]\]; give "),
        ({"region": [1.5, 2, 3, 4]}, r"region is \[1.5, 2, 3, 4\]; give "),
        ({"region": [[0, 0, 1, 1]] * 17}, "region has 17 parts; the limit is 16$"),
        ({"region": "1,2,3,4"}, "region is '1,2,3,4'; give "),
        ({"password": "secret" * 22}, "password has 132 characters; the limit is 128$"),
        ({"password": ["secret"]}, "password is not a string; give it as one$"),
        ({"password": "secret\0"}, "password has a character that no password can have; "),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        ReadOptions.from_mapping(values)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_one_region_or_several_become_a_tuple() -> None:
    assert ReadOptions(region=(1, 2, 3, 4)).regions == ((1, 2, 3, 4),)
    assert ReadOptions.from_mapping({"region": [[1, 2, 3, 4], [0, 0, 1, 1]]}).regions == ((1, 2, 3, 4), (0, 0, 1, 1))
    assert ReadOptions().regions == ()


def test_a_password_is_not_shown() -> None:
    options = ReadOptions(password="secret", drop_score=0.5)
    assert repr(options) == str(options) == "ReadOptions(drop_score=0.5, password='...')"


def test_options_are_read_from_texts() -> None:
    texts = {
        "drop_score": "0.4",
        "det_limit_side_len": "736",
        "det_limit_type": "min",
        "words": "true",
        "orientation": "0",
        "region": "1,2,3,4;0,0,5,5",
        "pages": "2-",
        "dpi": "150",
        "pdf_text": "prefer",
        "password": " 1 ",
        "reread_score": "",
    }
    expected = ReadOptions(
        drop_score=0.4,
        det_limit_side_len=736,
        det_limit_type="min",
        words=True,
        orientation=False,
        region=((1, 2, 3, 4), (0, 0, 5, 5)),
        pages="2-",
        dpi=150,
        pdf_text="prefer",
        password=" 1 ",
    )
    assert ReadOptions.from_text(texts) == expected


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"wrods": "1"}, r"unknown option 'wrods'; did you mean words\?$"),
        ({"region": "1,2,3"}, "region is '1,2,3'; give x,y,width,height in whole pixels, several separated by ;$"),
        ({"region": "1,2,0,4"}, "region is '1,2,0,4'; give x,y,width,height in whole pixels, "),
        ({"words": "yes"}, "words is 'yes'; allowed: true, false, 1, 0$"),
        ({"drop_score": "2"}, "drop_score is '2': must be a number from 0 to 1$"),
        ({"dpi": "many"}, "dpi is 'many': must be a whole number from 72 to 600$"),
        ({"region": "1,2,3,4;"}, "region is '1,2,3,4;'; give x,y,width,height in whole pixels"),
        ({"region": f"1,2,3,{'9' * 5000}"}, "region is '1,2,3,999.*; give x,y,width,height in whole pixels"),
        ({"pages": "x"}, "pages is 'x'; give numbers"),
    ],
)
def test_an_invalid_text_is_reported_in_one_line(texts: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        ReadOptions.from_text(texts)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_options_are_frozen() -> None:
    with pytest.raises(AttributeError):
        ReadOptions().drop_score = 0.1  # type: ignore[misc]


@pytest.fixture(scope="module")
def reader(settings: Settings) -> Reader:
    """A separate reader, because tests inspect its pool."""
    return Reader(settings=settings, pool=EnginePool())


@pytest.mark.thorough_with_paddle
def test_no_option_leaks_into_another_call(reader: Reader) -> None:
    plain = reader.read(PAGE)
    assert plain.text == "Platform 9\nDepartures"

    def read(number: int) -> list[int]:
        strict = len(reader.read(PAGE, ReadOptions(det_db_box_thresh=1.0)).lines)
        dropped = len(reader.read(PAGE, ReadOptions(drop_score=1.0)).lines)
        small = reader.read(PAGE, ReadOptions(det_limit_side_len=32 + number))
        assert reader.read(PAGE) == plain
        return [strict, dropped, len(small.pages)]

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(16))) == [[0, 0, 1]] * 16


def test_the_angle_classifier_can_be_switched_off_per_call(reader: Reader) -> None:
    turned = rotate(PAGE, 180)
    assert {line.text for line in reader.read(turned).lines} == {"Platform 9", "Departures"}
    without = reader.read(turned, ReadOptions(use_angle_cls=False))
    assert "Platform 9" not in {line.text for line in without.lines}


def test_a_call_can_enable_a_classifier_that_the_settings_disable(settings: Settings) -> None:
    reader = Reader(settings=with_values(settings, use_angle_cls=False), pool=EnginePool())
    assert "cls" not in reader.roles
    turned = reader.read(rotate(PAGE, 180), ReadOptions(use_angle_cls=True))
    assert {line.text for line in turned.lines} == {"Platform 9", "Departures"}


def test_different_side_limits_and_thresholds_share_one_detector(settings: Settings) -> None:
    pool = EnginePool()
    readers = [
        Reader(settings=with_values(settings, **values), pool=pool, roles=("det",))
        for values in ({}, {"det_limit_side_len": 640}, {"det_limit_type": "min"}, {"det_db_thresh": 0.5})
    ]
    assert len({engine for reader in readers for engine in reader.engines}) == 1


def test_a_path_names_its_document_and_one_failure_does_not_stop_a_batch(reader: Reader, tmp_path: Path) -> None:
    missing, text = tmp_path / "missing.png", tmp_path / "text.png"
    text.write_text("not a picture")
    first, second, third, fourth = reader.read_many([PAGE, missing, str(text), PAGE])
    assert first == fourth == reader.read(PAGE)
    assert (second.name, third.name) == (str(missing), str(text))
    assert str(second.error).startswith(f"{missing}: cannot be read (No such file or directory)")
    assert str(third.error).startswith(f"{text}: ")
    assert second.pages == third.pages == ()


def test_a_name_of_megabytes_is_refused_without_much_ado() -> None:
    name = "drop_scor" + "x" * 2_000_000
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match=r"^unknown option 'drop_scorxxx"):
            ReadOptions.from_mapping({name: 0.5})
        assert tracemalloc.get_traced_memory()[1] < len(name)
    finally:
        tracemalloc.stop()
    with pytest.raises(InvalidRequest, match="; did you mean drop_score"):
        ReadOptions.from_mapping({"drop_scor": 0.5})
