"""The stages of reading, each assembled from settings and engines when it is first needed."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from ppocr_serving.engines import Engine, EnginePool
from ppocr_serving.models import Role
from ppocr_serving.reading.models import characters_of
from ppocr_serving.reading.specs import engine_specs, has_second_recognizer, runs_on_openvino
from ppocr_serving.settings import Settings
from ppocr_serving.vision.classification import ClassificationOptions, TextClassifier
from ppocr_serving.vision.detection import MAX_LONGER_SIDE, TextDetector
from ppocr_serving.vision.lines import Normalization
from ppocr_serving.vision.recognition import (
    COMPATIBLE_WIDTHS,
    NARROW_WIDTHS,
    Packing,
    RecognitionOptions,
    TextRecognizer,
)
from ppocr_serving.vision.rereading import LineReader

__all__ = ["Stages"]

_BY_ROLE = {"det": "detector", "cls": "classifier", "rec": "recognizer", "reread": "second_recognizer"}

# Paddle holds the GIL, so its calls take turns, and larger ones cost less per line.
_PADDLE_PACKING = Packing(sizes=(6, 4, 2, 1), max_total_width=3200)
_PADDLE_CLASSIFICATION_BATCH_SIZE = 6
# With one thread each, larger calls of OpenVINO save a hundredth of the time, and each of their shapes has to be
# prepared, too.
_OPENVINO_PACKING = Packing(sizes=(1,), max_total_width=1280)

# A second look at a page has up to 2.6 million pixels, whose feature maps take 230 MB. To free them costs a twentieth
# of such a page's time.
_USUAL_PIXELS = 1_300_000


class Stages:
    """The stages of one reader; they share nothing that a call changes.

    Args:
        settings: The reader's settings.
        pool: Where the engines are.
    """

    def __init__(self, settings: Settings, pool: EnginePool) -> None:
        self._settings = settings
        self._pool = pool
        self._assembled: dict[Role, tuple[Engine, ...]] = {}

    def assemble(self, roles: Sequence[Role]) -> None:
        """Assemble the stages of some models, which are looked up and not loaded.

        Raises:
            ModelNotFound: A model's files or the dictionary are missing.
        """
        for role in roles:
            getattr(self, _BY_ROLE[role])

    def engines(self, role: Role) -> tuple[Engine, ...]:
        """Return the engines of a model."""
        if role not in self._assembled:
            self._assembled[role] = tuple(map(self._pool.engine, engine_specs(self._settings, role)))
        return self._assembled[role]

    @cached_property
    def detector(self) -> TextDetector:
        """Finds lines."""
        reading = self._settings.reading
        longer_side = reading.det_limit_side_len if reading.det_limit_type == "max" else MAX_LONGER_SIDE
        (engine,) = self.engines("det")
        return TextDetector(engine, max(_USUAL_PIXELS, reading.det_limit_side_len * longer_side))

    @cached_property
    def classifier(self) -> TextClassifier:
        """Tells which lines are upside down."""
        models = self._settings.models
        (engine,) = self.engines("cls")
        batch_size = 1 if runs_on_openvino(self._settings, "cls") else _PADDLE_CLASSIFICATION_BATCH_SIZE
        stated = models.profile.cls
        normalization = Normalization(stated.mean, stated.deviation)
        options = ClassificationOptions(models.cls_image_shape, models.label_list, batch_size, normalization)
        return TextClassifier(engine, options)

    @cached_property
    def recognizer(self) -> TextRecognizer:
        """Reads lines."""
        return self._create_recognizer("rec", self._settings.models.rec_image_shape)

    @cached_property
    def line_reader(self) -> LineReader:
        """Reads lines, doubtful ones again with the second recogniser if there is one."""
        second = self.second_recognizer if has_second_recognizer(self._settings) else None
        return LineReader(self.recognizer, second)

    @cached_property
    def second_recognizer(self) -> TextRecognizer:
        """Reads lines again."""
        return self._create_recognizer("reread", self._settings.models.profile.recognizer("reread").image_shape)

    def _create_recognizer(self, role: Literal["rec", "reread"], image_shape: tuple[int, int, int]) -> TextRecognizer:
        engines = self.engines(role)
        stated = self._settings.models.profile.recognizer(role)
        compatible = self._settings.reading.compatible
        options = RecognitionOptions(
            image_shape,
            characters_of(self._settings, role),
            _OPENVINO_PACKING if runs_on_openvino(self._settings, role) else _PADDLE_PACKING,
            COMPATIBLE_WIDTHS if compatible else NARROW_WIDTHS,
            self._settings.models.use_space_char,
            Normalization(stated.mean, stated.deviation),
            "linear" if compatible else stated.interpolation,
            0.0 if compatible else stated.margin,
            role,
        )
        return TextRecognizer(engines, options)
