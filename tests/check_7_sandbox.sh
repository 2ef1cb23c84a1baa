#!/bin/sh
# SPDX-License-Identifier: MIT
# intuitor sandbox from the outside: the tier, the soak, what is refused. The escape suite itself is
# check_6_escape.
# shellcheck source=tests/outside.sh
. "${top_srcdir:-.}/tests/outside.sh"

# sandbox CODE WORDS ARGUMENT...: the exit code, and what is said
sandbox() {
    code=$1 words=$2
    shift 2
    runs "$code" "$program" sandbox "$@"
    says "$words"
}

if ! "$program" sandbox > "$folder/out" 2>&1; then
    cat "$folder/out"
    exit 77
fi
sandbox 0 '^tier: .*seccomp' --jobs 1
sandbox 0 '0 wrong verdicts' --soak 48 --jobs 2
sandbox 0 '"wrong":0' --soak 16 --jobs 1 --json --without namespaces
sandbox 0 'no files' --without namespaces,landlock
sandbox 2 'unknown wall "moat"' --without moat
sandbox 2 'nothing but options' self-test
sandbox 2 'nothing but options' --jobs -1
sandbox 1 'not run without seccomp' --without seccomp
sandbox 1 '/nonexistent/python' --python /nonexistent/python
sandbox 0 '^tier: .*rlimits' --without seccomp --unsafe-no-sandbox
exit "$failed"
