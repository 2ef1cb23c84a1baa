/* SPDX-License-Identifier: MIT */
/* Recognising formulas, numbers and expressions at a place of a text. Each function says where the
 * thing ends, 0 when there is none. Work is linear over a whole text. */
#ifndef IT_TASKS_GRADE_SCAN_H
#define IT_TASKS_GRADE_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct it_scan {
    const char *text;
    size_t size;
    bool loose_groups, unspaced;
    /* no "$$", "\]" or "\)" ends a formula from these places on: the search is not repeated */
    size_t no_dollars, no_bracket, no_paren;
};

struct it_formula {
    size_t from, to; /* what is between the delimiters */
    bool percent;    /* a percent mark follows */
};

enum { IT_FORMULAS = 6 }; /* most in a list: "$1$, $2$ and $3$" */

/* A list of formulas at `at`; their number in *n_out. */
size_t it_scan_formulas(struct it_scan *scan, size_t at, struct it_formula *formula, int *n_out);

struct it_plain {
    size_t from, to; /* the number or expression itself */
    bool expression, percent;
    bool grouped; /* commas and spaces stand between thousands */
};
/* A number or expression whose prefix (space, "=", currency) begins at `at`. */
size_t it_scan_number(const struct it_scan *scan, size_t at, struct it_plain *plain);
size_t it_scan_expression(const struct it_scan *scan, size_t at, struct it_plain *plain);

#endif
