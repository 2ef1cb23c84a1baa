/* SPDX-License-Identifier: MIT */
/* Option letters. The official regular expressions, written as scans: two of the originals take
 * quadratic time, minutes on real outputs.
 *   first   answer is \(?([A-J])\)?        leftmost
 *   second  .*[aA]nswer:\s*([A-J])         the last one that begins on the first line that has one
 *   last    \b[A-J]\b                      rightmost; words are Unicode's, as in Python */
#include "tasks/grade/mmlu_letter.h"

#include <stdbool.h>
#include <string.h>

#include <utf8proc.h>

static bool is_letter(char c)
{
    return c >= 'A' && c <= 'J';
}

static bool begins(const char *text, size_t size, const char *word)
{
    size_t n = strlen(word);
    return size >= n && memcmp(text, word, n) == 0;
}

static char find_first(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] != 'a' || !begins(text + i, size - i, "answer is ")) { continue; }
        size_t at = i + 10;
        if (at < size && text[at] == '(') { at++; }
        if (at < size && is_letter(text[at])) { return text[at]; }
    }
    return 0;
}

static bool is_space(utf8proc_int32_t c)
{
    utf8proc_category_t kind = utf8proc_category(c);
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 ||
           kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
           kind == UTF8PROC_CATEGORY_ZP;
}

/* Bytes of the white space (Python's \s) at the beginning. */
static size_t spaces(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                              (utf8proc_ssize_t)(size - at), &c);
        if (n <= 0 || !is_space(c)) { break; }
        at += (size_t)n;
    }
    return at;
}

static char find_second(const char *text, size_t size)
{
    char found = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' && found) { return found; }
        if ((text[i] != 'a' && text[i] != 'A') || !begins(text + i + 1, size - i - 1, "nswer:")) {
            continue;
        }
        size_t at = i + 7;
        at += spaces(text + at, size - at);
        if (at < size && is_letter(text[at])) { found = text[at]; }
    }
    return found;
}

static bool is_word(utf8proc_int32_t c)
{
    if (c == '_') { return true; }
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return false;
    }
}

/* Malformed bytes are no words. */
static bool word_after(const char *text, size_t size)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &c);
    return n > 0 && is_word(c);
}

static bool word_before(const char *text, size_t at)
{
    size_t from = at;
    while (from > 0 && at - from < 4) {
        from--;
        if (((unsigned char)text[from] & 0xC0) != 0x80) { break; }
    }
    return from < at && word_after(text + from, at - from);
}

static char find_last(const char *text, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        if (is_letter(text[i]) && !word_after(text + i + 1, size - i - 1) &&
            !word_before(text, i)) {
            return text[i];
        }
    }
    return 0;
}

char it_mmlu_letter(const char *text, size_t size, enum it_mmlu_stage last,
                    enum it_mmlu_stage *stage_out)
{
    static char (*const stages[])(const char *, size_t) = {
        [IT_MMLU_FIRST] = find_first,
        [IT_MMLU_SECOND] = find_second,
        [IT_MMLU_LAST] = find_last,
    };
    for (int stage = IT_MMLU_FIRST; stage <= (int)last; stage++) {
        char letter = stages[stage](text, size);
        if (letter) {
            *stage_out = (enum it_mmlu_stage)stage;
            return letter;
        }
    }
    *stage_out = IT_MMLU_NONE;
    return 0;
}
