"""docs/command-line.md: every command runs, and prints the output shown below it."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = ROOT / "docs" / "languages"
BLOCK = re.compile(r"^```shell\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)


def test_every_command_works_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(page)
    assert sum(commands.count("\n") for commands, _ in blocks) >= 5
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PPOCR_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for commands, printed in blocks:
        done = subprocess.run(
            ["/bin/sh", "-ec", commands.replace("/tmp/", f"{tmp_path}/")],
            cwd=ROOT,
            env={**environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        if printed:
            assert done.stdout == printed
    assert (tmp_path / "searchable.pdf").read_bytes().startswith(b"%PDF-")
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"example.png.json", "words.png.json"}
    pictures = {str(path.relative_to(LANGUAGES)) for path in LANGUAGES.rglob("*.png")}
    assert "vertical/columns.png" in pictures
    for folder, ending in (("searchable", ".pdf"), ("drawn", ".png")):
        written = {str(path.relative_to(tmp_path / folder)) for path in (tmp_path / folder).rglob(f"*{ending}")}
        assert written == {f"{name}{ending}" for name in pictures}
