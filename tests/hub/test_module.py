"""The modules as Python callers use them: `hub.Module(...).predict(...)`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ppocr_serving import ReadOptions
from ppocr_serving.cpu import available_cpus
from ppocr_serving.errors import EngineError, ImageDecodeError, InvalidRequest, InvalidSetting
from ppocr_serving.settings import ServerSettings
from tests.served.samples import as_base64, file_of, line, page
from tests.served.server import MODULES, ROOT, install_modules

HELLO = cv2.cvtColor(np.asarray(page(["Hello World"])), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """PaddleHub, with the four modules installed in a separate home."""
    home = tmp_path_factory.mktemp("hub")
    installed = install_modules(home)
    assert installed.returncode == 0, installed.stderr
    assert "paddlehub" not in sys.modules, "paddlehub must not be imported before HUB_HOME is set"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_HOME", str(home))
        patch.setenv("PPOCR_PRECISION", "f32")
        import paddlehub

        yield paddlehub


@pytest.fixture(scope="module")
def system(hub: Any) -> Any:
    return hub.Module(name="ocr_system")


def texts(results: Any) -> list[list[str]]:
    return [[item["text"].replace(" ", "") for item in items] for items in results]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_loads_by_name_and_from_its_folder(hub: Any, name: str) -> None:
    for module in (hub.Module(name=name), hub.Module(directory=str(ROOT / "modules" / name))):
        assert module.name == name
        assert module.serving_func_name == "serving_method"
        assert module.is_runnable


def test_arrays_are_read(system: Any) -> None:
    blank = np.full((50, 70, 3), 255, np.uint8)

    assert texts(system.predict(images=[HELLO, blank])) == [["HelloWorld"], []]
    assert texts(system.predict(images=(HELLO[:, ::-1][:, ::-1],))) == [["HelloWorld"]]


def test_files_are_read(system: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.jpg"
    file.write_bytes(file_of(page(["Invoice 2024"]), "JPEG"))

    assert texts(system.predict(paths=[str(file), file])) == [["Invoice2024"], ["Invoice2024"]]


def test_base64_is_read_as_paddlehub_passes_it_on(hub: Any) -> None:
    module = hub.Module(name="ocr_rec")

    assert texts(module.serving_method([as_base64(line("Hello World"))])) == [["HelloWorld"]]
    with pytest.raises(ImageDecodeError, match=r"^images\[1\]: "):
        module.serving_method([as_base64(line("Hello World")), "no base64!"])


@pytest.mark.parametrize("given", [{}, {"images": [], "paths": []}, {"images": [HELLO], "paths": ["a.png"]}])
def test_either_images_or_paths_must_be_given(system: Any, given: Any) -> None:
    with pytest.raises(InvalidRequest, match="either images or paths"):
        system.predict(**given)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (HELLO.astype(np.float32), r"float32 \(120, 640, 3\)"),
        (HELLO[:, :, 0], r"uint8 \(120, 640\)"),
        (np.zeros((9, 9, 4), np.uint8), r"uint8 \(9, 9, 4\)"),
        (np.zeros((0, 9, 3), np.uint8), r"shape \(0, 9, 3\)"),
        ("page.png", "is str"),
        (None, "is NoneType"),
    ],
)
def test_an_item_that_is_not_a_picture_is_named(system: Any, item: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^images\[1\]: .*{words}"):
        system.predict(images=[HELLO, item])


def test_a_file_that_cannot_be_read_is_named(system: Any, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("not a picture")

    with pytest.raises(InvalidRequest, match=rf"^paths\[0\]: {tmp_path}/none\.png cannot be read \(No such file"):
        system.predict(paths=[str(tmp_path / "none.png")])
    with pytest.raises(ImageDecodeError, match=rf"^paths\[0\]: {text} is not a picture"):
        system.predict(paths=[str(text)])


def test_a_missing_gpu_is_a_clear_error(hub: Any) -> None:
    with pytest.raises((InvalidSetting, EngineError), match=r"use_gpu is true, but .*CUDA"):
        hub.Module(name="ocr_cls", use_gpu=True).predict(images=[HELLO])


def test_use_gpu_false_leaves_the_choice_to_the_environment(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every config.json written for hubserving contains "use_gpu": false.
    assert hub.Module(name="ocr_cls", use_gpu=False).predict(images=[HELLO])
    monkeypatch.setenv("PPOCR_USE_GPU", "true")
    with pytest.raises((InvalidSetting, EngineError), match=r"use_gpu is true, but .*CUDA"):
        hub.Module(name="ocr_cls", use_gpu=False).predict(images=[HELLO])


def test_the_processes_of_a_server_share_the_cpus(system: Any) -> None:
    alone, shared = (system.reader_for(ServerSettings(workers=workers)) for workers in (1, 2))
    assert alone.settings.threads() == available_cpus()
    assert shared.settings.threads() == max(1, available_cpus() // 2)


def test_options_apply_to_one_call(system: Any) -> None:
    assert system.predict(images=[HELLO], options=ReadOptions(drop_score=1.0)) == [[]]
    assert texts(system.predict(images=[HELLO])) == [["HelloWorld"]]


def test_arguments_reach_the_module(hub: Any) -> None:
    picky = hub.Module(name="ocr_system", drop_score=1.0)

    assert picky.predict(images=[HELLO]) == [[]]
    assert os.environ["PPOCR_PRECISION"] == "f32"
    with pytest.raises(InvalidSetting, match="drop_scor"):
        hub.Module(name="ocr_system", drop_scor=1.0)
