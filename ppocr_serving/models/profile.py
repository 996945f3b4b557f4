"""Model profiles: TOML files that say everything about a set of models.

For the model of every role they state how it is used (input shape, normalisation, thresholds), what it is (languages,
licence) and where its files come from.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from ppocr_serving.errors import InvalidSetting, ModelNotFound
from ppocr_serving.models.files import FORMATS, PADDLE_PROGRAMS
from ppocr_serving.models.members import check_member_name
from ppocr_serving.models.sources import Sha256, Source

__all__ = [
    "ROLES",
    "ClassificationModel",
    "DetectionModel",
    "Model",
    "Origin",
    "Profile",
    "ProfileFile",
    "RecognitionModel",
    "Role",
    "compatible_profiles",
    "load_profile",
    "paddle_profiles",
    "profile_names",
]

_PROFILE_DIR = Path(__file__).parent / "profiles"

Role = Literal["det", "cls", "rec", "reread"]
"""Purpose of a model: detection, orientation of lines, recognition, and second recognition of doubtful lines."""

ROLES: tuple[Role, ...] = ("det", "cls", "rec")
"""The roles that every profile has."""

FileName = Literal[
    "inference.pdmodel",
    "inference.json",
    "inference.pdiparams",
    "inference.onnx",
    "inference.xml",
    "inference.bin",
    "inference.yml",
    "dictionary.txt",
]
# The name becomes a directory under the model directory, so it must not lead out of it.
ProfileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Channels = tuple[float, float, float]
Deviations = tuple[
    Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)], Annotated[float, msgspec.Meta(gt=0)]
]


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a model inside a source.

    Attributes:
        member: Its name there.
        sha256: Digest, or None if unknown.
        size: Bytes, or None if unknown.
        source: Key in the profile's `sources`; None means that of the origin.
    """

    member: str
    sha256: Sha256 | None = None
    size: Positive | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        check_member_name(self.member)


class ProfileFile(msgspec.Struct, frozen=True):
    """One file on disk and where it comes from.

    Attributes:
        path: Relative to the profile's directory, for example `det/inference.pdmodel`.
        source: Key in the profile's `sources`.
        member: Name inside the source.
        sha256: Digest, or None if unknown.
        size: Bytes, or None if unknown.
    """

    path: PurePosixPath
    source: str
    member: str
    sha256: str | None
    size: int | None


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to get all files of a model.

    Attributes:
        source: Key in the profile's `sources`.
        files: The files by their names on disk, in one or more of the formats that engines read.
    """

    source: str
    files: Mapping[FileName, Member]

    def __post_init__(self) -> None:
        names = set(self.files)
        if not any(names.issuperset(parts) for parts in FORMATS):
            raise ValueError(f"an origin from {self.source!r} has no complete model: {', '.join(sorted(names))}")
        msgspec.structs.force_setattr(self, "files", MappingProxyType(dict(self.files)))

    @property
    def runs_on_paddle(self) -> bool:
        """Whether one of the formats is Paddle's own."""
        return not PADDLE_PROGRAMS.isdisjoint(self.files)


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is common to the models of all roles.

    Attributes:
        licence: SPDX identifier.
        mean: Of each channel in memory order (blue, green, red), where 0 is black and 1 is white.
        deviation: Standard deviation of each channel; the network's input is (sample - mean) / deviation.
        origins: Where the files come from; the first that answers is used.
    """

    licence: Text
    mean: Channels
    deviation: Deviations
    origins: Annotated[tuple[Origin, ...], msgspec.Meta(min_length=1)]

    @property
    def runs_on_paddle(self) -> bool:
        """Whether Paddle's own engine can run it from one of its origins."""
        return any(origin.runs_on_paddle for origin in self.origins)


