"""NumPy with the stub that replaces OpenBLAS in the lean image."""

import importlib.util
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "docker" / "replace_libraries.py"

# Print dot products of vectors with all lengths and strides that the loop may treat differently.
PRODUCTS = """
import numpy as np
random = np.random.default_rng(1)
vectors = random.normal(size=(2, 600))
for kind in (np.float32, np.float64):
    first, second = vectors.astype(kind)
    for count in (0, 1, 2, 3, 31, 64, 65, 200):
        for step in (1, 2, 3, -1):
            print(repr(float(np.dot(first[::step][:count], second[::2][:count]))))
    print(repr(float(np.linalg.norm(first))))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the installed NumPy with the library replaced."""
    missing = [tool for tool in ("nm", "as", "ld") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing; run: apt-get install binutils")
    installed = Path(np.__file__).parents[1]
    root = tmp_path_factory.mktemp("packages")
    for name in ("numpy", "numpy.libs"):
        shutil.copytree(installed / name, root / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    script = load_script()
    saved = script.replace_libraries(root, script._NUMPY)
    assert saved > 20_000_000
    return root


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replace_libraries", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["replace_libraries"] = module  # NamedTuple looks up its module there
    spec.loader.exec_module(module)
    return module


def run(program: str, packages: Path | None = None) -> "subprocess.CompletedProcess[str]":
    path = {} if packages is None else {"PYTHONPATH": str(packages)}
    return subprocess.run([sys.executable, "-B", "-c", program], env=path, capture_output=True, text=True, check=False)


def test_dot_products_match_openblas(packages: Path) -> None:
    expected, found = run(PRODUCTS), run(PRODUCTS, packages)

    assert found.returncode == 0, found.stderr
    assert len(found.stdout.split()) == len(expected.stdout.split()) > 60
    np.testing.assert_allclose(
        [float(value) for value in found.stdout.split()],
        [float(value) for value in expected.stdout.split()],
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("call", ["np.ones((3, 3)) @ np.ones((3, 3))", "np.linalg.inv(np.eye(3))"])
def test_matrix_operations_end_the_process(packages: Path, call: str) -> None:
    done = run(f"import numpy as np; {call}; print('went on')", packages)

    assert done.returncode == -signal.SIGILL
    assert "went on" not in done.stdout


def test_other_processors_keep_the_libraries(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load_script()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr(sys, "argv", ["replace_libraries.py", "lean"])

    def untouched(*arguments: object) -> int:
        raise AssertionError(arguments)

    monkeypatch.setattr(script, "replace_libraries", untouched)
    script.main()

    assert "nothing replaced" in capsys.readouterr().out
