"""What the page costs in a browser: a real browser, a real server, and the arithmetic."""

import re

import pytest

from benchmarks.page_paint import Load, load_table, main, step_table
from benchmarks.page_use import Step, pages_file
from benchmarks.small_files import pdf_of_lines
from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.settings import load_settings
from tests.served.server import PYTHON, free_port

LIMITS = DocumentLimits.of(load_settings(environ={}))


def rows(table: str) -> dict[str, list[str]]:
    return {name: cells.split(" | ") for name, cells in re.findall(r"^\| ([^|]+) \| (.+) \|$", table, re.MULTILINE)}


def test_loads_are_shown_by_their_median_and_the_worst() -> None:
    loads = [Load(20, 30, 5000, 1), Load(90.6, 30.4, 5000, 2), Load(10, 20, 7000, 1)]
    table = rows(load_table(loads, [Load(12, 14, 200, 1)] * 3))

    assert table["3 loads"] == ["median", "worst", "a line of text, median"]
    assert table["first paint, ms"] == ["20", "91", "12"]
    assert table["first contentful paint, ms"] == ["30", "30", "14"]
    assert table["transferred, bytes"] == ["5000", "7000", "200"]
    assert table["requests"] == ["1", "2", "1"]


def test_steps_are_shown_with_their_longest_task() -> None:
    table = rows(step_table("5000 lines", [Step("search", 0.5, 0.25, (50.4, 120.2)), Step("scroll", 1.234, 0.1, ())]))

    assert table["search"] == ["0.50", "0.25", "2", "120"]
    assert table["scroll"] == ["1.23", "0.10", "0", "-"]


@pytest.mark.parametrize("count", [1, 250])
def test_the_lines_of_the_large_page_are_lines_to_the_service(count: int) -> None:
    with open_document(pdf_of_lines(count), LIMITS) as document:
        lines = document.text_lines(1, 200)

    assert lines is not None
    assert sorted(line.text for line in lines) == sorted(f"Line {number}" for number in range(1, count + 1))


def test_the_large_document_has_its_pages() -> None:
    with open_document(pages_file(7), LIMITS) as document:
        assert document.page_count == 7


@pytest.mark.thorough
def test_a_server_is_started_and_its_page_painted_and_used(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--loads", "1", "--lines", "100", "--pages", "2", "--command", f"{PYTHON} -m ppocr_serving"])

    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    table = rows(printed.out)
    first, contentful = (float(table[name][0]) for name in ("first paint, ms", "first contentful paint, ms"))
    assert 0 < first <= contentful
    assert int(table["transferred, bytes"][0]) > 1000
    assert int(table["requests"][0]) >= 1
    steps = ["open, until the first line", "until all is read", "scroll the list", "point at lines", "search"]
    for title in ("100 lines", "2 pages"):
        used = rows(printed.out[printed.out.index(f"| {title} |") :].partition("\n\n")[0])
        assert list(used) == [title, *steps, "switch pages"]
        assert all(float(seconds) > 0 for seconds, *_ in list(used.values())[1:])


def test_a_server_that_does_not_answer_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"http://127.0.0.1:{free_port()}"]) == 1

    assert re.fullmatch(r"page_paint: .*ERR_CONNECTION_REFUSED.*\n", capsys.readouterr().err)
