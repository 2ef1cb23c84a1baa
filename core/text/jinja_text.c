/* SPDX-License-Identifier: MIT */
/* Characters as Python's str sees them. Texts are UTF-8 and valid. */
#include <string.h>
#include <utf8proc.h>

#include "core/text/jinja_case.h"
#include "core/text/jinja_internal.h"

int32_t it_jchar_at(const char *text, size_t n, size_t *bytes_out)
{
    utf8proc_int32_t c = 0xfffd;
    if ((unsigned char)*text < 0x80) {
        *bytes_out = 1;
        return (unsigned char)*text;
    }
    utf8proc_ssize_t bytes =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &c);
    *bytes_out = bytes > 0 ? (size_t)bytes : 1;
    return bytes > 0 ? c : 0xfffd;
}

void it_jchar_add(struct it_str *out, int32_t c)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);
    it_str_add(out, bytes, (size_t)n);
}

size_t it_jchars(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) { count += ((unsigned char)text[i] & 0xc0) != 0x80; }
    return count;
}

size_t it_jchars_skip(const char *text, size_t n, size_t count)
{
    size_t i = 0;
    for (; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) == 0x80) { continue; }
        if (count-- == 0) { break; }
    }
    return i;
}

bool it_jspace(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

bool it_jprintable(int32_t c)
{
    if (c == ' ') { return true; }
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
    }
}

static bool in_set(const struct it_jvalue *set, int32_t c)
{
    if (!set) { return it_jspace(c); }
    for (size_t at = 0, bytes; at < set->n; at += bytes) {
        if (it_jchar_at(set->u.text + at, set->n - at, &bytes) == c) { return true; }
    }
    return false;
}

void it_jstrip(const char *text, size_t n, const struct it_jvalue *set, bool left, bool right,
               size_t *begin_out, size_t *end_out)
{
    size_t begin = 0, end = n, bytes;
    while (left && begin < end && in_set(set, it_jchar_at(text + begin, end - begin, &bytes))) {
        begin += bytes;
    }
    while (right && end > begin) {
        size_t last = end - 1;
        while (last > begin && ((unsigned char)text[last] & 0xc0) == 0x80) { last--; }
        if (!in_set(set, it_jchar_at(text + last, end - last, &bytes))) { break; }
        end = last;
    }
    *begin_out = begin;
    *end_out = end;
}

const char *it_jfind(const char *text, size_t n, const struct it_jvalue *what)
{
    const char *end = text + n;
    if (what->n == 0) { return text; }
    for (; (size_t)(end - text) >= what->n; text++) {
        text = memchr(text, what->u.text[0], (size_t)(end - text) - what->n + 1);
        if (!text || memcmp(text, what->u.text, what->n) == 0) { return text; }
    }
    return NULL;
}

void it_jescape_add(struct it_str *out, const char *text, size_t n)
{
    static const char plain[] = "&<>'\"";
    static const char *const written[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    for (size_t i = 0; i < n; i++) {
        const char *found = text[i] ? strchr(plain, text[i]) : NULL;
        if (found) {
            it_str_puts(out, written[found - plain]);
        } else {
            it_str_putc(out, text[i]);
        }
    }
}

/* ---- case ---- */

bool it_jcased(int32_t c, bool *upper_out)
{
    *upper_out = utf8proc_isupper(c) != 0;
    return *upper_out || utf8proc_islower(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_LT;
}

static const struct it_jcase_row *find_row(int32_t c)
{
    size_t low = 0, high = sizeof it_jcase_rows / sizeof *it_jcase_rows;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (it_jcase_rows[middle].from == c) { return &it_jcase_rows[middle]; }
        if (it_jcase_rows[middle].from < c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static void add_all(struct it_str *out, const uint16_t to[3])
{
    for (int i = 0; i < 3 && to[i]; i++) { it_jchar_add(out, to[i]); }
}

static void add_upper(struct it_str *out, int32_t c, bool title)
{
    const struct it_jcase_row *row = c < 0x80 ? NULL : find_row(c);
    if (row) {
        add_all(out, title ? row->title : row->upper);
    } else {
        it_jchar_add(out, title ? utf8proc_totitle(c) : utf8proc_toupper(c));
    }
}

/* Characters that stand between letters without ending a word's case: marks, apostrophes. */
static bool case_ignorable(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: break;
    }
    return c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x387 || c == 0x55f ||
           c == 0x5f4 || c == 0x2018 || c == 0x2019 || c == 0x2024 || c == 0x2027 ||
           c == 0xfe13 || c == 0xfe52 || c == 0xfe55 || c == 0xff07 || c == 0xff0e || c == 0xff1a;
}

/* A sigma at the end of a word has a form of its own: a letter before it, none behind. */
static bool sigma_is_final(const char *text, size_t n, size_t at, size_t next)
{
    bool before = false, upper;
    while (at > 0) {
        size_t bytes, last = at - 1;
        while (last > 0 && ((unsigned char)text[last] & 0xc0) == 0x80) { last--; }
        int32_t c = it_jchar_at(text + last, at - last, &bytes);
        at = last;
        if (case_ignorable(c)) { continue; }
        before = it_jcased(c, &upper);
        break;
    }
    while (next < n) {
        size_t bytes;
        int32_t c = it_jchar_at(text + next, n - next, &bytes);
        next += bytes;
        if (!case_ignorable(c)) { return before && !it_jcased(c, &upper); }
    }
    return before;
}

static void add_lower(struct it_str *out, const char *text, size_t n, size_t at, size_t next,
                      int32_t c)
{
    if (c == 0x3a3) {
        it_jchar_add(out, sigma_is_final(text, n, at, next) ? 0x3c2 : 0x3c3);
    } else if (c == 0x130) {
        it_str_puts(out, "i\xCC\x87");
    } else {
        it_jchar_add(out, utf8proc_tolower(c));
    }
}

void it_jcase_add(struct it_str *out, const char *text, size_t n, enum it_jcase how)
{
    bool inside = false, upper; /* inside: the character before has case */
    for (size_t at = 0, bytes; at < n; at += bytes) {
        int32_t c = it_jchar_at(text + at, n - at, &bytes);
        bool first = how == IT_JTITLE ? !inside : how == IT_JCAPITAL && at == 0;
        if (first) {
            add_upper(out, c, true);
        } else if (how == IT_JUPPER) {
            add_upper(out, c, false);
        } else {
            add_lower(out, text, n, at, at + bytes, c);
        }
        inside = it_jcased(c, &upper);
    }
}
