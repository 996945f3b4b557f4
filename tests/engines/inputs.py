"""Shared by engine tests: inputs of real requests, tolerances for answers, and broken files."""

import subprocess
import sys
from pathlib import Path

from ppocr_serving.engines import Float32Array, Precision
from ppocr_serving.models import ModelFiles
from ppocr_serving.vision.detection import DetectionOptions, prepare
from ppocr_serving.vision.lines import batch_lines
from tests.drawing import Placed, draw_line, draw_page

__all__ = ["DAMAGES", "F32_TOLERANCE", "MEAN_TOLERANCE", "broken_model", "damaged", "network_input", "run_program"]

# Differences of probabilities from Paddle's native float32 kernels. Measured in float32: at most 6e-5, 5e-8 on average;
# in bfloat16, where single pixels at the edges of text may tip over: 2e-3 on average.
F32_TOLERANCE = 3e-4
MEAN_TOLERANCE = {Precision.F32: 1e-6, Precision.BF16: 5e-3}

DAMAGES = ("truncated", "almost whole", "empty", "text", "zeros", "second half is zeros")


def damaged(whole: bytes, damage: str) -> bytes:
    """The content of a file after one of `DAMAGES`."""
    half = len(whole) // 2
    return {
        "truncated": whole[:half],
        "almost whole": whole[:-100],
        "empty": b"",
        "text": b"<!doctype html>",
        "zeros": bytes(len(whole)),
        "second half is zeros": whole[:half] + bytes(half),
    }[damage]


def network_input(role: str) -> Float32Array:
    """The input of the network with this role, `det`, `cls` or `rec`, for a page or two lines."""
    if role == "det":
        page = draw_page([Placed("Platform 9", 40, 40), Placed("开往北京", 40, 120)], 320, 224)
        return prepare(page, DetectionOptions())
    crops = [draw_line(text, margin=4) for text in ("Departures", "欢迎光临")]
    return batch_lines(crops, 48, 192 if role == "cls" else 320)


def broken_model(folder: Path, whole: ModelFiles, defect: str) -> ModelFiles:
    """Write a copy of a model with a defect into a folder."""
    assert whole.params is not None
    program, params = whole.program.read_bytes(), whole.params.read_bytes()
    match defect:
        case "truncated program":
            program = program[: len(program) // 2]
        case "truncated weights":
            params = params[: len(params) // 2]
        case "weights are text":
            params = b"no weights at all\n" * 40
        case "program is text":
            program = b"<!doctype html><title>404</title>"
        case "program is a Git LFS pointer":
            program = b"version https://git-lfs.github.com/spec/v1\n"
        case "program is zeros":
            program = bytes(len(program))
        case "program is empty":
            program = b""
        case "program is text after a line break":
            program = b"\n<!doctype html>"
    (folder / "inference.pdmodel").write_bytes(program)
    (folder / "inference.pdiparams").write_bytes(params)
    return ModelFiles(folder / "inference.pdmodel", folder / "inference.pdiparams")


def run_program(
    program: str, *arguments: str, cwd: Path | None = None, before: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in a separate process.

    Args:
        program: Its source.
        *arguments: What it finds in `sys.argv[1:]`.
        cwd: Its working directory.
        before: A command that runs the interpreter.
    """
    return subprocess.run(
        [*before, sys.executable, "-W", "ignore", "-c", program, *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
