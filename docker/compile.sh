#!/bin/sh
# Compile what Python imports until the service is ready, and no more. The byte code is used unchecked and has no time in
# it: it holds wherever the files are copied to, and two builds hold the same.
#
# That of the standard library goes to the tree $1, to be copied over the base image, which has none. All further
# arguments are modules that are imported until then.
set -eu

stdlib=$1
shift
home=$(mktemp -d)
explain() { [ "$1" -eq 0 ] || echo "compile: failed with status $1" >&2; }
trap 'status=$?; rm -rf -- "$home"; explain "$status"' EXIT

# -P: the package that is installed, not its sources in the current directory.
HUB_HOME=$home PYTHONHASHSEED=0 python3 -P -W ignore - "$@" >"$home/files" <<'PYTHON'
import importlib
import sys
import sysconfig

for name in sys.argv[1:]:
    importlib.import_module(name)

# Some modules are proxies that answer any question about an attribute.
files = {vars(module).get("__file__") for module in tuple(sys.modules.values()) if module is not None}
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
