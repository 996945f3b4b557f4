#!/usr/bin/env python3
"""Remove what the service never reads from the current python3's environment, and print how much each entry saves.

Image builds run this with the image's name, `hub` or `lean`. A pattern that matches nothing is an error: the table no
longer fits the packages.
"""

import platform
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple


class Prune(NamedTuple):
    """Files that are not needed.

    Attributes:
        reason: Why they are not needed.
        patterns: Globs below site-packages; directories are removed with their contents.
    """

    reason: str
    patterns: tuple[str, ...]


_COMMON = (
    Prune("bytecode with timestamps; what is imported at startup is recompiled", ("**/__pycache__",)),
    Prune("C++ headers and static libraries, for compiling", ("numpy/_core/include", "**/*.a")),
    Prune("nothing is installed in an image", ("pip", "pip-*")),
    Prune(
        "builds this project's package once",
        ("hatchling*", "trove_classifiers*", "pathspec*", "pluggy*", "tomlkit*"),
    ),
    Prune("tests of packages", ("**/tests",)),
    Prune("type hints and sources of compiled modules", ("**/*.pyi", "**/*.pxd", "**/*.pyx")),
    Prune("compiles Fortran and extension modules", ("numpy/f2py", "numpy/distutils")),
    Prune(
        "AVIF, drawing text, colour profiles and Tk: Pillow decodes JPEG, PNG, BMP, WebP, TIFF and GIF here",
        (
            "PIL/_avif.*",
            "PIL/_imagingft.*",
            "PIL/_imagingcms.*",
            "PIL/_imagingtk.*",
            "pillow.libs/libavif-*",
            "pillow.libs/libfreetype-*",
            "pillow.libs/libharfbuzz-*",
            "pillow.libs/liblcms2-*",
            "pillow.libs/libbrotli*",
        ),
    ),
    Prune("a command line, and a wrapper of the functions that are called here", ("pypdfium2", "pypdfium2_cli")),
    Prune("OpenVINO's C++ headers and C interface", ("openvino/include", "openvino/cmake", "openvino/libs/*_c.so.*")),
    Prune(
        "OpenVINO on multiple devices; loaded on demand",
        (
            "openvino/libs/libopenvino_auto_plugin.so",
            "openvino/libs/libopenvino_auto_batch_plugin.so",
            "openvino/libs/libopenvino_hetero_plugin.so",
        ),
    ),
    Prune(
        "model formats other than Paddle, ONNX and OpenVINO, loaded on demand; extensions of all formats",
        (
            "openvino/libs/libopenvino_tensorflow_frontend.so.*",
            "openvino/libs/libopenvino_tensorflow_lite_frontend.so.*",
            "openvino/libs/libopenvino_pytorch_frontend.so.*",
            "openvino/libs/libopenvino_jax_frontend.so.*",
            "openvino/libs/libopenvino_gguf_frontend.so.*",
            "openvino/torch",
            "openvino/frontend/tensorflow",
            "openvino/frontend/pytorch",
            "openvino/frontend/jax",
            "openvino/frontend/onnx",
            "openvino/frontend/paddle",
        ),
    ),
    Prune("model converters; OpenVINO imports them if present, which is slow", ("openvino/tools",)),
    Prune("a malloc replacement that must be loaded explicitly", ("openvino/libs/libtbbmalloc_proxy.so.*",)),
)

_X86_64 = (
    Prune(
        "OpenVINO on Intel's GPUs and NPUs, of which packages for other processors know nothing; loaded on demand",
        (
            "openvino/libs/libopenvino_intel_gpu_plugin.so",
            "openvino/libs/cache.json",
            "openvino/libs/libopenvino_intel_npu_plugin.so",
        ),
    ),
)

