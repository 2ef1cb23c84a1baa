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
    "$(dirname "$0")/embed_bytes.sh" "
static const unsigned char file_$n" "$top/tasks/$file"
    n=$((n + 1))
done
printf '\nconst struct it_embedded_file it_embedded_files[] = {\n'
n=0
for file in "$@"; do
    printf '    {"%s", file_%d, sizeof file_%d - 1},\n' "$file" "$n" "$n"
    n=$((n + 1))
done
printf '    {0, 0, 0},\n};\n'
