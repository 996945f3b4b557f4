"""Options of one call, and how they are split among the stages."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, get_type_hints

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.page_numbers import check_pages
from ppocr_serving.settings import (
    CloserSideLength,
    Dpi,
    Fraction,
    LimitType,
    ReadingOrder,
    ReadingSettings,
    ScoreMode,
    SideLength,
    UnclipRatio,
)
from ppocr_serving.values import convert, parse_text, shortened, suggestion

if TYPE_CHECKING:
    from ppocr_serving.models.profile import DetectionModel
    from ppocr_serving.vision.pipeline import PipelineOptions

__all__ = ["DOCUMENT_OPTIONS", "PdfText", "ReadOptions", "Region", "pipeline_options"]

DOCUMENT_OPTIONS: Final = ("pages", "dpi", "pdf_text", "password")
"""Options that only files with pages have."""

PdfText = Literal["never", "prefer"]
"""Whether the text that a PDF holds itself is taken in place of reading its pages."""

_Start = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Length = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Region = tuple[_Start, _Start, _Length, _Length]
"""x and y of the top left corner, width and height: pixels of the page as displayed."""

_MAX_REGIONS = 16
_SECRET: Final = frozenset({"password"})
_MAX_PASSWORD = 128
_REGION_FORM = "[x, y, width, height] in whole pixels, with a width and a height of at least 1"


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one call; None keeps the reader's own setting.

    Attributes:
        det_limit_side_len: Length of a side in pixels; see `det_limit_type`.
        det_limit_type: `max` shrinks pictures whose longer side exceeds the limit before detection, `min` enlarges
            those whose shorter side is below it.
        det_closer_side_len: Length of the longer side, in pixels, up to which pictures are enlarged for a
            second look, where the first one found small text; 0 means no second look.
        det_db_thresh: Probability in [0, 1] above which a pixel is text.
        det_db_box_thresh: Minimum mean probability of a box, in [0, 1].
        det_db_unclip_ratio: How far boxes are expanded, from 0.1 to 10.
        det_db_score_mode: Where the mean probability of a box is taken: in the box itself (`fast`), or within
            the contour of the text (`slow`).
        use_dilation: Thicken what was found to be text before drawing boxes around it.
        use_angle_cls: Look for lines that are upside down.
        cls_thresh: Confidence in [0, 1] above which a line counts as upside down.
        drop_score: Lines with less confidence than this, in [0, 1], are dropped.
        reread_score: Lines with less confidence than this, in [0, 1], are read again by the profile's second
            recogniser: with 0 none, with 1 all.
        reading_order: Order of the lines: `natural` reads columns one after the other, `rows` straight across the page.
        orientation: Read pictures that lie on their side or upside down as if they were upright.
        words: Find the words of each line.
        region: The only part of each page to read: x and y of its top left corner, width and height, in pixels
            of the page as displayed. Or a list of up to 16 such parts, in the order in which they are to be
            read.
        pages: Pages to read of files that have several: numbers and ranges, such as "1-3,7,10-".
        dpi: Pixels per inch at which pages of a PDF are rendered, from 72 to 600.
        pdf_text: With `prefer`, the text that a page of a PDF holds itself is taken if it is usable. With
            `never`, the default, the page is always read as a picture.
        password: Opens a PDF; at most 128 characters, never shown.

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
    region: Region | tuple[Region, ...] | None = None
    pages: str | None = None
    dpi: Dpi | None = None
    pdf_text: PdfText | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            check = _CHECKS.get(name)
            converted = check(value) if check else convert(name, value, _HINTS[name], InvalidRequest)
            msgspec.structs.force_setattr(self, name, converted)

    def __repr__(self) -> str:
        shown = {name: "..." if name == "password" else value for name, value in self.given().items()}
        return f"ReadOptions({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build options from names and plain values, such as a JSON object.

        Raises:
            InvalidRequest: A name is unknown, or a value is not allowed.
        """
        _require_known(values)
        return cls(**values)

    @classmethod
    def from_text(cls, values: Mapping[str, str]) -> Self:
        """Build options from names and texts, such as a query string or a form.

        Args:
            values: Numbers as usual; `true`, `false`, `1` or `0`; a region as `x,y,width,height`, several separated by
                semicolons. An empty text is an option that is not given.

        Raises:
            InvalidRequest: A name is unknown, or a value is not allowed.
        """
        _require_known(values)
        return cls(**{name: _parsed(name, text) for name, text in values.items() if text != ""})

    @property
    def regions(self) -> tuple[Region, ...]:
        """The parts to read; empty for all of each page."""
        return self.region or ()  # type: ignore[return-value]

    def given(self) -> dict[str, Any]:
        """Return the options that are set, by name."""
        return {name: value for name in _HINTS if (value := getattr(self, name)) is not None}

    def plain(self) -> dict[str, bool | float | str | None]:
        """Return all options but the password by name, as texts and numbers; None for those that are not set."""
        return {name: _plain(getattr(self, name)) for name in _HINTS if name not in _SECRET}


