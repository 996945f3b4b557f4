"""What stands before every path, in process: keys, limits, origins and prefixes, with a real model behind them."""

import base64
import gzip
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from PIL import Image

from ppocr_serving.access import AccessSettings
from ppocr_serving.engines import Runtime
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.app import Application
from ppocr_serving.web.gate import Gate
from tests.asgi import Answer, ask
from tests.conftest import settings_for
from tests.served.samples import as_base64
from tests.web.reading_pool import Client, reading

KEY = "a-key-that-is-long-enough"
BLANK = json.dumps({"images": [as_base64(Image.new("RGB", (100, 60), "white"))]}).encode()
OPEN_PATHS = [
    ("GET", "/"),
    ("GET", "/examples/receipt.png"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/initialize"),
    ("GET", "/pre-stop"),
]
DOORS = ["/predict/ocr_det", "/predict/unknown", "/invoke", "/event-invoke"]


class Front(NamedTuple):
    """An application with settings of its own."""

    client: Client
    application: Application

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        named = {"content_type": "application/json", **headers}
        return self.client.ask(self.application, method, path, body, **named)

    def read(self, **headers: str) -> Answer:
        return self.ask("POST", "/predict/ocr_det", BLANK, **headers)


class Fronts(NamedTuple):
    """Makes applications that share a worker."""

    client: Client

    def __call__(self, **settings: Any) -> Front:
        return Front(self.client, self.client.application(ServerSettings(**settings)))


@pytest.fixture(scope="module")
def fronts() -> Iterator[Fronts]:
    with reading({"ocr_det": settings_for(Runtime.OPENVINO)}, ServerSettings()) as client:
        yield Fronts(client)


def test_without_keys_everybody_is_let_in(fronts: Fronts) -> None:
    front = fronts(key_requests_per_minute=1, key_pixels_per_minute=1)
    for _ in range(3):
        assert front.read().status == 200


@pytest.mark.parametrize("path", DOORS)
def test_with_keys_every_door_needs_one(fronts: Fronts, path: str) -> None:
    front = fronts(api_keys=(KEY,))
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = front.ask("POST", path, BLANK, **headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json.keys() == {"msg", "results", "status"}
        assert "Authorization: Bearer KEY" in answer.json["msg"]
    assert front.ask("POST", path, BLANK, x_api_key=KEY).status in (200, 404)


def test_a_key_in_either_header_opens_a_door(fronts: Fronts) -> None:
    front = fronts(api_keys=(KEY,))
    for headers in ({"authorization": f"Bearer {KEY}"}, {"authorization": f"token {KEY}"}, {"x_api_key": KEY}):
        assert front.read(**headers).json["results"] == [[]]


@pytest.mark.parametrize(("method", "path"), OPEN_PATHS)
def test_probes_and_pages_need_no_key(fronts: Fronts, method: str, path: str) -> None:
    assert fronts(api_keys=(KEY,)).ask(method, path).status == 200


def test_a_key_is_asked_for_before_the_body_arrives(fronts: Fronts) -> None:
    front = fronts(api_keys=(KEY,), body_timeout=3600)
    headers = {"content-type": "application/json", "content-length": "1000000"}
    answer = front.client.run(ask(front.application, "POST", "/predict/ocr_det", [b"{"], headers, ends=False))
    assert answer is not None
    assert (answer.status, answer.headers["Connection"]) == (401, "close")


def test_the_log_names_the_key_but_does_not_show_it(fronts: Fronts, caplog: pytest.LogCaptureFixture) -> None:
    front = fronts(api_keys=(f"alice:{KEY}",), key_requests_per_minute=1)
    with caplog.at_level(logging.INFO):
        front.read(x_api_key=KEY)
        front.read(x_api_key=KEY)
        front.read(x_api_key=f"{KEY}x")
        front.read()
    lines = [record.getMessage() for record in caplog.records]
    assert ["key=alice" in line for line in lines] == [True, True, False, False]
    assert [line.rpartition(" error=")[2] for line in lines[1:]] == ["quota_exceeded", "unauthorized", "unauthorized"]
    assert not any(KEY in line or hashlib.sha256(KEY.encode()).hexdigest() in line for line in lines)


def test_requests_above_a_keys_limit_are_refused(fronts: Fronts) -> None:
    front = fronts(api_keys=(KEY, f"{KEY}2"), key_requests_per_minute=2)
    assert [front.read(x_api_key=KEY).status for _ in range(3)] == [200, 200, 429]
    answer = front.ask("POST", "/invoke", BLANK, x_api_key=KEY)
    assert (answer.status, answer.json["status"], answer.json["results"]) == (429, "101", "")
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert front.read(x_api_key=f"{KEY}2").status == 200
    assert front.ask("GET", "/healthz", x_api_key=KEY).status == 200


@pytest.mark.parametrize("path", ["/predict/ocr_det", "/invoke"])
def test_pixels_above_a_keys_limit_are_refused(fronts: Fronts, path: str) -> None:
    front = fronts(api_keys=(KEY,), key_pixels_per_minute=6001)
    event = json.dumps({"path": "/predict/ocr_det", "body": BLANK.decode()}).encode()
    body = event if path == "/invoke" else BLANK
    assert [front.ask("POST", path, body, x_api_key=KEY).status for _ in range(3)] == [200, 200, 429]


def test_requests_without_pictures_cost_no_pixels(fronts: Fronts) -> None:
    front = fronts(api_keys=(KEY,), key_pixels_per_minute=1)
    assert front.ask("POST", "/predict/ocr_det", b"{}", x_api_key=KEY).status == 400
    assert [front.read(x_api_key=KEY).status for _ in range(2)] == [200, 429]


def test_metrics_need_a_key_but_count_for_none_of_its_limits(fronts: Fronts) -> None:
    front = fronts(api_keys=(KEY,), key_requests_per_minute=1, key_pixels_per_minute=1)
    for _ in range(3):
        assert front.ask("GET", "/metrics", x_api_key=KEY).status == 200
    assert [front.read(x_api_key=KEY).status for _ in range(2)] == [200, 429]
    assert front.ask("GET", "/metrics", x_api_key=KEY).status == 200
    assert front.ask("GET", "/metrics").status == 401


EXPOSED = "Content-Disposition, Retry-After, Server-Timing, X-OCR-Origin, X-Request-Id"
ORIGIN = "https://app.example"


def cross_origin(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def test_without_origins_nothing_is_said_about_them(fronts: Fronts) -> None:
    answer = fronts().ask("GET", "/healthz", origin=ORIGIN)
    assert not cross_origin(answer)
    assert "Vary" not in answer.headers
    assert fronts().ask("OPTIONS", "/healthz", origin=ORIGIN, access_control_request_method="GET").status == 405


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("POST", "/predict/ocr_det", 401),
        ("POST", "/healthz", 405),
        ("GET", "/nowhere", 404),
        ("OPTIONS", "/healthz", 405),
    ],
)
def test_every_answer_is_for_an_allowed_origin_alone(fronts: Fronts, method: str, path: str, status: int) -> None:
    front = fronts(api_keys=(KEY,), cors_origins=("http://localhost:8080", ORIGIN))
    answer = front.ask(method, path, origin=ORIGIN)
    assert answer.status == status
    assert cross_origin(answer) == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": EXPOSED,
    }
    assert answer.headers["Vary"] == "Origin"
    for other in ("https://app.example.org", "https://app.example:8443", "http://app.example", "null", ""):
        refused = front.ask(method, path, origin=other)
        assert refused.status == status
        assert not cross_origin(refused)
        assert refused.headers["Vary"] == "Origin"


