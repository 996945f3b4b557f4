"""Model files on disk: find them, check that they exist, and load the dictionary."""

import hashlib
import sys
from pathlib import Path

import msgspec

from ppocr_serving.errors import ModelNotFound

__all__ = ["ModelFiles", "default_model_dir", "load_dictionary", "resolve_model", "sha256_of"]

_REMEDY = "run scripts/fetch_models.py, or set"

# Programs and their weights, best first: every engine supports the first format, only one each of the others.
_FORMATS = (
    ("inference.pdmodel", "inference.pdiparams"),
    ("inference.json", "inference.pdiparams"),
    ("inference.xml", "inference.bin"),
    ("inference.onnx", None),
)


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


def resolve_model(directory: Path, role: str) -> ModelFiles:
    """Find the files of one model.

    Args:
        directory: Contains `inference.pdmodel` (preferred: every engine supports it) or `inference.json`, and
            `inference.pdiparams`; or `inference.xml` and `inference.bin`; or `inference.onnx`.
        role: `det`, `cls` or `rec`; only for the message.

    Raises:
        ModelNotFound: One of the files is missing or empty.
    """
    missing = None
    for program_name, params_name in _FORMATS:
        program = directory / program_name
        params = None if params_name is None else directory / params_name
        if not _has_content(program):
            continue
        if params is None or _has_content(params):
            return ModelFiles(program=program, params=params)
        missing = missing or params_name
    missing = missing or " or ".join(program_name for program_name, _ in _FORMATS)
    raise ModelNotFound(
        f"{role} model: {directory} has no usable {missing} ({_contents(directory)}); "
        f"{_REMEDY} PPOCR_{role.upper()}_MODEL_DIR to a directory that has it"
    )


def load_dictionary(path: Path) -> tuple[str, ...]:
    r"""Read the characters of a recognition model, in the order of its outputs.

    Args:
        path: UTF-8 text, one entry per line. Only `\n` and `\r\n` end a line: an entry may be a space, a full-width
            space, or a character that Unicode counts as a line break. An empty line is an empty entry, so that the
            entries after it keep their numbers.

    Returns:
        The entries, without CTC's blank and without an added space.

    Raises:
        ModelNotFound: The file is missing, empty or not UTF-8.
    """
    remedy = f"{_REMEDY} PPOCR_REC_DICT to the dictionary of the recognition model"
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ModelNotFound(f"dictionary {path}: {error.strerror}; {remedy}") from error
    except UnicodeDecodeError as error:
        raise ModelNotFound(f"dictionary {path}: byte {error.start} is not UTF-8; {remedy}") from error
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if lines == [""]:
        raise ModelNotFound(f"dictionary {path}: is empty; {remedy}")
    return tuple(lines)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hex.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _has_content(path: Path) -> bool:
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
