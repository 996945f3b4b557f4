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
BATCH = {"ray", "pyarrow", "pandas", "fsspec"}
HEAVY = READING | BATCH | {"asyncio", "uvicorn", "mcp", "pydantic"}


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_the_package_itself_loads_nothing() -> None:
    assert loaded_by("import ppocr_serving") == {"ppocr_serving"}


@pytest.mark.parametrize(
    "module",
    [
        "settings",
        "errors",
        "results",
        "cpu",
        "models",
        "engines",
        "timing",
        "cli.serve",
        "cli.read",
        "cli.batch",
        "cli.bench",
        "cli.mcp",
    ],
)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    loaded = loaded_by(f"import ppocr_serving.{module}")
    assert "ppocr_serving" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("module", ["reading.reader", "vision.pipeline"])
def test_importing_a_reader_loads_no_engine_library(module: str) -> None:
    loaded = loaded_by(f"import ppocr_serving.{module}")
    assert "cv2" in loaded
    others = {"openvino", "paddle", "paddlehub", "asyncio", "uvicorn", "pypdfium2", "pypdfium2_raw"}
    assert not loaded & (BATCH | others)


def test_the_servers_process_loads_nothing_that_reads_pictures() -> None:
    loaded = loaded_by("import ppocr_serving.cli.serve, ppocr_serving.reading.specs, ppocr_serving.server.run")
    assert "uvicorn" in loaded
    assert not loaded & {*READING, *BATCH, "prometheus_client", "mcp", "pydantic"}


def test_a_worker_process_of_the_server_loads_nothing_of_the_batch() -> None:
    loaded = loaded_by("from ppocr_serving import Reader; import ppocr_serving.web.answers; Reader().engines[0].load()")
    assert "openvino" in loaded
    assert not loaded & BATCH


def test_the_server_puts_its_page_together_when_somebody_asks_for_it() -> None:
    statement = "import ppocr_serving.server.run; assert 'ppocr_serving.web.bundle' not in sys.modules"
    assert "uvicorn" in loaded_by(statement)


def test_a_client_loads_nothing_that_reads_pictures() -> None:
    loaded = loaded_by("import ppocr_serving.client")
    assert "httpx2" in loaded
    assert not loaded & {*READING, "uvicorn", "prometheus_client"}
    # docs/clients.md: three packages and what these need.
    packages = {name for name in loaded - sys.stdlib_module_names if not name.startswith(("_", "ppocr_serving"))}
    assert packages <= {
        "anyio",
        "h11",
        "httpcore2",
        "httpx2",
        "idna",
        "msgspec",
        "sniffio",
        "stamina",
        "tenacity",
        "truststore",
        "typing_extensions",
    }


def test_a_server_and_commands_load_no_client() -> None:
    loaded = loaded_by("import ppocr_serving.cli.serve, ppocr_serving.server.run, ppocr_serving.cli.read")
    assert not loaded & {"httpx2", "stamina", "shtab"}


def test_what_opens_pdf_files_loads_nothing_for_pictures() -> None:
    loaded = loaded_by("import ppocr_serving.vision.pdf_process")
    assert "pypdfium2_raw" in loaded
    assert not loaded & {"numpy", "cv2", "PIL", "pypdfium2"}
