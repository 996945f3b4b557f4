"""Taking requests apart: what hostile bodies cost, names of files, and the header Accept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import NotAcceptable, OcrError
from ppocr_serving.outputs import FORMATS
from ppocr_serving.web.v1.names import content_disposition, safe_name
from ppocr_serving.web.v1.negotiation import accepted_format
from ppocr_serving.web.v1.parcels import open_parcel
from ppocr_serving.workers.messages import Head
from tests.engines.inputs import run_program

MEGABYTE = 2**20
FORM = "multipart/form-data; boundary=B"
PART = b'--B\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
HEAVY_BODIES = {
    "keys": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(MEGABYTE)) + b"}",
    "repeated keys": lambda: b"{" + b'"files":[],' * MEGABYTE + b'"files":[]}',
    "numbers": lambda: b'{"files":[' + b"1," * (8 * MEGABYTE) + b"1]}",
    "keys of a file": lambda: b'{"files":[{' + b'"a":1,' * (3 * MEGABYTE) + b'"a":1}]}',
    "options": lambda: b'{"options":{' + b'"a":1,' * (3 * MEGABYTE) + b'"a":1}}',
    "nested lists": lambda: b'{"files":' + b"[" * (16 * MEGABYTE),
    "a wide character": lambda: b'{"files":["' + "\U0001f600".encode() + b"A" * (16 * MEGABYTE) + b'"]}',
    "parameters of a data URL": lambda: b'{"files":["data:a/b' + b";x" * (2 * MEGABYTE) + b'"]}',
    "a wide name": lambda: b'{"files":[{"data":"QQ==","name":"' + b"\xc3\xa9" * (8 * MEGABYTE) + b'"}]}',
    "parts": lambda: PART + (b"\r\n" + PART) * (MEGABYTE // 8),
    "headers": lambda: b"--B\r\n" + b"a: b\r\n" * (2 * MEGABYTE),
    "a long header": lambda: b"--B\r\n" + b"a" * (16 * MEGABYTE),
    "near boundaries": lambda: PART + b"\r\n--" * (4 * MEGABYTE),
    "line ends": lambda: PART + b"\r" * (16 * MEGABYTE),
    "a preamble": lambda: b"\r\n-" * (5 * MEGABYTE),
    "a field": lambda: b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * (16 * MEGABYTE),
}


@pytest.mark.parametrize("name", HEAVY_BODIES)
def test_no_body_takes_several_times_its_size_when_it_is_taken_apart(name: str) -> None:
    # In a process of its own, for the peak of its memory.
    program = """if True:
        import resource, sys
        from ppocr_serving.errors import OcrError
        from ppocr_serving.web.v1.parcels import open_parcel
        from ppocr_serving.workers.messages import Head
        from tests.web.v1.test_v1_parcels import FORM, HEAVY_BODIES
        body = bytearray(HEAVY_BODIES[sys.argv[1]]())
        head = Head("/v1/read", "", "application/json" if body.startswith(b"{") else FORM)
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak
        before = peak()
        try:
            open_parcel(head, memoryview(body), 64)
        except OcrError:
            pass
        print((peak() - before) / len(body))
    """
    result = run_program(program, name)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 2.1  # with the body itself, it is three times its size


def refusal(head: Head, body: bytes) -> str:
    """Return why a request is refused; empty if it is not, and then it has no more files than allowed."""
    try:
        parcel = open_parcel(head, body, 2)
    except OcrError as error:
        return str(error)
    assert len(parcel.files) <= 2
    return ""


@given(body=st.binary(max_size=300), boundary=st.sampled_from(["B", "\x00", "", "B" * 300, 'B"; boundary=C']))
def test_forms_are_taken_apart_or_refused(body: bytes, boundary: str) -> None:
    head = Head("/v1/read", "", f"multipart/form-data; boundary={boundary}")
    for sent in (body, PART + body, PART + body + b"\r\n--B--\r\n"):
        assert "\n" not in refusal(head, sent)


@given(body=st.binary(max_size=100), query=st.text(max_size=100))
def test_bodies_and_queries_are_taken_apart_or_refused(body: bytes, query: str) -> None:
    for content_type in ("application/json", "image/png", "application/x-www-form-urlencoded", ""):
        assert "\n" not in refusal(Head("/v1/read", query, content_type), body)


@given(st.text())
def test_names_are_safe_in_headers(name: str) -> None:
    safe = safe_name(name)
    assert len(safe) <= 120
    assert "/" not in safe
    assert safe.isprintable() or safe.encode()
    header = content_disposition(name, "pdf")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert header.endswith(".pdf")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("invoice.png", "invoice.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\scans\\a b.tif", "a_b.pdf"),
        ('a"; filename="b.png', "a_filename=_b.pdf"),
        ("...", "text.pdf"),
        ("", "text.pdf"),
    ],
)
def test_an_answer_is_named_after_what_was_sent(sent: str, expected: str) -> None:
    assert f'filename="{expected}"' in content_disposition(sent, "pdf")


@given(st.text(alphabet="abcjsontext/*;,=q.0123456789 ", max_size=200))
def test_every_accept_has_a_format_or_is_refused(accept: str) -> None:
    try:
        found = accepted_format(accept)
    except NotAcceptable as error:
        message = str(error)
    else:
        assert found in FORMATS.values()
        return
    assert "format=NAME" in message


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("application/pdf", "pdf"),
        ("image/*", "png"),
        ("application/*;q=0.2, text/csv;q=0.3", "csv"),
        ("application/json;q=0, */*;q=0.1", "text"),
        ("APPLICATION/XML;Q=1", "alto"),
        ("nonsense, text/markdown", "markdown"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "hocr"),
    ],
)
def test_the_most_specific_range_and_the_highest_quality_win(accept: str, name: str) -> None:
    assert accepted_format(accept).name == name
