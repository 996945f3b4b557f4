"""What clients of OCR.space send to `POST /parse/image`, and read."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from ppocr_serving.settings import ServerSettings
from tests.asgi import Answer
from tests.served.samples import page
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import BLANK, HELLO, INVOICE, INVOICE_LINES, base64_of, pdf_of, table
from tests.web.file_server import file_server, response

PATH = "/parse/image"


def parse(served: Served, file: bytes, **fields: Any) -> dict[str, Any]:
    """Post a file, and return the answer, which must be a success."""
    answer = served.post_form(PATH, fields, {"file": ("a.png", file)})
    assert answer.status == 200, answer.body
    assert answer.json["IsErroredOnProcessing"] is False
    found: dict[str, Any] = answer.json
    return found


def message(answer: Answer) -> str:
    """Return the message of an error."""
    assert answer.json["IsErroredOnProcessing"] is True
    (found,) = answer.json["ErrorMessage"]
    assert isinstance(found, str)
    return found


def test_the_documented_request_is_answered(served: Served) -> None:
    """The fields of OCR.space's own example; the file's field has the name of the file."""
    answer = served.post_form(
        PATH, {"isOverlayRequired": False, "apikey": "helloworld", "language": "eng"}, {"a.png": ("a.png", INVOICE)}
    )
    assert answer.status == 200
    (result,) = answer.json["ParsedResults"]
    assert result["ParsedText"] == "".join(f"{text}\r\n" for text in INVOICE_LINES)
    assert (result["FileParseExitCode"], result["TextOverlay"]["Lines"]) == (1, [])
    assert (result["ErrorMessage"], result["TextOverlay"]["HasOverlay"]) == ("", False)
    assert (answer.json["OCRExitCode"], answer.json["IsErroredOnProcessing"]) == (1, False)
    assert int(answer.json["ProcessingTimeInMilliseconds"]) > 0
    assert "not requested" in answer.json["SearchablePDFURL"]


@pytest.mark.parametrize("name", ["base64Image", "base64image"])
@pytest.mark.parametrize("prefix", ["data:image/png;base64,", ""])
def test_base64_is_read_from_an_urlencoded_form(served: Served, name: str, prefix: str) -> None:
    answer = served.post_form(PATH, {name: prefix + base64_of(INVOICE), "iscreatesearchablepdf": "false"})
    assert answer.json["ParsedResults"][0]["ParsedText"].splitlines() == INVOICE_LINES


def test_plus_signs_that_are_not_encoded_are_part_of_the_base64(served: Served) -> None:
    text = base64_of(INVOICE)
    assert "+" in text
    answer = served.post(PATH, f"base64Image={text}".encode(), "application/x-www-form-urlencoded")
    assert answer.json["ParsedResults"][0]["ParsedText"].splitlines() == INVOICE_LINES


def test_the_overlay_has_words_with_boxes(served: Served) -> None:
    overlay = parse(served, HELLO, isOverlayRequired="true")["ParsedResults"][0]["TextOverlay"]
    assert overlay["HasOverlay"] is True
    (row,) = overlay["Lines"]
    assert row["LineText"] == "Hello World"
    assert [word["WordText"] for word in row["Words"]] == ["Hello", "World"]
    for word in row["Words"]:
        assert word.keys() == {"WordText", "Left", "Top", "Height", "Width"}
        assert word["Width"] > 0
        assert word["Height"] > 0
    assert row["Words"][0]["Left"] + row["Words"][0]["Width"] <= row["Words"][1]["Left"] + 2


def test_rows_of_a_table_are_kept(served: Served) -> None:
    picture = table([("Apples", "3.20"), ("Pears", "4.50")])
    (result,) = parse(served, picture, isTable="true")["ParsedResults"]
    assert result["ParsedText"] == "Apples\t3.20\t\r\nPears\t4.50\t\r\n"
    (result,) = parse(served, picture)["ParsedResults"]
    assert result["ParsedText"] == "Apples\r\n3.20\r\nPears\r\n4.50\r\n"


def test_a_pdf_has_a_result_per_page(served: Served) -> None:
    found = parse(served, pdf_of([page(["Page one"]), page(["Page two"])]), filetype="PDF", scale="true", OCREngine="2")
    assert [result["ParsedText"] for result in found["ParsedResults"]] == ["Page one\r\n", "Page two\r\n"]


def test_a_searchable_pdf_is_a_data_url(served: Served) -> None:
    url = parse(served, INVOICE, isCreateSearchablePdf="true", isSearchablePdfHideTextLayer="true")["SearchablePDFURL"]
    prefix, _, data = url.partition(",")
    assert prefix == "data:application/pdf;base64"
    assert base64.b64decode(data).startswith(b"%PDF-")
    again = parse(served, base64.b64decode(data))
    assert again["ParsedResults"][0]["ParsedText"].splitlines() == INVOICE_LINES


def test_a_last_page_that_takes_too_long_leaves_time_to_write_the_others(served: Served) -> None:
    file = io.BytesIO()
    blank = Image.new("L", (4000, 3000), 255)
    blank.save(file, "TIFF", save_all=True, append_images=[blank.copy()], compression="tiff_deflate")
    hurried = served.with_settings(ServerSettings(request_timeout=0.05))
    answer = hurried.post_form(PATH, {"isCreateSearchablePdf": "true"}, {"file": ("a.tif", file.getvalue())})
    assert answer.status == 200, answer.body
    assert [result["FileParseExitCode"] for result in answer.json["ParsedResults"]] == [-10, -10]
    assert answer.json["SearchablePDFURL"].startswith("data:application/pdf;base64,")


def test_nothing_found_is_an_empty_text(served: Served) -> None:
    assert parse(served, BLANK)["ParsedResults"][0]["ParsedText"] == ""


def test_a_file_is_fetched_from_its_url(served: Served) -> None:
    with file_server(response(HELLO)) as server:
        answer = served.post_form(PATH, {"url": f"{server.url}/a.png?x=1&y=2", "language": "eng"})
        assert answer.json["ParsedResults"][0]["ParsedText"] == "Hello World\r\n"
    assert server.requests[0].startswith("GET /a.png?x=1&y=2 HTTP/1.1")
    assert "no public address" in message(served.post_form(PATH, {"url": "http://169.254.169.254/latest/meta-data"}))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"language": "kor"}, "language is 'kor', which the models do not read"),
        ({"language": "english"}, "language is 'english'; allowed: ara, bul, chs, "),
        ({"OCREngine": "9"}, "ocrengine is '9': "),
        ({"isTable": "perhaps"}, "istable is 'perhaps': "),
        ({"isTabel": "true"}, "'istabel' is not a field of this request; did you mean istable?"),
        ({"url": "http://example.com/"}, "file and url are given; send one of file, base64Image and url"),
    ],
)
def test_wrong_fields_are_refused(served: Served, fields: dict[str, str], expected: str) -> None:
    answer = served.post_form(PATH, fields, {"file": ("a.png", HELLO)})
    assert answer.status == 400
    assert answer.json["OCRExitCode"] == 99
    assert message(answer).startswith(expected)


def test_a_request_without_a_file_is_refused(served: Served) -> None:
    assert message(served.post_form(PATH, {"apikey": "x"})) == "no file is given; send one of file, base64Image and url"
    assert served.post(PATH, b"{}", "application/json").status == 415
    many = "&".join(f"a{number}=1" for number in range(70)).encode()
    refused = served.post(PATH, many, "application/x-www-form-urlencoded")
    assert refused.status == 413
    assert message(refused) == "the form has 70 fields; the limit is 64"
    long = served.post_form(PATH, {"language": "e" * 5000})
    assert long.status == 413
    assert message(long) == "'language': the field has 5000 bytes; the limit is 4096"


def test_a_body_of_nothing_but_escapes_takes_little_memory(served: Served) -> None:
    body = b"base64Image=" + b"%41" * 2**20
    answer = served.post(PATH, body, "application/x-www-form-urlencoded")
    assert answer.status == 400
    assert message(answer).startswith("base64Image: is not valid base64")


def test_an_adapter_that_is_switched_off_is_not_there(served: Served) -> None:
    without = served.with_settings(ServerSettings(adapters=("paddlex",)))
    assert without.post_form(PATH, {}, {"file": ("a.png", HELLO)}).status == 404
