# SPDX-License-Identifier: MIT
# Sourced by tests of the program from the outside. They leave with "exit $failed".
# shellcheck shell=sh disable=SC2034
set -u
program=${top_builddir:-.}/intuitor
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0
exec < /dev/null # a command that is given nothing to read waits for nobody

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

# runs CODE COMMAND...: the same of a command that speaks for itself
runs() {
    code=$1
    shift
    expect "$code" "$*" "$@"
}

# has TEXT FILE: in the folder
has() {
    grep -qF -- "$1" "$folder/$2" || fail "$2 does not have $1: $(head -c 2000 "$folder/$2")"
}

# says PATTERN: on either output of the last command
says() {
    grep -q -e "$1" "$folder/out" "$folder/err" || { fail "nothing says \"$1\""; cat "$folder/err"; }
}
