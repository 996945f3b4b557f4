#!/usr/bin/env bash
# Tag the three images with a version and push them to one or more container registries, with docker or podman.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
explain_failures release

usage() {
    cat <<'TEXT'
usage: scripts/release.sh [--dry-run] VERSION REGISTRY/NAMESPACE...

  --dry-run  check everything and print the commands, but tag and push nothing

Build the images and log in first:

  scripts/build_image.sh --tx && scripts/build_image.sh --lean
  docker login registry.cn-hongkong.aliyuncs.com

Examples of REGISTRY/NAMESPACE: registry.cn-hongkong.aliyuncs.com/NAME (Aliyun ACR), ccr.ccs.tencentyun.com/NAME (Tencent
TCR), docker.io/NAME (Docker Hub).
TEXT
}

reject() { # problem with the command line
    echo "release: $1" >&2
    exit 2
}
fail() {
    echo "release: $1" >&2
    exit 1
}

dry_run=no words=()
for argument in "$@"; do
    case $argument in
        --dry-run) dry_run=yes ;;
        -h | --help) usage; exit 0 ;;
        -*) reject "unknown option '$argument'; see scripts/release.sh --help" ;;
        *) words+=("$argument") ;;
    esac
done
((${#words[@]} >= 2)) || reject "needs a VERSION and at least one REGISTRY/NAMESPACE; see scripts/release.sh --help"
version=${words[0]} targets=("${words[@]:1}")

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+((a|b|rc)[0-9]+)?$ ]] || reject "VERSION must look like 1.2.3 or 1.2.3rc1, got '$version'"
for target in "${targets[@]}"; do
    # The host must have a dot or a port, or be localhost; otherwise engines take it for a Docker Hub namespace.
    [[ $target =~ ^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+)(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$ ]] ||
        reject "expected REGISTRY/NAMESPACE in lower case, such as docker.io/NAME, got '$target'"
done

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
package_version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' ppocr_serving/__init__.py)
[[ $version == "$package_version" ]] ||
    reject "VERSION is $version, but ppocr_serving.__version__ is $package_version; check out the commit of $version, or give $package_version"

if docker info >/dev/null 2>&1; then
    engine=docker
elif command -v podman >/dev/null; then
    engine=podman
else
    fail "found neither a running docker nor podman; start docker, or install podman with 'apt-get install podman'"
fi

declare -A build=([ppocr-serving]="" [ppocr-serving-tx]=" --tx" [ppocr-serving-lean]=" --lean")
images=(ppocr-serving ppocr-serving-tx ppocr-serving-lean)
for image in "${images[@]}"; do
    "$engine" image inspect "$image" >/dev/null 2>&1 ||
        fail "$engine has no image $image; build it with 'scripts/build_image.sh${build[$image]}'"
done

run() { # run a command, or only print it with --dry-run
    echo "$*"
    [[ $dry_run == yes ]] || "$@"
}

failed=()
for target in "${targets[@]}"; do
    for image in "${images[@]}"; do
        tag=$target/$image:$version
        { run "$engine" tag "$image" "$tag" && run "$engine" push "$tag"; } || failed+=("$tag")
    done
done

if ((${#failed[@]})); then
    fail "not pushed: ${failed[*]}; see the reasons above (not logged in? '$engine login REGISTRY'), then run the same command again"
fi
if [[ $dry_run == yes ]]; then
    echo "release: dry run, nothing was tagged or pushed"
else
    echo "release: pushed ${#images[@]} images of $version to ${targets[*]}"
fi
