"""The images have bytecode of all that the first answers need: compiling it at each start would take longer.

Of this package they have all, whether or not something imports it.
"""

import re
import subprocess
import sys

import pytest

from tests.served.server import ROOT

# Of what a server imports, both its processes, one that reads a picture, and one that is asked for its metrics.
READ = """
from ppocr_serving.server import run
from ppocr_serving.settings import load_settings
from ppocr_serving.reading import warmup
from ppocr_serving.reading.reader import Reader
from ppocr_serving.web.prediction import predict
from ppocr_serving.web.v1.reading import read
from ppocr_serving.vision import pdf_process
from ppocr_serving.web.exposition import exposition
reader = Reader(settings=load_settings())
warmup.load_engines([reader])
reader.read("docs/example.png")
"""
STARTS = {
    "Dockerfile": "import paddlehub.commands, ppocr_serving.hub.serving",
    "docker/lean.Dockerfile": "import ppocr_serving.cli.serve, ppocr_serving.reading.ahead",
}


def imported(program: str, home: str) -> set[str]:
    """Return the source files of the modules that a program imports."""
    report = "import sys\nprint(*{str(vars(m).get('__file__')) for m in sys.modules.copy().values() if m}, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{program}\n{report}"],
        env={"HUB_HOME": home, "PPOCR_PRECISION": "f32"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {file for file in done.stdout.splitlines() if file.endswith(".py")}


@pytest.mark.parametrize(
    "file", [pytest.param(file, marks=[pytest.mark.thorough] * (file == "Dockerfile")) for file in STARTS]
)
def test_what_the_first_answer_needs_is_compiled(file: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"docker/compile\.sh /compiled ([\w. ]+)", lines)
    assert found is not None
    home = str(tmp_path_factory.mktemp("hub"))
    compiled = imported("\n".join(f"import {name}" for name in found[1].split()), home)
    own = str(ROOT / "ppocr_serving")
    missing = imported(STARTS[file] + READ, home) - compiled
    assert sorted(path for path in missing if not path.startswith(own)) == []
