"""API keys: where they are kept, and which one a request has.

Keys may be listed in a setting, or their SHA-256 in a file, which is read again when it changes.
"""

import hashlib
import hmac
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ppocr_serving.access import AccessSettings
from ppocr_serving.errors import InvalidSetting, KeyRequired, OcrError
from ppocr_serving.watching import FileWatch

__all__ = ["Key", "Keyring"]

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PLAIN_KEY = re.compile(r"[!-+\--9;-~]{16,256}")  # visible ASCII without comma and colon
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_LIMIT = re.compile(r"(requests|pixels)=([0-9]{1,12})")
_MAX_KEYS = 1000  # a request's key is compared with each
_MAX_FILE_BYTES = 2**18
_MAX_CREDENTIALS = 512  # characters
_SCHEMES = frozenset({"bearer", "token"})
_LINE_FORM = "NAME:SHA256, then optionally requests=N and pixels=N"
_HEADERS = ("x-api-key", "apikey")  # the second one is that of OCR.space's clients
_HOW = "send the header Authorization: Bearer KEY, or X-API-Key: KEY"


class Key(NamedTuple):
    """A key that the server knows by its hash.

    Attributes:
        name: Unique; appears in the log.
        digest: SHA-256, 32 bytes.
        requests_per_minute: 0 means no limit.
        pixels_per_minute: 0 means no limit.
    """

    name: str
    digest: bytes
    requests_per_minute: int
    pixels_per_minute: int


class _Unusable(OcrError):
    """The file of keys is not as it should be; the message contains nothing of it."""


class Keyring:
    """The keys that are valid.

    Args:
        settings: Where they are, and the limits of those that have none of their own.

    Attributes:
        keys: The keys; another tuple whenever the file has changed.

    Raises:
        InvalidSetting: A key is not allowed, or the file cannot be used.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self._limits = (settings.key_requests_per_minute, settings.key_pixels_per_minute)
        self._listed = tuple(_listed(settings.api_keys, self._limits))
        _require_unique(self._listed)
        self._path = settings.api_keys_file
        self.keys = self._listed
        if self._path is not None:
            self._watch = FileWatch([self._path])
            try:
                self.keys = self._read(self._path)
            except (OSError, _Unusable) as error:
                raise InvalidSetting(f"PPOCR_API_KEYS_FILE is {str(self._path)!r}: {_reason(error)}") from error

    def find(self, headers: Mapping[str, str]) -> Key:
        """Return the key of a request; all keys are compared, in a time that says nothing about them.

        Args:
            headers: The request's headers, by lower-case name.

        Raises:
            KeyRequired: It has none, or one that is unknown.
        """
        if self._path is not None and self._watch.has_changed():
            self._refresh(self._path)
        given = _credentials(headers)
        if not given:
            raise KeyRequired(f"the request has no API key; {_HOW}")
        digest = hashlib.sha256(given[:_MAX_CREDENTIALS].encode("utf-8", "replace")).digest()
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        if not found:
            raise KeyRequired(f"the API key is unknown; {_HOW}")
        return found[0]

    def _refresh(self, path: Path) -> None:
        try:
            self.keys = self._read(path)
        except (OSError, _Unusable) as error:
            _log.error("PPOCR_API_KEYS_FILE: %s; the %d keys of before stay valid", _reason(error), len(self.keys))
        else:
            _log.info("PPOCR_API_KEYS_FILE: read again, %d keys are valid", len(self.keys))

    def _read(self, path: Path) -> tuple[Key, ...]:
        names = {key.name for key in self._listed}
        keys = list(self._listed)
        for number, line in enumerate(_text(path).splitlines(), 1):
            entry = line.partition("#")[0].split()
            if not entry:
                continue
            key = _parse(entry, self._limits)
            if key is None:
                raise _Unusable(f"line {number} does not have the form {_LINE_FORM}")
            if key.name in names:
                raise _Unusable(f"line {number} has a name that another key has")
            names.add(key.name)
            keys.append(key)
            if len(keys) > _MAX_KEYS:
                raise _Unusable(f"line {number} is one key too many; the limit is {_MAX_KEYS}")
        if len(keys) == len(self._listed):
            raise _Unusable(f"there is no key in it; write a line of the form {_LINE_FORM}")
        return tuple(keys)


def _credentials(headers: Mapping[str, str]) -> str:
    """Return the key that a request has; empty if it has none."""
    for name in _HEADERS:
        if key := headers.get(name, "").strip():
            return key
    scheme, _, key = headers.get("authorization", "").strip().partition(" ")
    return key.strip() if scheme.lower() in _SCHEMES else ""


def _listed(texts: Sequence[str], limits: tuple[int, int]) -> Iterator[Key]:
    if len(texts) > _MAX_KEYS:
        raise InvalidSetting(f"PPOCR_API_KEYS has {len(texts)} keys; the limit is {_MAX_KEYS}")
    for number, text in enumerate(texts, 1):
        name, colon, key = text.rpartition(":")
        name = name if colon else f"key{number}"
        if not _NAME.fullmatch(name):
            raise InvalidSetting(
                f"PPOCR_API_KEYS: the name of key {number} must have 1 to 64 letters, digits, dots, hyphens or "
                "underscores"
            )
        if not _PLAIN_KEY.fullmatch(key):
            raise InvalidSetting(
                f"PPOCR_API_KEYS: key {number} must be 16 to 256 visible ASCII characters without commas and colons; "
                "`openssl rand -hex 32` makes one"
            )
        yield Key(name, hashlib.sha256(key.encode("ascii")).digest(), *limits)


def _require_unique(keys: Sequence[Key]) -> None:
    names = [key.name for key in keys]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidSetting(f"PPOCR_API_KEYS: two keys are called {name!r}; give each a name of its own")


def _parse(entry: Sequence[str], limits: tuple[int, int]) -> Key | None:
    """Return the key of a line's words; None if they are something else."""
    name, _, digest = entry[0].partition(":")
    if not (_NAME.fullmatch(name) and _DIGEST.fullmatch(digest)):
        return None
    own = {}
    for word in entry[1:]:
        limit = _LIMIT.fullmatch(word)
        if limit is None or limit[1] in own:
            return None
        own[limit[1]] = int(limit[2])
    return Key(name, bytes.fromhex(digest), own.get("requests", limits[0]), own.get("pixels", limits[1]))


def _text(path: Path) -> str:
    # Opening a named pipe would wait for somebody who writes to it.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _Unusable("it is not a regular file")
        with os.fdopen(file, "rb", closefd=False) as opened:
            content = opened.read(_MAX_FILE_BYTES + 1)
    finally:
        os.close(file)
    if len(content) > _MAX_FILE_BYTES:
        raise _Unusable(f"it has more than {_MAX_FILE_BYTES} bytes")
    return content.decode("utf-8", "replace")


def _reason(error: OSError | _Unusable) -> str:
    return f"{error.strerror}" if isinstance(error, OSError) else str(error)
