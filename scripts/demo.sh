#!/bin/sh
# SPDX-License-Identifier: MIT
# From a checkout to a trained model: sets up what is missing, builds in build/, trains the demo.
# Arguments go to `intuitor train`: scripts/demo.sh max_steps=20
set -eu
# shellcheck source=scripts/setup.sh
. "$(dirname "$0")/setup.sh"
cd "$root"

# shellcheck disable=SC2086 # a list of words
setup_packages $packages_build
setup_bootstrap
if test -f build/Makefile; then
    say "make"
    make -C build -j"$jobs" >&2
else
    setup_build build
fi
exec build/intuitor train recipes/demo.yaml "$@"
