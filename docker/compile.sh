#!/bin/sh
# Compile all of this package, and of others only what the named modules import. The bytecode is unchecked and has no
# timestamps, so it stays valid wherever the files are copied, and builds are reproducible.
#
# Bytecode of the standard library goes to the tree $1, to be copied over the base image, which has none. The remaining
# arguments are the modules to import.
set -eu

stdlib=$1
shift
home=$(mktemp -d)
explain() { [ "$1" -eq 0 ] || echo "compile: failed with status $1" >&2; }
trap 'status=$?; rm -rf -- "$home"; explain "$status"' EXIT

# -P: import the installed package, not its sources in the current directory.
HUB_HOME=$home PYTHONHASHSEED=0 python3 -P -W ignore - "$@" >"$home/files" <<'PYTHON'
import importlib
import sys
import sysconfig
from pathlib import Path

for name in sys.argv[1:]:
    importlib.import_module(name)

# Not getattr(): some modules are proxies that return something for any attribute. An entry of None blocks an import.
files = {vars(module).get("__file__") for module in tuple(sys.modules.values()) if module is not None}
files |= {str(file) for file in Path(sysconfig.get_path("purelib"), "ppocr_serving").rglob("*.py")}
roots = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
print(*sorted(file for file in files if isinstance(file, str) and file.endswith(".py") and file.startswith(roots)), sep="\n")
PYTHON

if [ -n "${HUB_HOME:-}" ]; then
    find "$HUB_HOME/modules" -name '*.py' | sort >>"$home/files"
fi
PYTHONHASHSEED=0 python3 -m compileall -q -f --invalidation-mode unchecked-hash -i "$home/files"

library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
mkdir -p -- "$stdlib"
grep -F -- "$library/" "$home/files" | while read -r file; do
    compiled=$(dirname -- "$file")/__pycache__/$(basename -- "$file" .py).cpython-311.pyc
    cp --parents -- "$compiled" "$stdlib"
done
