"""PaddleHub's commands: `hub install` and `hub run`. `hub serving` is tested in tests/served."""

import ast
import subprocess
from pathlib import Path

import pytest

from tests.served.samples import file_of, page
from tests.served.server import HUB, MODULES, environment, free_port, install_modules


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PaddleHub's home after `hub install`."""
    home = tmp_path_factory.mktemp("hub")
    installed = install_modules(home)
    assert installed.returncode == 0, installed.stderr
    for name in MODULES:
        assert f"Successfully installed {name}-1.0.0" in installed.stdout + installed.stderr
    return home


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([HUB, *arguments], env=environment(home), capture_output=True, text=True, check=False)


def test_install_copies_every_module(home: Path) -> None:
    for name in MODULES:
        files = {file.name for file in (home / "modules" / name).iterdir()}
        assert {"__init__.py", "module.py", "params.py", "config.json"} <= files


def test_run_prints_the_answer(home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    picture.write_bytes(file_of(page(["Hello World"])))

    done = run(home, "run", "ocr_system", "--input_path", str(picture))

    assert done.returncode == 0, done.stderr
    ((item,),) = ast.literal_eval(done.stdout.strip().splitlines()[-1])
    assert item["text"].replace(" ", "") == "HelloWorld"
    assert item.keys() == {"text", "confidence", "text_region"}


def test_run_names_a_missing_file(home: Path) -> None:
    done = run(home, "run", "ocr_system", "--input_path", "/no/such/picture.png")

    assert done.returncode != 0
    assert "/no/such/picture.png cannot be read (No such file" in done.stderr


def test_run_without_a_picture_says_what_is_missing(home: Path) -> None:
    done = run(home, "run", "ocr_rec")

    assert done.returncode != 0
    assert "--input_path" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no modules named; add --modules ocr_system ocr_cls ocr_det ocr_rec, or -c config.json"),
        (
            ["--modules", "ocr_det", "ocr_sytem"],
            "module 'ocr_sytem' is not installed; did you mean ocr_system?; installed: ocr_cls, ocr_det, ocr_rec, ",
        ),
        (["--modules", "ocr_rec", "-p", "abc"], "port is 'abc': must be a whole number"),
        (
            ["--modules", "ocr_rec", "--use_multiprocess", "--workers", "0"],
            "--workers is '0': must be a whole number from 1 to 1024",
        ),
        (["-c", "/no/such.json"], "-c /no/such.json: No such file or directory; give a module's config.json"),
        (["-c", "/dev/null"], "-c /dev/null: is not valid JSON (Expecting value: line 1 column 1 (char 0)); give"),
    ],
)
def test_a_wrong_command_line_is_a_one_line_error(home: Path, arguments: list[str], message: str) -> None:
    result = run(home, "serving", "start", *arguments)

    assert result.returncode == 1
    assert result.stderr.startswith(f"hub: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PPOCR_THREADS", "many", "PPOCR_THREADS is 'many': must be a whole number from 0"),
        ("PPOCR_REC_MODEL_DIR", "/nonexistent", "rec model: /nonexistent has no usable inference.pdmodel"),
    ],
)
def test_a_wrong_setting_is_a_one_line_error(home: Path, variable: str, value: str, message: str) -> None:
    command = [HUB, "serving", "start", "--modules", "ocr_rec", "-p", str(free_port())]
    result = subprocess.run(
        command, env=environment(home, **{variable: value}), capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert result.stderr.startswith(f"hub: {message}")
    assert result.stderr.count("\n") == 1
