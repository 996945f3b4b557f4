"""The files that visitors of the page can try: how they are served, and what the default models read in them."""

import io
from collections.abc import Iterator

import pypdfium2
import pytest
from PIL import Image

from ppocr_serving.web.examples import EXAMPLES, EXAMPLES_PREFIX
from tests.matching import edit_similarity
from tests.web.v1.service import Native, native


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native() as served:
        yield served


def example(service: Native, name: str) -> bytes:
    answer = service.get(f"{EXAMPLES_PREFIX}{name}")
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_small_and_kept_by_browsers(service: Native, name: str) -> None:
    answer = service.get(f"{EXAMPLES_PREFIX}{name}", accept_encoding="gzip")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == EXAMPLES[name]
    assert "Content-Encoding" not in answer.headers
    assert len(answer.body) < 60_000
    kept = service.get(f"{EXAMPLES_PREFIX}{name}", if_none_match=answer.headers["ETag"])
    assert (kept.status, kept.body) == (304, b"")


@pytest.mark.parametrize(
    "name", ["", "other.png", "../index.html", "..%2findex.html", "receipt.png/", "./receipt.png", "RECEIPT.PNG"]
)
def test_there_are_no_other_files(service: Native, name: str) -> None:
    assert service.get(f"{EXAMPLES_PREFIX}{name}").status == 404


def test_the_files_are_what_they_are_called(service: Native) -> None:
    for name in ("receipt.png", "chinese.png"):
        assert Image.open(io.BytesIO(example(service, name))).format == "PNG"
    assert len(pypdfium2.PdfDocument(example(service, "report.pdf"))) == 3


def test_the_receipt_is_read(service: Native) -> None:
    lines = service.read(example(service, "receipt.png"), format="text").body.decode().splitlines()
    for text in ("MILL LANE GROCERS", "Wholemeal bread", "Sunflower oil", "TOTAL", "36.78", "Thank you, see you soon!"):
        assert text in lines


def test_the_notice_is_read_with_its_column(service: Native) -> None:
    answer = service.read(example(service, "chinese.png")).json
    (page,) = answer["documents"][0]["pages"]
    lines = {line["text"]: line for paragraph in page["paragraphs"] for line in paragraph["lines"]}
    assert {"社区读书会通知", "主题：一起读一本关于河流的书", "开卷有益温故知新"} <= lines.keys()
    xs, ys = zip(*lines["开卷有益温故知新"]["box"], strict=True)
    assert max(ys) - min(ys) > 4 * (max(xs) - min(xs))


def test_the_report_is_read_in_the_order_of_its_columns(service: Native) -> None:
    report = example(service, "report.pdf")
    answer = service.read(report).json
    first, second, third = answer["documents"][0]["pages"]
    texts = [
        [line["text"] for paragraph in page["paragraphs"] for line in paragraph["lines"]]
        for page in (first, second, third)
    ]
    headings = [text for text in texts[0] if text in ("Why we put hives on roofs", "How we worked", "What we found")]
    assert headings == ["Why we put hives on roofs", "How we worked", "What we found"]
    assert texts[1].index("Water") < texts[1].index("Next year")
    assert third["angle"] in (90, 270)
    assert {"Table 1. Roofs, hives and honey", "Swimming hall", "456"} <= set(texts[2])

    typed = service.read(report, format="text", pdf_text="prefer", pages="1-2").body.decode()
    read = " ".join(texts[0] + texts[1])
    assert edit_similarity(" ".join(read.split()), " ".join(typed.split())) > 0.97
