#!/usr/bin/env bash
# Run all checks: lint, format, types, tests. Set up what they need first.
#
# Arguments are passed to pytest: scripts/test.sh tests/vision/test_geometry.py -k order. Without any, two files of tests
# run at a time. Those marked as thorough, which take long, are left out; scripts/test.sh -m thorough runs them alone.
# TEST_WITHOUT_BFLOAT16=1 runs them as on a processor that computes in float32, for which it has to be root.
# TEST_COVERAGE=1 also measures line coverage, which takes half as long again and must not fall below the floor.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
explain_failures test

if [[ ${TEST_WITHOUT_BFLOAT16:-0} == 1 ]]; then # hide it where the service looks for it
    cpuinfo=$(mktemp)
    trap 'rm "$cpuinfo"' EXIT
    sed -E 's/ (amx|avx512)_bf16\b//g' /proc/cpuinfo >"$cpuinfo"
    # shellcheck disable=SC2016  # the inner shell expands them
    TEST_WITHOUT_BFLOAT16=0 unshare --mount \
        bash -c 'mount --bind "$1" /proc/cpuinfo && shift && exec "$@"' bash "$cpuinfo" bash scripts/test.sh "$@"
    exit
fi

# The tests draw Latin and Chinese text, run the README's curl command, make certificates, start servers in an isolated
# network, encrypt PDF files, compare their pages with another library's, use the page in a browser, and run the clients
# in other languages that docs/clients.md shows.
declare -A package_of=(
    [/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf]=fonts-dejavu-core
    [/usr/share/fonts/truetype/wqy/wqy-microhei.ttc]=fonts-wqy-microhei
    [/usr/bin/chromium]=chromium
    [/usr/bin/curl]=curl
    [/usr/bin/ip]=iproute2
    [/usr/bin/javac]=default-jdk-headless
    [/usr/bin/node]=nodejs
    [/usr/bin/openssl]=openssl
    [/usr/bin/pdftoppm]=poppler-utils
    [/usr/bin/qpdf]=qpdf
)

install_packages() {
    local root=()
    if ((EUID != 0)); then root=(sudo); fi
    "${root[@]}" apt-get update -qq >&2 && "${root[@]}" apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Only those, for not every distribution has all of them under these names.
packages=()
for file in "${!package_of[@]}"; do
    if [[ ! -e $file ]]; then packages+=("${package_of[$file]}"); fi
done
if ((${#packages[@]})); then
    echo "packages: installing ${packages[*]}"
    install_packages "${packages[@]}" || {
        echo "test: these packages are missing and could not be installed: ${packages[*]}; install them yourself" >&2
        exit 1
    }
fi

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
