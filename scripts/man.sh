#!/bin/sh
# SPDX-License-Identifier: MIT
# man.sh PROGRAM FOLDER: intuitor.1 and a page for each command in FOLDER, from what the program says
# of itself. `make docs` runs it; tests/check_docs.sh sees to it that this was done.
set -eu
program=$1
folder=$2
version=$("$program" --version | sed 's/^intuitor \([^ ]*\).*/\1/')

# shellcheck source=scripts/help.sh
. "$(dirname "$0")/help.sh"

# Text as troff wants it: no line begins with a control character, a backslash is a character.
escape() {
    sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"
}

head_of() {
    printf '.\\" SPDX-License-Identifier: MIT\n.\\" Written by scripts/man.sh: do not edit.\n'
    printf '.TH %s 1 "" "intuitor %s" "Intuitor"\n.nh\n.ad l\n' \
        "$(printf '%s' "$1" | tr '[:lower:]' '[:upper:]' | sed 's/-/\\-/g')" "$version"
}

# The list that begins with line $1; $2 comes before each name.
list() {
    items "$1" | awk -F '\t' -v dash="$2" '
        function troff(text) {
            gsub(/\\/, "\\e", text)
            gsub(/-/, "\\-", text)
            return text
        }
        {
            print ".TP"
            printf ".B %s\n", troff((length($1) == 1 ? substr(dash, 1, 1) : dash) $1)
            if ($2 != "true or false, false" || dash == "") { printf "(%s) ", troff($2) }
            text = troff($3)
            print (text ~ /^[.\047]/ ? "\\&" : "") text
        }'
}

exit_status() {
    cat <<'END'
.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
failed at run time, records were left out, or what was compared differs
.TP
.B 2
wrong usage or bad input; nothing was started
.TP
.B 3
stopped by a guard
.TP
.B 75
interrupted by a signal; a run can be resumed
END
}

page() {
    command=$1
    help=$("$program" "$command" --help)
    head_of "intuitor-$command"
    printf '.SH NAME\n'
    printf '%s\n' "$help" | sed -n '1s/^intuitor \([a-z]*\): /intuitor-\1 - /p' |
        sed -e 's/-/\\-/g'
    printf '.SH SYNOPSIS\n.B intuitor %s\n' "$command"
    printf '%s\n' "$help" | sed -n "s/^usage: intuitor $command //p" | escape
    printf '.SH OPTIONS\nA value is the next word, or follows after =.\n'
    printf '%s\n' "$help" | list 'options (each as --name):' --
    if printf '%s\n' "$help" | grep -q '^recipe keys ('; then
        printf '.SH RECIPE KEYS\n'
        if test "$command" = train; then
            printf 'As key: value in the recipe, or key=value after it.\n'
            printf '%s\n' "$help" |
                list 'recipe keys (key: value in the file, key=value after it):' ''
        else
            printf 'Those of\n.BR intuitor\\-train (1).\n'
        fi
    fi
    text=$(printf '%s\n' "$help" | notes)
    if test -n "$text"; then printf '.SH NOTES\n%s\n' "$(printf '%s\n' "$text" | escape | sed 's/^$/.PP/')"; fi
    exit_status
    printf '.SH EXAMPLE\n.nf\n%s\n.fi\n' \
        "$(printf '%s\n' "$help" | sed -n 's/^example: //p' | escape)"
    printf '.SH SEE ALSO\n.BR intuitor (1)\n'
}

main_page() {
    head_of intuitor
    cat <<'END'
.SH NAME
intuitor \- train language models on their own confidence
.SH SYNOPSIS
.B intuitor
.I COMMAND
[options]
.br
.B intuitor
.I COMMAND
.B \-\-help
.br
.B intuitor \-\-version
.SH DESCRIPTION
Intuitor trains language models by reinforcement learning from internal feedback: the reward of an
answer is the model's own self\-certainty, the mean divergence of its next\-token distributions from the
uniform one. Rewards from gold answers (GRPO), from a plurality vote and from other statistics of the
model are there, too. Models are read and written as Hugging Face folders.
.SH COMMANDS
END
    "$program" --help | sed -n 's/^  \([a-z][a-z]*\)  *\([^ ].*\)/\1 \2/p' |
        while read -r name summary; do
            printf '.TP\n.BR intuitor\\-%s (1)\n%s\n' "$name" "$(printf '%s' "$summary" | escape)"
        done
    exit_status
    cat <<'END'
.SH ENVIRONMENT
.TP
.B INTUITOR_DATA
folder with the data sets of the tasks
.TP
.B INTUITOR_BACKEND
what \-\-backend auto means
.TP
.B INTUITOR_ISA
best instruction set that the cpu backend may use: portable, avx2, avx512 or amx
.SH EXAMPLE
.nf
intuitor train recipes/demo.yaml
.fi
END
    printf '.SH SEE ALSO\n'
    commands | sed 's/.*/.BR intuitor\\-& (1),/; $s/,$//'
}

main_page >"$folder/intuitor.1"
for name in $(commands); do page "$name" >"$folder/intuitor-$name.1"; done
