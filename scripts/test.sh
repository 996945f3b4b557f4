#!/usr/bin/env bash
# Run all checks: lint, format, types, tests. Set up what they need first.
#
# Arguments are passed to pytest: scripts/test.sh tests/vision/test_geometry.py -k order. Without any, two files of tests
# run at a time. TEST_COVERAGE=1 also measures line coverage, which takes half as long again and must not fall below the
# floor.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
explain_failures test

# The tests draw Latin and Chinese text, run the README's curl command, start servers in an isolated network, encrypt PDF
# files, and compare their pages with another library's.
needed=(
    /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
    /usr/share/fonts/truetype/wqy/wqy-microhei.ttc
    /usr/bin/curl
    /usr/bin/ip
    /usr/bin/qpdf
    /usr/bin/pdftoppm
)
packages=(fonts-dejavu-core fonts-wqy-microhei curl iproute2 qpdf poppler-utils)

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
            echo "test: $file is missing and could not be installed; install ${packages[*]} yourself" >&2
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
if [[ ${TEST_COVERAGE:-0} != 1 ]]; then
    .venv/bin/pytest --numprocesses 2 --dist loadfile
    exit
fi
.venv/bin/coverage erase
.venv/bin/coverage run -m pytest --numprocesses 2 --dist loadfile
.venv/bin/coverage combine -q
.venv/bin/coverage report
