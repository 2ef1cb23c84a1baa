#!/bin/sh
# SPDX-License-Identifier: MIT
# ops_md.sh: docs/ops.md on standard output, from core/tensor/ops.def. `make docs` writes it in its
# place; tests/check_docs.sh sees to it that this was done.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

cat <<'END'
# Operations

Written by `make docs` from `core/tensor/ops.def`, the table that also makes the enum, the argument
checks, the reference kernels' table and the tests' list: do not edit. `intuitor devices --ops` says which
of them a device has kernels for; the others run in the reference. What the table says of itself:

END
awk '
    # The n-th argument of OP(...): commas inside strings do not count.
    function argument(text, n,   i, c, quoted, at, out) {
        at = 1
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            if (c == "\"") { quoted = !quoted; continue }
            if (c == "," && !quoted) { at++; continue }
            if (at == n) { out = out c }
        }
        gsub(/  +/, " ", out) # a string of several pieces
        gsub(/^ | $/, "", out)
        return out
    }
    function entry(   scalars) {
        sub(/^OP\(/, "", op)
        sub(/\)$/, "", op)
        scalars = argument(op, 7)
        printf "\n## %s\n\n```\n%s```\n\n", argument(op, 2), comment
        print "| tier | outputs | inputs | tensors, outputs first | scalars |\n|---|---|---|---|---|"
        printf "| %s | %s | %s | `%s` | %s |\n", argument(op, 5), argument(op, 3), argument(op, 4),
               argument(op, 6), scalars == "" ? "none" : scalars
    }
    NR == 1 { next } # the licence
    /^\/\*/ { comment = ""; reading = 1 }
    reading {
        line = $0
        sub(/^(\/\* ?| \* ?)/, "", line)
        ended = sub(/ *\*\/$/, "", line)
        comment = comment line "\n"
        if (ended) { reading = 0 }
        if (ended && !head) { head = 1; printf "```\n%s```\n", comment }
        next
    }
    /^OP\(/ { op = "" }
    /^(OP\(| )/ {
        line = $0
        sub(/^ +/, " ", line)
        op = op line
        if (line ~ /\)$/) { entry() }
    }' "$root/core/tensor/ops.def"
