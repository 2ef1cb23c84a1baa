/* SPDX-License-Identifier: MIT */
/* Letters of answers. Groups of falling priority; in a group the letter that ends last counts. */
#include "tasks/grade/letter.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool starts(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n\f\v");
}

/* A or (A): its end, NULL for anything else. */
static const char *letter_end(const char *at, char *letter_out)
{
    if (*at >= 'A' && *at <= 'D') {
        *letter_out = *at;
        return at + 1;
    }
    if (at[0] != '(' || at[1] < 'A' || at[1] > 'D' || at[2] != ')') { return NULL; }
    *letter_out = at[1];
    return at + 3;
}

static const char *skip_stars(const char *at)
{
    return strncmp(at, "**", 2) == 0 ? at + 2 : at;
}

/* What may follow: a stop, a comma, a colon, a space, the end. Without spaces anything may. */
static bool may_follow(const char *at, bool unspaced)
{
    at = skip_stars(at);
    if (unspaced || *at == '\0' || strchr(".,: ", *at) != NULL) { return true; }
    return (*at == '\n' || *at == '\t') && at[1] == ':';
}

/* A letter at `at` (stars before it are passed) with what may follow it. */
static const char *bounded(const char *at, bool unspaced, char *letter_out)
{
    const char *end = letter_end(skip_stars(at), letter_out);
    return end != NULL && may_follow(end, unspaced) ? end : NULL;
}

/* The same after the start of the text or a space. */
static const char *spaced(const char *text, const char *at, bool unspaced, char *letter_out)
{
    if (*at == ' ') { return bounded(at + 1, unspaced, letter_out); }
    return at == text || unspaced ? bounded(at, unspaced, letter_out) : NULL;
}

/* "final answer is X. I hope"; "final answer ... is X". */
static const char *after_final(const char *at, bool hope, char *letter_out)
{
    enum { GAP = 100 };
    if (!starts(at, "final answer")) { return NULL; }
    at += strlen("final answer");
    for (int gap = 0; gap <= (hope ? 0 : GAP) && *at != '\0' && *at != '\n'; gap++, at++) {
        const char *is = skip_space(at);
        if (is == at || strncmp(is, "is", 2) != 0) { continue; }
        is += is[2] == ':' ? 3 : 2;
        const char *end = letter_end(skip_space(is), letter_out);
        if (end == NULL || !hope) {
            if (end != NULL) { return end; }
            continue;
        }
        if (*end == '.') { end++; }
        if (*end == ' ') { end++; }
        if (strncmp(end, "I hope", 6) == 0) { return end; }
    }
    return NULL;
}

/* "answer: ... X", "answer ... X": the nearest letter that stands alone. */
static const char *after_answer(const char *text, const char *at, bool colon, bool unspaced,
                                char *letter_out)
{
    enum { GAP = 50 };
    static const char chinese[] = "\u7b54\u6848", wide_colon[] = "\uff1a";
    if (starts(at, "answer")) {
        at += strlen("answer");
    } else if (unspaced && starts(at, chinese)) {
        at += strlen(chinese);
    } else {
        return NULL;
    }
    if (colon) {
        if (*at == ' ' && at[1] == ':') { at++; }
        size_t size = *at == ':' ? 1 : strncmp(at, wide_colon, 3) == 0 ? 3 : 0;
        if (size == 0) { return NULL; }
        at += size;
    }
    for (int gap = 0; gap <= GAP; gap++, at++) {
        const char *end = spaced(text, at, unspaced, letter_out);
        if (end != NULL) { return end; }
        if (*at == '\0' || *at == '\n') { break; }
    }
    return NULL;
}

enum group { HOPE, FINAL, COLON, WORD, START, LINE, ALONE, ANY, GROUPS };

static const char *match(enum group group, const char *text, const char *at, bool unspaced,
                         char *letter_out)
{
    switch (group) {
    case HOPE:
    case FINAL: return after_final(at, group == HOPE, letter_out);
    case COLON:
    case WORD: return after_answer(text, at, group == COLON, unspaced, letter_out);
    case START: return at == text ? bounded(at, unspaced, letter_out) : NULL;
    case LINE: return *at == '\n' ? bounded(at + 1, unspaced, letter_out) : NULL;
    case ALONE: return spaced(text, at, unspaced, letter_out);
    default: return letter_end(at, letter_out);
    }
}

char it_letter_find(const char *text, bool unspaced)
{
    for (enum group group = HOPE; group < GROUPS; group++) {
        const char *at = text;
        char found = '\0', letter;
        while (*at != '\0') {
            const char *end = match(group, text, at, unspaced, &letter);
            if (end != NULL) { found = letter; }
            at = end != NULL && end > at ? end : at + 1;
        }
        if (found != '\0') { return found; }
    }
    return '\0';
}
