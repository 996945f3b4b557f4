#!/usr/bin/env bash
# Run everything that must hold: lint, format, types, tests. Sets up what it needs first.
#
# Arguments go to pytest: scripts/test.sh tests/vision/test_geometry.py -k order. Without any, lines that no test reaches are
# counted, and there must be few of them.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
explain_failures test

# The tests draw pictures with known text in Latin and Chinese letters, run the README's curl command, and serve in a
# network of their own.
needed=(
    /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
    /usr/share/fonts/truetype/wqy/wqy-microhei.ttc
    /usr/bin/curl
    /usr/bin/ip
)
packages=(fonts-dejavu-core fonts-wqy-microhei curl iproute2)

install_packages() {
    local root=()
    if ((EUID != 0)); then root=(sudo); fi
    "${root[@]}" apt-get update -qq >&2 &&
        "${root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

for file in "${needed[@]}"; do
    if [[ ! -e $file ]]; then
        echo "packages: installing ${packages[*]}"
        install_packages || {
            echo "test: $file is missing and cannot be installed; install ${packages[*]} by hand" >&2
            exit 1
        }
        break
    fi
done

bash scripts/setup.sh --dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
if (($#)); then
    .venv/bin/pytest "$@"
    exit
fi
.venv/bin/coverage erase
.venv/bin/coverage run -m pytest
.venv/bin/coverage combine -q
.venv/bin/coverage report
