"""Deferred imports: PaddleHub starts and reads without Paddle, and still has everything for who uses it."""

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from ppocr_serving.hub.deferral import DEFERRED, IMPORTERS
from tests.hub.test_placeholders import run_python
from tests.served.server import ROOT

PICTURE = ROOT / "docs" / "example.png"
READ = f"""
import json, sys
import paddlehub, paddlehub.commands
started = "paddle" in sys.modules
module = paddlehub.Module(directory={str(ROOT / "modules" / "ocr_system")!r})
lines = module.predict(paths=[{str(PICTURE)!r}])[0]
print(json.dumps({{"started": started, "lines": len(lines), "read": "paddle" in sys.modules}}))
"""


@pytest.mark.parametrize(("engine", "imported"), [("openvino", False), ("paddle", True)])
def test_reading_imports_paddle_only_if_it_runs_the_models(engine: str, imported: bool, tmp_path: Path) -> None:
    done = run_python(READ, tmp_path, PPOCR_ENGINE=engine)
    assert done == {"started": False, "lines": 2, "read": imported}


def test_every_entry_of_the_tables_is_needed(tmp_path: Path) -> None:
    bound = run_python(
        """
import json, sys
import paddlehub.commands
from ppocr_serving.hub.deferral import Deferred

modules = [module for name, module in sys.modules.items() if name.startswith("paddlehub")]
values = [(vars(module).get("__name__"), value) for module in modules for value in vars(module).values()]
print(json.dumps([(name, repr(value)) for name, value in values if type(value) is Deferred]))
""",
        tmp_path,
    )
    assert {importer for importer, _ in bound} == IMPORTERS
    shown = {text for _, text in bound}
    assert [package for package in DEFERRED if not any(text.startswith(f"<{package}") for text in shown)] == []


def test_what_was_deferred_works_when_it_is_used(tmp_path: Path) -> None:
    seen: dict[str, Any] = run_python(
        """
import json, signal, sys
import paddlehub

seen = {"version": paddlehub.paddle.__version__, "loaded": "paddle" in sys.modules}
seen["before"] = isinstance(1, paddlehub.Trainer)

class Coach(paddlehub.Trainer):
    pass

from paddlehub.compat import paddle_utils
from paddlehub.finetune.trainer import Trainer
import paddle
import paddlehub.vision.transforms

seen["bases"] = Coach.__bases__ == (Trainer,)
seen["subclass"] = issubclass(Coach, paddlehub.Trainer)
seen["other"] = issubclass(int, paddlehub.Trainer)
seen["call"] = type(paddlehub.RunConfig()).__name__
seen["attribute"] = paddlehub.datasets.Flowers is sys.modules["paddlehub.datasets"].Flowers
seen["table"] = paddle_utils.dtype_map[paddle.framework.core.VarDesc.VarType.FP32]
seen["handler"] = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
print(json.dumps(seen))
""",
        tmp_path,
    )
    assert seen == {
        "version": version("paddlepaddle"),
        "loaded": False,
        "before": False,
        "bases": True,
        "subclass": True,
        "other": False,
        "call": "RunConfig",
        "attribute": True,
        "table": "float32",
        "handler": True,
    }


def test_sigterm_keeps_its_meaning_when_paddle_is_imported(tmp_path: Path) -> None:
    """Paddle's own handler would print a stack trace, and could leave the process hanging."""
    program = "import os, signal, paddlehub.vision.transforms; os.kill(os.getpid(), signal.SIGTERM)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "HUB_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
