"""Keys, as the clients of other services send them."""

import json
from urllib.parse import urlencode

import pytest

from ppocr_serving.settings import ServerSettings
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import HELLO, base64_of

KEY = "a-key-of-some-length"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def guarded(served: Served) -> Served:
    return served.with_settings(ServerSettings(api_keys=(f"tester:{KEY}",)))


def test_the_dify_plugin_sends_a_token(guarded: Served) -> None:
    body = json.dumps({"file": base64_of(HELLO), "visualize": False}).encode()
    assert guarded.post("/ocr", body, "application/json", authorization=f"token {KEY}").status == 200
    refused = guarded.post("/ocr", body, "application/json", authorization="token another-key-of-length")
    assert (refused.status, refused.json["errorCode"]) == (401, 401)


def test_clients_of_ocrspace_send_a_header_of_their_own(guarded: Served) -> None:
    body = urlencode({"base64Image": base64_of(HELLO)}).encode()
    assert guarded.post("/parse/image", body, FORM, apikey=KEY).status == 200
    for headers in ({}, {"apikey": "helloworld"}):
        refused = guarded.post("/parse/image", body, FORM, **headers)
        assert refused.status == 401
        assert refused.json["IsErroredOnProcessing"] is True


def test_umiocrs_options_need_a_key_too(guarded: Served) -> None:
    refused = guarded.get("/api/ocr/get_options")
    assert (refused.status, refused.json["code"]) == (401, 401)