def test_all_origins_are_allowed_without_credentials(fronts: Fronts) -> None:
    answer = fronts(cors_origins=("*",)).ask("GET", "/healthz", origin=ORIGIN)
    assert cross_origin(answer) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": EXPOSED,
    }


@pytest.mark.parametrize(
    ("path", "methods"), [("/predict/ocr_det", "POST"), ("/invoke", "POST"), ("/healthz", "GET, HEAD")]
)
def test_a_preflight_needs_no_key(fronts: Fronts, path: str, methods: str) -> None:
    front = fronts(api_keys=(KEY,), cors_origins=(ORIGIN,))
    answer = front.ask("OPTIONS", path, origin=ORIGIN, access_control_request_method="POST")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == methods
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"Authorization", "X-API-Key", "Content-Type"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    other = front.ask("OPTIONS", path, origin="https://other.example", access_control_request_method="POST")
    assert "Access-Control-Allow-Origin" not in other.headers


def test_a_preflight_of_nothing_finds_nothing(fronts: Fronts) -> None:
    front = fronts(cors_origins=(ORIGIN,))
    assert front.ask("OPTIONS", "/nowhere", origin=ORIGIN, access_control_request_method="POST").status == 404


@pytest.mark.parametrize(
    "origins",
    [
        ("https://app.example/",),
        ("app.example",),
        ("https://app.example/path",),
        ("https://*.example",),
        ("null",),
        ("",),
        ("*", ORIGIN),
        ("https://a.example\r\nX: y",),
    ],
)
def test_what_is_no_origin_ends_the_start(origins: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSetting, match="PPOCR_CORS_ORIGINS has ") as caught:
        Gate(AccessSettings(cors_origins=origins))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["/ocr", "/ocr/", "/team.a/ocr-1"])
def test_requests_may_have_the_prefix_or_not(fronts: Fronts, prefix: str) -> None:
    front = fronts(path_prefix=prefix)
    named = prefix.rstrip("/")
    for path in ("/predict/ocr_det", f"{named}/predict/ocr_det"):
        assert front.ask("POST", path, BLANK).status == 200
    for path in ("/", named, f"{named}/"):
        assert front.ask("GET", path).body.startswith(b"<!doctype html>")
    for path in (f"{named}x/healthz", f"{named}{named}/healthz", f"{named}healthz"):
        assert front.ask("GET", path).status == 404


