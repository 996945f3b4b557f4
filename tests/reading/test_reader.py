"""The four services: shapes of their answers, shared engines, and required models."""

from pathlib import Path

import numpy as np
import pytest

from ppocr_serving.engines import Engine, EnginePool, EngineSpec, Runtime
from ppocr_serving.errors import InvalidRequest, ModelNotFound
from ppocr_serving.reading.models import characters_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.settings import Settings, load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.hubserving import MODULES
from tests.conftest import models_of
from tests.drawing import Placed, draw_line, draw_page, rotate
from tests.flat_settings import with_values
from tests.matching import without_spaces
from tests.services import Service, create_service

BLANK = np.full((200, 300, 3), 255, dtype=np.uint8)


def test_the_four_services() -> None:
    assert set(MODULES) == {"ocr_system", "ocr_det", "ocr_cls", "ocr_rec"}


def test_system_answers_one_list_per_picture(services: dict[str, Service]) -> None:
    first, blank, second = services["ocr_system"].run([draw_line("Hello"), BLANK, draw_line("你好世界")], Stopwatch())
    assert blank == []
    assert [line["text"] for line in first + second] == ["Hello", "你好世界"]
    for line in first + second:
        assert list(line) == ["text", "confidence", "text_region"]
        assert type(line["confidence"]) is float


def test_system_answers_words_only_if_requested(services: dict[str, Service]) -> None:
    page = draw_page([Placed("Platform 9", 50, 60), Placed("开往北京", 50, 160)], 500, 300)
    (without,) = services["ocr_system"].run([page], options=ReadOptions(words=False))
    (lines,) = services["ocr_system"].run([page], options=ReadOptions(words=True))
    assert without == [{key: value for key, value in line.items() if key != "words"} for line in lines]
    assert [[word["text"] for word in line["words"]] for line in lines] == [["Platform", "9"], list("开往北京")]
    for line in lines:
        assert list(line) == ["text", "confidence", "text_region", "words"]
        (left, _), (right, _) = line["text_region"][:2]
        for word in line["words"]:
            assert list(word) == ["text", "confidence", "text_region"]
            assert left <= word["text_region"][0][0] < word["text_region"][1][0] <= right


def test_a_call_without_words_beats_the_setting(services: dict[str, Service]) -> None:
    settings = with_values(services["ocr_system"].reader.settings, words=True)
    service = create_service("ocr_system", settings)
    ((line,),) = service.run([draw_line("Platform 9")])
    assert [word["text"] for word in line["words"]] == ["Platform", "9"]
    ((line,),) = service.run([draw_line("Platform 9")], options=ReadOptions(words=False))
    assert "words" not in line


def test_det_answers_one_list_per_picture_with_the_boxes_of_system(services: dict[str, Service]) -> None:
    page = draw_page([Placed("Platform 9", 50, 60), Placed("开往北京", 50, 160)], 500, 300)
    boxes, blank = services["ocr_det"].run([page, BLANK], Stopwatch())
    (lines,) = services["ocr_system"].run([page], Stopwatch())
    assert blank == []
    assert len(boxes) == 2
    assert boxes == [{"text_region": line["text_region"]} for line in lines]


def test_system_and_det_read_a_region_of_each_picture(services: dict[str, Service]) -> None:
    page = draw_page([Placed("Platform 9", 50, 60), Placed("开往北京", 50, 160)], 500, 300)
    options = ReadOptions(region=((0, 130, 500, 170),))
    lines = services["ocr_system"].run([page, page], options=options)
    assert [[line["text"] for line in picture] for picture in lines] == [["开往北京"]] * 2
    boxes = services["ocr_det"].run([page, page], options=options)
    assert boxes == [[{"text_region": line["text_region"]} for line in picture] for picture in lines]
    assert lines[0][0]["text_region"][0][1] > 150


