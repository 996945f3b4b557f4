"""Compiled models on disk, named by what they were compiled for, so that an unsuitable one is never loaded."""

import hashlib
import os
import tempfile
from pathlib import Path

from ppocr_serving.cpu import instruction_sets
from ppocr_serving.models import ModelFiles
from ppocr_serving.models.files import sha256_of

__all__ = ["compiled_path", "write_compiled"]


def compiled_path(model: ModelFiles, variant: str) -> Path:
    """Return the path of a model's compiled form.

    Args:
        model: The model's files.
        variant: The compiler's version and options.

    Returns:
        A path next to the model, whether or not the file exists. It depends on the content of the model's files, the
        variant and the processor's instruction sets.
    """
    files = [model.program] if model.params is None else [model.program, model.params]
    parts = [variant, " ".join(instruction_sets()), *(sha256_of(path) for path in files if path.is_file())]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return model.program.with_name(f"{model.program.stem}-{key}.blob")


def write_compiled(path: Path, content: bytes) -> None:
    """Write a compiled model, and remove those that it replaces.

    Raises:
        OSError: The file cannot be written.
    """
    stale = set(path.parent.glob(f"{path.stem.rpartition('-')[0]}-*.blob")) - {path}
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    for other in stale:
        other.unlink(missing_ok=True)  # another process may have removed it
