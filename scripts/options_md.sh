#!/bin/sh
# SPDX-License-Identifier: MIT
# options_md.sh PROGRAM: docs/options.md on standard output, from what the program says of itself.
# `make docs` writes it in its place; tests/check_docs.sh sees to it that this was done.
set -eu
program=$1
root=$(cd "$(dirname "$0")/.." && pwd)

# shellcheck source=scripts/help.sh
. "$(dirname "$0")/help.sh"

# The table of one list of --help. $1: the line that begins it; $2: names to leave out, |a|b|.
table() {
    items "$1" | awk -F '\t' -v skip="$2" '
        function cell(text) { gsub(/\|/, "\\|", text); return text }
        {
            comma = index($2, ", ")
            if (index(skip, "|" $1 "|")) { next }
            if (!rows++) { print "| name | value | default | meaning |\n|---|---|---|---|" }
            printf "| `%s` | %s | %s | %s |\n", $1, cell(substr($2, 1, comma - 1)),
                   cell(substr($2, comma + 2)), cell($3)
        }'
}

options='options (each as --name):'
keys='recipe keys (key: value in the file, key=value after it):'
common='|help|quiet|v|vv|'

cat <<'END'
# Options

Written by `make docs` from the program's own `--help`: do not edit. What the commands read and write
is in [cli.md](cli.md), the formulas behind the recipe's keys are in [algorithm.md](algorithm.md).

An option is `--name value` or `--name=value`; one that is true or false needs no value; names of one
letter may have one dash. A list is `a,b`. A size is `38GiB`, `512MB` or a number of bytes.

## Every command

END
"$program" train --help | table "$options" \
    "|json|backend|dtype|threads|seed|memory-limit|plan|resume|overwrite|"
for command in $(commands); do
    help=$("$program" "$command" --help)
    printf '\n## intuitor %s\n\n' "$command"
    printf '%s\n' "$help" | sed -n '1s/^intuitor [a-z]*: \(.*\)/\1./p' |
        awk '{ print toupper(substr($0, 1, 1)) substr($0, 2) }'
    printf '\n```\n'
    printf '%s\n' "$help" | sed -n 's/^usage: //p'
    printf '```\n\n'
    printf '%s\n' "$help" | table "$options" "$common" | grep . || echo 'Those of every command.'
    if printf '%s\n' "$help" | grep -qxF "$keys"; then
        printf '\nAnd the [recipe keys](#recipe-keys).\n'
    fi
    text=$(printf '%s\n' "$help" | notes)
    if test -n "$text"; then printf '\n%s\n' "$text"; fi
    printf '\nExample: `%s`\n' "$(printf '%s\n' "$help" | sed -n 's/^example: //p')"
done

cat <<'END'

## Recipe keys

`key: value` in the recipe, or `key=value` on the command line, where the last one wins. Keys left unset
take the value of the [profile](algorithm.md#profiles), then the default given here.

END
"$program" train --help | table "$keys" ''
cat <<'END'

## Recipe keys without effect

Keys of TRL, transformers and open-r1 that mean nothing here. They are accepted, so that published
recipes run as they are, and listed once at the start of a run. Some of them are refused at values that
would have changed the run (`fp16: true`, `adafactor: true`).

END
grep -o 'NO_EFFECT("[^"]*")' "$root/core/rl/recipe_table.c" | sed 's/NO_EFFECT("\(.*\)")/`\1`/' |
    LC_ALL=C sort | paste -s -d ' ' - | sed 's/ /, /g' | fold -s -w 100 | sed 's/ *$//'
