#!/usr/bin/env bash
# Build the images, run them as platforms do, and print tables of measurements (kept in docs/images.md; README.md also has
# the comparison of the two images).
#
# Needs `scripts/setup.sh --dev`, and docker or podman; without either, prints the reason and exits with 77. If the base
# image cannot be pulled, debootstrap builds a stand-in. Settings: BASE_IMAGE, PROFILE; PICTURES that each run reads and
# STARTS whose median is printed, fewer if no table is wanted; IMAGE_BUILT=1 tests existing images instead of building them.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
explain_failures test_image

readonly pictures_per_run=${PICTURES:-100} starts=${STARTS:-10}
for setting in "PICTURES=$pictures_per_run" "STARTS=$starts"; do
    if [[ ! $setting =~ =[1-9][0-9]{0,5}$ ]]; then
        echo "test_image: $setting is not a number from 1 to 999999; leave it out, or give one" >&2
        exit 2
    fi
done
readonly stand_in=localhost/ppocr-python-base
scratch=$(mktemp -d)
name=ppocr-test-$$
run_options=()

skip() { echo "test_image: skipped: $1" >&2; exit 77; }
fail() { # message; printed after the last lines of the container's log
    "$engine" logs "$name" 2>&1 | tail -n 15 >&2 || true
    echo "test_image: $1" >&2
    exit 1
}
remove() { "$engine" rm -f "$name" >/dev/null 2>&1 || true; }
clean_up() { remove; rm -rf -- "$scratch"; }

part='' part_began=0
next_part() { # name of the part that starts now; print how long the previous one took
    if [[ -n $part ]]; then
        echo "test_image: $part: $((SECONDS - part_began)) s" >&2
    fi
    part=$1 part_began=$SECONDS
}

for tool in curl .venv/bin/python .venv/bin/pytest; do
    command -v "$tool" >/dev/null || { echo "test_image: $tool is missing; run scripts/setup.sh --dev, and install curl" >&2; exit 1; }
done

# --- tools and base image -------------------------------------------------------------------------------------------

if docker info >/dev/null 2>&1; then
    engine=docker
elif command -v podman >/dev/null; then
    engine=podman
    # By default podman adds the user to /etc/passwd and asks systemd for a health-check timer.
    run_options+=(--no-healthcheck --passwd=false)
else
    skip "found neither a running docker nor podman; install one with 'apt-get install podman buildah runc debootstrap'"
fi
trap clean_up EXIT

next_part "base image and builds"
has_image() { "$engine" image inspect "$1" >/dev/null 2>&1; }

