"""Placeholders: PaddleHub imports with them, using one is a clear error, and no other package sees them."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ppocr_serving.hub.placeholders import STANDS_IN_FOR, make_importable


def run_with_placeholders(source: str) -> ModuleType:
    module = ModuleType("imports_as_paddlehub_does")
    make_importable(module)
    exec(source, vars(module))
    return module


def run_python(source: str, hub_home: Path, **environment: str) -> Any:
    """Run a program in a separate interpreter, and return the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "HUB_HOME": str(hub_home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("package", STANDS_IN_FOR)
def test_calling_a_placeholder_says_what_is_missing_why_and_how_to_install_it(package: str) -> None:
    module = run_with_placeholders(f"from {package}.some.where import Thing")

    with pytest.raises(ModuleNotFoundError, match=f"pip install {package}") as caught:
        module.Thing(1, key="value")

    message = str(caught.value)
    assert message.startswith(f"{package}.some.where.Thing is not available")
    assert STANDS_IN_FOR[package] in message
    assert "\n" not in message
    assert caught.value.name == package


def test_placeholders_work_in_annotations_type_checks_and_as_base_classes() -> None:
    module = run_with_placeholders(
        "from typing import Union\n"
        "from paddlenlp.data import JiebaTokenizer\n"
        "from paddlenlp.transformers import PretrainedTokenizer\n"
        "class Tokenizer(PretrainedTokenizer): pass\n"
        "def tokenize(tokenizer: Union[PretrainedTokenizer, JiebaTokenizer]) -> bool:\n"
        "    return isinstance(tokenizer, JiebaTokenizer)\n"
    )

    assert module.tokenize("text") is False
    with pytest.raises(ModuleNotFoundError, match=r"paddlenlp\.transformers\.PretrainedTokenizer is not available"):
        module.Tokenizer()


def test_a_path_taken_from_a_placeholder_is_a_clear_error_when_it_is_used() -> None:
    module = run_with_placeholders("from paddlenlp.embeddings.token_embedding import EMBEDDING_HOME")

    with pytest.raises(ModuleNotFoundError, match="EMBEDDING_HOME is not available"):
        os.path.join(module.EMBEDDING_HOME, "vocabulary")  # noqa: PTH118  # as PaddleHub does


def test_reading_the_version_of_a_placeholder_names_the_package_to_install() -> None:
    module = run_with_placeholders("import paddlenlp")

    with pytest.raises(AttributeError, match="pip install paddlenlp"):
        _ = module.paddlenlp.__version__


def test_an_import_inside_a_function_finds_placeholders_too() -> None:
    module = run_with_placeholders("def draw():\n    import visualdl\n    return visualdl.LogWriter('directory')\n")

    with pytest.raises(ModuleNotFoundError, match="pip install visualdl"):
        module.draw()


def test_a_package_without_a_placeholder_is_still_missing() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'"):
        run_with_placeholders("import no_such_package")


def test_an_installed_package_wins_over_its_placeholder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "visualdl.py").write_text("class LogWriter:\n    def __init__(self, directory): self.at = directory\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "visualdl", raising=False)
    importlib.invalidate_caches()

    try:
        module = run_with_placeholders("from visualdl import LogWriter")

        assert module.LogWriter("runs").at == "runs"
    finally:
        sys.modules.pop("visualdl", None)


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("import visualdl", "what_visualdl_needs"),
        ("from paddle2onnx.command import c_paddle_to_onnx", r"paddle2onnx\.command"),
    ],
)
def test_an_installed_package_that_is_broken_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, missing: str
) -> None:
    (tmp_path / "visualdl.py").write_text("import what_visualdl_needs\n")
    (tmp_path / "paddle2onnx").mkdir()
    (tmp_path / "paddle2onnx" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    try:
        with pytest.raises(ModuleNotFoundError, match=missing):
            run_with_placeholders(statement)
    finally:
        sys.modules.pop("paddle2onnx", None)


def test_only_paddlehub_sees_placeholders(tmp_path: Path) -> None:
    seen = run_python(
        """
import importlib, importlib.util, json, sys
import paddlehub.commands
from paddlehub.finetune.trainer import LogWriter
from ppocr_serving.hub.placeholders import STANDS_IN_FOR

def is_importable(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True

names = [name for name in STANDS_IN_FOR if importlib.util.find_spec(name) is None]
print(json.dumps({
    "absent": names,
    "in_sys_modules": [name for name in sys.modules if name.partition(".")[0] in names],
    "importable": [name for name in names if is_importable(name)],
    "log_writer": repr(LogWriter),
}))
""",
        tmp_path,
    )

    assert sorted(seen["absent"]) == sorted(STANDS_IN_FOR), "requirements.txt installs what a placeholder stands in for"
    assert seen["in_sys_modules"] == []
    assert seen["importable"] == []
    assert seen["log_writer"] == "<placeholder for visualdl.LogWriter>"


def test_paddlehub_uses_an_installed_package(tmp_path: Path) -> None:
    (tmp_path / "visualdl.py").write_text("class LogWriter:\n    origin = 'installed'\n")

    origin = run_python(
        "import json; from paddlehub.finetune.trainer import LogWriter; print(json.dumps(LogWriter.origin))",
        tmp_path / "hub",
        PYTHONPATH=str(tmp_path),
    )

    assert origin == "installed"


def test_every_placeholder_is_needed_to_import_paddlehub(tmp_path: Path) -> None:
    bound = run_python(
        """
import json, sys
import paddlehub.commands, paddlehub.compat.task, paddlehub.datasets, paddlehub.finetune

modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "paddlehub"]
print(json.dumps([repr(value) for module in modules for value in vars(module).values()]))
""",
        tmp_path,
    )

    matches = [re.fullmatch(r"<placeholder for (\w+)\S*>", text) for text in bound]
    assert {match[1] for match in matches if match} == set(STANDS_IN_FOR)


def test_an_interpreter_that_does_not_import_paddlehub_loads_nothing_of_this_package(tmp_path: Path) -> None:
    loaded = run_python(
        "import json, sys; print(json.dumps([n for n in sys.modules if n.startswith(('ppocr_serving', 'paddle'))]))",
        tmp_path,
    )

    assert loaded == []
