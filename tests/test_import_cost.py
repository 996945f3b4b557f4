"""Modules loaded by importing parts of the package: a command that prints its help must not load paddle."""

import subprocess
import sys

import pytest

READING = {
    "numpy",
    "cv2",
    "PIL",
    "pypdfium2",
    "pypdfium2_raw",
    "pyclipper",
    "shapely",
    "openvino",
    "paddle",
    "paddlehub",
}
HEAVY = READING | {"asyncio", "uvicorn"}


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_the_package_itself_loads_nothing() -> None:
    assert loaded_by("import ppocr_serving") == {"ppocr_serving"}


@pytest.mark.parametrize(
    "module", ["settings", "errors", "results", "cpu", "models", "engines", "timing", "cli.serve", "cli.read"]
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    loaded = loaded_by(f"import ppocr_serving.{module}")
    assert "ppocr_serving" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("module", ["reading.reader", "vision.pipeline"])
def test_importing_a_reader_loads_no_engine_library(module: str) -> None:
    loaded = loaded_by(f"import ppocr_serving.{module}")
    assert "cv2" in loaded
    assert not loaded & {"openvino", "paddle", "paddlehub", "asyncio", "uvicorn", "pypdfium2", "pypdfium2_raw"}


def test_the_servers_process_loads_nothing_that_reads_pictures() -> None:
    loaded = loaded_by("import ppocr_serving.cli.serve, ppocr_serving.reading.specs, ppocr_serving.server.run")
    assert "uvicorn" in loaded
    assert not loaded & {*READING, "prometheus_client"}


def test_what_opens_pdf_files_loads_nothing_for_pictures() -> None:
    loaded = loaded_by("import ppocr_serving.vision.pdf_process")
    assert "pypdfium2_raw" in loaded
    assert not loaded & {"numpy", "cv2", "PIL", "pypdfium2"}
