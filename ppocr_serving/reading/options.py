"""Options of one call, and how they are split among the stages."""

from collections.abc import Mapping
from typing import Any, Self, get_type_hints

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.models.profile import DetectionModel
from ppocr_serving.settings import (
    CloserSideLength,
    Fraction,
    LimitType,
    ReadingOrder,
    ReadingSettings,
    ScoreMode,
    SideLength,
    UnclipRatio,
)
from ppocr_serving.values import convert, suggestion
from ppocr_serving.vision.detection import DetectionOptions
from ppocr_serving.vision.pipeline import PipelineOptions

__all__ = ["ReadOptions", "pipeline_options"]


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one call; None keeps the reader's own setting.

    Attributes:
        det_limit_side_len: Pixels from 32 to 8192; see `det_limit_type`.
        det_limit_type: `max` shrinks pictures whose longer side exceeds the limit before detection, `min` enlarges
            those whose shorter side is below it.
        det_closer_side_len: Pixels from 0 to 4000 of the longer side up to which pictures are enlarged for a second
            look, where the first one found small text; 0 is no second look.
        det_db_thresh: Probability in [0, 1] above which a pixel is text.
        det_db_box_thresh: Minimum mean probability of a box, in [0, 1].
        det_db_unclip_ratio: How far boxes are expanded, from 0.1 to 10.
        det_db_score_mode: Area of that mean: `fast` the box, `slow` the contour.
        use_dilation: Dilate the thresholded map before looking for boxes.
        use_angle_cls: Look for lines that are upside down.
        cls_thresh: Confidence in [0, 1] above which a line is rotated.
        drop_score: Lines with less confidence than this, in [0, 1], are dropped.
        reread_score: Lines with less confidence than this, in [0, 1], are read again by the profile's second
            recogniser: 0 none, 1 all.
        reading_order: Order of the lines: `natural` reads columns one after the other, `rows` straight across the page.
        orientation: Read pictures that lie on their side or upside down as if they were upright.
        words: Find the words of each line.

    Raises:
        InvalidRequest: A value is not allowed; the message names the option, the value and what is allowed.
    """

    det_limit_side_len: SideLength | None = None
    det_limit_type: LimitType | None = None
    det_closer_side_len: CloserSideLength | None = None
    det_db_thresh: Fraction | None = None
    det_db_box_thresh: Fraction | None = None
    det_db_unclip_ratio: UnclipRatio | None = None
    det_db_score_mode: ScoreMode | None = None
    use_dilation: bool | None = None
    use_angle_cls: bool | None = None
    cls_thresh: Fraction | None = None
    drop_score: Fraction | None = None
    reread_score: Fraction | None = None
    reading_order: ReadingOrder | None = None
    orientation: bool | None = None
    words: bool | None = None

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            converted = convert(name, value, _HINTS[name], InvalidRequest)
            msgspec.structs.force_setattr(self, name, converted)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build options from names and plain values, such as a JSON object.

        Raises:
            InvalidRequest: A name is unknown, or a value is not allowed.
        """
        for name in values:
            if name not in _HINTS:
                known = suggestion(name, _HINTS) or f"; known options: {', '.join(_HINTS)}"
                raise InvalidRequest(f"unknown option {name[:40]!r}{known}")
        return cls(**values)

    def given(self) -> dict[str, Any]:
        """Return the options that are set, by name."""
        return {name: value for name in _HINTS if (value := getattr(self, name)) is not None}


_HINTS = get_type_hints(ReadOptions, include_extras=True)


def pipeline_options(
    defaults: ReadingSettings, options: ReadOptions | None, detector: DetectionModel
) -> PipelineOptions:
    """Split the options of one call among the stages.

    Args:
        defaults: The reader's own settings.
        options: Options of the call.
        detector: What the profile says about the detector.
    """
    merged = msgspec.structs.replace(defaults, **options.given()) if options is not None else defaults
    return PipelineOptions(
        detection=DetectionOptions(
            limit_side_len=merged.det_limit_side_len,
            limit_type=merged.det_limit_type,
            closer_side_len=merged.det_closer_side_len,
            thresh=merged.det_db_thresh,
            box_thresh=merged.det_db_box_thresh,
            unclip_ratio=merged.det_db_unclip_ratio,
            use_dilation=merged.use_dilation,
            score_mode=merged.det_db_score_mode,
            mean=detector.mean,
            deviation=detector.deviation,
            paddleocr_order=merged.compatible,
        ),
        use_angle_cls=merged.use_angle_cls,
        cls_thresh=merged.cls_thresh,
        drop_score=merged.drop_score,
        reread_score=merged.reread_score,
        natural_order=merged.reading_order != "rows" and not merged.compatible,
        max_lines=merged.max_lines,
        orientation=merged.orientation,
        words=merged.words,
    )
