# SPDX-License-Identifier: MIT
# gcovr's CSV (filename, lines, lines run, ...) in, one line a part of the tree out.
BEGIN {
    FS = ","
    n = split("core core/rl models tasks cli backends", part, " ")
}
NR > 1 {
    for (i = 1; i <= n; i++) {
        if (index($1, part[i] "/") == 1) {
            lines[i] += $2
            run[i] += $3
        }
    }
}
END {
    for (i = 1; i <= n; i++) {
        if (lines[i] > 0) {
            printf "line coverage  %-10s %6.1f %%  (%d of %d)\n", part[i],
                100 * run[i] / lines[i], run[i], lines[i]
        } else {
            printf "line coverage  %-10s      - \n", part[i]
        }
    }
}