make_stand_in() { # build an equivalent of python:3.11-slim-bookworm from Debian packages
    command -v debootstrap >/dev/null || skip "$BASE_IMAGE cannot be pulled, and debootstrap, which builds a stand-in, is missing"
    ((EUID == 0)) || skip "$BASE_IMAGE cannot be pulled, and only root can build a stand-in with debootstrap"
    local mirror system=$scratch/system
    mirror=$(apt_mirror bookworm)
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$system" ${mirror:+"$mirror"} >"$scratch/debootstrap.log" ||
        { tail -n 5 "$scratch/debootstrap.log" >&2; skip "debootstrap failed"; }
    # Slim images leave these out too.
    rm -rf -- "$system"/var/cache/apt/* "$system"/var/lib/apt/lists/* "$system"/var/log/* "$system"/usr/share/{doc,man,info,locale}/*
    tar -C "$system" --one-file-system -c . | "$engine" import - "$stand_in" >/dev/null
    rm -rf -- "$system"
}

export BASE_IMAGE=${BASE_IMAGE:-python:3.11-slim-bookworm}
if [[ -z ${IMAGE_BUILT:-} ]]; then
    if ! has_image "$BASE_IMAGE" && ! timeout 300 "$engine" pull -q "docker.io/library/$BASE_IMAGE" >/dev/null 2>&1; then
        has_image "$stand_in" || make_stand_in
        BASE_IMAGE=$stand_in
    fi
    for option in --tx --lean; do
        bash scripts/build_image.sh "$option" >"$scratch/build.log" 2>&1 || { tail -n 20 "$scratch/build.log" >&2; echo "test_image: the build with $option failed" >&2; exit 1; }
    done
fi
if [[ $engine == podman ]] && ! podman run --rm "${run_options[@]}" ppocr-serving true >/dev/null 2>&1; then
    engine_run=(podman --runtime runc run)
else
    engine_run=("$engine" run)
fi

# --- clients --------------------------------------------------------------------------------------------------------

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
request() { # picture, output file
    { printf '{"images": ["'; base64 -w 0 -- "$1"; printf '"]}'; } >"$2"
}
post() { # module, request file
    curl -sS --max-time 120 -H 'Content-Type: application/json' --data-binary "@$2" "http://127.0.0.1:$port/predict/$1"
}
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{printf "%.1f", $1 - $2}'; }
is_running() { [[ $("$engine" inspect -f '{{.State.Running}}' "$name") == true ]]; }

request docs/example.png "$scratch/example"
pictures=()
shopt -s nullglob
# Without more pictures the same one is sent every time, which makes the tables less meaningful.
for file in docs/example.png ../shared/data/{images,receipts}/*.{jpg,png}; do
    request "$file" "$scratch/picture-${#pictures[@]}"
    pictures+=("$scratch/picture-${#pictures[@]}")
done

start() { # image, options of run, then optionally --cmd and a command
    remove
    port=$(free_port)
    start_at "$port" "$@"
}
start_at() { # port, then as above
    local options=() port=$1 image=$2
    shift 2
    while (($#)) && [[ $1 != --cmd ]]; do options+=("$1"); shift; done
    if (($#)); then shift; fi
    "${engine_run[@]}" -d --name "$name" --network host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${run_options[@]}" \
        -e "PORT=$port" -e PPOCR_HOST=127.0.0.1 "${options[@]}" "$image" "$@" >/dev/null
}
wait_for_answer() {
    until [[ $(post ocr_system "$scratch/example" 2>/dev/null) == *'"status":"000"'* ]]; do
        is_running || fail "the container exited before it answered"
        sleep 0.05
    done
}
memory() { # of all processes in the container, in MB; shared pages count once
    local first pid total=0
    first=$("$engine" inspect -f '{{.State.Pid}}' "$name")
    for pid in "$first" $(cat "/proc/$first/task/"*/children); do
        total=$((total + $(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup")))
    done
    echo $((total * 1024 / 1000000))
}
check_modules() { # call all four with curl, and one with the README's Python client
    local module answer
    for module in ocr_system ocr_det ocr_cls ocr_rec; do
        answer=$(post "$module" "$scratch/example")
        case $module in
            ocr_system) [[ $answer == *图中的文字2026* ]] || fail "$module answered $answer" ;;
            ocr_rec) [[ $answer == *图中的文字* ]] || fail "$module answered $answer" ;; # of a picture with two lines
            ocr_det) [[ $answer == *text_region* ]] || fail "$module answered $answer" ;;
            ocr_cls) [[ $answer == *'"angle":"0"'* ]] || fail "$module answered $answer" ;;
        esac
    done
    sed -n '/^```python$/,/^```$/{/^```/d;p}' README.md | sed "s/:9000/:$port/" >"$scratch/client.py"
    answer=$(.venv/bin/python "$scratch/client.py") || fail "the README's Python client failed"
    [[ $answer == *图中的文字2026* ]] || fail "the README's Python client printed $answer"
    "$engine" exec "$name" python3 -I /PaddleOCR/healthcheck.py || fail "the health check reports that the service is down"
}
check_changes() { # docker diff may list only /tmp, and the mount points that the engine adds
    local changed
    changed=$("$engine" diff "$name" | grep -vE '^[ACD] (/tmp(/.*)?|/etc|/etc/(hosts|hostname|resolv.conf|mtab)|/run(/.*)?|/dev(/.*)?|/proc|/sys)$' || true)
    [[ -z $changed ]] || fail "files outside /tmp were changed: $changed"
}
expect_exit() { # fault, pattern expected in the log
    local waited=0 code log
    while is_running; do
        ((waited++ < 600)) || fail "$1: the container is still running"
        sleep 0.1
    done
    code=$("$engine" inspect -f '{{.State.ExitCode}}' "$name")
    log=$("$engine" logs "$name" 2>&1)
    [[ $code != 0 ]] || fail "$1: the exit code is 0"
    grep -qE "$2" <<<"$log" || fail "$1: no log line matches '$2'"
    ! grep -q Traceback <<<"$log" || fail "$1: the log contains a traceback"
    echo "fault: $1: exit code $code, $(grep -E -m 1 "$2" <<<"$log" | cut -c 1-160)"
}

