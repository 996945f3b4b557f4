"""What clients of PaddleX and PaddleOCR 3 send to `POST /ocr`, and read."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from ppocr_serving.settings import ServerSettings
from tests.asgi import Answer
from tests.served.samples import file_of, page
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import BLANK, HELLO, INVOICE, INVOICE_LINES, base64_of, pdf_of
from tests.web.file_server import file_server, response


def ask_paddlex(served: Served, file: bytes, **fields: Any) -> Answer:
    return served.post_json("/ocr", {"file": base64_of(file), "visualize": False, **fields})


def pruned(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    (result,) = answer.json["result"]["ocrResults"]
    found: dict[str, Any] = result["prunedResult"]
    return found


def picture_in(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_the_documented_request_is_answered(served: Served) -> None:
    """The documented client prints `prunedResult` and writes `ocrImage` to a file, without having asked for it."""
    answer = served.post_json("/ocr", {"file": base64_of(INVOICE), "fileType": 1})

    assert answer.status == 200
    assert (answer.json["errorCode"], answer.json["errorMsg"]) == (0, "Success")
    assert answer.json["logId"] == answer.headers["X-Request-Id"]
    result = answer.json["result"]
    assert result["dataInfo"] == {"width": 640, "height": 200, "type": "image"}
    (of_page,) = result["ocrResults"]
    assert of_page["prunedResult"]["rec_texts"] == INVOICE_LINES
    assert picture_in(of_page["inputImage"]).size == (640, 200)
    assert picture_in(of_page["ocrImage"]).height == 200
    assert "docPreprocessingImage" not in of_page


def test_lists_of_a_page_belong_together(served: Served) -> None:
    found = pruned(ask_paddlex(served, INVOICE))
    for name in ("dt_polys", "rec_texts", "rec_scores", "rec_polys", "rec_boxes", "textline_orientation_angles"):
        assert len(found[name]) == 2, name
    for polygon, (left, top, right, bottom) in zip(found["rec_polys"], found["rec_boxes"], strict=True):
        xs, ys = zip(*polygon, strict=True)
        assert (min(xs), min(ys), max(xs), max(ys)) == (left, top, right, bottom)
    assert all(0.5 < score <= 1 for score in found["rec_scores"])
    assert "text_word" not in found


def test_the_request_of_the_mcp_server_is_answered(served: Served) -> None:
    """What it sends in its mode self_hosted for a picture."""
    body = {
        "file": base64_of(HELLO),
        "fileType": 1,
        "useDocOrientationClassify": False,
        "useDocUnwarping": False,
        "visualize": False,
    }
    found = pruned(served.post_json("/ocr", body))
    assert found["rec_texts"] == ["Hello World"]
    assert found["model_settings"]["use_doc_preprocessor"] is False
    assert found["doc_preprocessor_res"]["angle"] == -1


def test_options_have_their_effect(served: Served) -> None:
    found = pruned(
        ask_paddlex(
            served,
            INVOICE,
            textDetLimitSideLen=736,
            textDetLimitType="min",
            textDetThresh=0.2,
            textDetBoxThresh=0.4,
            textDetUnclipRatio=2.5,
            textRecScoreThresh=0.1,
            useTextlineOrientation=False,
            useDocOrientationClassify=None,
        )
    )
    assert found["text_det_params"] == {
        "limit_side_len": 736,
        "limit_type": "min",
        "thresh": 0.2,
        "box_thresh": 0.4,
        "unclip_ratio": 2.5,
    }
    assert found["text_rec_score_thresh"] == 0.1
    assert found["model_settings"]["use_textline_orientation"] is False
    usual = pruned(ask_paddlex(served, INVOICE))
    assert found["rec_boxes"][0][3] > usual["rec_boxes"][0][3]
    assert pruned(ask_paddlex(served, INVOICE, textRecScoreThresh=1.0))["rec_texts"] == []


def test_a_side_length_alone_is_the_least_one_as_in_paddlex(served: Served) -> None:
    params = pruned(ask_paddlex(served, INVOICE, textDetLimitSideLen=64))["text_det_params"]
    assert (params["limit_side_len"], params["limit_type"]) == (64, "min")
    params = pruned(ask_paddlex(served, INVOICE, textDetLimitType="min"))["text_det_params"]
    assert (params["limit_side_len"], params["limit_type"]) == (64, "min")


def test_words_have_boxes(served: Served) -> None:
    found = pruned(ask_paddlex(served, HELLO, returnWordBox=True))
    assert found["return_word_box"] is True
    assert found["text_word"] == [["Hello", "World"]]
    ((first, second),) = found["text_word_boxes"]
    assert first[2] <= second[0]


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_boxes_of_a_turned_page_are_those_of_the_upright_one(served: Served, angle: int) -> None:
    lines = ["The quick brown fox", "jumps over the lazy dog", "and sleeps all day", "under the old tree"]
    upright = page(lines)
    turned = upright.rotate(-angle, expand=True)  # Pillow turns the other way
    answer = ask_paddlex(served, file_of(turned), useDocOrientationClassify=True, visualize=True)
    found = pruned(answer)
    assert found["doc_preprocessor_res"]["angle"] == angle
    assert found["rec_texts"] == lines
    for box, expected in zip(
        found["rec_boxes"], pruned(ask_paddlex(served, file_of(upright)))["rec_boxes"], strict=True
    ):
        assert box == pytest.approx(expected, abs=6)
    (of_page,) = answer.json["result"]["ocrResults"]
    assert picture_in(of_page["inputImage"]).size == turned.size
    shown = picture_in(of_page["docPreprocessingImage"]).convert("RGB")
    assert shown.size == upright.size
    assert (
        max(abs(a - b) for a, b in zip(shown.resize((8, 8)).tobytes(), upright.resize((8, 8)).tobytes(), strict=True))
        < 16
    )


def test_a_pdf_has_a_result_per_page(served: Served) -> None:
    pages = pdf_of([page(["Page one"]), page(["Page two"])])
    for fields in ({}, {"fileType": 0}):
        answer = ask_paddlex(served, pages, **fields)
        assert answer.status == 200
        texts = [result["prunedResult"]["rec_texts"] for result in answer.json["result"]["ocrResults"]]
        assert texts == [["Page one"], ["Page two"]]
        info = answer.json["result"]["dataInfo"]
        assert (info["numPages"], info["type"]) == (2, "pdf")
        assert [size.keys() for size in info["pages"]] == [{"width", "height"}] * 2


def test_of_a_long_pdf_the_first_ten_pages_are_read(served: Served) -> None:
    small = Image.new("RGB", (60, 40), "white")
    answer = ask_paddlex(served, pdf_of([small] * 12))
    assert answer.status == 200
    assert len(answer.json["result"]["ocrResults"]) == 10


def test_nothing_found_is_empty_lists(served: Served) -> None:
    assert pruned(ask_paddlex(served, BLANK))["rec_boxes"] == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"useDocUnwarping": True}, "useDocUnwarping is true, but curved pages are not straightened here"),
        ({"fileType": 0}, "fileType is 0, but the file is a picture; leave fileType out, or correct it"),
        ({"fileType": 2}, "fileType is 2: must be one of 0, 1"),
        ({"textDetLimitSideLen": 4000}, "textDetLimitSideLen is 4000: must be a whole number from 32 to 2000"),
        ({"textDetThresh": 2}, "textDetThresh is 2: must be a number from 0 to 1"),
        ({"textDetLimitType": "most"}, "textDetLimitType is 'most': must be one of max, min"),
        (
            {"useTextLineOrientation": True},
            "'useTextLineOrientation' is not a field of this request; did you mean useText",
        ),
        ({"file": base64_of(b"text")}, ""),
        ({"file": "%"}, "file: is not valid base64"),
        ({"file": None}, "file: is null; send the base64 of a file as a string"),
    ],
)
def test_errors_come_in_the_envelope(served: Served, fields: dict[str, Any], message: str) -> None:
    answer = served.post_json("/ocr", {"file": base64_of(HELLO), **fields})
    assert answer.status == 400
    assert answer.json["errorCode"] == 400
    assert answer.json["errorMsg"].startswith(message)
    assert answer.json["logId"] == answer.headers["X-Request-Id"]


def test_a_body_that_the_server_refuses_by_itself_has_the_envelope_too(served: Served) -> None:
    small = served.with_settings(ServerSettings(max_body_mb=1))
    answer = small.post_json("/ocr", {"file": "A" * 2**20})
    assert (answer.status, answer.json["errorCode"]) == (413, 413)


def test_a_file_is_fetched_from_its_url(served: Served) -> None:
    with file_server(response(HELLO)) as server:
        found = pruned(served.post_json("/ocr", {"file": f"{server.url}/a.png", "visualize": False}))
        assert found["rec_texts"] == ["Hello World"]
    with file_server(response(b"", "404 Not Found")) as server:
        answer = served.post_json("/ocr", {"file": f"{server.url}/a.png"})
    assert answer.status == 400
    assert answer.json["errorMsg"].endswith("answers with status 404; give the address of a file")


def test_a_gateways_event_can_hold_a_request(served: Served) -> None:
    body = json.dumps({"file": base64_of(HELLO), "visualize": False})
    answer = served.post_json("/invoke", {"path": "/ocr", "httpMethod": "POST", "body": body, "isBase64Encoded": False})
    assert answer.json["statusCode"] == 200
    result = json.loads(answer.json["body"])["result"]
    assert result["ocrResults"][0]["prunedResult"]["rec_texts"] == ["Hello World"]
    answer = served.post_json("/invoke", {"path": "/ocr", "httpMethod": "POST", "body": "{}", "isBase64Encoded": False})
    assert json.loads(answer.json["body"])["errorCode"] == 400
