#!/usr/bin/env python3
"""Replaces libraries that OpenCV is linked with and never calls here by libraries of a few kilobytes.

FFmpeg is for video, OpenBLAS for factorising matrices of a hundred rows and more. OpenCV cannot be loaded without the
libraries' names and functions, so these stay; a call of one ends the process. Decoders of hostile video, and an OpenSSL
without support, leave the image, too. The build of the image runs this with the python3 of the environment; it needs
`nm`, `as` and `ld`.
"""

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection
from pathlib import Path

# Called by OpenCV itself.
_REPLACED = ("libavcodec", "libavformat", "libavutil", "libswscale", "libopenblas")
# Called by those only.
_REMOVED = ("libswresample", "libvpx", "libssl", "libcrypto", "libdrm", "libgfortran", "libquadmath")


def replace_libraries(root: Path) -> int:
    """Writes the small libraries over the large ones.

    Args:
        root: A site-packages directory.

    Returns:
        Bytes saved.

    Raises:
        LookupError: OpenCV's libraries are not what this file knows.
        subprocess.CalledProcessError: A tool fails.
    """
    libraries = root / "opencv_python_headless.libs"
    before = _size(libraries)
    needed = set(_symbols(root / "cv2" / "cv2.abi3.so", "--undefined-only"))
    for name in _REPLACED:
        library = _find(libraries, name)
        called = needed & {symbol.replace("@@", "@") for symbol in _symbols(library, "--defined-only")}
        if not called:
            raise LookupError(f"OpenCV calls nothing of {library}; correct {Path(__file__).name}")
        _build(library, called)
    for name in _REMOVED:
        _find(libraries, name).unlink()
    return before - _size(libraries)


def _symbols(library: Path, which: str) -> list[str]:
    """Names of functions, with `@` and the version where they have one."""
    lines = _run("nm", "-D", which, "--with-symbol-versions", str(library)).splitlines()
    return [line.split()[-1] for line in lines]


def _build(library: Path, symbols: Collection[str]) -> None:
    names = {symbol.partition("@")[0] for symbol in symbols}
    versions = {symbol.partition("@")[2] for symbol in symbols}
    if len(versions) != 1:
        raise LookupError(f"{library} has the versions {sorted(versions)}, not one; correct {Path(__file__).name}")
    with tempfile.TemporaryDirectory() as folder:
        source, compiled, script = (Path(folder) / name for name in ("source.s", "compiled.o", "versions"))
        functions = (f".globl {name}\n.type {name}, @function\n{name}: ud2\n" for name in sorted(names))
        source.write_text(f'.text\n{"".join(functions)}.section .note.GNU-stack,"",@progbits\n', encoding="ascii")
        script.write_text(f"{versions.pop()} {{ global: *; }};\n", encoding="ascii")
        _run("as", "-o", str(compiled), str(source))
        _run(
            *("ld", "-shared", "--hash-style=gnu", "-soname", library.name),
            *("--version-script", str(script), "-o", str(library), str(compiled)),
        )


def _find(libraries: Path, name: str) -> Path:
    found = list(libraries.glob(f"{name}*-*.so*"))
    if len(found) != 1:
        raise LookupError(
            f"{libraries} has {len(found)} files like {name}*-*.so*, not one; correct {Path(__file__).name}"
        )
    return found[0]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.iterdir())


def main() -> None:
    """Runs the command line."""
    if sys.prefix == sys.base_prefix:
        sys.exit(
            f"replace_libraries: {sys.executable} is no virtual environment; this would change the system's OpenCV"
        )
    saved = replace_libraries(Path(sysconfig.get_path("purelib")))
    print(f"{saved / 1e6:7.1f} MB  FFmpeg and OpenBLAS, which OpenCV is linked with and does not call here")


if __name__ == "__main__":
    main()