# --- faults ---------------------------------------------------------------------------------------------------------

next_part "faults"
start ppocr-serving
wait_for_answer
post ocr_system "${pictures[-1]}" >"$scratch/cut" 2>/dev/null &
client=$!
sleep 0.05
"$engine" kill -s KILL "$name" >/dev/null
if wait "$client"; then fail "SIGKILL came too late: the request was answered"; fi
"$engine" start "$name" >/dev/null
wait_for_answer
echo "fault: SIGKILL during a request: answers again after a restart"

# The same paths in both images.
directory() { # role
    "$engine" exec "$name" python3 -c "from ppocr_serving.settings import load_settings; print(load_settings().models.directory('$1'))"
}
models=$(directory det)
second=$(directory reread)
head -c 100000 /dev/zero >"$scratch/damaged"
: >"$scratch/empty"
chmod 755 "$scratch"
start ppocr-serving -v "$scratch/damaged:$models/inference.bin:ro"
expect_exit "damaged model file" "cannot start: .*$models"
start ppocr-serving -v "$scratch/empty:$models/inference.xml:ro"
expect_exit "empty model file" "hub: .*$models"
start ppocr-serving -e PPOCR_PROFILE=ppocr-v2.0-server
expect_exit "missing model" "hub: .*ppocr-v2.0-server"
start ppocr-serving-tx --read-only --tmpfs /tmp:rw,size=64k,mode=1777 --cmd \
    /bin/sh -c 'head -c 100000 /dev/zero >/tmp/filling; exec sh /PaddleOCR/start.sh'
expect_exit "/tmp full" "start: .*full"
start ppocr-serving-lean -v "$scratch/damaged:$models/inference.bin:ro"
expect_exit "lean, damaged model file" "cannot start: .*$models"
start ppocr-serving-lean -v "$scratch/empty:$models/inference.xml:ro"
expect_exit "lean, empty model file" "ppocr_serving: .*$models"
start ppocr-serving-lean -v "$scratch/damaged:$second/inference.bin:ro"
expect_exit "lean, damaged second recogniser" "cannot start: .*$second"
start ppocr-serving-lean -v "$scratch/empty:$second/inference.xml:ro"
expect_exit "lean, empty second recogniser" "ppocr_serving: .*$second"
start ppocr-serving-lean -e PPOCR_PROFILE=ppocr-v2.0-server
expect_exit "lean, missing model" "ppocr_serving: .*ppocr-v2.0-server"
# Python falls back to /var/tmp, which podman also makes writable.
start ppocr-serving-lean --read-only --tmpfs /tmp:rw,size=64k,mode=1777 --tmpfs /var/tmp:rw,size=64k,mode=1777 --cmd \
    /bin/sh -c 'for folder in /tmp /var/tmp; do head -c 100000 /dev/zero >$folder/filling; done; exec python3 -m ppocr_serving'
wait_for_answer
echo "fault: lean, /tmp full: answers nevertheless, since it writes no files"
remove

# --- runs -----------------------------------------------------------------------------------------------------------

