#!/bin/sh
# Set up what is missing, then serve the four modules on one port.
#
# PORT            port to listen on (default: FC_CUSTOM_LISTEN_PORT, then 9000)
# PPOCR_WORKERS   processes that answer requests (default 1)
set -eu

fail() {
    echo "start: $1" >&2
    exit 2
}

is_between() { # value, lowest, highest
    case $1 in
        '' | *[!0-9]* | ??????*) return 1 ;;
    esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

port=${PORT:-${FC_CUSTOM_LISTEN_PORT:-9000}}
is_between "$port" 1 65535 || fail "port '$port' is no number from 1 to 65535; set PORT or FC_CUSTOM_LISTEN_PORT"
workers=${PPOCR_WORKERS:-1}
is_between "$workers" 1 1024 || fail "PPOCR_WORKERS '$workers' is no number from 1 to 1024"

# PaddleHub and gunicorn write there, and end in a stack trace where they cannot.
probe=$(mktemp) && echo probe >"$probe" && rm -- "$probe" ||
    fail "nothing can be written to ${TMPDIR:-/tmp}: it is full or read-only; make room, or mount a tmpfs there"

root=$(cd -- "$(dirname -- "$0")" && pwd -P)

# An image is complete and may be read-only: there is nothing to set up, and its Dockerfile wrote down where the command is.
if [ -f "$root/.image" ]; then
    hub=$(cat "$root/.image")
else
    bash "$root/scripts/setup.sh"
    hub=$root/.venv/bin/hub
fi

set -- serving start --modules ocr_system ocr_cls ocr_det ocr_rec -p "$port"
if [ "$workers" -gt 1 ]; then
    set -- "$@" --use_multiprocess --workers "$workers"
fi
# Paddle advises to install a compiler cache whenever it is imported; nothing is compiled here.
PYTHONWARNINGS="ignore:No ccache found${PYTHONWARNINGS:+,$PYTHONWARNINGS}"
export PYTHONWARNINGS
# Some platforms keep only what is printed to the standard output.
exec "$hub" "$@" 2>&1
