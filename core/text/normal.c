/* SPDX-License-Identifier: MIT */
/* NFC as the tokenizers library computes it, and the two classes of characters that added tokens
 * ask for. */
#include "core/text/internal.h"

#include <stdlib.h>
#include <utf8proc.h>

struct range {
    int32_t first, last;
};

static bool in_ranges(const struct range *range, size_t n, int32_t c)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > range[middle].last) {
            low = middle + 1;
        } else if (c < range[middle].first) {
            high = middle;
        } else {
            return true;
        }
    }
    return false;
}

#define IN(ranges, c) in_ranges(ranges, sizeof(ranges) / sizeof(ranges)[0], c)

/* Starters that no composition reaches and that decompose to nothing else: common scripts only,
 * the rest is merely slower. */
static const struct range stable[] = {
    {0x0000, 0x02ff}, {0x0400, 0x0482},  {0x048a, 0x052f}, {0x0620, 0x063f}, {0x2010, 0x205e},
    {0x20a0, 0x20b9}, {0x2190, 0x21ff},  {0x2200, 0x22ff}, {0x2500, 0x27bf}, {0x3001, 0x3029},
    {0x3041, 0x3096}, {0x309d, 0x30ff},  {0x4e00, 0x9fa5}, {0xac00, 0xd7a3}, {0xff01, 0xffef},
    {0xfffd, 0xfffd}, {0x1f300, 0x1f9ff}};

bool it_nfc_is_stable(const char *text, size_t n)
{
    const utf8proc_uint8_t *byte = (const utf8proc_uint8_t *)text;
    for (size_t i = 0; i < n;) {
        if (byte[i] < 0xcc) { /* up to U+02FF: one or two bytes */
            i += byte[i] < 0x80 ? 1 : 2;
            continue;
        }
        utf8proc_int32_t c;
        utf8proc_ssize_t length = utf8proc_iterate(byte + i, (utf8proc_ssize_t)(n - i), &c);
        if (length <= 0 || !IN(stable, c)) { return false; }
        i += (size_t)length;
    }
    return true;
}

/* The tables of the tokenizers library are older than utf8proc's: to them these marks (and one
 * composition's second half) are unassigned, thus starters that combine with nothing. Text on the
 * two sides of such a character is normalised apart, which is the same thing. Found by comparing
 * the two on every code point, up to Unicode 15. U+11A7 stands before the trailing consonants of
 * Hangul and is none; utf8proc composes it all the same. */
static const struct range unknown[] = {
    {0x07fd, 0x07fd},   {0x0898, 0x089f},   {0x08ca, 0x08d3},   {0x09fe, 0x09fe},
    {0x0c3c, 0x0c3c},   {0x0d3b, 0x0d3c},   {0x0eba, 0x0eba},   {0x11a7, 0x11a7},
    {0x1715, 0x1715},
    {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0x10d24, 0x10d27},
    {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
    {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
    {0x11930, 0x11930}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0},
    {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42},
    {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1},
    {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
    {0x1e4ec, 0x1e4ef}};

static enum it_status add_composed(struct it_str *out, const utf8proc_uint8_t *text, size_t n)
{
    if (n == 0) { return IT_OK; }
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t length =
        utf8proc_map(text, (utf8proc_ssize_t)n, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (length < 0) {
        return it_fail(IT_FAILED, "normalising text to NFC: %s", utf8proc_errmsg(length));
    }
    it_str_add(out, composed, (size_t)length);
    free(composed); /* utf8proc's own malloc */
    return IT_OK;
}

enum it_status it_nfc_add(struct it_str *out, const char *text, size_t n)
{
    const utf8proc_uint8_t *byte = (const utf8proc_uint8_t *)text;
    size_t done = 0;
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t length = utf8proc_iterate(byte + i, (utf8proc_ssize_t)(n - i), &c);
        if (length <= 0) { return it_fail(IT_FAILED, "normalising text that is not UTF-8"); }
        if (IN(unknown, c)) {
            IT_TRY(add_composed(out, byte + done, i - done));
            it_str_add(out, byte + i, (size_t)length);
            done = i + (size_t)length;
        }
        i += (size_t)length;
    }
    return add_composed(out, byte + done, n - done);
}

bool it_is_space(int32_t c)
{
    static const struct range space[] = {
        {0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
        {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
    return IN(space, c);
}

bool it_is_word(int32_t c)
{
    /* joiners, and symbols that are alphabetic without being letters */
    static const struct range others[] = {{0x200c, 0x200d},
                                          {0x24b6, 0x24e9},
                                          {0x1f130, 0x1f149},
                                          {0x1f150, 0x1f169},
                                          {0x1f170, 0x1f189}};
    if (c < 0) { return false; }
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return IN(others, c);
    }
}
