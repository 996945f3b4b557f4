"""The certificate: files that can be used, files that cannot, and files that change."""

import logging
import shutil
import ssl
import time
from pathlib import Path

import pytest

from ppocr_serving.access import AccessSettings
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.server.certificate import Certificate
from tests.certificates import Pair, make_certificate


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def wait_for(certificate: Certificate, caplog: pytest.LogCaptureFixture, number: int) -> str:
    """Refresh a certificate until the log has `number` lines; return the last one."""
    deadline = time.monotonic() + 60
    while len(caplog.records) < number:
        assert time.monotonic() < deadline, "the files were never read again"
        certificate.refresh()
        time.sleep(0.02)
    return caplog.records[-1].getMessage()


def test_the_key_may_be_in_the_file_of_the_certificate(pair: Pair, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
    assert Certificate(AccessSettings(tls_cert=both)).context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_key_may_have_a_password(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, password="open-sesame")
    Certificate(AccessSettings(tls_cert=cert, tls_key=key, tls_key_password="open-sesame"))
    with pytest.raises(
        InvalidSetting, match=r"^PPOCR_TLS_KEY_PASSWORD cannot be used; give at most 1024 bytes of UTF-8$"
    ):
        Certificate(AccessSettings(tls_cert=cert, tls_key=key, tls_key_password="x" * 2000))
    for password in ("", "wrong"):
        with pytest.raises(InvalidSetting, match="check PPOCR_TLS_KEY and PPOCR_TLS_KEY_PASSWORD too") as caught:
            Certificate(AccessSettings(tls_cert=cert, tls_key=key, tls_key_password=password))
        assert "wrong" not in str(caught.value)


def test_files_that_cannot_be_used_end_the_start(pair: Pair, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "other")
    text = tmp_path / "text"
    text.write_text("no certificate")
    for settings, reason in (
        (AccessSettings(tls_key=pair.key), "PPOCR_TLS_KEY is .*, without PPOCR_TLS_CERT; set both"),
        (
            AccessSettings(tls_cert=tmp_path / "none", tls_key=pair.key),
            "PPOCR_TLS_CERT is .*none', which is not a file",
        ),
        (AccessSettings(tls_cert=pair.cert, tls_key=tmp_path), "PPOCR_TLS_KEY is .*, which is not a file"),
        (AccessSettings(tls_cert=pair.cert, tls_key=other.key), "KEY_VALUES_MISMATCH"),
        (AccessSettings(tls_cert=pair.cert), "PPOCR_TLS_CERT is .* cannot be used"),
        (AccessSettings(tls_cert=text, tls_key=pair.key), "PPOCR_TLS_CERT is .* cannot be used"),
    ):
        with pytest.raises(InvalidSetting, match=reason) as caught:
            Certificate(settings)
        assert "\n" not in str(caught.value)


def test_files_that_change_are_read_again(pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cert, key = (Path(shutil.copy(path, tmp_path)) for path in pair)
    certificate = Certificate(AccessSettings(tls_cert=cert, tls_key=key))
    before = certificate.context
    with caplog.at_level(logging.INFO):
        other = make_certificate(tmp_path, "other")
        other.key.replace(key)
        assert "; new connections get the certificate of before" in wait_for(certificate, caplog, 1)
        assert certificate.context is before

        other.cert.replace(cert)
        assert "new connections get the new certificate" in wait_for(certificate, caplog, 2)
        assert certificate.context is not before


def test_a_certificate_and_key_that_change_together_are_read_once(
    pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, key = (Path(shutil.copy(path, tmp_path)) for path in pair)
    certificate = Certificate(AccessSettings(tls_cert=cert, tls_key=key))
    other = make_certificate(tmp_path, "other")
    with caplog.at_level(logging.INFO):
        other.key.replace(key)
        certificate.refresh()  # sees half of the change
        other.cert.replace(cert)
        assert "new connections get the new certificate" in wait_for(certificate, caplog, 1)
