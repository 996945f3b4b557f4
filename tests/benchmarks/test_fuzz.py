import os
import random
import re
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.door_answers import comparable, examine
from benchmarks.doors import BOUNDARY, JSON, RECIPES, Answer, Asked, form
from benchmarks.fuzz import plan_input
from benchmarks.mutations import mutate, mutate_body, mutate_head
from benchmarks.small_files import pdf_of_pictures, pdf_with_text, small_files, text_picture
from tests.benchmarks.commands import run_module

fuzz = partial(run_module, "fuzz")
PYTHON = os.environ.get("PPOCR_TEST_PYTHON") or sys.executable
FAULTY_SERVER = (sys.executable, str(Path(__file__).with_name("leaking_server.py")), "{port}", "0", "0", "ocr_det")
PREDICT = Asked("predict", "/predict/ocr_system", JSON, b"")
READ = Asked("v1/read", "/v1/read", JSON, b"", "jsonl")


def counts(output: str) -> dict[str, int]:
    return {door: int(number) for door, number in re.findall(r"^\| ([^|]+) \| (\d+) \|", output, re.MULTILINE)}


def test_a_run_attacks_a_real_server_and_finds_nothing_wrong() -> None:
    done = fuzz("--inputs", "60", "--seed", "1", "--clients", "3", "--", PYTHON, "-m", "ppocr_serving")

    assert (done.returncode, done.stderr) == (0, "")
    inputs = counts(done.stdout)
    assert {"predict", "event predict"} <= set(inputs)
    assert sum(inputs.values()) >= 60
    assert re.search(r"^\| door \| inputs \| 200 \| 400 \|", done.stdout)
    assert "wrong: 0;" in done.stdout


def test_a_faulty_server_is_noticed_and_each_fault_can_be_repeated() -> None:
    done = fuzz("--inputs", "60", "--clients", "1", "--door", "predict", "--", *FAULTY_SERVER)

    assert done.returncode == 1
    first = done.stderr.splitlines()[0]
    assert first.startswith("fuzz: predict ocr_det, a valid request: status 500")
    found = re.search(r"^fuzz: --seed 0 --start (\d+) --inputs 1 (\(predict, .*)", done.stderr, re.MULTILINE)
    assert found

    again = fuzz("--seed", "0", "--start", found[1], "--inputs", "1", "--door", "predict", "--", *FAULTY_SERVER)

    assert found[2] in again.stderr


def test_doors_that_are_absent_are_reported_and_not_counted() -> None:
    doors = ("--door", "predict", "--door", "api/ocr")
    done = fuzz("--inputs", "5", "--clients", "1", *doors, "--", *FAULTY_SERVER)
    assert "\n| api/ocr | absent |" in done.stdout
    assert counts(done.stdout)["predict"] >= 5

    nothing = fuzz("--inputs", "5", "--door", "api/ocr", "--", *FAULTY_SERVER)
    assert (nothing.returncode, nothing.stderr) == (1, "fuzz: no door answers a valid request\n")


def test_a_server_that_answers_no_valid_request_is_a_one_line_error() -> None:
    done = fuzz("--inputs", "5", "--door", "predict", "--", *FAULTY_SERVER[:-1], "ocr_cls")

    assert done.returncode == 1
    assert re.fullmatch(r"fuzz: no answer \(.*\)\n", done.stderr)


def test_the_same_seed_and_number_give_the_same_input() -> None:
    files = small_files()
    recipes = list(RECIPES.values())
    planned = [plan_input(recipes, files, 7, number) for number in range(300)]

    assert planned == [plan_input(recipes, files, 7, number) for number in range(300)]
    assert planned != [plan_input(recipes, files, 8, number) for number in range(300)]
    assert {one.kind for one in planned} == {"file", "body", "head", "valid"}
    assert {one.asked.door for one in planned} == {recipe.door for recipe in recipes}
    assert {one.file.split()[0] for one in planned} == {"JPEG", "PNG", "GIF", "TIFF", "WebP", "BMP", "PDF"}


@given(st.binary(max_size=300), st.integers(0, 10**6))
def test_anything_can_be_mutated_and_stays_small(data: bytes, seed: int) -> None:
    assert len(mutate(data, random.Random(seed))) <= len(data) + 30 * 200


