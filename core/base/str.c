/* SPDX-License-Identifier: MIT */
/* Growing byte strings, lists of strings, the closest name. */
#include "core/base/str.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

void it_str_free(struct it_str *s)
{
    it_free(s->data);
    *s = (struct it_str){0};
}

void it_str_clear(struct it_str *s)
{
    s->len = 0;
    if (s->data) { s->data[0] = '\0'; }
}

/* Room for `count` more bytes and the NUL. */
static char *reserve(struct it_str *s, size_t count)
{
    size_t need = s->len + count + 1;
    if (need <= s->len) { need = SIZE_MAX; } /* past any size: it_grow stops the program */
    s->data = it_grow(s->data, &s->cap, need, 1);
    return s->data + s->len;
}

void it_str_add(struct it_str *s, const void *bytes, size_t count)
{
    char *end = reserve(s, count);
    if (count) { memcpy(end, bytes, count); }
    end[count] = '\0';
    s->len += count;
}

void it_str_puts(struct it_str *s, const char *text)
{
    it_str_add(s, text, strlen(text));
}

void it_str_putc(struct it_str *s, char c)
{
    it_str_add(s, &c, 1);
}

void it_str_printf(struct it_str *s, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int count = vsnprintf(NULL, 0, format, arguments);
    if (count > 0) {
        char *end = reserve(s, (size_t)count);
        vsnprintf(end, (size_t)count + 1, format, again);
        s->len += (size_t)count;
    }
    va_end(again);
    va_end(arguments);
}

const char *it_str_c(const struct it_str *s)
{
    return s->data ? s->data : "";
}

char *it_str_take(struct it_str *s)
{
    char *data = s->data ? s->data : it_strdup("");
    *s = (struct it_str){0};
    return data;
}

void it_strs_add(struct it_strs *list, const char *text)
{
    list->item = it_grow(list->item, &list->cap, list->n + 1, sizeof *list->item);
    list->item[list->n++] = it_strdup(text);
}

void it_strs_free(struct it_strs *list)
{
    for (size_t i = 0; i < list->n; i++) { it_free(list->item[i]); }
    it_free(list->item);
    *list = (struct it_strs){0};
}

bool it_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool it_ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && memcmp(text + length - tail, suffix, tail) == 0;
}

char *it_trimmed(const char *text, size_t size)
{
    static const char space[] = {' ', '\t', '\r', '\n', '\f', '\v'};
    while (size > 0 && memchr(space, *text, sizeof space) != NULL) {
        text++;
        size--;
    }
    while (size > 0 && memchr(space, text[size - 1], sizeof space) != NULL) { size--; }
    return it_strndup(text, size);
}

enum { LONGEST_WORD = 128 }; /* longer ones are nobody's misspelt name */

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters inserted, dropped, replaced, or two neighbours swapped; upper and lower case alike. Both
 * words are at most LONGEST_WORD letters. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][LONGEST_WORD + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++) { last[j] = j; }
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replaced = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            row[j] = least(replaced, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1])) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[m];
}

const char *it_closest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX, length = strlen(word);
    if (length > LONGEST_WORD) { return NULL; }
    for (size_t i = 0; i < n; i++) {
        size_t letters = strlen(names[i]);
        if (letters > LONGEST_WORD) { continue; }
        size_t distance = edit_distance(word, length, names[i], letters);
        size_t longer = length > letters ? length : letters;
        if (3 * distance <= longer && distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}
