#!/usr/bin/env bash
# Regenerate the lock files from pyproject.toml and requirements/*.in, keeping versions that still fit. Needs uv.
#
# Arguments go to uv: scripts/lock.sh --upgrade-package pillow
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
explain_failures lock

command -v uv >/dev/null || { echo "lock: uv is not installed; install it, for example with 'pip install uv'" >&2; exit 1; }
export UV_CUSTOM_COMPILE_COMMAND=scripts/lock.sh
compile() { # lock file, then its sources
    local lock=$1
    shift
    uv pip compile -q --python-version 3.11 --python-platform linux --generate-hashes --no-header --no-annotate --no-emit-index-url \
        -o "$lock" "${options[@]}" "$@" >/dev/null
    echo "lock: $lock: $(grep -c '==' "$lock") packages"
}
options=("$@")
compile requirements.txt pyproject.toml --extra hub requirements/hub.in
compile requirements/lean.txt pyproject.toml requirements/build.in -c requirements.txt
compile requirements/dev.txt requirements/dev.in
