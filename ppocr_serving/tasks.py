"""The four things that are served, as functions from pictures to plain results.

The shapes of the results are the ones that clients of PaddleOCR's hubserving know, with their quirk: recognition and
classification put the answers for all pictures into one inner list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.classification import ClassificationOptions, TextClassifier
from ppocr_serving.detection import MAX_LONGER_SIDE, DetectionOptions, TextDetector
from ppocr_serving.engines import Engine, EngineSpec, Runtime, choose_runtime, shared_engine
from ppocr_serving.models import load_dictionary, resolve_model
from ppocr_serving.pictures import BgrImage
from ppocr_serving.pipeline import TextSystem
from ppocr_serving.recognition import Packing, RecognitionOptions, TextRecognizer
from ppocr_serving.settings import Role, Settings
from ppocr_serving.timing import Stopwatch

__all__ = ["TASK_NAMES", "EngineSource", "Results", "Task", "create_task"]

_MAX_LANES = 4  # engines of the recogniser that work at the same time
# Paddle holds Python's global lock, so its calls take turns, and larger ones cost less a line.
_PADDLE_PACKING = Packing(sizes=(6, 4, 2, 1), most_pixels=3200, mixed=True)
_PADDLE_CLASSIFICATION_BATCH_SIZE = 6
# With a thread each, OpenVINO's calls cost least a line at about this size, and padding is never worth it.
_LANES_PACKING = Packing(sizes=(3, 1), most_pixels=960, mixed=False)

Results = list[list[dict[str, Any]]]
"""What the contract calls `results`, ready for JSON."""


class Task(NamedTuple):
    """One of the four services.

    Attributes:
        name: What it is called in `/predict/<name>`.
        run: Answers for pictures: (H, W, 3) uint8 BGR each, consumed one by one; the stopwatch receives the time of
            every stage. Raises EngineError when a network fails.
        engines: What has to be loaded before it can answer.
    """

    name: str
    run: Callable[[Iterable[BgrImage], Stopwatch], Results]
    engines: tuple[Engine, ...]


EngineSource = Callable[[EngineSpec], Engine]
"""What makes or finds an engine."""


def create_task(name: str, settings: Settings, engine_of: EngineSource = shared_engine) -> Task:
    """Builds a task. Its models are looked up now and loaded at the first call.

    Args:
        name: One of `TASK_NAMES`.
        settings: What to use and how.
        engine_of: Where its engines come from.

    Raises:
        ModelNotFound: A model's files or the dictionary are missing.
    """
    return _FACTORIES[name](settings, engine_of)


def _system_task(settings: Settings, engine_of: EngineSource) -> Task:
    detector_engine = engine_of(_spec(settings, "det"))
    recognizer, recognizer_engines = _recognizer(settings, engine_of)
    engines = [detector_engine, *recognizer_engines]
    classifier = None
    if settings.use_angle_cls:
        classifier, classifier_engine = _classifier(settings, engine_of)
        engines.append(classifier_engine)
    system = TextSystem(
        TextDetector(detector_engine, _detection_options(settings)), classifier, recognizer, settings.drop_score
    )

    def run(images: Iterable[BgrImage], watch: Stopwatch) -> Results:
        return [
            [{"text": line.text, "confidence": line.confidence, "text_region": _region(line.box)} for line in lines]
            for lines in system(images, watch)
        ]

    return Task("ocr_system", run, tuple(engines))


def _detection_task(settings: Settings, engine_of: EngineSource) -> Task:
    engine = engine_of(_spec(settings, "det"))
    detector = TextDetector(engine, _detection_options(settings))

    def run(images: Iterable[BgrImage], watch: Stopwatch) -> Results:
        return [[{"text_region": _region(box)} for box in detector(image, watch)] for image in images]

    return Task("ocr_det", run, (engine,))


def _classification_task(settings: Settings, engine_of: EngineSource) -> Task:
    classifier, engine = _classifier(settings, engine_of)

    def run(images: Iterable[BgrImage], watch: Stopwatch) -> Results:
        angles = classifier(images, watch)
        return [[{"angle": angle.label, "confidence": angle.confidence} for angle in angles]]

    return Task("ocr_cls", run, (engine,))


def _recognition_task(settings: Settings, engine_of: EngineSource) -> Task:
    recognizer, engines = _recognizer(settings, engine_of)

    def run(images: Iterable[BgrImage], watch: Stopwatch) -> Results:
        texts = recognizer(images, watch)
        return [[{"text": text.text, "confidence": text.confidence} for text in texts]]

    return Task("ocr_rec", run, engines)


_FACTORIES: Mapping[str, Callable[[Settings, EngineSource], Task]] = {
    "ocr_system": _system_task,
    "ocr_det": _detection_task,
    "ocr_cls": _classification_task,
    "ocr_rec": _recognition_task,
}

TASK_NAMES = tuple(_FACTORIES)


def _recognizer(settings: Settings, engine_of: EngineSource) -> tuple[TextRecognizer, tuple[Engine, ...]]:
    spec = _spec(settings, "rec")
    packing = _PADDLE_PACKING
    specs = [spec]
    if choose_runtime(spec) is Runtime.OPENVINO:
        # Several engines with few lines and threads each are faster than one with many lines and all threads; but each
        # has memory of its own.
        lanes = min(spec.threads, _MAX_LANES)
        each, more = divmod(spec.threads, lanes)
        specs = [replace(spec, threads=each + (lane < more), lane=lane) for lane in range(lanes)]
        packing = _LANES_PACKING
    engines = tuple(map(engine_of, specs))
    return TextRecognizer(engines, _recognition_options(settings, packing)), engines


def _classifier(settings: Settings, engine_of: EngineSource) -> tuple[TextClassifier, Engine]:
    spec = _spec(settings, "cls")
    batch_size = _PADDLE_CLASSIFICATION_BATCH_SIZE
    if choose_runtime(spec) is Runtime.OPENVINO:
        # A change of the batch's size takes as long as several lines.
        batch_size = 1
        spec = replace(spec, fixed_shape=(batch_size, *settings.cls_image_shape))
    engine = engine_of(spec)
    options = ClassificationOptions(settings.cls_image_shape, settings.label_list, settings.cls_thresh, batch_size)
    return TextClassifier(engine, options), engine


def _spec(settings: Settings, role: Role) -> EngineSpec:
    return EngineSpec(
        model=resolve_model(settings.model_directory(role), role),
        backend=settings.effective_backend(),
        precision=settings.precision,
        threads=settings.effective_threads(),
        use_gpu=settings.use_gpu,
        runtime=settings.engine,
        kept_shapes=settings.kept_shapes,
        usual_size=3 * _usual_pixels(settings, role),
    )


def _usual_pixels(settings: Settings, role: Role) -> int:
    """The pixels of the largest input that is nothing out of the ordinary."""
    if role == "rec":
        return settings.rec_image_shape[1] * _LANES_PACKING.most_pixels
    longer_side = settings.det_limit_side_len if settings.det_limit_type == "max" else MAX_LONGER_SIDE
    return settings.det_limit_side_len * longer_side


def _detection_options(settings: Settings) -> DetectionOptions:
    return DetectionOptions(
        limit_side_len=settings.det_limit_side_len,
        limit_type=settings.det_limit_type,
        thresh=settings.det_db_thresh,
        box_thresh=settings.det_db_box_thresh,
        unclip_ratio=settings.det_db_unclip_ratio,
        use_dilation=settings.use_dilation,
        score_mode=settings.det_db_score_mode,
    )


def _recognition_options(settings: Settings, packing: Packing) -> RecognitionOptions:
    characters = load_dictionary(settings.dictionary_path())
    if settings.use_space_char:
        characters = (*characters, " ")
    return RecognitionOptions(settings.rec_image_shape, characters, packing)


def _region(box: npt.NDArray[np.float32]) -> list[list[int]]:
    region: list[list[int]] = box.astype(int).tolist()
    return region