_HUB = (
    Prune("Paddle's C++ headers", ("paddle/include",)),
    Prune("graphs for Paddle's training compiler, its only importer", ("networkx*",)),
    Prune(
        "LAPACK for matrix decompositions and Warp for training losses; Paddle loads them on first use",
        (
            "paddle/libs/liblapack.so.3",
            "paddle/libs/libblas.so.3",
            "paddle/libs/libgfortran.so.3",
            "paddle/libs/libquadmath.so.0",
            "paddle/libs/libwarpctc.so",
            "paddle/libs/libwarprnnt.so",
        ),
    ),
    Prune("benchmarks of training operators", ("paddle/cost_model/static_op_benchmark.json",)),
)

_LEAN = (
    Prune("the adapter for PaddleHub, which is not installed", ("ppocr_serving/hub", "ppocr_serving_hub.pth")),
    Prune("installs legacy packages", ("setuptools*", "pkg_resources", "_distutils_hack", "distutils-*.pth")),
    Prune(
        "parts of NumPy that are imported on demand",
        ("numpy/random", "numpy/fft", "numpy/polynomial", "numpy/ma", "numpy/testing"),
    ),
    Prune("tests of NumPy's SIMD code", ("numpy/_core/_simd.*.so",)),
)

_HERE = _COMMON + (_X86_64 if platform.machine() == "x86_64" else ())
PRUNES = {"hub": _HERE + _HUB, "lean": _HERE + _LEAN}

_STRIP = "library symbols, for debuggers"
_LOADED = 1  # PT_LOAD of the ELF format


def prune(root: Path, image: str) -> dict[str, int]:
    """Remove what the image's table lists.

    Args:
        root: A site-packages directory.
        image: A key of `PRUNES`.

    Returns:
        Bytes saved, by reason.

    Raises:
        FileNotFoundError: A pattern of the table matches nothing.
    """
    saved = {}
    for reason, patterns in PRUNES[image]:
        before = _size(root)
        for pattern in patterns:
            found = sorted(root.glob(pattern))
            if not found:
                raise FileNotFoundError(f"{root} has no match for {pattern!r}; update the table in prune.py")
            for path in found:
                _remove(path)
        saved[reason] = before - _size(root)
    return saved


def strip(root: Path) -> int:
    """Strip shared libraries of what the loader does not read.

    Returns:
        Bytes saved.

    Raises:
        subprocess.CalledProcessError: `strip` fails on a library.
    """
    before = _size(root)
    for path in sorted(root.rglob("*.so*")):
        if path.is_file() and not path.is_symlink():
            stripped = path.with_name(f"{path.name}.stripped")
            subprocess.run(["strip", "--strip-unneeded", "-o", str(stripped), str(path)], check=True)
            # `strip` can make libraries that were renamed inside their wheel unloadable.
            if _is_aligned(stripped):
                stripped.chmod(path.stat().st_mode)
                stripped.replace(path)
            else:
                stripped.unlink()
    return before - _size(root)


def _is_aligned(library: Path) -> bool:
    """Return whether every loaded segment of a 64-bit little-endian ELF file is properly aligned."""
    data = library.read_bytes()
    (table,) = struct.unpack_from("<Q", data, 32)
    entry_size, entries = struct.unpack_from("<HH", data, 54)
    for position in range(table, table + entry_size * entries, entry_size):
        kind, _flags, offset, address, *_sizes, alignment = struct.unpack_from("<IIQQQQQQ", data, position)
        if kind == _LOADED and (offset - address) % alignment:
            return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)  # its directory may just have gone


def _size(root: Path) -> int:
    return sum(path.lstat().st_size for path in root.rglob("*"))


def main() -> None:
    """Run the command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in PRUNES:
        sys.exit(f"prune: {sys.argv[1:]} is not an image; choose from {', '.join(PRUNES)}")
    if sys.prefix == sys.base_prefix:
        sys.exit(f"prune: {sys.executable} is not in a virtual environment; this would remove system files")
    root = Path(sysconfig.get_path("purelib"))
    before = _size(root)
    saved = prune(root, sys.argv[1])
    saved[_STRIP] = strip(root)
    for reason, count in saved.items():
        print(f"{count / 1e6:7.1f} MB  {reason}")
    print(f"{before / 1e6:7.1f} MB  before\n{_size(root) / 1e6:7.1f} MB  after")


if __name__ == "__main__":
    main()