class DetectionModel(Model, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A detector; the attributes are those of the settings that start with `det_`, and of `use_dilation`."""

    limit_side_len: Positive
    limit_type: Literal["max", "min"]
    thresh: Fraction
    box_thresh: Fraction
    unclip_ratio: float
    score_mode: Literal["fast", "slow"]
    use_dilation: bool
    closer_side_len: Annotated[int, msgspec.Meta(ge=0)] = 0


class _LineModel(Model, frozen=True, forbid_unknown_fields=True, kw_only=True):
    image_shape: tuple[Positive, Positive, Positive]

    def __post_init__(self) -> None:
        if self.image_shape[0] != 3:
            raise ValueError(f"image_shape {list(self.image_shape)} must begin with 3, the colour channels")


class ClassificationModel(_LineModel, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A classifier of lines.

    Attributes:
        image_shape: (channels, height, width) of the network's input.
        labels: Names of the network's outputs.
        thresh: Confidence above which a line is rotated.
    """

    labels: tuple[str, str]
    thresh: Fraction


class RecognitionModel(_LineModel, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A recogniser. Its dictionary is one of its files, or inside one of them.

    Attributes:
        image_shape: (channels, height, width) of the network's input; the width is the one it was trained with.
        languages: BCP 47 tags.
        interpolation: How lines are scaled to that height.
        margin: Height of the strips around a box that are read with it, as a share of the height of its line.
    """

    languages: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    interpolation: Literal["linear", "cubic"] = "linear"
    margin: Fraction = 0.0


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One set of models.

    Attributes:
        name: Also the directory's name under the model directory.
        summary: What it is, in a line.
        sources: Downloads, by key.
        det: Detection model.
        cls: Angle classifier.
        rec: Recognition model.
        drop_score: Lines with less confidence are dropped when entire pictures are read.
        reread: Recognition model for lines that `rec` reads with little confidence; optional.
        reread_score: Lines with less confidence than this are read again by it; 0 without one.
        compatible: Whether PaddleOCR 2.10 has these models, so that they can be used as it uses them.
    """

    name: ProfileName
    summary: Text
    sources: Mapping[str, Source]
    det: DetectionModel
    cls: ClassificationModel
    rec: RecognitionModel
    drop_score: Fraction
    reread: RecognitionModel | None = None
    reread_score: Fraction = 0.0
    compatible: bool = False

    def __post_init__(self) -> None:
        if self.reread is None and self.reread_score > 0:
            raise ValueError(f"reread_score is {self.reread_score:g}, but there is no model in [reread]")
        for file in self.files_of_all_origins():
            if file.source not in self.sources:
                raise ValueError(f"{file.path}: source {file.source!r} is not one of {sorted(self.sources)}")
        # With a mutable mapping in it, the structure would not be frozen.
        msgspec.structs.force_setattr(self, "sources", MappingProxyType(dict(self.sources)))

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that this profile has a model for."""
        return ROLES if self.reread is None else (*ROLES, "reread")

    @property
    def languages(self) -> tuple[str, ...]:
        """What its recognisers read together."""
        return tuple(dict.fromkeys(self.rec.languages + (() if self.reread is None else self.reread.languages)))

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences of its models."""
        return tuple(dict.fromkeys(self.model(role).licence for role in self.roles))

    def model(self, role: Role) -> Model:
        """Return what the profile says about the model of one role.

        Raises:
            InvalidSetting: It has none.
        """
        model: Model | None = getattr(self, role)
        if model is None:
            raise InvalidSetting(f"profile {self.name} has no {role} model; use another profile")
        return model

    def recognizer(self, role: Literal["rec", "reread"]) -> RecognitionModel:
        """Return what the profile says about one of its recognisers; raises as `model`."""
        if role == "reread" and self.reread is not None:
            return self.reread
        self.model(role)
        return self.rec

    def files_of_all_origins(self) -> list[ProfileFile]:
        """Return the files of all models and origins; those of several origins have the same path."""
        return [file for role in self.roles for files in self.alternatives(role) for file in files]

    def alternatives(self, role: Role) -> tuple[tuple[ProfileFile, ...], ...]:
        """Return the files of one model on disk, once for each of its origins; any of these sets is complete."""
        return tuple(
            tuple(
                ProfileFile(
                    PurePosixPath(role, name),
                    file.source or origin.source,
                    file.member,
                    file.sha256,
                    file.size,
                )
                for name, file in sorted(origin.files.items())
            )
            for origin in self.model(role).origins
        )


def profile_names() -> tuple[str, ...]:
    """Return the names of the packaged profiles, sorted."""
    return tuple(sorted(path.stem for path in _PROFILE_DIR.glob("*.toml")))


def paddle_profiles() -> tuple[str, ...]:
    """Return the names of the packaged profiles whose models all run on Paddle's own engine, sorted."""
    profiles = map(load_profile, profile_names())
    return tuple(
        profile.name for profile in profiles if all(profile.model(role).runs_on_paddle for role in profile.roles)
    )


def compatible_profiles() -> tuple[str, ...]:
    """Return the names of the packaged profiles whose models PaddleOCR 2.10 has, sorted."""
    return tuple(profile.name for profile in map(load_profile, profile_names()) if profile.compatible)


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
