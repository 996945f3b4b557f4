#!/usr/bin/env bash
# Build `ppocr-serving` (with --tx also `ppocr-serving-tx`, with --lean `ppocr-serving-lean` instead) using docker, podman
# or buildah.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/build_image.sh [--tx | --lean] [BUILDER_OPTION ...]

  --tx    also build ppocr-serving-tx, which runs with a read-only root file system
  --lean  build ppocr-serving-lean instead, without PaddleHub and Paddle; it also runs read-only

Settings: BASE_IMAGE (default python:3.11-slim-bookworm), PROFILE (default ppocr-v6, and ppocr-v4-mobile for Paddle's
engine). The build uses the same package index as this machine's pip; docker takes only PIP_INDEX_URL.
TEXT
}

tx=no lean=no options=()
for argument in "$@"; do
    case $argument in
        --tx) tx=yes ;;
        --lean) lean=yes ;;
        -h | --help) usage; exit 0 ;;
        -*) options+=("$argument") ;;
        *) usage >&2; echo "build_image: unknown argument '$argument'" >&2; exit 2 ;;
    esac
done

if [[ $tx$lean == yesyes ]]; then
    echo "build_image: --tx and --lean cannot be combined; run the script twice" >&2
    exit 2
fi

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
explain_failures build_image
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

pip_settings() { # write pip's settings to one file; print the mounts for it and for every path it names
    python3 - "$scratch/pip.conf" <<'PYTHON'
import ast
import subprocess
import sys
from pathlib import Path

output = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
settings, mounts = {}, set()
for line in output.splitlines():
    name, _, quoted = line.partition("=")
    key, value = name.rpartition(".")[2], str(ast.literal_eval(quoted))
    settings[key] = " ".join(dict.fromkeys((settings.get(key, "") + " " + value).split())) if "index" in key else value
    for word in value.split():
        path = Path(word.removeprefix("file://"))
        if path.is_absolute() and path.exists():
            # The pages of an index link to files next to it.
            mounts.add(path.parent if path.name == "simple" else path)
if settings:
    file = Path(sys.argv[1])
    file.touch(mode=0o600)
    file.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()), encoding="utf-8")
    print(f"{file}:/etc/pip.conf:ro")
for mount in sorted(mounts):
    print(f"{mount}:{mount}:ro")
PYTHON
}

if docker info >/dev/null 2>&1; then
    builder=(docker build)
    if [[ -n ${PIP_INDEX_URL:-} ]]; then options+=(--build-arg PIP_INDEX_URL); fi
elif builder=("$(command -v buildah || command -v podman)"); then
    # Only the docker format supports health checks. Without separate namespaces the build also works inside a container.
    builder+=(build --format docker --layers --isolation chroot --network host --ulimit nofile=1024:1024)
    while read -r mount; do options+=(--volume "$mount"); done < <(pip_settings)
else
    echo "build_image: found no running docker, buildah or podman; install one, for example with 'apt-get install buildah'" >&2
    exit 1
fi

arguments=()
for name in BASE_IMAGE PROFILE; do
    if [[ -n ${!name:-} ]]; then arguments+=(--build-arg "$name=${!name}"); fi
done
build=("${builder[@]}" "${options[@]}" "${arguments[@]}")
if [[ $lean == yes ]]; then
    "${build[@]}" -t ppocr-serving-lean -f docker/lean.Dockerfile .
    exit
fi
"${build[@]}" -t ppocr-serving -f Dockerfile .
if [[ $tx == yes ]]; then
    # buildah and podman may look up a bare name in registries.
    image=ppocr-serving
    if [[ ${builder[0]} != docker ]]; then image=localhost/ppocr-serving; fi
    "${builder[@]}" --build-arg "IMAGE=$image" -t ppocr-serving-tx -f Dockerfile.tx .
fi
