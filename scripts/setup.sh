#!/usr/bin/env bash
# Set up everything the service needs. Each step stores a checksum of its inputs when it succeeds and is skipped while
# they stay the same, so a second run does nothing and never starts paddle.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/setup.sh [--system] [--dev | --lean]

  --system  install into the current python3, for images; default: into .venv in this directory
  --dev     also install what the checks and tests need, and fetch the models that the tests read with
  --lean    install neither PaddleHub nor Paddle, and compile the models here (for `python -m ppocr_serving`)

Settings: PPOCR_PROFILE (which models), PPOCR_ENGINE (`paddle` alone selects ppocr-v4-mobile), PPOCR_MODEL_DIR (where to
put them), HUB_HOME (where PaddleHub keeps its modules), and pip's (PIP_INDEX_URL, PIP_PROXY, ...).
TEXT
}

system=no dev=no lean=no
for argument in "$@"; do
    case $argument in
        --system) system=yes ;;
        --dev) dev=yes ;;
        --lean) lean=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; echo "setup: unknown argument '$argument'" >&2; exit 2 ;;
    esac
done

if [[ $dev$lean == yesyes ]]; then
    echo "setup: --lean and --dev cannot be combined; the tests need PaddleHub" >&2
    exit 2
fi

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"
explain_failures setup
log=

fail() { # message; printed after the last lines of the failed command's output
    if [[ -n $log && -s $log ]]; then
        tail -n 15 "$log" >&2
    fi
    echo "setup: $1" >&2
    exit 1
}

report() { # step, what happened
    echo "$1: $2"
}

quietly() { # step, command; only `fail` shows its output
    if [[ -z $log ]]; then
        log=$(mktemp)
        trap 'rm -f -- "$log"' EXIT
    fi
    count_seconds "$1" "$log" "${@:2}"
}

# --- checksums and stamps -------------------------------------------------------------------------------------------

tree_checksum() { # directory; covers file names and contents
    (cd -- "$1" && find . -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 -r sha256sum) | sha256sum
}

checksum() { # files, directories (by content) or plain words
    for input in "$@"; do
        if [[ -d $input ]]; then tree_checksum "$input"; elif [[ -f $input ]]; then sha256sum <"$input"; else echo "$input"; fi
    done | sha256sum | cut -d ' ' -f 1
}

stamped() { # step, checksum
    [[ -f $stamps/$1 && $(<"$stamps/$1") == "$2" ]]
}

stamp() { # step, checksum
    mkdir -p -- "$stamps"
    echo "$2" >"$stamps/$1.new"
    mv -- "$stamps/$1.new" "$stamps/$1"
}

# --- interpreter ----------------------------------------------------------------------------------------------------

is_python311() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1
}

find_python() { # print the first of the given commands that is Python 3.11
    for command in "$@"; do
        if is_python311 "$command"; then
            command -v "$command"
            return
        fi
    done
    fail "no Python 3.11 found (tried: $*); install it, for example with 'apt-get install python3.11 python3.11-venv'"
}

