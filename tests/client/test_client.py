"""`OcrClient` and `AsyncOcrClient` with real servers: their results, and what happens when something goes wrong."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from benchmarks.small_files import pdf_of_pictures, text_picture
from ppocr_serving import Document, ReadOptions
from ppocr_serving.client import AsyncOcrClient, ConnectionFailed, OcrClient, ServerFault, UnexpectedAnswer
from ppocr_serving.client.answers import capabilities_of, error_of_answer
from ppocr_serving.errors import (
    DeadlineExceeded,
    ImageDecodeError,
    InvalidRequest,
    KeyRequired,
    LimitExceeded,
    NotReady,
    OcrError,
    Overloaded,
    QuotaExceeded,
)
from tests.matching import without_spaces
from tests.served.server import PYTHON, Served, free_port, launch_lean, running

KEY = "0123456789abcdef-secret"
QUICK = ReadOptions(det_closer_side_len=0, reread_score=0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with launch_lean(tmp_path_factory.mktemp("client"))(2, PPOCR_MAX_BODY_MB="2") as served:
        yield served


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pictures, a PDF of two pages and something else."""
    folder = tmp_path_factory.mktemp("files")
    text_picture("Alpha 42").save(folder / "a.png")
    text_picture("Beta 43").save(folder / "b.png")
    (folder / "scan.pdf").write_bytes(pdf_of_pictures([text_picture("First page"), text_picture("Second page")]))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xffnothing")
    return folder


def test_results_are_those_of_a_reader(server: Served, files: Path) -> None:
    with OcrClient(server.url) as client:
        document = client.read(files / "a.png", ReadOptions(words=True))
        assert isinstance(document, Document)
        assert (document.name, document.text, document.error) == (str(files / "a.png"), "Alpha 42", None)
        assert [word.text for word in document.lines[0].words] == ["Alpha", "42"]

        nameless = client.read((files / "a.png").read_bytes(), ReadOptions(region=((0, 0, 4, 4), (5, 5, 1, 1))))
        assert (nameless.name, nameless.text) == ("", "")

        item = client.read_item(files / "scan.pdf", ReadOptions(dpi=72, pages="2"))
        assert [(page.number, page.text) for page in item.document.pages] == [(2, "Second page")]
        assert item.origin is not None
        assert (item.origin.profile, item.origin.options["dpi"]) == ("ppocr-v6", 72)
        assert item.times["det_engine"] > 0

        found = list(client.read_many([files / "b.png", files / "bad.jpg", str(files / "none.png"), files / "a.png"]))
        assert [document.text for document in found] == ["Beta 43", "", "", "Alpha 42"]
        assert [type(document.error) for document in found] == [
            type(None),
            ImageDecodeError,
            InvalidRequest,
            type(None),
        ]
        assert str(found[1].error).startswith(f"{files / 'bad.jpg'}: is ")
        assert str(found[2].error).startswith(f"{files / 'none.png'}: cannot be read (No such file or directory)")
        assert found[1].name == str(files / "bad.jpg")


def test_pages_arrive_while_others_are_read(server: Served, files: Path, tmp_path: Path) -> None:
    pages = [text_picture(f"Page {number}") for number in range(1, 9)]
    (tmp_path / "long.pdf").write_bytes(pdf_of_pictures(pages))
    with OcrClient(server.url) as client:
        arriving = client.read_pages(tmp_path / "long.pdf", ReadOptions(dpi=144))
        first = next(arriving)
        assert " door=v1/read pictures=1 pages=8" not in server.log()
        texts = [without_spaces(page.text) for page in (first, *arriving)]
        assert texts == [f"Page{number}" for number in range(1, 9)]
        with pytest.raises(ImageDecodeError, match=r"bad\.jpg: is "):
            list(client.read_pages(files / "bad.jpg"))
        with pytest.raises(InvalidRequest, match=r"scan\.pdf: "):
            list(client.read_pages(files / "scan.pdf", ReadOptions(pages="7")))
        given_up = client.read_pages(tmp_path / "long.pdf")
        next(given_up)
        given_up.close()
        assert client.read(files / "a.png").text == "Alpha 42"


def test_files_are_written_by_the_server(server: Served, files: Path) -> None:
    with OcrClient(server.url) as client:
        assert client.write([files / "a.png", files / "b.png"], "text") == b"Alpha 42\n\x0cBeta 43\n"
        assert client.write([(files / "scan.pdf").read_bytes()], "pdf").startswith(b"%PDF-")
        names = [one["name"] for one in json.loads(client.write([files / "a.png"], "json"))["documents"]]
        assert names == ["a.png"]
        with pytest.raises(ImageDecodeError, match=r"^files\[1\] \(bad\.jpg\) is ") as caught:
            client.write([files / "a.png", files / "bad.jpg"], "json")
        assert (caught.value.details["file"], caught.value.details["name"]) == (1, "bad.jpg")
        with pytest.raises(InvalidRequest, match="unknown format 'jsn'; did you mean json"):
            client.write([files / "a.png"], "jsn")
        with pytest.raises(InvalidRequest, match=r"none\.png: cannot be read"):
            client.write([files / "none.png"], "json")


