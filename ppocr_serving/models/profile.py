"""Model profiles: TOML files that define where the three models and the dictionary come from and how they are used."""

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from ppocr_serving.errors import InvalidSetting, ModelNotFound
from ppocr_serving.models.members import check_member_name

__all__ = [
    "ROLES",
    "ArchiveSource",
    "ModelSpec",
    "Profile",
    "ProfileFile",
    "RecognitionSpec",
    "Role",
    "Source",
    "WheelSource",
    "load_profile",
    "profile_names",
]

_PROFILE_DIR = Path(__file__).parent / "profiles"

Role = Literal["det", "cls", "rec"]
"""Purpose of a model: detection, orientation of lines, recognition."""

ROLES: tuple[Role, ...] = get_args(Role)

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
# The name becomes a directory under the model directory, so it must not lead out of it.
ProfileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
PackageName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$")]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class WheelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pypi"):
    """A wheel that pip downloads.

    Attributes:
        package: Name of the distribution.
        version: Its exact version.
        sha256: Lower-case hex digest of the wheel.
    """

    package: PackageName
    version: Version
    sha256: Sha256

    @property
    def label(self) -> str:
        """Name of this source in messages."""
        return f"{self.package}=={self.version}"


class ArchiveSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="archive"):
    """A tar (plain, gzip, bzip2, xz) or zip archive at an HTTP address.

    Attributes:
        url: `http` or `https` address.
        sha256: Lower-case hex digest of the archive, or None if unknown.
    """

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


Source = WheelSource | ArchiveSource


class _Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model inside its source."""

    member: str
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        check_member_name(self.member)


class _SourcedMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file with a source of its own."""

    source: str
    member: str
    sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        check_member_name(self.member)


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Source of one model.

    Attributes:
        source: Key in the profile's `sources`.
        program: The network: `.pdmodel`, or `.json` for Paddle 3 models.
        params: The weights.
    """

    source: str
    program: _Member
    params: _Member

    def __post_init__(self) -> None:
        if PurePosixPath(self.program.member).suffix not in (".pdmodel", ".json"):
            raise ValueError(f"program {self.program.member!r} must end in .pdmodel or .json")


class RecognitionSpec(ModelSpec, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Source of a recognition model, with its input shape and dictionary.

    Attributes:
        picture_shape: (channels, height, width) of the network's input; the width is the one it was trained with.
        dictionary: Its characters, one per line.
    """

    picture_shape: tuple[Positive, Positive, Positive]
    dictionary: _SourcedMember

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.picture_shape[0] != 3:
            raise ValueError(f"picture_shape {list(self.picture_shape)} must begin with 3, the colour channels")


class ProfileFile(msgspec.Struct, frozen=True):
    """One file on disk and where it comes from.

    Attributes:
        path: Relative to the profile's directory, for example `det/inference.pdmodel`.
        source: Key in the profile's `sources`.
        member: Name inside the source.
        sha256: Lower-case hex digest, or None if unknown.
    """

    path: PurePosixPath
    source: str
    member: str
    sha256: str | None


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One set of detection, classification and recognition models.

    Attributes:
        name: Also the directory's name under the model directory.
        sources: Downloads, by key.
        det: Detection model.
        cls: Angle classifier.
        rec: Recognition model, its picture shape and its dictionary.
        thresholds: Settings whose default differs for these models, by setting name.
    """

    name: ProfileName
    sources: Mapping[str, Source]
    det: ModelSpec
    cls: ModelSpec
    rec: RecognitionSpec
    thresholds: Mapping[str, bool | int | float | str] = {}

    def __post_init__(self) -> None:
        for file in self.files():
            if file.source not in self.sources:
                raise ValueError(f"{file.path}: source {file.source!r} is not one of {sorted(self.sources)}")
        # With a mutable mapping in it, the structure would not be frozen.
        msgspec.structs.force_setattr(self, "sources", MappingProxyType(dict(self.sources)))
        msgspec.structs.force_setattr(self, "thresholds", MappingProxyType(dict(self.thresholds)))

    def files(self) -> tuple[ProfileFile, ...]:
        """Return all files of the profile: two per model, and the dictionary."""
        files = []
        for role, model in zip(ROLES, (self.det, self.cls, self.rec), strict=True):
            program = f"inference{PurePosixPath(model.program.member).suffix}"
            for name, part in ((program, model.program), ("inference.pdiparams", model.params)):
                files.append(ProfileFile(PurePosixPath(role, name), model.source, part.member, part.sha256))
        words = self.rec.dictionary
        files.append(ProfileFile(PurePosixPath("rec/dictionary.txt"), words.source, words.member, words.sha256))
        return tuple(files)


def profile_names() -> tuple[str, ...]:
    """Return the names of the packaged profiles, sorted."""
    return tuple(sorted(path.stem for path in _PROFILE_DIR.glob("*.toml")))


def load_profile(name: str) -> Profile:
    """Read one profile.

    Args:
        name: A name from `profile_names()`, or the path of a `.toml` file in the same format.

    Returns:
        The validated profile.

    Raises:
        ModelNotFound: There is no such profile or file.
        InvalidSetting: The file is not valid TOML or does not describe a profile.
    """
    known = profile_names()
    if name in known:
        return _packaged_profile(name)
    if name.endswith(".toml"):
        return _read_profile(Path(name))
    raise ModelNotFound(f"profile {name!r} does not exist; use {', '.join(known)}, or the path of a .toml file")


@functools.cache
def _packaged_profile(name: str) -> Profile:
    return _read_profile(_PROFILE_DIR / f"{name}.toml")


def _read_profile(path: Path) -> Profile:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Profile)
    except OSError as error:
        raise ModelNotFound(
            f"profile file {path}: {error.strerror}; "
            f"use {', '.join(profile_names())}, or the path of a readable .toml file"
        ) from error
    except (ValueError, RecursionError) as error:
        # msgspec.ValidationError, TOMLDecodeError and UnicodeDecodeError are all ValueErrors.
        reason = re.sub(r"\s+", " ", str(error))
        raise InvalidSetting(f"profile file {path}: {reason}; see the packaged profiles for the format") from error
