/* SPDX-License-Identifier: MIT */
/* Finding \boxed{...} in text. */
#ifndef IT_TASKS_GRADE_BOX_H
#define IT_TASKS_GRADE_BOX_H

#include <stddef.h>

struct it_box {
    size_t start, open, close; /* the backslash, the brace, the closing brace */
};

struct it_boxes {
    struct it_box *item;
    size_t n, cap;
};

/* Every \boxed{ (and \fbox{; spaces may stand before the brace) of the text in order of their
 * start, nested ones too; `close` is `size` for one that is not closed. Linear in the size. */
void it_boxes_find(const char *text, size_t size, struct it_boxes *boxes_out);
void it_boxes_free(struct it_boxes *boxes);

/* The trimmed content of the last complete \boxed{...}; NULL when there is none. The caller
 * frees. */
char *it_box_last(const char *text);

#endif
