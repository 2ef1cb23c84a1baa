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

# The list of --help that begins with line $1, as NAME, tab, "VALUE, DEFAULT", tab, MEANING.
items() {
    awk -v begin="$1" '
        $0 == begin { inside = 1; next }
        inside && !/^  / { inside = 0 }
        inside {
            line = substr($0, 3)
            open = index(line, " (")
            shut = index(line, "): ")
            printf "%s\t%s\t%s\n", substr(line, 1, open - 1),
                   substr(line, open + 2, shut - open - 2), substr(line, shut + 3)
        }'
}
