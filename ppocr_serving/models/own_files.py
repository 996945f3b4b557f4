"""What the files of a model say about it: characters and shape of a recogniser, thresholds of a detector."""

from pathlib import Path

from ppocr_serving.errors import ModelNotFound
from ppocr_serving.models.files import ModelFiles
from ppocr_serving.models.onnx import read_input_shape, read_metadata
from ppocr_serving.models.paddle_config import read_list, read_number

__all__ = ["find_characters", "keep_dictionary", "load_dictionary", "read_line_shape", "read_thresholds"]

_DICTIONARY = "dictionary.txt"
_CONFIGURATION = "inference.yml"
_ONNX_KEY = "character"
_YAML_KEY = "character_dict"
_USUAL_WIDTH = 320  # of all recognisers that PaddleOCR has published
_REMEDY = "set PPOCR_REC_DICT to the dictionary of the recognition model"
_CONFIGURATION_REMEDY = "replace it, or remove it to use what the profile states"


def load_dictionary(path: Path) -> tuple[str, ...]:
    r"""Read a dictionary file, in the order of the model's outputs.

    Args:
        path: UTF-8 text, one entry per line. Only `\n` and `\r\n` end a line: an entry may be a space, a full-width
            space, or a character that Unicode counts as a line break. An empty line is an empty entry, so that the
            entries after it keep their numbers.

    Returns:
        The entries, without CTC's blank and without an added space.

    Raises:
        ModelNotFound: The file is missing, empty or not UTF-8.
    """
    return _entries(_text(path, _REMEDY), str(path))


def find_characters(model: ModelFiles) -> tuple[str, ...] | None:
    """Read the characters of a recognition model from its own files.

    Args:
        model: The model. Beside its program lies `dictionary.txt`, or `inference.yml` with Paddle's
            `character_dict`; or the program is ONNX with the entries in its metadata, under `character`.

    Returns:
        As `load_dictionary`; None if there is no dictionary.

    Raises:
        ModelNotFound: One of these files cannot be read.
    """
    characters = _find_beside(model)
    if characters is None and model.program.suffix == ".onnx":
        try:
            text = read_metadata(model.program).get(_ONNX_KEY)
        except (OSError, ValueError) as error:
            raise ModelNotFound(f"{model.program}: {_reason(error)}; replace it, or {_REMEDY}") from error
        if text is not None:
            return _entries(text, f"{model.program}: its metadata {_ONNX_KEY!r}")
    return characters


def keep_dictionary(model: ModelFiles) -> None:
    """Write a recogniser's dictionary into a file of its own.

    A conversion loses what is in an ONNX file's metadata, and `inference.yml` takes ten times as long to read.

    Raises:
        ModelNotFound: The file cannot be read.
        OSError: The dictionary cannot be written.
    """
    if not model.program.with_name(_DICTIONARY).is_file() and (characters := find_characters(model)) is not None:
        (model.program.parent / _DICTIONARY).write_text("\n".join([*characters, ""]), encoding="utf-8", newline="\n")


def read_line_shape(folder: Path) -> tuple[int, int, int] | None:
    """Read the shape of a recognition model's input from its own files.

    Args:
        folder: The model's; `inference.yml` has an `image_shape`, or `inference.onnx` a fixed height.

    Returns:
        Channels, height and usual width; None if the files do not say.

    Raises:
        ModelNotFound: One of these files cannot be read.
    """
    configuration, program = folder / _CONFIGURATION, folder / "inference.onnx"
    sides: tuple[int, ...] = ()
    if configuration.is_file():
        sides = tuple(
            int(side) for side in _list(configuration, "image_shape", _CONFIGURATION_REMEDY) if side.isdecimal()
        )
    if len(sides) != 3 and program.is_file():
        try:
            sides = read_input_shape(program)[1:]
        except (OSError, ValueError) as error:
            raise ModelNotFound(f"{program}: {_reason(error)}; replace it") from error
    if len(sides) != 3 or not sides[1]:
        return None
    channels, height, width = sides
    return channels, height, width or _USUAL_WIDTH


def read_thresholds(folder: Path) -> dict[str, float]:
    """Read the thresholds of a detection model from its `inference.yml`.

    Args:
        folder: The model's.

    Returns:
        Those of `thresh`, `box_thresh` and `unclip_ratio` that the file states; empty without such a file.

    Raises:
        ModelNotFound: The file cannot be read.
    """
    configuration = folder / _CONFIGURATION
    if not configuration.is_file():
        return {}
    text = _text(configuration, _CONFIGURATION_REMEDY)
    found = {key: read_number(text, key) for key in ("thresh", "box_thresh", "unclip_ratio")}
    return {key: value for key, value in found.items() if value is not None}


def _find_beside(model: ModelFiles) -> tuple[str, ...] | None:
    """Return the characters from the files beside a program."""
    dictionary = model.program.with_name(_DICTIONARY)
    if dictionary.is_file():
        return load_dictionary(dictionary)
    configuration = model.program.with_name(_CONFIGURATION)
    entries = _list(configuration, _YAML_KEY, _REMEDY) if configuration.is_file() else []
    return tuple(entries) or None


def _text(path: Path, remedy: str) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ModelNotFound(f"{path}: {error.strerror}; {remedy}") from error
    except UnicodeDecodeError as error:
        raise ModelNotFound(f"{path}: byte {error.start} is not UTF-8; {remedy}") from error


def _list(path: Path, key: str, remedy: str) -> list[str]:
    try:
        return read_list(_text(path, remedy), key)
    except ValueError as error:
        raise ModelNotFound(f"{path}: {key}: {error}; {remedy}") from error


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _entries(text: str, name: str) -> tuple[str, ...]:
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if lines == [""]:
        raise ModelNotFound(f"{name}: is empty; {_REMEDY}")
    return tuple(lines)
