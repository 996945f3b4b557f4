"""Files from URLs: what is fetched, and what a request must never reach."""

import ipaddress
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import InvalidRequest, InvalidSetting, LimitExceeded
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.addresses import is_public
from ppocr_serving.web.urls import Fetcher, UrlLimits, fetch
from tests.web.file_server import file_server, response

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
ALLOWED = UrlLimits(True, 2**20, LOOPBACK)
PUBLIC_ONLY = UrlLimits(True, 2**20)


def refusal(url: str, limits: UrlLimits = ALLOWED) -> str:
    """Return the message of a URL that is not fetched."""
    with pytest.raises(InvalidRequest) as refused:
        fetch(url, limits)
    return str(refused.value)


def test_a_file_is_fetched_from_an_allowed_network() -> None:
    with file_server(response(b"picture")) as server:
        assert fetch(f"{server.url}/a b.png".replace(" ", "%20") + "?x=1", ALLOWED) == b"picture"
    head = server.requests[0]
    assert head.startswith("GET /a%20b.png?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n" in head
    assert "\r\nAccept-Encoding: identity\r\n" in head


def test_characters_outside_ascii_are_encoded() -> None:
    with file_server(response(b"picture")) as server:
        assert fetch(f"{server.url}/发票.png", ALLOWED) == b"picture"
    assert server.requests[0].startswith("GET /%E5%8F%91%E7%A5%A8.png HTTP/1.1\r\n")


def test_nothing_is_fetched_unless_it_is_switched_on() -> None:
    with file_server(response(b"picture")) as server:
        message = refusal(server.url, UrlLimits.of(ServerSettings(url_allowed_networks=("127.0.0.0/8",))))
        on = UrlLimits.of(ServerSettings(url_input=True, url_allowed_networks=("127.0.0.0/8",)))
        assert fetch(server.url, on) == b"picture"
    assert message == "URLs are not fetched; send the file itself, or have the operator set PPOCR_URL_INPUT=true"
    assert len(server.requests) == 1


@pytest.mark.parametrize("networks", [("10.0.0.1/8",), ("intranet",), ("10.0.0.0/8", "")])
def test_a_network_that_is_none_is_refused(networks: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSetting, match=r"PPOCR_URL_ALLOWED_NETWORKS is .*; give networks such as 10\.0\.0\.0/8"):
        UrlLimits.of(ServerSettings(url_allowed_networks=networks))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.1.2.3",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "nobody.invalid",
    ],
)
def test_addresses_that_are_not_public_are_refused_in_the_same_words(host: str) -> None:
    url = f"http://{host}/"
    assert refusal(url, PUBLIC_ONLY) == (
        f"url {url!r}: its host has no public address; the operator can allow others with PPOCR_URL_ALLOWED_NETWORKS"
    )


def test_a_loopback_server_is_never_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        elsewhere = PUBLIC_ONLY._replace(networks=(ipaddress.ip_network("10.0.0.0/8"),))
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            for limits in (PUBLIC_ONLY, elsewhere):
                refusal(f"http://{host}:{port}/", limits)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "its scheme is 'file'; allowed: http, https"),
        ("gopher://example.com/", "its scheme is 'gopher'; allowed: http, https"),
        ("//example.com/a", "its scheme is ''; allowed: http, https"),
        ("http:///a", "names no host"),
        ("http://[::1/", "is not a valid URL"),
        ("http://example.com:99999/", "is not a valid URL"),
        ("http://a..example.com/", "is not a valid URL"),
        ("http://example.com/\r\nX: y", "has white space or control characters"),
        ("http://127.0.0.1 @example.com/", "has white space or control characters"),
        ("http://" + "a" * 5000, "has 5007 characters; the limit is 4096"),
        ("http://8.8.8.8:22/", "its port is 22; allowed: 80"),
    ],
)
def test_urls_that_are_not_for_files_of_the_web_are_refused(url: str, reason: str) -> None:
    assert refusal(url, PUBLIC_ONLY).endswith(f": {reason}")