def test_a_prefix_is_no_way_around_the_keys(fronts: Fronts) -> None:
    front = fronts(path_prefix="/ocr", api_keys=(KEY,))
    for path in ("/ocr/predict/ocr_det", "/ocr//predict/ocr_det", "/ocr/ocr/predict/ocr_det"):
        assert front.ask("POST", path, BLANK).status in (401, 404)


@pytest.mark.parametrize("prefix", ["ocr", "//ocr", "/o cr", "/../ocr", "/ocr?x", "/ocr/<b>", "/" + "a" * 65, "/a" * 9])
def test_what_is_no_prefix_ends_the_start(prefix: str) -> None:
    with pytest.raises(InvalidSetting, match="PPOCR_PATH_PREFIX is "):
        Gate(AccessSettings(path_prefix=prefix))


@pytest.mark.parametrize(
    ("setting", "header", "base"),
    [
        ("", None, None),
        ("/ocr", None, "/ocr/"),
        ("", "/team/ocr", "/team/ocr/"),
        ("/ocr", "/outer/ocr", "/outer/ocr/"),
        ("/ocr", "", "/ocr/"),
        ("", "//evil.example", None),
        ("", "/\\evil.example", None),
        ("", "https://evil.example", None),
        ("", '/"><script>alert(1)</script>', None),
        ("", "/a/../b", None),
        ("/ocr", "/a\tb", "/ocr/"),
    ],
)
def test_links_of_the_page_begin_with_the_proxys_prefix(
    fronts: Fronts, setting: str, header: str | None, base: str | None
) -> None:
    headers = {} if header is None else {"x_forwarded_prefix": header}
    answer = fronts(path_prefix=setting).ask("GET", "/", b"", **headers)
    assert answer.status == 200
    assert re.findall(rb'<base href="([^"]*)">', answer.body) == ([] if base is None else [base.encode()])
    assert b"evil" not in answer.body
    assert "X-Forwarded-Prefix" in answer.headers["Vary"]


def test_browsers_run_nothing_in_the_page_but_what_belongs_to_it(fronts: Fronts) -> None:
    answer = fronts().ask("GET", "/")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    html = answer.body.decode()
    for kind in ("script", "style"):
        inline = re.findall(rf"<{kind}\b[^>]*>(.*?)</{kind}>", html, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
        assert inline
        assert policy[f"{kind}-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    html = re.sub(r"(<(script|style)\b[^>]*>).*?(</\2>)", r"\1\3", html, flags=re.DOTALL)
    assert "<script src" not in html
    assert "stylesheet" not in html
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=", html), "the policy makes these attributes void"
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", html.replace('href="https://github.com', ""))
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_page_is_sent_only_when_it_has_changed(fronts: Fronts) -> None:
    front = fronts()
    page = front.ask("GET", "/")
    tag = page.headers["ETag"]
    assert page.headers["Cache-Control"] == "no-cache"
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        kept = front.ask("GET", "/", if_none_match=known)
        assert (kept.status, kept.body, kept.headers["ETag"]) == (304, b"", tag)
        assert {"Cache-Control", "Vary", "Content-Security-Policy"} <= kept.headers.keys()
        assert not {"Content-Length", "Content-Type"} & kept.headers.keys()
    for other in ('"other"', "", 'W/""'):
        assert front.ask("GET", "/", if_none_match=other).status == 200
    assert front.ask("GET", "/", x_forwarded_prefix="/ocr", if_none_match=tag).status == 200


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP ; q=0.5", True),
        ("", False),
        ("br", False),
        ("gzip;q=0, br", False),
        ("gzip; q=0.000", False),
        ("gzip;q= 0", False),
        ("notgzip", False),
        pytest.param(f"gzip{' ' * 10**6}x", False, id="so long that only its length may cost time"),
    ],
)
def test_the_page_is_compressed_for_those_who_accept_that(fronts: Fronts, accepted: str, is_compressed: bool) -> None:
    front = fronts()
    plain = front.ask("GET", "/")
    answer = front.ask("GET", "/", accept_encoding=accepted)
    assert (answer.headers.get("Content-Encoding") == "gzip") == is_compressed
    assert (gzip.decompress(answer.body) if is_compressed else answer.body) == plain.body
    assert answer.headers["Vary"] == "Accept-Encoding, X-Forwarded-Prefix"
    assert answer.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/healthz"), ("GET", "/nowhere"), ("POST", "/predict/ocr_det")]
)
def test_no_answers_type_is_guessed(fronts: Fronts, method: str, path: str) -> None:
    assert fronts().ask(method, path).headers["X-Content-Type-Options"] == "nosniff"
