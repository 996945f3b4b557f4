"""What the metrics say of requests of other services' clients."""

from collections.abc import Callable

import pytest

from tests.asgi import Answer
from tests.exposition import Samples
from tests.web.adapters.conftest import SERVER, Served
from tests.web.adapters.pictures import INVOICE, base64_of

REQUESTS: dict[str, tuple[str, Callable[[Served], Answer]]] = {
    "paddlex": ("ocr", lambda served: served.post_json("/ocr", {"file": base64_of(INVOICE), "fileType": 1})),
    "rapidocr": ("ocr", lambda served: served.post_form("/ocr", {}, {"image_file": ("1.png", INVOICE)})),
    "liteparse": ("ocr", lambda served: served.post_form("/ocr", {}, {"file": ("1.png", INVOICE)})),
    "umiocr": ("umiocr", lambda served: served.post_json("/api/ocr", {"base64": base64_of(INVOICE)})),
    "ocrspace": ("ocrspace", lambda served: served.post_form("/parse/image", {}, {"file": ("1.png", INVOICE)})),
}


def metrics_of(served: Served) -> Samples:
    return Samples(served.get("/metrics").body.decode())


@pytest.mark.parametrize("adapter", REQUESTS)
def test_an_adapter_is_told_apart_and_its_pages_are_counted(served: Served, adapter: str) -> None:
    served = served.with_settings(SERVER)
    door, send = REQUESTS[adapter]
    assert send(served).status == 200
    found = metrics_of(served)

    assert found.value("ppocr_requests_total", door=door, module=adapter, status="200") == 1
    assert found.value("ppocr_pictures_total") == 1
    assert found.value("ppocr_pages_total") == 1
    assert found.value("ppocr_lines_total") == 2
    assert found.value("ppocr_pixels_total") > 10_000


@pytest.mark.parametrize("left_out", ["use_det", "use_rec"])
def test_a_picture_that_is_read_in_part_is_counted(served: Served, left_out: str) -> None:
    served = served.with_settings(SERVER)
    assert served.post_form("/ocr", {left_out: False}, {"image_file": ("1.png", INVOICE)}).status == 200
    assert metrics_of(served).value("ppocr_pages_total") == 1
