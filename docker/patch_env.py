#!/usr/bin/env python3
"""Make PaddleHub write to /tmp, for platforms where nothing else is writable.

Append lines to the `env.py` of the PaddleHub installed for the current python3; its modules stay where they are. A file
that already has the lines is left alone.
"""

import importlib.util
import py_compile
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

KNOWN_VERSION = "2.4.0"

LINES = """

# Added by ppocr-serving: everything but /tmp may be read-only.
CONF_HOME, LOG_HOME, TMP_HOME, CACHE_HOME = (
    os.path.join("/tmp", "paddlehub", folder) for folder in ("conf", "log", "tmp", "cache"))
for _folder in (CONF_HOME, LOG_HOME, TMP_HOME, CACHE_HOME):
    os.makedirs(_folder, exist_ok=True)
"""


def find_env() -> Path:
    """Find the file through package metadata: importing PaddleHub would create its folders and import Paddle.

    Raises:
        LookupError: PaddleHub is missing, or its version is unknown to this patch.
    """
    try:
        paddlehub = distribution("paddlehub")
    except PackageNotFoundError as error:
        raise LookupError(f"{sys.executable} has no paddlehub; run this with the python3 that serves") from error
    if paddlehub.version != KNOWN_VERSION:
        raise LookupError(
            f"paddlehub {paddlehub.version} is installed, but only {KNOWN_VERSION} is supported; check where its "
            "env.py puts files, and update patch_env.py"
        )
    path = Path(str(paddlehub.locate_file("paddlehub/env.py")))
    if not path.is_file():
        raise LookupError(f"{path} is missing; reinstall paddlehub {KNOWN_VERSION}")
    return path


def patch(path: Path) -> bool:
    """Append the lines to the file, unless it has them.

    Returns:
        Whether the file was changed.
    """
    text = path.read_text(encoding="utf-8")
    if text.endswith(LINES):
        return False
    path.write_text(text.rstrip("\n") + "\n" + LINES, encoding="utf-8")
    # Images use bytecode without checking it against the source.
    if Path(importlib.util.cache_from_source(str(path))).exists():
        py_compile.compile(str(path), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return True


def main() -> int:
    """Run the command line."""
    try:
        path = find_env()
        state = "patched" if patch(path) else "already patched"
    except (LookupError, OSError) as error:
        print(f"patch_env: {error}", file=sys.stderr)
        return 1
    print(f"patch_env: {path} {state}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
