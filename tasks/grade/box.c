/* SPDX-License-Identifier: MIT */
/* Finding \boxed{...} in text. */
#include "tasks/grade/box.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/str.h"

/* The brace that opens a box at text[at], or 0: none begins here. */
static size_t box_open(const char *text, size_t size, size_t at)
{
    static const char *const name[] = {"\\boxed", "\\fbox"};
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(name[i]);
        if (size - at <= length || memcmp(text + at, name[i], length) != 0) { continue; }
        size_t open = at + length;
        while (open < size && strchr(" \t\r\n", text[open]) != NULL && text[open] != '\0') {
            open++;
        }
        if (open < size && text[open] == '{') { return open; }
    }
    return 0;
}

void it_boxes_find(const char *text, size_t size, struct it_boxes *boxes_out)
{
    /* The open braces above the current one: box index + 1, or 0 for a brace that is no box. */
    size_t *stack = NULL, depth = 0, capacity = 0;
    struct it_boxes boxes = {0};
    size_t expected = 0; /* the brace of the last box seen */
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\') {
            size_t open = box_open(text, size, i);
            if (open == 0) { continue; }
            boxes.item = it_grow(boxes.item, &boxes.cap, boxes.n + 1, sizeof *boxes.item);
            boxes.item[boxes.n++] = (struct it_box){i, open, size};
            expected = open;
            i = open - 1;
        } else if (text[i] == '{') {
            stack = it_grow(stack, &capacity, depth + 1, sizeof *stack);
            stack[depth++] = boxes.n > 0 && i == expected ? boxes.n : 0;
        } else if (text[i] == '}' && depth > 0) {
            size_t box = stack[--depth];
            if (box > 0) { boxes.item[box - 1].close = i; }
        }
    }
    it_free(stack);
    *boxes_out = boxes;
}

void it_boxes_free(struct it_boxes *boxes)
{
    it_free(boxes->item);
    *boxes = (struct it_boxes){0};
}

char *it_box_last(const char *text)
{
    struct it_boxes boxes;
    size_t size = strlen(text);
    char *content = NULL;
    it_boxes_find(text, size, &boxes);
    for (size_t i = boxes.n; i > 0 && content == NULL; i--) {
        const struct it_box *box = &boxes.item[i - 1];
        if (box->close == size) { continue; }
        content = it_trimmed(text + box->open + 1, box->close - box->open - 1);
    }
    it_boxes_free(&boxes);
    return content;
}