def _plain(value: object) -> bool | float | str | None:
    if isinstance(value, tuple):  # regions, as they are given in a query
        return ";".join(",".join(map(str, region)) for region in value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _check_regions(value: Any) -> tuple[Region, ...]:
    is_one = isinstance(value, list | tuple) and not any(isinstance(item, list | tuple) for item in value)
    regions = [value] if is_one else value
    if not isinstance(regions, list | tuple) or not regions or value in ((), []):
        raise InvalidRequest(f"region is {shortened(value)}; give {_REGION_FORM}, or a list of them")
    if len(regions) > _MAX_REGIONS:
        raise InvalidRequest(f"region has {len(regions)} parts; the limit is {_MAX_REGIONS}")
    try:
        return msgspec.convert(tuple(regions), tuple[Region, ...], strict=True)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"region is {shortened(value)}; give {_REGION_FORM}, or a list of them") from error


def _check_pages(value: Any) -> str:
    text: str = convert("pages", value, str, InvalidRequest)
    check_pages(text)
    return text


def _check_password(value: Any) -> str:
    # No message shows it.
    if not isinstance(value, str):
        raise InvalidRequest("password is not a string; give it as one")
    if len(value) > _MAX_PASSWORD:
        raise InvalidRequest(f"password has {len(value)} characters; the limit is {_MAX_PASSWORD}")
    if "\0" in value or not _is_unicode(value):
        raise InvalidRequest("password has a character that no password can have; give the right one")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: Final = {"region": _check_regions, "pages": _check_pages, "password": _check_password}
_HINTS = get_type_hints(ReadOptions, include_extras=True)
_BOOLEANS: Final = frozenset(name for name, hint in _HINTS.items() if hint == bool | None)
_TEXTS: Final = frozenset({"pages", "password"})


def _require_known(values: Mapping[str, Any]) -> None:
    for name in values:
        if name not in _HINTS:
            known = suggestion(name, _HINTS) or f"; known options: {', '.join(_HINTS)}"
            raise InvalidRequest(f"unknown option {name[:40]!r}{known}")


def _parsed(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    if name == "region":
        try:
            regions = tuple(tuple(map(int, part.split(","))) for part in text.split(";"))
            return regions if len(regions) > _MAX_REGIONS else _check_regions(regions)
        except (ValueError, InvalidRequest) as error:
            raise InvalidRequest(
                f"region is {shortened(text)}; give x,y,width,height in whole pixels, several separated by ;"
            ) from error
    if name in _BOOLEANS and text not in ("true", "false", "1", "0"):
        raise InvalidRequest(f"{name} is {shortened(text)}; allowed: true, false, 1, 0")
    return parse_text(name, text, _HINTS[name], InvalidRequest)


def pipeline_options(
    defaults: ReadingSettings, options: ReadOptions | None, detector: "DetectionModel"
) -> "PipelineOptions":
    """Split the options of one call among the stages.

    Args:
        defaults: The reader's own settings.
        options: Options of the call.
        detector: What the profile says about the detector.
    """
    # Commands that only parse options do without what reads pictures.
    from ppocr_serving.vision.detection import DetectionOptions
    from ppocr_serving.vision.pipeline import PipelineOptions

    given = {} if options is None else options.given()
    merged = msgspec.structs.replace(
        defaults, **{name: value for name, value in given.items() if name in defaults.__struct_fields__}
    )
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
