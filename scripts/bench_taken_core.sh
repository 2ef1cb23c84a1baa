#!/bin/sh
# SPDX-License-Identifier: MIT
# Decoding while another process keeps a core: how much slower than with all cores free?
#   scripts/bench_taken_core.sh [INTUITOR [options of bench generate...]]
# Runs alternate, so that what else the machine does meets both kinds alike; times are those of
# decoding, medians of each kind. Exits 1 beyond `bar`, 2 when nothing could be measured. From the
# environment: CPU (the core that is taken; all that may be used in turn when unset), ROUNDS (5),
# CONFIG (config.json), HOG (what the shell does to keep the core).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
program=${1:-./intuitor}
[ $# -eq 0 ] || shift
bar=2.5
rounds=${ROUNDS:-5}
config=${CONFIG:-$root/models/embedded/config.json}
hog=
folder=$(mktemp -d)
release() {
    [ -z "$hog" ] || { kill "$hog" && wait "$hog"; } 2> /dev/null || :
    hog=
}
trap 'release; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# "0-2,5" as one number a line.
list() {
    echo "$1" | tr ',' '\n' | awk -F- '{ for (i = $1; i <= $NF; i++) print i }'
}

# Milliseconds of decoding.
decode() {
    "$program" bench generate --backend cpu --config "$config" --runs 1 --json "$@" 2> "$folder/err" |
        tr '{' '\n' | sed -n 's/.*"generate\/decode".*"time_s":\([0-9.e+-]*\).*/\1/p' |
        awk '{ print 1000 * $1; n++ } END { exit n != 1 }' ||
        { cat "$folder/err" >&2; return 1; }
}

median() {
    sort -g "$1" | awk '{ t[NR] = $1 }
        END { print (t[int((NR + 1) / 2)] + t[int(NR / 2) + 1]) / 2 }'
}

allowed=$(taskset -cp $$ | sed 's/.*: *//')
worst=0
for cpu in $(list "${CPU:-$allowed}"); do
    : > "$folder/free"
    : > "$folder/taken"
    for _ in $(seq "$rounds"); do
        decode "$@" >> "$folder/free" || exit 2
        # shellcheck disable=SC2016 # the loop is for the inner shell
        taskset -c "$cpu" sh -c "${HOG:-while :; do :; done}" &
        hog=$!
        decode "$@" >> "$folder/taken" || exit 2
        release
    done
    free=$(median "$folder/free")
    taken=$(median "$folder/taken")
    ratio=$(awk "BEGIN { printf \"%.2f\", $taken / $free }")
    echo "core $cpu: free $free ms, taken $taken ms, ratio $ratio (load $(cut -d' ' -f1 /proc/loadavg))"
    worst=$(awk "BEGIN { print ($ratio > $worst) ? $ratio : $worst }")
done
echo "worst ratio $worst, bar $bar"
awk "BEGIN { exit !($worst <= $bar) }"
