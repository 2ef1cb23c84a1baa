/* SPDX-License-Identifier: MIT */
/* LaTeX (and plain) answers: tidying the text, cutting it into tokens, parsing it into a tree. */
#ifndef IT_TASKS_GRADE_LATEX_H
#define IT_TASKS_GRADE_LATEX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"
#include "tasks/grade/expr.h"

/* Which \boxed{} of a fragment are the answer. */
enum it_latex_boxes {
    IT_LATEX_BOXES_ALL,  /* every one, joined by commas */
    IT_LATEX_BOXES_LAST, /* the last, and those before it that are plainly part of one list */
    IT_LATEX_BOXES_TIGHT /* the last, and those before it with nothing but "and" or "," between */
};

/* The content of the boxes of `text`, or the text itself when there is none. */
void it_latex_unbox(const char *text, size_t size, enum it_latex_boxes mode, struct it_str *out);

/* Which units are dropped: none, those in a final \text{}, bare words like "cm" too. */
enum it_latex_units { IT_LATEX_UNITS_KEPT, IT_LATEX_UNITS_TEXT, IT_LATEX_UNITS_ALL };

/* Drops what does not change the value: dollar signs, primes, final punctuation, units. */
void it_latex_tidy(const char *text, size_t size, enum it_latex_units units, struct it_str *out);

enum it_token_kind {
    IT_TOKEN_END,
    IT_TOKEN_NUMBER,   /* digits, perhaps with a point */
    IT_TOKEN_LETTER,   /* one letter of a symbol or product */
    IT_TOKEN_COMMAND,  /* name without the backslash */
    IT_TOKEN_TEXT,     /* the words of a \text{}, without spaces and parentheses */
    IT_TOKEN_RELATION, /* symbol: as in it_expr.name; '~' for approximately */
    IT_TOKEN_BEGIN,    /* environment's name */
    IT_TOKEN_FINISH,
    IT_TOKEN_CHAR /* symbol; '\n' for a row's end, 'B' and 'E' for \{ and \} */
};

struct it_token {
    enum it_token_kind kind;
    char symbol;
    bool spaced; /* a space came before */
    const char *text;
    size_t size;
};

struct it_tokens {
    struct it_token *item;
    size_t n, cap;
};
/* Tokens point into `text` and into the pool. False when the text is too long. */
bool it_latex_lex(const char *text, size_t size, struct it_expr_pool *pool,
                  struct it_tokens *tokens_out);
void it_tokens_free(struct it_tokens *tokens);

/* The same text, or the same tokens: \dfrac12 and \frac12. */
bool it_latex_same(const char *a, const char *b);

/* The tree of a tidied text; NULL when it is not understood. With `fold_case` symbols that differ
 * in case alone are the same. */
struct it_expr *it_latex_parse(const char *text, size_t size, bool fold_case,
                               struct it_expr_pool *pool);

#endif