@pytest.mark.parametrize("name", ["ocr_cls", "ocr_rec"])
def test_a_line_has_no_region(services: dict[str, Service], name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^options: region is for ocr_system and ocr_det; send the cropped line"):
        services[name].run([draw_line("Hello")], options=ReadOptions(region=(0, 0, 5, 5)))


def test_cls_answers_one_list_for_all_pictures(services: dict[str, Service]) -> None:
    upright = draw_line("Departures", margin=4)
    (answers,) = services["ocr_cls"].run([upright, rotate(upright, 180), upright], Stopwatch())
    assert [answer["angle"] for answer in answers] == ["0", "180", "0"]
    assert all(list(answer) == ["angle", "confidence"] for answer in answers)
    assert all(type(answer["confidence"]) is float and 0.5 <= answer["confidence"] <= 1 for answer in answers)


def test_rec_answers_one_list_for_all_pictures_and_drops_nothing(services: dict[str, Service]) -> None:
    crops = [draw_line("Arrivals", margin=4), BLANK, draw_line("出口", margin=4)]
    (answers,) = services["ocr_rec"].run(crops, Stopwatch())
    assert [answer["text"] for answer in answers] == ["Arrivals", "", "出口"]
    assert answers[1]["confidence"] == 0
    assert all(list(answer) == ["text", "confidence"] for answer in answers)


def test_the_dictionary_has_no_space(settings: Settings) -> None:
    assert " " not in characters_of(settings)  # hence use_space_char adds it


def test_services_share_engines(services: dict[str, Service], settings: Settings) -> None:
    detector, classifier, *recognizers = services["ocr_system"].engines
    assert services["ocr_det"].engines == (detector,)
    assert services["ocr_cls"].engines == (classifier,)
    assert services["ocr_rec"].engines == tuple(recognizers)
    assert create_service("ocr_system", settings).engines == services["ocr_system"].engines


@pytest.mark.parametrize(("threads", "lanes"), [(1, 1), (2, 2), (3, 3), (4, 4), (7, 4), (16, 4)])
def test_the_recogniser_has_several_engines_where_they_can_run_concurrently(
    settings: Settings, threads: int, lanes: int
) -> None:
    specs: set[EngineSpec] = set()

    class WatchedPool(EnginePool):
        def engine(self, spec: EngineSpec) -> Engine:
            specs.add(spec)
            return super().engine(spec)

    engines = create_service("ocr_rec", with_values(settings, threads=threads), WatchedPool()).engines
    assert len(set(engines)) == len(engines) == len(specs)
    recognizers = models_of(settings).keys() & {"rec", "reread"}
    for role in recognizers:
        own = [spec for spec in specs if spec.model == models_of(settings)[role]]
        assert len(own) == (lanes if settings.models.engine is Runtime.OPENVINO else 1)
        assert sum(spec.threads for spec in own) == threads
    assert len(specs) == len(recognizers) * len(own)


def test_a_disabled_angle_classifier_needs_no_model(settings: Settings, tmp_path: Path) -> None:
    without = with_values(settings, use_angle_cls=False, cls_model_dir=tmp_path)
    assert len(create_service("ocr_system", without).engines) == len(create_service("ocr_rec", settings).engines) + 1
    with pytest.raises(ModelNotFound, match="cls model"):
        create_service("ocr_system", with_values(without, use_angle_cls=True))


@pytest.mark.parametrize("name", MODULES)
def test_creating_a_service_reports_a_missing_model(name: str, tmp_path: Path) -> None:
    settings = load_settings(environ={"PPOCR_MODEL_DIR": str(tmp_path)})
    with pytest.raises(ModelNotFound, match=r"PPOCR_(DET|CLS|REC)_MODEL_DIR") as caught:
        create_service(name, settings)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_of_one_service_do_not_affect_another(services: dict[str, Service], settings: Settings) -> None:
    image = draw_line("Timetable")
    before = services["ocr_det"].run([image], Stopwatch())
    blind = create_service("ocr_det", with_values(settings, det_db_box_thresh=1.0))
    assert blind.engines == services["ocr_det"].engines
    assert blind.run([image], Stopwatch()) == [[]]
    assert services["ocr_det"].run([image], Stopwatch()) == before != [[]]


def test_a_custom_model_replaces_the_profiles(tmp_path: Path, services: dict[str, Service], settings: Settings) -> None:
    for path in settings.models.profile_directory("rec").iterdir():
        (tmp_path / path.name).symlink_to(path)
    own = create_service("ocr_rec", with_values(settings, rec_model_dir=tmp_path, reread_score=0.0))
    assert own.engines != services["ocr_rec"].engines
    ((answer,),) = own.run([draw_line("Own model", margin=4)], Stopwatch())
    assert without_spaces(answer["text"]) == "Ownmodel"
