/* SPDX-License-Identifier: MIT */
/* Well-formed UTF-8 (The Unicode Standard, table 3-7). */
#include "core/base/str.h"

/* Length of the well-formed sequence at the start of `bytes`, or 0; then *broken_out is the length
 * of the longest start of a sequence found there, at least 1: what one U+FFFD stands for. */
static size_t sequence(const unsigned char *bytes, size_t n, size_t *broken_out)
{
    unsigned char lead = bytes[0], low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t length;
    *broken_out = 1;
    if (lead < 0x80) { return 1; }
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) { low = 0xA0; }  /* no overlong forms */
        if (lead == 0xED) { high = 0x9F; } /* no surrogates */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) { low = 0x90; }
        if (lead == 0xF4) { high = 0x8F; } /* nothing past U+10FFFF */
    } else {
        return 0;
    }
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
        if (i >= n || bytes[i] < low || bytes[i] > high) { return 0; }
        *broken_out = i + 1;
    }
    return length;
}

size_t it_utf8_valid_prefix(const char *bytes, size_t n)
{
    size_t at = 0, broken;
    while (at < n) {
        size_t length = sequence((const unsigned char *)bytes + at, n - at, &broken);
        if (length == 0) { break; }
        at += length;
    }
    return at;
}

void it_utf8_add_lossy(struct it_str *s, const char *bytes, size_t n)
{
    for (;;) {
        size_t good = it_utf8_valid_prefix(bytes, n), broken;
        it_str_add(s, bytes, good);
        bytes += good;
        n -= good;
        if (n == 0) { return; }
        sequence((const unsigned char *)bytes, n, &broken);
        it_str_puts(s, "\xEF\xBF\xBD");
        bytes += broken;
        n -= broken;
    }
}
