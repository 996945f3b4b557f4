"""What clients of rapidocr_api send and read."""

import pytest

from ppocr_serving.settings import ServerSettings
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import BLANK, HELLO, INVOICE, INVOICE_LINES, base64_of


def test_the_documented_upload_is_answered(served: Served) -> None:
    """`curl -F image_file=@1.png http://0.0.0.0:9003/ocr`."""
    answer = served.post_form("/ocr", {}, {"image_file": ("1.png", INVOICE)})

    assert answer.status == 200
    assert list(answer.json) == ["0", "1"]
    assert [row["rec_txt"] for row in answer.json.values()] == INVOICE_LINES
    for row in answer.json.values():
        assert 0.5 < float(row["score"]) <= 1
        assert len(row["score"]) == len("0.9876")
        assert [len(corner) for corner in row["dt_boxes"]] == [2] * 4
        assert all(isinstance(number, float) for corner in row["dt_boxes"] for number in corner)


@pytest.mark.parametrize("is_multipart", [False, True])
def test_base64_is_answered_as_the_file(served: Served, is_multipart: bool) -> None:
    fields = {"image_data": base64_of(INVOICE)}
    if is_multipart:  # as curl -F image_data=... sends it
        boundary = b"--b\r\nContent-Disposition: form-data; name="
        body = boundary + b'"image_data"\r\n\r\n' + fields["image_data"].encode() + b"\r\n--b--\r\n"
        answer = served.post("/ocr", body, "multipart/form-data; boundary=b")
    else:  # as the package's own demo sends it
        answer = served.post_form("/ocr", fields)
    assert answer.json == served.post_form("/ocr", {}, {"image_file": ("1.png", INVOICE)}).json


def test_stages_can_be_left_out(served: Served) -> None:
    def rows(file: bytes, **fields: bool) -> list[dict[str, object]]:
        answer = served.post_form("/ocr", fields, {"image_file": ("1.png", file)})
        assert answer.status == 200
        return list(answer.json.values())

    (row,) = rows(HELLO, use_det=False, use_cls=True, use_rec=True)
    assert row.keys() == {"rec_txt", "score"}
    assert row["rec_txt"] == "Hello World"
    assert [row.keys() for row in rows(INVOICE, use_rec=False)] == [{"dt_boxes"}] * 2
    refused = served.post_form("/ocr", {"use_det": False, "use_rec": False}, {"image_file": ("1.png", HELLO)})
    assert refused.status == 400
    assert refused.json["detail"].startswith("use_det and use_rec are both false")


def test_nothing_found_is_an_empty_object(served: Served) -> None:
    assert served.post_form("/ocr", {}, {"image_file": ("1.png", BLANK)}).json == {}


def test_wrong_values_are_named(served: Served) -> None:
    answer = served.post_form("/ocr", {"use_cls": "maybe"}, {"image_file": ("1.png", HELLO)})
    assert answer.status == 400
    assert answer.json["detail"].startswith("use_cls is 'maybe': ")
    answer = served.post_form("/ocr", {"image_data": "%%%"})
    assert answer.status == 400
    assert answer.json["detail"].startswith("image_data: is not valid base64")


def test_a_form_without_a_file_says_how_to_send_one(served: Served) -> None:
    answer = served.post_form("/ocr", {"use_det": "true"})
    assert answer.status == 400
    assert "send it as image_file (rapidocr_api) or as file (LiteParse)" in answer.json["detail"]


def test_other_content_types_are_refused(served: Served) -> None:
    answer = served.post("/ocr", INVOICE, "image/png")
    assert answer.status == 415
    assert answer.json["errorMsg"].startswith("the content type is 'image/png'; send application/json, multipart")


def test_without_its_adapters_the_path_is_not_there(served: Served) -> None:
    without = served.with_settings(ServerSettings(adapters=("umiocr",)))
    answer = without.post_form("/ocr", {}, {"image_file": ("1.png", HELLO)})
    assert answer.status == 404
    assert answer.json["msg"].startswith("the path '/ocr' is unknown")
