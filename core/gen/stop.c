/* SPDX-License-Identifier: MIT */
/* Stop strings over bytes that arrive token by token. A stop string is valid UTF-8, and UTF-8 is
 * self-synchronising: comparing bytes finds it exactly where comparing characters would. Special
 * tokens have no text here, as in the text that people are shown. */
#include <string.h>

#include "core/gen/internal.h"

/* Offset of the first occurrence, or `bytes`. */
static size_t find(const char *text, size_t bytes, const char *string, size_t length)
{
    for (size_t at = 0; length > 0 && at + length <= bytes; at++) {
        const char *hit = memchr(text + at, string[0], bytes - length + 1 - at);
        if (!hit) { break; }
        at = (size_t)(hit - text);
        if (memcmp(hit, string, length) == 0) { return at; }
    }
    return bytes;
}

size_t it_stop_cut(const struct it_strs *stop_strings, const char *text, size_t bytes)
{
    size_t first = bytes;
    for (size_t i = 0; stop_strings && i < stop_strings->n; i++) {
        const char *string = stop_strings->item[i];
        size_t at = find(text, bytes, string, strlen(string));
        if (at < first) { first = at; }
    }
    return first;
}

void it_stop_init(struct it_stop *stop, const struct it_tokenizer *tokenizer,
                  const struct it_strs *strings)
{
    *stop = (struct it_stop){.tokenizer = tokenizer};
    if (!strings || strings->n == 0) { return; }
    stop->strings = strings;
    for (size_t i = 0; i < strings->n; i++) {
        size_t length = strlen(strings->item[i]);
        if (length > stop->longest) { stop->longest = length; }
    }
}

bool it_stop_feed(const struct it_stop *stop, struct it_str *tail, int32_t id)
{
    if (!stop->strings) { return false; }
    it_tokenizer_decode(stop->tokenizer, &id, 1, true, tail);
    if (it_stop_cut(stop->strings, it_str_c(tail), tail->len) < tail->len) { return true; }
    size_t keep = stop->longest - 1; /* a match yet to come begins no earlier */
    if (tail->len > keep) {
        memmove(tail->data, tail->data + tail->len - keep, keep);
        tail->len = keep;
        tail->data[keep] = '\0';
    }
    return false;
}
