"""The server's certificate for TLS, read again when its files change."""

import logging
import math
import os
import ssl
import time
from pathlib import Path

from ppocr_serving.access import AccessSettings
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.watching import FileWatch

__all__ = ["Certificate"]

_log = logging.getLogger(__name__)

# The certificate and its key may be written one after the other.
_SETTLING_SECONDS = 1.5


class Certificate:
    """A certificate chain and its private key.

    Args:
        settings: Their files.

    Attributes:
        context: For new connections; those that exist keep theirs.

    Raises:
        InvalidSetting: The files cannot be used.
    """

    def __init__(self, settings: AccessSettings) -> None:
        if settings.tls_cert is None:
            raise InvalidSetting(f"PPOCR_TLS_KEY is {str(settings.tls_key)!r}, without PPOCR_TLS_CERT; set both")
        self._cert = settings.tls_cert
        self._key = settings.tls_key
        self._password = settings.tls_key_password
        self._watch = FileWatch([self._cert] if self._key is None else [self._cert, self._key])
        self._settled_at = math.inf
        self.context = self._load()

    def refresh(self) -> None:
        """Read the files again if they have changed; to be called regularly.

        What cannot be used is logged, and the certificate of before stays.
        """
        if self._watch.has_changed():
            self._settled_at = time.monotonic() + _SETTLING_SECONDS
        elif time.monotonic() > self._settled_at:
            self._settled_at = math.inf
            try:
                self.context = self._load()
            except InvalidSetting as error:
                _log.error("%s; new connections get the certificate of before", error)
            else:
                _log.info("PPOCR_TLS_CERT: read again, new connections get the new certificate")

    def _load(self) -> ssl.SSLContext:
        for name, path in (("PPOCR_TLS_CERT", self._cert), ("PPOCR_TLS_KEY", self._key)):
            if path is not None:
                _require_file(name, path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        try:
            # Without any password, OpenSSL would ask the terminal for one.
            context.load_cert_chain(self._cert, self._key, lambda: self._password)
        except ValueError as error:
            raise InvalidSetting("PPOCR_TLS_KEY_PASSWORD cannot be used; give at most 1024 bytes of UTF-8") from error
        except OSError as error:
            reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            raise InvalidSetting(
                f"PPOCR_TLS_CERT is {str(self._cert)!r}: the certificate and its private key cannot be used "
                f"({reason or 'not PEM, or another password'}); check PPOCR_TLS_KEY and PPOCR_TLS_KEY_PASSWORD too"
            ) from error
        return context


def _require_file(name: str, path: Path) -> None:
    if not path.is_file():  # opening a named pipe would wait for somebody who writes to it
        raise InvalidSetting(f"{name} is {str(path)!r}, which is not a file")
    if not os.access(path, os.R_OK):
        raise InvalidSetting(f"{name} is {str(path)!r}, which this user may not read")
