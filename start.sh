#!/bin/sh
# Set up what is missing, then serve the four modules on one port. See `usage` below.
set -eu

usage() {
    cat <<'TEXT'
usage: start.sh [--port N]

Set up what is missing, then serve the four modules on one port until Ctrl+C or SIGTERM.

  --port N    port to listen on; overrides PORT
  -h, --help  print this and exit

Environment:
  PORT           port to listen on (default: FC_CUSTOM_LISTEN_PORT, then 9000); in a container, set this rather than
                 --port, because the health check reads it
  PPOCR_HOST     address to listen on (default 0.0.0.0)
  PPOCR_WORKERS  processes that answer requests (default 1)
  PPOCR_PROFILE  which models to serve (default ppocr-v6; with PPOCR_ENGINE=paddle ppocr-v4-mobile)
docs/settings.md lists all settings.
TEXT
}

fail() { # message, status (default 2)
    echo "start: $1" >&2
    exit "${2:-2}"
}

is_between() { # value, lowest, highest
    case $1 in
        '' | *[!0-9]* | ??????*) return 1 ;;
    esac
    [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}

port=${PORT:-${FC_CUSTOM_LISTEN_PORT:-9000}}
port_from=PORT
if [ -z "${PORT:-}" ] && [ -n "${FC_CUSTOM_LISTEN_PORT:-}" ]; then port_from=FC_CUSTOM_LISTEN_PORT; fi
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --port) [ $# -ge 2 ] || fail "--port needs a number; see start.sh --help"; port=$2 port_from=--port; shift ;;
        --port=*) port=${1#--port=} port_from=--port ;;
        *) fail "unknown argument '$1'; see start.sh --help" ;;
    esac
    shift
done
is_between "$port" 1 65535 || fail "$port_from must be 1-65535, got '$port'"
workers=${PPOCR_WORKERS:-1}
is_between "$workers" 1 1024 || fail "PPOCR_WORKERS must be 1-1024, got '$workers'"

# PaddleHub writes temporary files, and fails with a traceback if it cannot.
probe=$(mktemp) && echo probe >"$probe" && rm -- "$probe" ||
    fail "cannot write to ${TMPDIR:-/tmp}: it is full or read-only; free some space, or mount a tmpfs there"

# Check before setup and loading the models, which take a while. Other problems with the address, or a missing python3,
# are left to setup and the server.
status=0
python3 -I -S -c '
import errno, socket, sys

host, port = sys.argv[1:]
family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
with socket.socket(family, kind) as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
    try:
        probe.bind(address)
    except OSError as error:
        sys.exit(98 if error.errno == errno.EADDRINUSE else 0)
' "${PPOCR_HOST:-0.0.0.0}" "$port" 2>/dev/null || status=$?
[ "$status" -ne 98 ] ||
    fail "port $port is in use; stop the process using it, or start with --port N or PORT=N" 1

root=$(cd -- "$(dirname -- "$0")" && pwd -P)

# An image is complete and may be read-only: there is nothing to set up, and .image names the command to run.
if [ -f "$root/.image" ]; then
    command=$(cat "$root/.image")
else
    # Where nobody can read what set-up reports, it must go on nevertheless.
    echo "start: setting up what is missing" 2>/dev/null || exec >/dev/null
    bash "$root/scripts/setup.sh"
    command=$root/.venv/bin/hub
fi

# Without PaddleHub, the package itself serves, and reads PPOCR_WORKERS. Some platforms keep only what goes to
# standard output.
if [ "${command##*/}" != hub ]; then
    PORT=$port
    export PORT
    exec "$command" -m ppocr_serving 2>&1
fi
set -- serving start --modules ocr_system ocr_cls ocr_det ocr_rec -p "$port"
if [ "$workers" -gt 1 ]; then
    set -- "$@" --use_multiprocess --workers "$workers"
fi
exec "$command" "$@" 2>&1
