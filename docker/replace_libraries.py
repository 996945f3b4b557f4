#!/usr/bin/env python3
"""Replace libraries that are linked but never called with stubs of a few kilobytes.

OpenCV: FFmpeg is for video, OpenBLAS for factorising matrices of a hundred rows or more, libavif for a format that is
not supported. NumPy, in the `lean` image: OpenBLAS multiplies matrices, which nothing does there. OpenCV and NumPy
cannot be loaded without these libraries' names and symbols, so the stubs keep them; calling one kills the process. This
also removes video decoders, which attackers could reach, and an unsupported OpenSSL. Image builds run this with the
environment's python3 and the image's name, `hub` or `lean`; it needs `nm`, `as` and `ld`. The stubs are in assembly for
x86-64: on other processors, the libraries stay.
"""

import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple


class Replacement(NamedTuple):
    """Libraries of one package, and what to do with them.

    Attributes:
        libraries: Folder of the libraries, below site-packages.
        callers: Globs of the files linked to them, below site-packages.
        replaced: Name prefixes of the libraries that `callers` call.
        removed: Name prefixes of the libraries that only the replaced ones call.
    """

    libraries: str
    callers: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]


_OPENCV = Replacement(
    libraries="opencv_python_headless.libs",
    callers=("cv2/cv2.abi3.so",),
    replaced=("libavcodec", "libavformat", "libavutil", "libswscale", "libopenblas", "libavif"),
    removed=(
        *("libswresample", "libvpx", "libssl", "libcrypto", "libdrm"),
        *("libgfortran", "libquadmath", "libaom"),
    ),
)
_NUMPY = Replacement(
    libraries="numpy.libs",
    callers=("numpy/_core/_multiarray_umath.*.so", "numpy/linalg/*.so"),
    replaced=("libscipy_openblas",),
    removed=("libgfortran", "libquadmath"),
)
# Paddle may multiply with NumPy.
_REPLACEMENTS = {"hub": (_OPENCV,), "lean": (_OPENCV, _NUMPY)}

# Functions that are called after all. NumPy multiplies two vectors on import, to check that its library works, and
# to compute a vector's length. Arguments, as in BLAS: count, vector, step, vector, step. The sum is kept in double
# precision.
_WRITTEN = {
    "scipy_cblas_sdot64_": """
    xorpd %xmm0, %xmm0
1:  dec %rdi
    js 2f
    cvtss2sd (%rsi), %xmm1
    cvtss2sd (%rcx), %xmm2
    mulsd %xmm2, %xmm1
    addsd %xmm1, %xmm0
    lea (%rsi,%rdx,4), %rsi
    lea (%rcx,%r8,4), %rcx
    jmp 1b
2:  cvtsd2ss %xmm0, %xmm0
    ret""",
    "scipy_cblas_ddot64_": """
    xorpd %xmm0, %xmm0
1:  dec %rdi
    js 2f
    movsd (%rsi), %xmm1
    mulsd (%rcx), %xmm1
    addsd %xmm1, %xmm0
    lea (%rsi,%rdx,8), %rsi
    lea (%rcx,%r8,8), %rcx
    jmp 1b
2:  ret""",
    # OpenCV creates a decoder and an encoder for every format when it encodes its first picture.
    "avifDecoderCreate": "xor %eax, %eax\n    ret",
    "avifDecoderDestroy": "ret",
    "avifEncoderCreate": "xor %eax, %eax\n    ret",
    "avifEncoderDestroy": "ret",
}
_ENDS_THE_PROCESS = "ud2"


def replace_libraries(root: Path, replacement: Replacement) -> int:
    """Overwrite the libraries with stubs.

    Args:
        root: A site-packages directory.
        replacement: What to replace.

    Returns:
        Bytes saved.

    Raises:
        LookupError: The libraries are not those that this file expects.
        subprocess.CalledProcessError: A tool fails.
    """
    libraries = root / replacement.libraries
    before = _size(libraries)
    callers = [path for pattern in replacement.callers for path in root.glob(pattern)]
    needed = {symbol for caller in callers for symbol in _symbols(caller, "--undefined-only")}
    for name in replacement.replaced:
        library = _find(libraries, name)
        called = needed & {symbol.replace("@@", "@") for symbol in _symbols(library, "--defined-only")}
        if not called:
            raise LookupError(f"{replacement.callers} call nothing in {library}; update {Path(__file__).name}")
        _build(library, called)
    for name in replacement.removed:
        _find(libraries, name).unlink()
    return before - _size(libraries)


def _symbols(library: Path, which: str) -> list[str]:
    """Return symbol names, with `@` and the version if they have one."""
    lines = _run("nm", "-D", which, "--with-symbol-versions", str(library)).splitlines()
    return [line.split()[-1] for line in lines]


def _build(library: Path, symbols: Collection[str]) -> None:
    names = {symbol.partition("@")[0] for symbol in symbols}
    versions = {symbol.partition("@")[2] for symbol in symbols}
    if len(versions) != 1:
        raise LookupError(f"{library} has versions {sorted(versions)}, expected one; update {Path(__file__).name}")
    with tempfile.TemporaryDirectory() as folder:
        source, compiled, script = (Path(folder) / name for name in ("source.s", "compiled.o", "versions"))
        functions = (
            f".globl {name}\n.type {name}, @function\n{name}: {_WRITTEN.get(name, _ENDS_THE_PROCESS)}\n"
            for name in sorted(names)
        )
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
            f"{libraries} has {len(found)} files matching {name}*-*.so*, expected one; update {Path(__file__).name}"
        )
    return found[0]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.iterdir())


def main() -> None:
    """Run the command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in _REPLACEMENTS:
        sys.exit(f"replace_libraries: {sys.argv[1:]} is not an image; choose from {', '.join(_REPLACEMENTS)}")
    if sys.prefix == sys.base_prefix:
        sys.exit(
            f"replace_libraries: {sys.executable} is not in a virtual environment; this would change system libraries"
        )
    if platform.machine() != "x86_64":
        print(f"    0.0 MB  nothing replaced: the stubs are for x86-64, and this is {platform.machine()}")
        return
    for replacement in _REPLACEMENTS[sys.argv[1]]:
        saved = replace_libraries(Path(sysconfig.get_path("purelib")), replacement)
        print(f"{saved / 1e6:7.1f} MB  {', '.join(replacement.replaced)}: linked, but never called")


if __name__ == "__main__":
    main()
