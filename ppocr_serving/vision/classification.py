"""Classification of a line's orientation: 0 or 180 degrees."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ppocr_serving.engines import Engine, Float32Array
from ppocr_serving.errors import EngineError
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.lines import USUAL_NORMALIZATION, Normalization, batch_lines
from ppocr_serving.vision.pictures import BgrImage

__all__ = ["Angle", "ClassificationOptions", "TextClassifier"]


class Angle(NamedTuple):
    """The orientation of one crop.

    Attributes:
        label: One of the labels, by default `0` or `180` (degrees).
        confidence: The label's probability in [0, 1].
    """

    label: str
    confidence: float

    def is_upside_down(self, thresh: float) -> bool:
        """Return whether the crop is to be rotated by 180° before recognition.

        Args:
            thresh: Confidence in [0, 1] that must be exceeded.
        """
        return "180" in self.label and self.confidence > thresh


@dataclass(frozen=True, slots=True)
class ClassificationOptions:
    """Input and output of the classifier.

    Attributes:
        image_shape: Channels, height and width of the network's input.
        labels: Names of the network's outputs.
        batch_size: Maximum number of crops per engine call, at least 1.
        normalization: How samples become the network's input.
    """

    image_shape: tuple[int, int, int] = (3, 48, 192)
    labels: tuple[str, str] = ("0", "180")
    batch_size: int = 1
    normalization: Normalization = USUAL_NORMALIZATION


class TextClassifier:
    """Tell upright lines of text from upside-down ones.

    Args:
        engine: (N, 3, H, W) in, (N, 2) probabilities out.
        options: Its input and output.
    """

    def __init__(self, engine: Engine, options: ClassificationOptions) -> None:
        self._engine = engine
        self._options = options

    def __call__(self, crops: Iterable[BgrImage], watch: Stopwatch) -> list[Angle]:
        """Classify crops.

        Args:
            crops: (h, w, 3) uint8 BGR each, single lines of text. Consumed batch by batch.
            watch: Receives the stages `cls_prepare` and `cls_engine`.

        Returns:
            One angle per crop, in order.

        Raises:
            EngineError: The network failed, or its classes do not fit the labels.
        """
        angles: list[Angle] = []
        rest = iter(crops)
        while batch := list(islice(rest, self._options.batch_size)):
            with watch("cls_prepare"):
                _, height, width = self._options.image_shape
                tensor = batch_lines(batch, height, width, self._options.normalization)
            with watch("cls_engine"):
                probabilities = self._engine(tensor)
            if probabilities.shape != (len(batch), len(self._options.labels)):
                labels = self._options.labels
                raise EngineError(
                    f"the angle classifier returned an array of shape {probabilities.shape} for a batch of "
                    f"{len(batch)}; use a model with the {len(labels)} classes {', '.join(labels)}"
                )
            angles += self._read(probabilities)
        return angles

    def _read(self, probabilities: Float32Array) -> Iterator[Angle]:
        for row in probabilities:
            best = int(row.argmax())
            yield Angle(self._options.labels[best], float(row[best]))