rows=() failed=()
declare -A start_memory full_memory speed
measure() { # title, image, options
    local title=$1 begin first idle i
    shift
    begin=$(now)
    start "$@"
    wait_for_answer
    first=$(since "$begin")
    idle=$(memory)
    check_modules
    begin=$(now)
    for ((i = 0; i < pictures_per_run; i++)); do
        if [[ $(post ocr_system "${pictures[i % ${#pictures[@]}]}") != *'"status":"000"'* ]]; then
            "$engine" logs "$name" 2>&1 | grep -v ' INFO ' | tail -n 5 >&2
            rows+=("| $title | $first | $idle | not reached | picture $((i + 1)) was not read |")
            failed+=("$title")
            return
        fi
    done
    start_memory[$title]=$idle
    speed[$title]=$(echo "$(since "$begin")" | awk -v count="$pictures_per_run" '{printf "%.0f", $1 * 1000 / count}')
    full_memory[$title]=$(memory)
    rows+=("| $title | $first | $idle | ${full_memory[$title]} | ${speed[$title]} |")
    echo "${rows[-1]}" >&2
    if [[ $1 != ppocr-serving ]]; then check_changes; fi
}

next_part "the start command of the replaced images"
for image in ppocr-serving ppocr-serving-tx ppocr-serving-lean; do
    # As users type it, with another uid; the port comes from a variable, then from an argument.
    start "$image" --user 54321 --cmd /bin/bash -c "sh /PaddleOCR/start.sh"
    wait_for_answer
    check_modules
    remove
    port=$(free_port)
    start_at "$port" "$image" -e PORT=1 --cmd sh /PaddleOCR/start.sh --port "$port"
    wait_for_answer
    remove
    echo "start.sh: $image: answers, on PORT and on --port"
    "${engine_run[@]}" --rm --network host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${run_options[@]}" "$image" \
        cat /PaddleOCR/sbom.spdx.json >"$scratch/sbom.spdx.json"
    .venv/bin/pyspdxtools --infile "$scratch/sbom.spdx.json" || { echo "test_image: the list in $image is not valid SPDX" >&2; exit 1; }
    echo "sbom.spdx.json: $image: $(grep -c '"SPDXID": "SPDXRef-' "$scratch/sbom.spdx.json") entries, valid"
done

next_part "Paddle's engine"
for image in ppocr-serving ppocr-serving-tx; do
    start "$image" -e PPOCR_ENGINE=paddle
    wait_for_answer
    check_modules
    # Paddle's engine cannot run the default's models.
    profile=$("$engine" exec "$name" python3 -c 'from ppocr_serving.settings import load_settings; print(load_settings().models.profile.name)')
    [[ $profile == "${PROFILE:-ppocr-v4-mobile}" ]] || fail "$image: PPOCR_ENGINE=paddle selects $profile"
    echo "engine: $image: Paddle runs $profile"
done

next_part "runs"
isolated=(--read-only --tmpfs /tmp --user "$((20000 + RANDOM))" --cap-drop ALL --security-opt no-new-privileges)
measure "plain" ppocr-serving
measure "plain, 1 GiB of memory" ppocr-serving --memory 1g
measure "plain, \`PPOCR_ENGINE=paddle\`" ppocr-serving -e PPOCR_ENGINE=paddle
measure "tx, read-only, random uid, no capabilities, 1 GiB of memory" ppocr-serving-tx "${isolated[@]}" --memory 1g
measure "lean" ppocr-serving-lean
measure "lean, read-only, random uid, no capabilities, 512 MiB of memory" ppocr-serving-lean "${isolated[@]}" --memory 512m

remove

# --- cold starts ----------------------------------------------------------------------------------------------------