def test_secrets_in_a_url_are_not_repeated() -> None:
    message = refusal("https://me:secret@example.com/a?token=secret")
    assert "has a user name or password" in message
    assert "secret" not in message


def test_redirects_are_followed_and_checked_like_the_first_url() -> None:
    with file_server(response(b"picture")) as target:
        with file_server(response(b"", "302 Found", f"Location: {target.url}/b.png")) as first:
            assert fetch(first.url, ALLOWED) == b"picture"
        with file_server(response(b"", "302 Found", f"Location: http://[::1]:{target.port}/")) as outside:
            assert f"its port is {target.port}; allowed: 80" in refusal(outside.url)
        with file_server(response(b"", "302 Found", "Location: http://169.254.169.254/latest/meta-data/")) as outside:
            assert "no public address" in refusal(outside.url)
        with file_server(response(b"", "302 Found", "Location: file:///etc/passwd")) as outside:
            assert "its scheme is 'file'" in refusal(outside.url)
    assert len(target.requests) == 1


def test_a_circle_of_redirects_ends() -> None:
    with file_server(response(b"", "301 Moved Permanently", "Location: /again")) as server:
        assert "has more than 3 redirects" in refusal(server.url)
    assert len(server.requests) == 4


def test_only_complete_files_are_taken() -> None:
    with file_server(response(b"not here", "404 Not Found")) as server:
        assert "answers with status 404" in refusal(server.url)
    with file_server(response(b"pict", length=100)) as server:
        assert "ends before the file is complete" in refusal(server.url)
    with file_server(b"220 smtp.example ESMTP\r\n") as server:
        assert "cannot be fetched (BadStatusLine)" in refusal(server.url)
    with file_server(response(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip")) as server:
        assert "answers with a compressed body" in refusal(server.url)
    with file_server(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npict\r\n3\r\nure\r\n0\r\n\r\n"
    ) as server:
        assert fetch(server.url, ALLOWED) == b"picture"


def test_larger_files_than_allowed_are_refused() -> None:
    small = ALLOWED._replace(max_bytes=1000)
    with file_server(response(bytes(1000))) as server:
        assert fetch(server.url, small) == bytes(1000)
        fetcher = Fetcher(small)
        assert fetcher.fetch(server.url) == bytes(1000)
        with pytest.raises(LimitExceeded, match="is larger than the limit of 0 bytes"):
            fetcher.fetch(server.url)

    def endless(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            client.sendall(bytes(65536))

    for answer in (response(b"", length=1001), endless):
        with file_server(answer) as server, pytest.raises(LimitExceeded, match="is larger than the limit of 1000"):
            fetch(server.url, small)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_slow_server_is_left_in_time(start: bytes) -> None:
    def dribble(client: socket.socket) -> None:
        client.sendall(start)
        while True:
            client.sendall(b"a")
            time.sleep(0.05)

    with file_server(dribble) as server:
        began = time.monotonic()
        assert "takes too long" in refusal(server.url, ALLOWED._replace(seconds=0.5))
        assert time.monotonic() - began >= 0.5


def test_https_checks_the_certificate_and_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command.split(), *names], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with file_server(response(b"picture"), context) as server:
        url = f"https://localhost:{server.port}/"
        assert "its certificate or its TLS is not accepted" in refusal(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert fetch(url, ALLOWED) == b"picture"
        assert "its certificate or its TLS is not accepted" in refusal(f"https://127.0.0.1:{server.port}/")


@given(st.ip_addresses(v=4))
def test_public_addresses_are_a_part_of_those_that_python_calls_global(address: ipaddress.IPv4Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert not is_public(ipaddress.IPv6Address(f"::ffff:{address}"))
        assert not is_public(ipaddress.IPv6Address(f"64:ff9b::{address}"))


@given(st.ip_addresses(v=6))
def test_public_addresses_of_ipv6_are_global_unicast(address: ipaddress.IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert address.sixtofour is None
        assert address.teredo is None
        assert address.ipv4_mapped is None


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1", "2001:4860:4860::8888"])
def test_usual_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
