"""Settings of the server's front: who may use it, from where, and over what."""

from pathlib import Path
from typing import Annotated

import msgspec

__all__ = ["AccessSettings"]


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may use the server, from where, and over what.

    Attributes:
        api_keys: Keys, each `NAME:KEY` or just `KEY`; with these or `api_keys_file`, requests need one.
        api_keys_file: File with a line `NAME:SHA256` for each key, read again when it changes.
        key_requests_per_minute: Requests that each key may make; 0 means no limit. The file can set another for a key.
        key_pixels_per_minute: Pixels that each key may have read; 0 means no limit.
        cors_origins: Origins whose web pages may use the server, or `*` for all.
        path_prefix: Path under which a proxy shows the server, such as `/ocr`.
        tls_cert: Certificate chain in PEM, read again when it changes; None means plain HTTP.
        tls_key: Its private key; None means that the file of the certificate has it.
        tls_key_password: Password of the private key.
    """

    api_keys: tuple[str, ...] = ()
    api_keys_file: Path | None = None
    key_requests_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    key_pixels_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)] = 0
    cors_origins: tuple[str, ...] = ()
    path_prefix: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_key_password: str = ""
