/* SPDX-License-Identifier: MIT */
/* Python literals as values: read from source text (what ast.literal_eval takes), from JSON as
 * Python's json reads it, or from what our drivers send home; and compared as Python's == does:
 * True == 1 == 1.0, a list is no tuple, dict and set have no order, str is no bytes. Work and depth
 * are bounded; what cannot be read is no literal. */
#ifndef IT_TASKS_GRADE_LITERAL_H
#define IT_TASKS_GRADE_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum it_literal_kind {
    IT_LITERAL_NONE,
    IT_LITERAL_ELLIPSIS,
    IT_LITERAL_NUMBER, /* int, bool, float, complex: `text` is the value in one way of writing */
    IT_LITERAL_NAN,    /* equal to nothing */
    IT_LITERAL_STR,    /* `text` in UTF-8, half pairs of surrogates as three bytes each */
    IT_LITERAL_BYTES,
    IT_LITERAL_LIST,
    IT_LITERAL_TUPLE,
    IT_LITERAL_SET,  /* sorted by hash, no element twice */
    IT_LITERAL_DICT  /* key, value, key, value; sorted by the keys' hash */
};

struct it_literal {
    enum it_literal_kind kind;
    char *text; /* owned */
    size_t size;
    struct it_literal *item; /* owned, [n] */
    size_t n;
    uint64_t hash; /* equal values have equal hashes */
};

enum it_literal_syntax {
    IT_LITERAL_PYTHON,
    IT_LITERAL_JSON,
    IT_LITERAL_REPLY /* Python, and nan and inf as words, as drivers send them */
};

/* The whole of text[0..size) is one literal, with space and comments around it. Nothing is
 * returned, and nothing is to be freed, when it is not. */
bool it_literal_read(const char *text, size_t size, enum it_literal_syntax syntax,
                     struct it_literal *literal_out);
/* What stands behind `assert gold == ` in CRUXEval: a literal, then perhaps a message after a
 * comma, a comment, and further lines that are literals themselves. */
bool it_literal_read_asserted(const char *text, size_t size, struct it_literal *literal_out);
bool it_literal_equal(const struct it_literal *a, const struct it_literal *b);
void it_literal_free(struct it_literal *literal);

#endif
