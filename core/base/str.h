/* SPDX-License-Identifier: MIT */
/* A growing byte string; always followed by a NUL that `len` does not count. Zero-initialise to
 * start, it_str_free to end. */
#ifndef IT_BASE_STR_H
#define IT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/log.h"
#include "core/base/status.h"

struct it_str {
    char *data; /* NULL while nothing was added: read it through it_str_c */
    size_t len, cap;
};

void it_str_free(struct it_str *s);
void it_str_clear(struct it_str *s); /* keeps the memory */
void it_str_add(struct it_str *s, const void *bytes, size_t count);
void it_str_puts(struct it_str *s, const char *text);
void it_str_putc(struct it_str *s, char c);
void it_str_printf(struct it_str *s, const char *format, ...) IT_PRINTF(2, 3);
const char *it_str_c(const struct it_str *s); /* never NULL */
char *it_str_take(struct it_str *s);          /* the caller frees; s is empty again */

/* A list of owned strings. */
struct it_strs {
    char **item;
    size_t n, cap;
};
void it_strs_add(struct it_strs *list, const char *text);
void it_strs_free(struct it_strs *list);

bool it_starts_with(const char *text, const char *prefix);
bool it_ends_with(const char *text, const char *suffix);
/* A copy without the white space of ASCII at either end; the caller frees. */
char *it_trimmed(const char *text, size_t size);

/* The entry of `names` closest to `word` by edit distance, or NULL when none is near enough to be
 * what was meant (more than a third of the letters differ). */
const char *it_closest(const char *word, const char *const *names, size_t n);

/* "38GiB", "512 MB", "1.5g", "1024" -> bytes. GiB and G are 2^30; GB is 10^9. */
enum it_status it_parse_size(const char *text, int64_t *bytes_out);
/* 13421772800 -> "12.5 GiB", into a caller's buffer of at least 16 bytes, which is returned. */
char *it_format_size(int64_t bytes, char *buffer, size_t size);

/* Length of the longest prefix that is valid UTF-8 (== n when all of it is). */
size_t it_utf8_valid_prefix(const char *bytes, size_t n);
/* Append with every malformed sequence replaced by U+FFFD as Python's errors="replace" does. */
void it_utf8_add_lossy(struct it_str *s, const char *bytes, size_t n);

#endif
