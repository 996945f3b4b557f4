"""The OCR pipeline's `POST /ocr` as PaddleX and PaddleOCR 3 serve it."""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import cv2
import msgspec

from ppocr_serving.errors import EngineError, InvalidRequest, LimitExceeded
from ppocr_serving.outputs import Item, write
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Box, Document, Page
from ppocr_serving.settings import Fraction, LimitType, ReadingSettings, UnclipRatio
from ppocr_serving.vision.pixels import BgrImage
from ppocr_serving.web.adapters.boxes import turned, upright
from ppocr_serving.web.adapters.fields import convert_fields
from ppocr_serving.web.adapters.json_bodies import open_json
from ppocr_serving.web.adapters.pages import FilePages, open_pages, reader_of
from ppocr_serving.web.adapters.sent import file_of_text
from ppocr_serving.web.allowances import MAX_SIDE_LENGTH
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response, json_response
from ppocr_serving.web.v1.files import File

__all__ = ["answer_paddlex"]

_FILE: Final = "file"
_PDF, _PICTURE = 0, 1
_MAX_PAGES: Final = 10
_MAX_IMAGE_BYTES: Final = 2**25  # of all pictures in an answer
_JPEG_QUALITY: Final = 90
_SMALLEST_SIDE: Final = 64  # PaddleX' default, to which it enlarges
_SideLength = Annotated[int, msgspec.Meta(ge=32, le=MAX_SIDE_LENGTH)]
_HINTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "fileType": Literal[0, 1],
        "useDocOrientationClassify": bool,
        "useDocUnwarping": bool,
        "useTextlineOrientation": bool,
        "textDetLimitSideLen": _SideLength,
        "textDetLimitType": LimitType,
        "textDetThresh": Fraction,
        "textDetBoxThresh": Fraction,
        "textDetUnclipRatio": UnclipRatio,
        "textRecScoreThresh": Fraction,
        "returnWordBox": bool,
        "visualize": bool,
        "logId": str,
    }
)
_ROTATIONS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def answer_paddlex(call: Call) -> Response:
    """Answer a request of a client of PaddleX.

    Raises:
        OcrError: It cannot be answered.
    """
    text, values = open_json(call.body, _FILE)
    fields = convert_fields(values, _HINTS)
    if fields.get("useDocUnwarping"):
        raise InvalidRequest("useDocUnwarping is true, but curved pages are not straightened here; leave it out")
    options = _read_options(fields)
    visualizes = fields.get("visualize", True)
    results, sizes = [], []
    with open_pages(file_of_text(_FILE, text, call), call) as pages:
        _require_kind(pages, fields.get("fileType"))
        images = _Images(pages.file, call)
        for page in pages.read(options, _MAX_PAGES):
            if page.error is not None:
                raise page.error
            result: dict[str, Any] = {"prunedResult": _pruned(page, options, reader_of(call).settings.reading)}
            results.append(result | images.of(page) if visualizes else result)
            sizes.append({"width": page.width, "height": page.height})
        is_one = pages.document.kind != "pdf" and len(sizes) == 1
    info = {**sizes[0], "type": "image"} if is_one else {"numPages": len(sizes), "pages": sizes, "type": "pdf"}
    with call.watch("encode"):
        answer = {
            "logId": fields.get("logId", call.request_id),
            "errorCode": 0,
            "errorMsg": "Success",
            "result": {"ocrResults": results, "dataInfo": info},
        }
        return json_response(msgspec.json.encode(answer))


def _require_kind(pages: FilePages, file_type: int | None) -> None:
    if file_type is not None and (pages.document.kind == "pdf") != (file_type == _PDF):
        kinds = {_PDF: "a PDF", _PICTURE: "a picture"}
        raise InvalidRequest(
            f"fileType is {file_type}, but the file is {kinds[1 - file_type]}; leave fileType out, or correct it"
        )


