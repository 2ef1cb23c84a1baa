# SPDX-License-Identifier: MIT
# Read by man.sh and options_md.sh, which set $program: what the program says of itself.
# shellcheck shell=sh disable=SC2154

commands() {
    "$program" --help | sed -n 's/^  \([a-z][a-z]*\)  *[^ ].*/\1/p'
}

# What follows the lists of --help and comes before the example: notes in words.
notes() {
    awk '
        /^example: / { exit }
        /^(options|recipe keys) \(/ { seen = 1; inside = 1; next }
        inside && /^  / { next }
        { inside = 0 }
        seen && !(NF == 0 && !said) { said = 1; print }'
}
