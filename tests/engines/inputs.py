"""What tests of engines share: what a real request feeds to a network, and how far answers may differ."""

import subprocess
import sys
from pathlib import Path

from ppocr_serving.detection import DetectionOptions, prepare
from ppocr_serving.engines import Float32Array, Precision
from ppocr_serving.lines import batch_lines
from tests.drawing import Placed, draw_line, draw_page

__all__ = ["F32_TOLERANCE", "MEAN_TOLERANCE", "network_input", "run_program"]

# Differences of probabilities from Paddle's native float32 kernels. Measured in float32: at most 6e-5, 5e-8 on average;
# in bfloat16, where single pixels at the edges of text may tip over: 2e-3 on average.
F32_TOLERANCE = 3e-4
MEAN_TOLERANCE = {Precision.F32: 1e-6, Precision.BF16: 5e-3}


def network_input(role: str) -> Float32Array:
    """The input of the network with this role, `det`, `cls` or `rec`, for a page or two lines."""
    if role == "det":
        page = draw_page([Placed("Platform 9", 40, 40), Placed("开往北京", 40, 120)], 320, 224)
        return prepare(page, DetectionOptions())
    crops = [draw_line(text, margin=4) for text in ("Departures", "欢迎光临")]
    return batch_lines(crops, 48, 192 if role == "cls" else 320)


def run_program(
    program: str, *arguments: str, cwd: Path | None = None, before: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Runs a Python program in a process of its own.

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
