#!/bin/sh
# SPDX-License-Identifier: MIT
# Everything that must hold before a change is taken: sets up what is missing, then
#   1. build/            warnings are errors, make check
#   2. make distcheck    never as root, for whom no folder is read-only
#   3. build-sanitize/   address and undefined-behaviour sanitizers, make check
# Stops at the first that fails.
set -eu
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

# make distcheck in a copy of the tree that belongs to nobody.
distcheck_as_nobody() {
    copy=$(mktemp -d "${TMPDIR:-/tmp}/intuitor-distcheck.XXXXXX")
    trap 'chmod -R u+w "$copy" && rm -rf "$copy"' EXIT
    mkdir "$copy/tree" "$copy/tree/build"
    tar -cf - --exclude=./.git --exclude=./build --exclude='./build-[!a]*' . |
        tar -xf - -C "$copy/tree"
    chown -R nobody:nogroup "$copy"
    if test -n "${INTUITOR_DATA:-}" && ! runuser -u nobody -- ls "$INTUITOR_DATA" >/dev/null 2>&1
    then
        unset INTUITOR_DATA
    fi
    # shellcheck disable=SC2016 # expanded by the inner shell
    runuser -u nobody -- env HOME="$copy" TMPDIR="$copy" sh -c '
        cd "$1/tree/build" && ../configure --quiet && make -j"$2" distcheck VERBOSE=1
    ' sh "$copy" "$jobs" >&2
}

# shellcheck disable=SC2086 # a list of words
setup_packages $packages_test
setup_bootstrap

setup_build build --enable-werror
say "make check"
make -C build -j"$jobs" check VERBOSE=1

say "make distcheck"
if test "$(id -u)" -eq 0; then
    distcheck_as_nobody
else
    make -C build -j"$jobs" distcheck VERBOSE=1 >&2
fi

# Instrumented code draws warnings that the code itself does not: they are no errors here.
setup_build build-sanitize --enable-sanitize
say "make check, with sanitizers"
make -C build-sanitize -j"$jobs" check VERBOSE=1
