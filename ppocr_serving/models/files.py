"""Model files on disk: find them and check that they exist."""

import hashlib
import sys
from pathlib import Path

import msgspec

from ppocr_serving.errors import ModelNotFound

__all__ = [
    "FORMATS",
    "PADDLE_PROGRAMS",
    "ModelFiles",
    "default_model_dir",
    "find_models",
    "has_content",
    "resolve_model",
    "sha256_of",
]

FORMATS: tuple[tuple[str, ...], ...] = (
    ("inference.pdmodel", "inference.pdiparams"),
    ("inference.xml", "inference.bin"),
    ("inference.onnx",),
    ("inference.json", "inference.pdiparams"),
)
"""The files of a model in each format, program first. Every engine supports the first format; OpenVINO, which is
preferred, the next two as well, and Paddle the last."""

PADDLE_PROGRAMS = frozenset({"inference.pdmodel", "inference.json"})
"""The programs that Paddle's own engine runs."""


class ModelFiles(msgspec.Struct, frozen=True):
    """The files of one model.

    Attributes:
        program: The network: `inference.pdmodel` or `inference.json` (Paddle), `inference.xml` (OpenVINO), or
            `inference.onnx`, which includes the weights.
        params: The weights: `inference.pdiparams` (Paddle) or `inference.bin` (OpenVINO); None for ONNX.
    """

    program: Path
    params: Path | None


def default_model_dir() -> Path:
    """Return the default folder of models.

    It is inside the interpreter's prefix, so that each virtual environment has its own models, whatever the home and
    working directories.
    """
    return Path(sys.prefix) / "share" / "ppocr_serving" / "models"


def find_models(directory: Path, role: str, profile: str | None = None) -> tuple[ModelFiles, ...]:
    """Find one model in all formats present.

    Args:
        directory: Contains the files of one or more of `FORMATS`.
        role: `det`, `cls`, `rec` or `reread`; only for the message.
        profile: Name of the packaged profile whose files these are, also for the message; None means that of the
            settings.

    Returns:
        At least one model, the preferred format first.

    Raises:
        ModelNotFound: There is no complete model: a file is missing or empty.
    """
    found, missing = [], None
    for names in FORMATS:
        paths = [directory / name for name in names]
        absent = [path.name for path in paths if not has_content(path)]
        if not absent:
            found.append(ModelFiles(paths[0], paths[1] if len(paths) > 1 else None))
        elif paths[0].name not in absent:
            missing = missing or absent[0]
    if found:
        return tuple(found)
    missing = missing or " or ".join(names[0] for names in FORMATS)
    remedy = f"run `python -m ppocr_serving models fetch{f' {profile}' if profile else ''}`"
    if role != "reread":
        remedy += f", or set PPOCR_{role.upper()}_MODEL_DIR to a directory that has it"
    raise ModelNotFound(f"{role} model: {directory} has no usable {missing} ({_contents(directory)}); {remedy}")


def resolve_model(directory: Path, role: str) -> ModelFiles:
    """Find one model in the preferred format present; see `find_models`."""
    return find_models(directory, role)[0]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hex.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def has_content(path: Path) -> bool:
    """Return whether a path is a file that can be found and is not empty."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def _contents(directory: Path) -> str:
    try:
        names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in directory.iterdir())
    except OSError as error:
        return f"{error.strerror}"
    shown = ", ".join(names[:10]) or "nothing"
    return f"it holds {shown}" + (f" and {len(names) - 10} more" if len(names) > 10 else "")