next_part "cold starts"
median() { sort -n | awk '{value[NR] = $1} END {print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2}'; }
cold_start() { # image; median seconds from before the container starts to the first answer
    local i begin
    for ((i = 0; i < starts; i++)); do
        remove
        port=$(free_port)
        begin=$(now)
        # Connects as soon as the port is open; the server holds the request until its models are loaded.
        .venv/bin/python - "$port" "$scratch/example" <<'PYTHON' &
import http.client, sys, time

body = open(sys.argv[2], "rb").read()
deadline = time.monotonic() + 60
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
        connection.request("POST", "/predict/ocr_system", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read().decode()
        break
    except OSError:
        if time.monotonic() > deadline:
            sys.exit("nothing listens on the port")
        time.sleep(0.005)
sys.exit("图中的文字2026" not in answer and answer)
PYTHON
        client=$!
        start_at "$port" "$1"
        wait "$client" || fail "$1: no first answer"
        echo "$(now) $begin" | awk '{printf "%.2f\n", $1 - $2}'
    done | median
}
empty_start() { # image; the same for a no-op command
    local i begin
    for ((i = 0; i < starts; i++)); do
        begin=$(now)
        "${engine_run[@]}" --rm --network host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${run_options[@]}" "$1" true
        echo "$(now) $begin" | awk '{printf "%.2f\n", $1 - $2}'
    done | median
}
declare -A cold empty
for image in ppocr-serving ppocr-serving-lean; do
    cold[$image]=$(cold_start "$image")
    empty[$image]=$(empty_start "$image")
done
remove

# --- the end-to-end tests with the images' packages -----------------------------------------------------------------

next_part "end-to-end tests"
if [[ $engine == podman ]] && ((EUID == 0)) && /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    # Tests that need PaddleHub use the packages of ppocr-serving; the others use those of both images.
    hub=$(podman image mount ppocr-serving)/opt/ppocr/bin
    lean=$(podman image mount ppocr-serving-lean)/opt/ppocr/bin
    printf '#!/bin/sh\nexec %s/python3 %s/hub "$@"\n' "$hub" "$hub" >"$scratch/hub"
    chmod +x "$scratch/hub"
    tested=0
    PPOCR_TEST_HUB=$scratch/hub PPOCR_TEST_PYTHON=$lean/python3 \
        .venv/bin/pytest -q --numprocesses 2 --dist loadfile -m "not thorough or thorough_with_hub" tests/served tests/hub/test_command.py || tested=$?
    podman image unmount ppocr-serving ppocr-serving-lean >/dev/null
    ((tested == 0)) || fail "the end-to-end tests fail with the images' packages"
else
    echo "test_image: skipped the end-to-end tests with the images' packages; they need podman, root and Python 3.11 in /usr/bin" >&2
fi

# --- sizes ----------------------------------------------------------------------------------------------------------

next_part "sizes"
echo
echo "| image | MB | MB compressed (\`$engine save NAME | gzip -1 | wc -c\`) |"
echo "|---|---|---|"
declare -A size compressed
for image in ppocr-serving ppocr-serving-tx ppocr-serving-lean; do
    bytes=$("$engine" image inspect -f '{{.Size}}' "$image")
    size[$image]=$((bytes / 1000000))
    compressed[$image]=$(($("$engine" save "$image" 2>/dev/null | gzip -1 | wc -c) / 1000000))
    echo "| $image | ${size[$image]} | ${compressed[$image]} |"
done
echo
echo "| run | first answer after (s) | memory then (MB) | memory after $pictures_per_run pictures (MB) | ms per picture |"
echo "|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
echo
two() { # row title, value for each image, unit
    echo "| $1 | $2 $4 | $3 $4 |"
}
echo "| | \`ppocr-serving\` | \`ppocr-serving-lean\` |"
echo "|---|---|---|"
echo "| for | everything that \`hub serving start\` does, Paddle's engine | serverless: small, awake sooner, read-only |"
two "size" "${size[ppocr-serving]}" "${size[ppocr-serving-lean]}" MB
two "size, compressed" "${compressed[ppocr-serving]}" "${compressed[ppocr-serving-lean]}" MB
two "cold start: container start to the first answer, median of $starts" "${cold[ppocr-serving]}" "${cold[ppocr-serving-lean]}" s
two "of which, a container that does nothing" "${empty[ppocr-serving]}" "${empty[ppocr-serving-lean]}" s
two "speed, ${#pictures[@]} different pictures up to $pictures_per_run, per picture" "${speed[plain]:--}" "${speed[lean]:--}" ms
two "memory at the first answer" "${start_memory[plain]:--}" "${start_memory[lean]:--}" MB
two "memory after $pictures_per_run pictures" "${full_memory[plain]:--}" "${full_memory[lean]:--}" MB
next_part "done"
echo "test_image: ${SECONDS} s in total" >&2
if ((${#failed[@]})); then
    echo "test_image: some of the $pictures_per_run pictures were not read: ${failed[*]}" >&2
    exit 1
fi