def _read_options(fields: Mapping[str, Any]) -> ReadOptions:
    side, kind = fields.get("textDetLimitSideLen"), fields.get("textDetLimitType")
    if side is not None and kind is None:
        kind = "min"  # as in PaddleX' pipeline
    elif kind == "min" and side is None:
        side = _SMALLEST_SIDE
    return ReadOptions(
        orientation=fields.get("useDocOrientationClassify"),
        use_angle_cls=fields.get("useTextlineOrientation"),
        det_limit_side_len=side,
        det_limit_type=kind,
        det_db_thresh=fields.get("textDetThresh"),
        det_db_box_thresh=fields.get("textDetBoxThresh"),
        det_db_unclip_ratio=fields.get("textDetUnclipRatio"),
        drop_score=fields.get("textRecScoreThresh"),
        words=fields.get("returnWordBox", False),
        reading_order="rows",
    )


def _pruned(page: Page, options: ReadOptions, settings: ReadingSettings) -> dict[str, Any]:
    """Return what was read; as in PaddleX, boxes are those of the page once it has been turned upright."""
    effective = msgspec.structs.replace(
        settings, **{name: value for name, value in options.given().items() if hasattr(settings, name)}
    )

    def shown(box: Box) -> Box:
        return turned(box, page.angle, page.width, page.height)

    boxes = [shown(line.box) for line in page.lines]
    pruned: dict[str, Any] = {
        "model_settings": {
            "use_doc_preprocessor": effective.orientation,
            "use_textline_orientation": effective.use_angle_cls,
        },
        "doc_preprocessor_res": {
            "model_settings": {"use_doc_orientation_classify": effective.orientation, "use_doc_unwarping": False},
            "angle": -page.angle % 360 if effective.orientation else -1,
        },
        "dt_polys": boxes,
        "text_det_params": {
            "limit_side_len": effective.det_limit_side_len,
            "limit_type": effective.det_limit_type,
            "thresh": effective.det_db_thresh,
            "box_thresh": effective.det_db_box_thresh,
            "unclip_ratio": effective.det_db_unclip_ratio,
        },
        "text_type": "general",
        "textline_orientation_angles": [-1] * len(boxes),
        "text_rec_score_thresh": effective.drop_score,
        "return_word_box": effective.words,
        "rec_texts": [line.text for line in page.lines],
        "rec_scores": [line.confidence for line in page.lines],
        "rec_polys": boxes,
        "rec_boxes": [upright(box) for box in boxes],
    }
    if effective.words:
        pruned["text_word"] = [[word.text for word in line.words] for line in page.lines]
        pruned["text_word_boxes"] = [[upright(shown(word.box)) for word in line.words] for line in page.lines]
    return pruned


class _Images:
    """The pictures of an answer.

    Args:
        file: The file.
        call: What is answered.
    """

    def __init__(self, file: File, call: Call) -> None:
        self._file = file
        self._call = call
        self._room = _MAX_IMAGE_BYTES

    def of(self, page: Page) -> dict[str, str]:
        """Return the pictures of a page in base64: as it was sent, upright, and with what was found in it."""
        with self._call.watch("encode"):
            drawn = write([Item(Document((page,)), pages=self._file)], "png", check=self._call.check_request)
            image = self._file.image(page.number)
            images = {"ocrImage": self._base64(drawn), "inputImage": self._base64(_jpeg(image))}
            if page.angle:
                images["docPreprocessingImage"] = self._base64(_jpeg(cv2.rotate(image, _ROTATIONS[page.angle])))
            return images

    def _base64(self, data: bytes) -> str:
        self._room -= len(data)
        if self._room < 0:
            raise LimitExceeded(
                f"the pictures of the answer have more than {_MAX_IMAGE_BYTES} bytes; send visualize=false"
            )
        return base64.b64encode(data).decode()


def _jpeg(image: BgrImage) -> bytes:
    is_written, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not is_written:
        raise EngineError("a page cannot be written as JPEG")
    return data.tobytes()