@pytest.mark.parametrize("name", RECIPES)
def test_every_request_can_be_mutated_and_sent(name: str) -> None:
    asked = RECIPES[name].build(small_files()["PNG"], {})
    bodies, heads = set(), set()
    for seed in range(200):
        bodies.add(mutate_body(asked, random.Random(seed)).body)
        changed = mutate_head(asked, random.Random(seed))
        assert re.fullmatch(r"/[!-~]*", changed.path)
        changed.content_type.encode("latin-1")
        heads.add(changed)
    assert len(bodies) > 100
    assert len(heads) > 50


def test_a_form_holds_its_fields_and_files() -> None:
    body = form({"format": "text"}, {"file": b"\0\1"})
    assert body.count(f"--{BOUNDARY}\r\n".encode()) == 2
    assert b'name="format"\r\n\r\ntext\r\n' in body
    assert b"\r\n\r\n\0\1\r\n" in body


@pytest.mark.parametrize(
    ("asked", "answer", "problem"),
    [
        (PREDICT, Answer(200, JSON, b'{"msg":"","results":[[]],"status":"000"}'), ""),
        (PREDICT, Answer(400, JSON, b'{"msg":"images[0]: is empty","results":"","status":"101"}'), ""),
        (PREDICT, Answer(500, JSON, b'{"msg":"the server failed","results":"","status":"101"}'), "status 500"),
        (PREDICT, Answer(200, JSON, b'{"msg":"","results":[[]],"status":"101"}'), "status '101'"),
        (PREDICT, Answer(200, JSON, b'{"msg":"","results":[[]],"status":"000"'), "not valid JSON"),
        (PREDICT, Answer(200, "text/html", b"<html>"), "content type"),
        (PREDICT, Answer(400, JSON, b'{"msg":"a\\nb","results":"","status":"101"}'), "cannot be printed"),
        (PREDICT, Answer(400, JSON, b'{"msg":"in /tmp/x","results":"","status":"101"}'), "the message tells"),
        (PREDICT._replace(method="HEAD"), Answer(405, JSON, b""), ""),
        (READ, Answer(200, "application/x-ndjson", b'{"type":"page"}\n{"type":"end"}\n'), ""),
        (READ, Answer(200, "application/x-ndjson", b'{"type":"page"}\n'), "records"),
        (READ, Answer(200, "text/plain", b"x"), "content type"),
        (
            READ._replace(format="hocr"),
            Answer(200, "application/xhtml+xml; charset=utf-8", b"<html>"),
            "not valid hocr",
        ),
        (READ._replace(format="csv"), Answer(200, "text/csv", b"a,b\r\n1\r\n"), "rows of"),
        (READ._replace(format="pdf"), Answer(200, "application/pdf", b"%PDF-1.7 cut"), "not a whole PDF"),
        (READ, Answer(400, JSON, b'{"error":{"code":"bad","message":"no","request_id":"1"}}'), ""),
        (READ, Answer(400, JSON, b'{"msg":"no","results":"","status":"101"}'), "keys"),
    ],
)
def test_answers_are_examined_in_the_form_of_their_door(asked: Asked, answer: Answer, problem: str) -> None:
    found = examine(asked, answer).problem
    assert problem in found
    assert bool(found) == bool(problem)


def test_an_events_answer_is_examined_as_that_of_the_request_in_it() -> None:
    asked = PREDICT._replace(door="event predict")
    error = r"{\"msg\":\"no\",\"results\":\"\",\"status\":\"101\"}"
    body = '{"isBase64Encoded":false,"statusCode":%d,"headers":{"Content-Type":"application/json"},"body":"%s"}'
    assert examine(asked, Answer(200, JSON, (body % (400, error)).encode())) == (400, "")
    assert examine(asked, Answer(200, JSON, (body % (500, error)).encode())).problem
    assert examine(asked, Answer(200, JSON, (body % (200, error)).encode())).problem


def test_times_and_ids_do_not_count_when_answers_are_compared() -> None:
    def answer(times: int, text: str) -> Answer:
        return Answer(200, JSON, b'{"documents":[{"times":{"det":%d},"text":"%s"}]}' % (times, text.encode()))

    assert comparable(answer(1, "a")) == comparable(answer(2, "a"))
    assert comparable(answer(1, "a")) != comparable(answer(1, "b"))
    assert comparable(answer(1, "a")) != comparable(answer(1, "a")._replace(status=503))


def test_pdf_files_are_complete() -> None:
    assert pdf_of_pictures([text_picture("a"), text_picture("b")]).count(b"/Type /Page\n") == 2
    assert re.search(rb"\(Total\) Tj", pdf_with_text(["Total"]))
