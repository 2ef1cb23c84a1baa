# SPDX-License-Identifier: MIT
# Sourced by tests of the program from the outside. They leave with "exit $failed".
# shellcheck shell=sh disable=SC2034
set -u
program=${top_builddir:-.}/intuitor
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# expect CODE WHAT COMMAND...: its output goes to $folder/out and $folder/err
expect() {
    code=$1 what=$2
    shift 2
    "$@" > "$folder/out" 2> "$folder/err"
    got=$?
    [ "$got" -eq "$code" ] && return 0
    fail "$what: exit $got, expected $code"
    sed 's/^/    /' "$folder/err"
}

# says PATTERN: on either output of the last command
says() {
    grep -q -e "$1" "$folder/out" "$folder/err" || { fail "nothing says \"$1\""; cat "$folder/err"; }
}
