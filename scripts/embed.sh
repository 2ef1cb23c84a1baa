#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh TOP FILE...: the files (paths under TOP/tasks) as the table of tasks/embedded.h, on
# standard output.
set -eu
top=$1
shift
echo '/* Written by scripts/embed.sh. */'
echo '#include "tasks/embedded.h"'
n=0
for file in "$@"; do
    printf '\nstatic const unsigned char file_%d[] = {' "$n"
    od -An -v -tu1 "$top/tasks/$file" | awk '
        { for (i = 1; i <= NF; i++) { printf "%s%s,", k++ % 24 ? "" : "\n    ", $i } }
        END { print "0" }'
    echo '};'
    n=$((n + 1))
done
printf '\nconst struct it_embedded_file it_embedded_files[] = {\n'
n=0
for file in "$@"; do
    printf '    {"%s", file_%d, sizeof file_%d - 1},\n' "$file" "$n" "$n"
    n=$((n + 1))
done
printf '    {0, 0, 0},\n};\n'
