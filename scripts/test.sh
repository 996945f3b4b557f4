#!/usr/bin/env bash
# Run everything that must hold: lint, format, types, tests. Sets up what it needs first.
#
# Arguments go to pytest: scripts/test.sh tests/test_geometry.py -k order
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# The tests draw pictures with known text: Latin and Chinese.
fonts=(/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf /usr/share/fonts/truetype/wqy/wqy-microhei.ttc)
packages=(fonts-dejavu-core fonts-wqy-microhei)

install_fonts() {
    local root=()
    if ((EUID != 0)); then root=(sudo); fi
    "${root[@]}" apt-get update -qq >&2 &&
        "${root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

for font in "${fonts[@]}"; do
    if [[ ! -e $font ]]; then
        echo "fonts: installing ${packages[*]}"
        install_fonts || {
            echo "test: the fonts cannot be installed; install the packages ${packages[*]} by hand" >&2
            exit 1
        }
        break
    fi
done

bash scripts/setup.sh --dev
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/pytest "$@"
