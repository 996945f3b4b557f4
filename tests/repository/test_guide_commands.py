"""Commands of the guides that put a file into JSON work for large files, and with the tools of macOS."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md")])
COMMANDS = [
    (guide, command)
    for guide in GUIDES
    for command in re.findall(r"^ *(printf '[^']*' \"\$\(base64 [^)]*\)\")", guide.read_text(encoding="utf-8"), re.M)
]
LARGER_THAN_ARGUMENTS = 3_000_000  # Linux takes 131,072 bytes in an argument, macOS 1 MiB in all of them


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_put_into_json_in_one_way(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    known = [command for path, command in COMMANDS if path == guide]

    assert not re.findall(r"base64 -|\bsed -i(?!\.)", text), "macOS has neither base64 -w0 nor sed -i without a suffix"
    assert len(re.findall(r"\$\(base64\b", text)) == len(known)


@pytest.mark.parametrize("command", sorted({command for _, command in COMMANDS}))
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_large_file_becomes_json(command: str, shell: str, tmp_path: Path) -> None:
    content = os.urandom(LARGER_THAN_ARGUMENTS)
    (tmp_path / "picture").write_bytes(content)
    here = re.sub(r"base64 < \S+", "base64 < picture", command)

    done = subprocess.run([shell, "-c", here], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert base64.b64encode(content).decode() in done.stdout
    assert "\n" not in done.stdout
    json.loads(done.stdout)
