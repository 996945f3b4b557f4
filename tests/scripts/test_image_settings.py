"""scripts/test_image.sh: settings that cannot be are refused before anything is built."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "test_image.sh"


@pytest.mark.parametrize("name", ["PICTURES", "STARTS"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "1000000"])
def test_numbers_that_cannot_be_are_refused(name: str, value: str) -> None:
    done = subprocess.run(
        [str(SCRIPT)], env={**os.environ, name: value}, capture_output=True, text=True, check=False, timeout=60
    )

    message = f"test_image: {name}={value} is not a number from 1 to 999999; leave it out, or give one\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
