/* SPDX-License-Identifier: MIT */
/* Parts of the literal reader: brackets and words (literal_read.c), strings and numbers
 * (literal_text.c), and making values out of them (literal.c). */
#ifndef IT_TASKS_GRADE_LITERAL_INTERNAL_H
#define IT_TASKS_GRADE_LITERAL_INTERNAL_H

#include "core/base/str.h"
#include "tasks/grade/literal.h"

struct it_literal_reader {
    const char *text; /* ends with a NUL that `size` does not count */
    size_t size, at;
    enum it_literal_syntax syntax;
    int depth; /* of open brackets */
};

/* The character `ahead` of the place, 0 past the end. */
static inline char it_literal_peek(const struct it_literal_reader *reader, size_t ahead)
{
    return reader->size - reader->at > ahead ? reader->text[reader->at + ahead] : '\0';
}

/* A number without sign. `*imaginary_out`: it ends in j. Appends its canonical text. */
bool it_literal_number(struct it_literal_reader *reader, bool *imaginary_out, struct it_str *out);
/* One quoted string; the place is at its prefix or quote. Appends its bytes. */
bool it_literal_string(struct it_literal_reader *reader, bool *bytes_out, struct it_str *out);
/* Whether a string starts at the place, with its prefix. */
bool it_literal_at_string(const struct it_literal_reader *reader);
/* The canonical text of a double; not for NaN. */
void it_literal_real(double value, struct it_str *out);

/* Hashes, sorts and dedupes the items of a container that was read; false when a key or an element
 * cannot be hashed. */
bool it_literal_seal(struct it_literal *literal);
void it_literal_add(struct it_literal *container, size_t *cap, struct it_literal *item);

#endif
