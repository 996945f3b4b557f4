"""Files that requests to the native API name by their URLs."""

import json
import threading
from typing import Any

from ppocr_serving.settings import ServerSettings
from tests.asgi import Answer
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import HELLO, INVOICE, INVOICE_LINES, base64_of
from tests.web.file_server import file_server, response


def read(served: Served, *files: Any) -> Answer:
    return served.post_json("/v1/read", {"files": files})


def test_files_of_both_kinds_are_read_in_order(served: Served) -> None:
    with file_server(response(INVOICE)) as server:
        answer = read(
            served,
            {"url": f"{server.url}/files/invoice%201.png?secret=1"},
            {"data": base64_of(HELLO)},
            {"url": f"{server.url}/a", "name": "own.png"},
        )
    assert answer.status == 200
    documents = answer.json["documents"]
    assert [document["name"] for document in documents] == ["invoice 1.png", "", "own.png"]
    for document, texts in zip(documents, (INVOICE_LINES, ["Hello World"], INVOICE_LINES), strict=True):
        found = json.dumps(document)
        assert all(text in found for text in texts)


def test_an_error_says_which_file_it_is_about(served: Served) -> None:
    answer = read(served, base64_of(HELLO), {"url": "http://10.0.0.1/a.png"})
    assert answer.status == 400
    assert answer.json["error"]["file"] == 1
    assert answer.json["error"]["message"].startswith("files[1]: url 'http://10.0.0.1/a.png': its host has no public")


def test_a_file_has_data_or_a_url(served: Served) -> None:
    neither, both = {"name": "a.png"}, {"data": base64_of(HELLO), "url": "http://10.0.0.1/"}
    assert read(served, neither).json["error"]["message"].startswith("files[0]: data: the key is missing; ")
    assert read(served, both).json["error"]["message"] == "files[0]: data: is there beside url; send one of them"
    assert read(served, {"url": 1}).json["error"]["message"] == "files[0]: url: is a number; send a string"


def test_what_comes_is_checked_like_an_upload(served: Served) -> None:
    with file_server(response(b"<html>")) as server:
        answer = read(served, {"url": server.url})
    assert answer.status == 400
    assert answer.json["error"]["code"] == "image_decode_error"


def test_nothing_is_fetched_for_a_request_that_is_refused_anyway(served: Served) -> None:
    with file_server(response(HELLO)) as server:
        files = [{"url": server.url}]
        documents: list[Any] = [{"pages": []}] * 2
        for path, body in (
            ("/v1/read", {"files": files, "options": {"wrods": True}}),
            ("/v1/render", {"files": files, "documents": documents, "options": {"format": "jsno"}}),
            ("/v1/render", {"files": files, "documents": documents}),
            ("/v1/render", {"files": files}),
        ):
            assert served.post_json(path, body).status == 400
        assert not server.requests


def test_others_are_read_while_a_file_is_fetched(served: Served) -> None:
    """As many slow files as the worker computes requests at the same time do not stop it."""
    let_go = threading.Event()
    let_go_in_time = []

    def slow(client: Any) -> None:
        let_go_in_time.append(let_go.wait(9))  # a second less than a request may fetch
        client.sendall(response(HELLO))

    count = ServerSettings().max_concurrency
    with file_server(slow) as server:
        answers = served.at_once(
            [("/v1/read", {"files": [{"url": server.url}]})] * count,
            ("/v1/read", {"files": [base64_of(HELLO)]}),
            let_go.set,
        )
    assert [answer.status for answer in answers] == [200] * (count + 1)
    assert let_go_in_time == [True] * count
