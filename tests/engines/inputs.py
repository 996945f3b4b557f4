"""Shared by the engine tests: inputs as in real requests, tolerances for answers, and broken files."""

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
# in bfloat16, where single pixels at the edges of text may flip: 2e-3 on average.
F32_TOLERANCE = 3e-4
MEAN_TOLERANCE = {Precision.F32: 1e-6, Precision.BF16: 5e-3}

DAMAGES = ("truncated", "nearly complete", "empty", "text", "zeros", "second half is zeros")


def damaged(intact: bytes, damage: str) -> bytes:
    """Return the content of a file after one of `DAMAGES`."""
    half = len(intact) // 2
    return {
        "truncated": intact[:half],
        "nearly complete": intact[:-100],
        "empty": b"",
        "text": b"<!doctype html>",
        "zeros": bytes(len(intact)),
        "second half is zeros": intact[:half] + bytes(half),
    }[damage]


def network_input(role: str) -> Float32Array:
    """Return the input of the network with this role, `det`, `cls` or `rec`, for a page or two lines."""
    if role == "det":
        page = draw_page([Placed("Platform 9", 40, 40), Placed("开往北京", 40, 120)], 320, 224)
        return prepare(page, DetectionOptions())
    crops = [draw_line(text, margin=4) for text in ("Departures", "欢迎光临")]
    return batch_lines(crops, 48, 192 if role == "cls" else 320)


def broken_model(folder: Path, intact: ModelFiles, defect: str) -> ModelFiles:
    """Write a copy of a model with a defect into a folder."""
    assert intact.params is not None
    program, params = intact.program.read_bytes(), intact.params.read_bytes()
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
        *arguments: Its `sys.argv[1:]`.
        cwd: Its working directory.
        before: A command to run the interpreter with.
    """
    return subprocess.run(
        [*before, sys.executable, "-W", "ignore", "-c", program, *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