def test_capabilities_are_those_of_the_server(server: Served) -> None:
    with OcrClient(f"{server.url}/") as client:
        assert client.capabilities() == requests.get(f"{server.url}/v1/capabilities", timeout=60).json()


def test_what_is_too_large_is_refused_and_not_sent_again(server: Served) -> None:
    before = server.log().count("error=limit_exceeded")
    with OcrClient(server.url) as client, pytest.raises(LimitExceeded, match="bytes"):
        client.read(b"\x89PNG" + bytes(3_000_000))
    assert server.log().count("error=limit_exceeded") == before + 1


def test_many_files_are_read_at_a_time_and_stay_in_order(server: Served, files: Path) -> None:
    async def read() -> list[Document]:
        sources = [files / name for name in ("a.png", "bad.jpg", "b.png", "none.png", "a.png", "b.png")]
        async with AsyncOcrClient(server.url) as client:
            assert (await client.read(files / "a.png")).text == "Alpha 42"
            assert [page.text async for page in client.read_pages(files / "scan.pdf")] == ["First page", "Second page"]
            assert await client.write([files / "a.png"], "text") == b"Alpha 42\n"
            assert (await client.capabilities())["limits"]["max_body_mb"] == 2
            # One that is given up leaves nothing behind.
            begun = client.read_many(sources, concurrency=3)
            await anext(begun)
            await begun.aclose()
            with pytest.raises(ImageDecodeError):
                await client.read(files / "bad.jpg")
            return [document async for document in client.read_many(sources, QUICK, concurrency=3)]

    found = asyncio.run(read())
    assert [document.text for document in found] == ["Alpha 42", "", "Beta 43", "", "Alpha 42", "Beta 43"]


def test_calls_that_an_overloaded_server_refuses_are_tried_again(files: Path, tmp_path: Path) -> None:
    picture = (files / "a.png").read_bytes()
    with launch_lean(tmp_path)(PPOCR_MAX_CONCURRENCY="1", PPOCR_MAX_QUEUE="0") as server:

        async def read(retry_seconds: float) -> list[Document]:
            async with AsyncOcrClient(server.url, retry_seconds=retry_seconds) as client:
                return [document async for document in client.read_many([picture] * 8, concurrency=8)]

        refused = asyncio.run(read(0))
        assert {type(document.error) for document in refused} == {type(None), Overloaded}
        before = server.log().count("error=overloaded")
        assert [document.text for document in asyncio.run(read(300))] == ["Alpha 42"] * 8
        assert server.log().count("error=overloaded") > before


def test_keys_are_sent_and_never_shown(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PPOCR_API_KEY", raising=False)
    variables = {"PPOCR_API_KEYS": f"alice:{KEY}", "PPOCR_KEY_REQUESTS_PER_MINUTE": "10"}
    with launch_lean(tmp_path)(**variables) as server:
        with OcrClient(server.url) as client, pytest.raises(KeyRequired, match="API key"):
            client.read(files / "a.png")
        with OcrClient(server.url, api_key="wrong" * 4) as client, pytest.raises(KeyRequired) as caught:
            client.read(files / "a.png")
        assert "wrongwrong" not in str(caught.value)
        monkeypatch.setenv("PPOCR_API_KEY", KEY)
        with OcrClient(server.url, retry_seconds=1) as client:
            assert [client.read(files / "a.png").text, client.read(files / "a.png").text] == ["Alpha 42"] * 2
            # The server asks for more patience than the caller has.
            while (
                requests.get(f"{server.url}/v1/capabilities", headers={"X-API-Key": KEY}, timeout=60).status_code == 200
            ):
                pass
            with pytest.raises(QuotaExceeded) as limited:
                client.read(files / "a.png")
            assert limited.value.retry_after > 1
            assert KEY not in f"{limited.value!r} {client!r} {vars(client)} {client._connection!r}"
        with OcrClient(server.url, retry_seconds=300) as client:
            assert client.read(files / "a.png").text == "Alpha 42"  # waits as long as the server says
        assert "key=alice" in server.log()


def test_a_server_that_is_not_there_yet_is_waited_for(files: Path, tmp_path: Path) -> None:
    port = free_port()
    with OcrClient(f"http://127.0.0.1:{port}", retry_seconds=0) as client, pytest.raises(ConnectionFailed) as caught:
        client.read(files / "a.png")
    assert str(caught.value).startswith(f"http://127.0.0.1:{port} cannot be reached (")

    texts: list[str] = []

    def read() -> None:
        with OcrClient(f"http://127.0.0.1:{port}") as client:
            texts.append(client.read(files / "a.png").text)

    reading = threading.Thread(target=read)
    reading.start()
    with running([PYTHON, "-m", "ppocr_serving"], port, tmp_path, PORT=str(port), PPOCR_ENGINE="openvino"):
        reading.join()
    assert texts == ["Alpha 42"]


def test_an_answer_that_breaks_off_is_an_error_and_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "long.pdf").write_bytes(pdf_of_pictures([text_picture(f"Page {number}") for number in range(60)]))
    with launch_lean(tmp_path)() as server, OcrClient(server.url) as client:
        arriving = client.read_pages(tmp_path / "long.pdf", ReadOptions(dpi=300))
        assert without_spaces(next(arriving).text) == "Page0"
        os.killpg(server.process.pid, signal.SIGKILL)
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1.* broke off"):
            list(arriving)
        server.wait()


