"""Places that models are fetched from, as profiles name them."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

__all__ = ["ArchiveSource", "FileSource", "PackageSource", "Sha256", "Source", "WheelSource"]

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""Lower-case hex digest."""

_WheelName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_PackageName = Annotated[str, msgspec.Meta(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$")]
_Version = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$")]


class WheelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pypi"):
    """A wheel that pip downloads.

    Attributes:
        package: Name of the distribution.
        version: Its exact version.
        sha256: Digest of the wheel.
    """

    package: _WheelName
    version: _Version
    sha256: Sha256

    @property
    def label(self) -> str:
        """Name of this source in messages."""
        return f"{self.package}=={self.version}"


class PackageSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="npm"):
    """A package that npm downloads.

    Attributes:
        package: Name of the package.
        version: Its exact version.
        sha256: Digest of the package's archive.
    """

    package: _PackageName
    version: _Version
    sha256: Sha256

    @property
    def label(self) -> str:
        """Name of this source in messages."""
        return f"{self.package}@{self.version}"


class _Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url {self.url!r} is not an http or https address")

    @property
    def label(self) -> str:
        """Name of this source in messages."""
        return self.url


class ArchiveSource(_Address, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="archive"):
    """A tar (plain, gzip, bzip2, xz) or zip archive at an HTTP address.

    Attributes:
        url: `http` or `https` address.
        sha256: Digest of the archive, or None if unknown.
    """


class FileSource(_Address, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="file"):
    """A single file at an HTTP address.

    Attributes:
        url: `http` or `https` address. The file's member name is the last part of the path.
        sha256: Digest of the file, or None if unknown.
    """


Source = WheelSource | PackageSource | ArchiveSource | FileSource
