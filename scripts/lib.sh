# shellcheck shell=bash
# Functions shared by the scripts, which source this file.

# Name the command that makes `set -e` exit, so that no script fails silently. Functions, subshells and command
# substitutions inherit the trap, so a failure inside one is reported there first, then at its call site.
explain_failures() { # name of the script
    script_name=$1
    set -E
    trap 'explain_failure "$?" "${BASH_SOURCE[0]:-}" "$LINENO" "$BASH_COMMAND"' ERR
}

explain_failure() { # status, file, line, command
    echo "$script_name: ${2##*/}, line $3: '${4%%$'\n'*}' failed with status $1" >&2
}

# Print the first http(s) mirror of a Debian suite in apt's sources (either format), or nothing if there is none.
apt_mirror() { # suite, apt's directory
    local file files=()
    for file in "${2:-/etc/apt}"/{sources.list,sources.list.d/*.list,sources.list.d/*.sources}; do
        if [[ -f $file ]]; then files+=("$file"); fi
    done
    if ((${#files[@]} == 0)); then return; fi
    awk -v suite="$1" '
        function has(words, word,    list, i) {
            split(words, list, " ")
            for (i in list) if (list[i] == word) return 1
            return 0
        }
        function consider(address, suites) {
            if (!found && address ~ /^https?:/ && has(suites, suite)) {
                print address
                found = 1
                exit
            }
        }
        function end_stanza(    list) {
            if (has(field["types:"], "deb") && tolower(field["enabled:"]) !~ /no|false/) {
                split(field["uris:"], list, " ")
                consider(list[1], field["suites:"])
            }
            split("", field)
        }
        FNR == 1 { end_stanza() }
        /^[ \t]*#/ { next }
        FILENAME ~ /\.list$/ {
            sub(/\[[^]]*\]/, "")
            if ($1 == "deb") consider($2, $3)
            next
        }
        /^[ \t]*$/ { end_stanza(); next }
        /^[^ \t]+:/ { key = tolower($1); sub(/^[^:]*:/, "") }
        { field[key] = field[key] " " $0 }
        END { end_stanza() }' "${files[@]}"
}

# Run a command; if standard error is a terminal, show the elapsed seconds.
count_seconds() { # step, output file, command with its arguments
    local counter='' output=$2 status=0 step=$1
    shift 2
    if [[ -t 2 ]]; then
        # Exits on its own if the script is killed.
        (
            SECONDS=0
            while kill -0 "$$" 2>/dev/null; do
                printf '\r%s: %d s\033[K' "$step" "$SECONDS" >&2
                sleep 1
            done
        ) &
        counter=$!
    fi
    "$@" >"$output" 2>&1 || status=$?
    if [[ -n $counter ]]; then
        kill "$counter" 2>/dev/null || true
        wait "$counter" 2>/dev/null || true
        printf '\r\033[K' >&2
    fi
    return "$status"
}