def test_a_worker_that_dies_is_the_servers_fault(tmp_path: Path) -> None:
    (tmp_path / "long.pdf").write_bytes(pdf_of_pictures([text_picture(f"Page {number}") for number in range(60)]))
    with launch_lean(tmp_path)() as server, OcrClient(server.url) as client:
        arriving = client.read_pages(tmp_path / "long.pdf", ReadOptions(dpi=300))
        assert without_spaces(next(arriving).text) == "Page0"
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(OcrError):
            list(arriving)


def test_a_server_that_says_nothing_is_not_waited_for_longer_than_asked(server: Served, files: Path) -> None:
    workers = server.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    try:
        with OcrClient(server.url, timeout=0.5) as client, pytest.raises(ConnectionFailed, match=r"nothing for 0\.5 "):
            client.read(files / "a.png")
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)


def test_something_else_than_the_service_is_recognised(server: Served, files: Path) -> None:
    with OcrClient(f"{server.url}/healthz") as client, pytest.raises(UnexpectedAnswer, match="status 404"):
        client.read(files / "a.png")
    for body in (b"\xff", b"[]", b"<html>"):
        with pytest.raises(UnexpectedAnswer, match=r"^http://other does not say what it can do"):
            capabilities_of(body, "http://other")
    fault = error_of_answer(500, b'{"error": {"code": "internal_error", "message": "m", "request_id": "7"}}', "", None)
    assert (type(fault), str(fault), fault.details) == (ServerFault, "m", {"request_id": "7"})


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (302, UnexpectedAnswer, "this is not the API of ppocr-serving; check the address and its path"),
        (401, KeyRequired, "something in front of it wants a user name or a key; ask who runs it"),
        (403, KeyRequired, "something in front of it does not let you in; ask who runs it"),
        (
            413,
            LimitExceeded,
            "a proxy in front of it refuses files of this size; send a smaller file, or raise its limit",
        ),
        (429, Overloaded, "a proxy in front of it refuses so many requests; try again later"),
        (502, ConnectionFailed, "a proxy in front of it does not reach it; is the server running?"),
        (503, NotReady, "a proxy in front of it has no server that is ready; try again later"),
        (
            504,
            DeadlineExceeded,
            "a proxy in front of it waits no longer; raise its time limit, or read fewer pages at a time",
        ),
    ],
)
def test_what_a_proxy_says_is_told_with_what_to_do(status: int, kind: type[OcrError], message: str) -> None:
    for body in (b"<html>", b"\xff", b"{}"):
        error = error_of_answer(status, body, "http://proxy", None)
        assert type(error) is kind
        assert str(error) == f"http://proxy answers with status {status}: {message}"


@pytest.mark.parametrize(
    ("url", "key", "message"),
    [
        ("127.0.0.1:9000", None, "'127.0.0.1:9000' is not the address of a server; give it as http://127.0.0.1:9000"),
        ("http://127.0.0.1:port", None, r"'http://127\.0\.0\.1:port' is not the address of a server \("),
        ("alice:secret@127.0.0.1:9000", None, "^'127.0.0.1:9000' is not the address of a server"),
        ("http://alice:secret@127.0.0.1:port", None, r"^'127\.0\.0\.1:port' is not the address of a server \("),
        (
            "http://alice:secret#secret@127.0.0.1",
            None,
            r"^'127\.0\.0\.1' .* \(check its port, and escape / # \? @ in the password\)",
        ),
        ("http://127.0.0.1", "secret\n", "the API key has a character that no key has"),
    ],
)
def test_what_cannot_be_an_address_or_a_key_is_refused(url: str, key: str | None, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        OcrClient(url, api_key=key)
    assert "secret" not in str(caught.value)
