#!/bin/sh
# SPDX-License-Identifier: MIT
# intuitor sandbox from the outside: the tier, the soak, what is refused. The escape suite itself is
# check_6_escape.
set -u
program=${top_builddir:-.}/intuitor
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

# expect CODE WORDS ARGUMENT...: the exit code, and what is said
expect() {
    code=$1 words=$2
    shift 2
    "$program" sandbox "$@" > "$folder/out" 2> "$folder/err"
    got=$?
    if [ "$got" -ne "$code" ] || ! cat "$folder/out" "$folder/err" | grep -q -e "$words"; then
        echo "FAILED: sandbox $*: exit $got, expected $code and \"$words\""
        cat "$folder/out" "$folder/err"
        failed=1
    fi
}

if ! "$program" sandbox > "$folder/out" 2>&1; then
    cat "$folder/out"
    exit 77
fi
expect 0 '^tier: .*seccomp' --jobs 1
expect 0 '0 wrong verdicts' --soak 48 --jobs 2
expect 0 '"wrong":0' --soak 16 --jobs 1 --json --without namespaces
expect 0 'no files' --without namespaces,landlock
expect 2 'unknown wall "moat"' --without moat
expect 2 'nothing but options' self-test
expect 2 'nothing but options' --jobs -1
expect 1 'not run without seccomp' --without seccomp
expect 1 '/nonexistent/python' --python /nonexistent/python
expect 0 '^tier: .*rlimits' --without seccomp --unsafe-no-sandbox
exit "$failed"
