#!/bin/sh
# SPDX-License-Identifier: MIT
# embed_bytes.sh DECLARATION FILE: the bytes of a file, a 0 behind them, as a C array, on standard
# output. DECLARATION is what stands before the brackets.
set -eu
printf '%s[] = {' "$1"
od -An -v -tu1 "$2" | awk '
    { for (i = 1; i <= NF; i++) { printf "%s%s,", k++ % 24 ? "" : "\n    ", $i } }
    END { print "0};" }'