describe_python() { # sets prefix, scripts, hub_home, stamps, pip_options
    local facts
    mapfile -t facts < <("$python" -I -c '
import os, sys, sysconfig
managed = sys.prefix == sys.base_prefix and os.path.exists(sysconfig.get_path("stdlib") + "/EXTERNALLY-MANAGED")
print(sys.prefix, sysconfig.get_path("scripts"), os.path.expanduser("~/.paddlehub"), int(managed), sep="\n")')
    ((${#facts[@]} == 4)) || fail "$python does not report where it installs packages; reinstall it, then run this again"
    prefix=${facts[0]} scripts=${facts[1]} hub_home=${facts[2]}
    hub_home=${HUB_HOME:-$hub_home}
    stamps=$prefix/share/ppocr_serving/setup
    pip_options=(--disable-pip-version-check --no-input --root-user-action=ignore --no-deps)
    if [[ ${facts[3]} == 1 ]]; then
        pip_options+=(--break-system-packages) # the distribution's marker; --system is the required consent
    fi
}

python_step() {
    if [[ $system == yes ]]; then
        python=$(find_python python3 python3.11) || exit # find_python has printed the reason
        describe_python
        "$python" -I -c 'import pip' >/dev/null 2>&1 ||
            fail "$python has no pip; install it, for example with 'apt-get install python3-pip'"
        report python "$python"
        return
    fi
    python=$root/.venv/bin/python
    if is_python311 "$python"; then
        describe_python
        if stamped venv "$root"; then
            report python "already set up in $root/.venv"
            return
        fi
    fi
    local base
    base=$(find_python python3.11 python3 python) || exit # find_python has printed the reason
    # --clear would empty the target of the link.
    [[ ! -L $root/.venv ]] || fail "$root/.venv is a symbolic link; remove it, or run setup in the directory it points to"
    # --clear: a virtual environment that was moved, is incomplete or has lost its interpreter cannot be repaired.
    report python "creating $root/.venv with $base"
    quietly python "$base" -m venv --clear "$root/.venv" ||
        fail "$base could not create $root/.venv; on Debian and Ubuntu, run 'apt-get install python3.11-venv' first"
    describe_python
    stamp venv "$root"
    report python "created $root/.venv"
}

# --- packages -------------------------------------------------------------------------------------------------------

pip_install() { # step, arguments of pip install
    local step=$1
    shift
    if quietly "$step" "$python" -m pip install "${pip_options[@]}" "$@"; then
        return
    fi
    if grep -qiE 'name resolution|failed to establish|connection (broken|refused|reset)|unreachable|timed out|proxyerror' "$log"; then
        fail "$step: cannot reach the package index; check the network and pip's settings (PIP_INDEX_URL, PIP_PROXY), then run this again"
    elif grep -q 'No space left' "$log"; then
        fail "$step: no space left at $prefix; free some, then run this again"
    fi
    fail "$step: pip failed; see its last lines above, fix the cause, then run this again"
}

lock_step() { # step, lock file
    local count key
    count=$(grep -c '==' "$root/$2")
    key=$(checksum "$root/$2")
    if stamped "$1" "$key"; then
        report "$1" "already installed"
        return
    fi
    report "$1" "installing $count packages from $2; this takes half a minute or more"
    pip_install "$1" --require-hashes -r "$root/$2"
    stamp "$1" "$key"
    report "$1" "installed $count packages"
}

package_step() {
    local inputs=("$root/pyproject.toml" "$root/ppocr_serving_hub.pth" "$root/ppocr_serving/__init__.py")
    local source=(--editable "$root")
    if [[ $system == yes ]]; then
        inputs+=("$root/ppocr_serving")
        source=(--force-reinstall "$root")
    fi
    local key
    key=$(checksum "${source[@]:0:1}" "${inputs[@]}")
    if stamped package "$key"; then
        report package "already installed"
        return
    fi
    report package "installing ppocr-serving"
    pip_install package --no-build-isolation "${source[@]}"
    stamp package "$key"
    report package "installed ppocr-serving"
}

# --- system libraries -----------------------------------------------------------------------------------------------

openmp_step() { # the one system library that paddle needs; minimal systems lack it
    if "$python" -I -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then
        return
    fi
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        report openmp "installing libgomp1 with apt-get"
        quietly openmp sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1' ||
            fail "openmp: libgomp.so.1 is missing and apt-get could not install libgomp1; install it by hand"
        report openmp "installed libgomp1"
        return
    fi
    fail "openmp: libgomp.so.1 is missing; install it, on Debian and Ubuntu with 'sudo apt-get install libgomp1'"
}

paddle_step() { # cap the memory of Paddle's bundled OpenVINO; its properties can be set nowhere else
    local libraries
    libraries=$("$python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib") + "/paddle/libs")')
    if cmp -s -- "$root/ppocr_serving/engines/paddle_openvino.xml" "$libraries/plugins.xml"; then
        return
    fi
    cp -- "$root/ppocr_serving/engines/paddle_openvino.xml" "$libraries/plugins.xml" ||
        fail "paddle: cannot write $libraries/plugins.xml; make the folder writable, then run this again"
    report paddle "capped the memory of its OpenVINO"
}

# --- models and modules ---------------------------------------------------------------------------------------------

fetch_models() { # profile; none is the one that the settings name
    "$python" -m ppocr_serving models fetch "$@" || # prints its own results and errors
        fail "models: not fetched; see the line above, then run this again"
}

models_step() {
    if [[ -n ${PPOCR_DET_MODEL_DIR:-} && -n ${PPOCR_CLS_MODEL_DIR:-} && -n ${PPOCR_REC_MODEL_DIR:-} && -n ${PPOCR_REC_DICT:-} ]]; then
        report models "custom, set by PPOCR_DET_MODEL_DIR and the related settings"
    else
        fetch_models
    fi
    if [[ $dev == yes ]]; then # the defaults of both engines, whatever the settings name
        fetch_models ppocr-v6
        fetch_models ppocr-v4-mobile
    fi
}

compiled_models_step() {
    report compiled-models "compiling the models for this machine's processor; this takes a few seconds"
    "$python" "$root/scripts/compile_models.py" || # prints its own results and errors
        fail "compiled-models: not written; see the line above, then run this again"
}

is_installed() { # module's directory
    local installed=$hub_home/modules/${1##*/}
    [[ -d $installed && $(tree_checksum "$1") == "$(tree_checksum "$installed")" ]]
}

modules_step() {
    local module changed=()
    for module in "$root"/modules/*/; do
        module=${module%/}
        if [[ -f $module/module.py ]] && ! is_installed "$module"; then
            changed+=("$module")
        fi
    done
    if ((${#changed[@]} == 0)); then
        report modules "already installed in $hub_home/modules"
        return
    fi
    # PaddleHub replaces every - in the path of its temporary copies with _, then fails or leaves them behind, so give it
    # a path without any.
    local alias status=0
    mkdir -p -- "$hub_home" && alias=$(mktemp -d /tmp/ppocrXXXXXX) && ln -s -- "$(realpath -- "$hub_home")" "$alias/home" ||
        fail "modules: $hub_home or /tmp is not writable (HUB_HOME changes the former)"
    report modules "installing ${changed[*]##*/} with 'hub install'; this takes a few seconds"
    HUB_HOME=$alias/home quietly modules "$scripts/hub" install "${changed[@]}" || status=$?
    rm -r -- "$alias"
    ((status == 0)) ||
        fail "modules: 'hub install' failed; see its last lines above. Is $hub_home writable (HUB_HOME changes it)?"
    for module in "${changed[@]}"; do
        is_installed "$module" || fail "modules: $hub_home/modules/${module##*/} differs from $module after 'hub install'"
    done
    report modules "installed in $hub_home/modules"
}

python_step
if [[ $lean == yes ]]; then
    lock_step dependencies requirements/lean.txt
    package_step
    models_step
    compiled_models_step
    exit
fi
lock_step dependencies requirements.txt
if [[ $dev == yes ]]; then
    lock_step dev-dependencies requirements/dev.txt
fi
package_step
openmp_step
paddle_step
models_step
modules_step
