/* SPDX-License-Identifier: MIT */
/* Recognising formulas, numbers and expressions at a place of a text. */
#include "tasks/grade/scan.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has(const struct it_scan *scan, size_t at, const char *word)
{
    size_t size = strlen(word);
    return at <= scan->size && scan->size - at >= size && memcmp(scan->text + at, word, size) == 0;
}

static size_t skip_space(const struct it_scan *scan, size_t at)
{
    while (at < scan->size && is_space(scan->text[at])) { at++; }
    return at;
}

/* Spaces and a percent word after `at`; 0 when there is none. */
static size_t skip_percent(const struct it_scan *scan, size_t at)
{
    static const char *const word[] = {"\\%", "%", "percentage", "percent", "pct"};
    at = skip_space(scan, at);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        if (has(scan, at, word[i])) { return at + strlen(word[i]); }
    }
    return 0;
}

/* ---- formulas ---- */

/* The closing delimiter at or after `at`; remembers when there is none. */
static size_t find_close(const struct it_scan *scan, size_t at, const char *close, bool one_line,
                         size_t *none_from)
{
    if (at >= *none_from) { return 0; }
    for (size_t i = at; i < scan->size; i++) {
        if (one_line && scan->text[i] == '\n') { return 0; }
        /* behind a backslash it closes nothing, and no formula goes on beyond it */
        if (has(scan, i, close)) { return scan->text[i - 1] != '\\' ? i : 0; }
    }
    *none_from = at;
    return 0;
}

/* $...$ on one line: no bare dollar inside, the opening one not after a digit or backslash. */
static size_t inline_dollars(const struct it_scan *scan, size_t at, struct it_formula *formula)
{
    if (at > 0 && (scan->text[at - 1] == '\\' || is_digit(scan->text[at - 1]))) { return 0; }
    for (size_t i = at + 1; i < scan->size && scan->text[i] != '\n'; i++) {
        if (scan->text[i] != '$' || scan->text[i - 1] == '\\') { continue; }
        if (i == at + 1) { return 0; }
        *formula = (struct it_formula){at + 1, i, false};
        return i + 1;
    }
    return 0;
}

/* " [...] " on one line without inner brackets. */
static size_t spaced_brackets(const struct it_scan *scan, size_t at, struct it_formula *formula)
{
    if (at + 1 >= scan->size || !is_space(scan->text[at]) || scan->text[at + 1] != '[') {
        return 0;
    }
    for (size_t i = at + 2; i < scan->size && scan->text[i] != '\n' && scan->text[i] != '['; i++) {
        if (scan->text[i] != ']') { continue; }
        if (i == at + 2 || i + 1 >= scan->size || !is_space(scan->text[i + 1])) { return 0; }
        *formula = (struct it_formula){at + 2, i, false};
        return i + 1;
    }
    return 0;
}

static size_t braced_number(const struct it_scan *scan, size_t at)
{
    if (!has(scan, at, "{")) { return 0; }
    size_t digits = 0;
    at += has(scan, at + 1, "-") ? 2 : 1;
    for (; at < scan->size && (is_digit(scan->text[at]) || strchr(".,", scan->text[at])); at++) {
        if (scan->text[at] == '\0') { return 0; }
        digits++;
    }
    return digits > 0 && has(scan, at, "}") ? at + 1 : 0;
}

/* \frac{n}{m} without delimiters. */
static size_t bare_fraction(const struct it_scan *scan, size_t at, struct it_formula *formula)
{
    size_t from = at;
    if (has(scan, at, "-")) { at++; }
    if (!has(scan, at, "\\frac")) { return 0; }
    size_t end = braced_number(scan, at + strlen("\\frac"));
    end = end > 0 ? braced_number(scan, end) : 0;
    if (end > 0) { *formula = (struct it_formula){from, end, false}; }
    return end;
}

static size_t one_formula(struct it_scan *scan, size_t at, struct it_formula *formula)
{
    if (at >= scan->size) { return 0; }
    size_t close;
    char c = scan->text[at];
    if (has(scan, at, "$$") && (at == 0 || scan->text[at - 1] != '\\')) {
        close = find_close(scan, at + 3, "$$", false, &scan->no_dollars);
        if (close > 0) {
            *formula = (struct it_formula){at + 2, close, false};
            return close + 2;
        }
    }
    bool escaped = at > 0 && scan->text[at - 1] == '\\';
    if (has(scan, at, "\\[") && !escaped) {
        close = find_close(scan, at + 2, "\\]", false, &scan->no_bracket);
        *formula = (struct it_formula){at + 2, close, false};
        return close > at + 2 ? close + 2 : 0;
    }
    if (c == '$') { return inline_dollars(scan, at, formula); }
    if (has(scan, at, "\\(") && !escaped) {
        close = find_close(scan, at + 2, "\\)", true, &scan->no_paren);
        *formula = (struct it_formula){at + 2, close, false};
        return close > at + 2 ? close + 2 : 0;
    }
    if (is_space(c)) { return spaced_brackets(scan, at, formula); }
    return c == '-' || c == '\\' ? bare_fraction(scan, at, formula) : 0;
}

/* "," "and" "or" ",and" ",or" between formulas, in spaces; `at` itself when there is none. */
static size_t skip_joint(const struct it_scan *scan, size_t at)
{
    size_t next = skip_space(scan, at), start = next;
    if (has(scan, next, ",")) { next++; }
    if (has(scan, next, "and")) {
        next += 3;
    } else if (has(scan, next, "or")) {
        next += 2;
    }
    return next > start ? skip_space(scan, next) : at;
}

size_t it_scan_formulas(struct it_scan *scan, size_t at, struct it_formula *formula, int *n_out)
{
    size_t end = 0;
    int n = 0;
    while (n < IT_FORMULAS) {
        size_t next = one_formula(scan, at, &formula[n]);
        if (next == 0) { break; }
        size_t percent = skip_percent(scan, next);
        formula[n].percent = percent > 0;
        end = percent > 0 ? percent : next;
        n++;
        at = skip_joint(scan, end);
        if (at == end) { break; }
    }
    *n_out = n;
    return end;
}

/* ---- numbers and expressions ---- */

static const char *const currencies[] = {
    "$",      "\u20ac", "\u00a3", "\u00a5", "\u20b9", "\u20bd", "\u20a9", "\u20ba", "\u20ab",
    "\u20b1", "\u20b4", "\u20a6", "\u20aa", "\u0e3f", "\u20a1", "\u20a8", "\u20b8", "\u20bc",
};

/* Start of text, a space or "="; then perhaps "**" and (before numbers) a currency sign. False: no
 * number may begin here. A prefix that is a character is part of the match. */
static bool skip_prefix(const struct it_scan *scan, bool currency, size_t *at)
{
    size_t i = *at;
    if (scan->unspaced) {
        if (i < scan->size && (is_space(scan->text[i]) || scan->text[i] == '=')) { i++; }
    } else if (i > 0 || (i < scan->size && (is_space(scan->text[i]) || scan->text[i] == '='))) {
        if (i >= scan->size || (!is_space(scan->text[i]) && scan->text[i] != '=')) { return false; }
        i++;
    }
    if (has(scan, i, "**")) { i += 2; }
    char sign = i < scan->size ? scan->text[i] : ' ';
    currency = currency && (sign == '$' || (unsigned char)sign >= 0x80);
    for (size_t k = 0; currency && k < sizeof currencies / sizeof *currencies; k++) {
        if (has(scan, i, currencies[k])) {
            i += strlen(currencies[k]);
            break;
        }
    }
    *at = i;
    return i < scan->size;
}

static size_t digits_end(const struct it_scan *scan, size_t at)
{
    while (at < scan->size && is_digit(scan->text[at])) { at++; }
    return at;
}

static bool three_digits(const struct it_scan *scan, size_t at)
{
    return at + 2 < scan->size && is_digit(scan->text[at]) && is_digit(scan->text[at + 1]) &&
           is_digit(scan->text[at + 2]);
}

/* 1,234,567.89 or 1 234 567. */
static size_t grouped(const struct it_scan *scan, size_t at)
{
    size_t lead = digits_end(scan, at) - at;
    if (lead == 0 || lead > 3 || (scan->text[at] == '0' && !scan->loose_groups)) { return 0; }
    size_t end = at + lead;
    int groups = 0;
    while (end < scan->size && (scan->text[end] == ',' || scan->text[end] == ' ') &&
           three_digits(scan, end + 1)) {
        end += 4;
        groups++;
    }
    if (groups == 0) { return 0; }
    if (has(scan, end, ".") && digits_end(scan, end + 1) > end + 1) {
        end = digits_end(scan, end + 1);
    }
    return end;
}

static size_t number_end(const struct it_scan *scan, size_t at)
{
    size_t end = grouped(scan, at);
    if (end > 0) { return end; }
    end = digits_end(scan, at);
    bool point =
        end < scan->size && (scan->text[end] == '.' || (scan->text[end] == ',' && end > at));
    if (point && digits_end(scan, end + 1) > end + 1) { return digits_end(scan, end + 1); }
    return end > at ? end : 0;
}

size_t it_scan_number(const struct it_scan *scan, size_t at, struct it_plain *plain)
{
    if (!skip_prefix(scan, true, &at)) { return 0; }
    size_t from = at;
    if (scan->text[at] == '-') { at++; }
    size_t end = number_end(scan, at);
    if (end == 0) { return 0; }
    size_t percent = skip_percent(scan, end);
    *plain = (struct it_plain){
        .from = from, .to = end, .percent = percent > 0, .grouped = grouped(scan, at) > 0};
    return percent > 0 ? percent : end;
}

/* The bytes of one character of an expression, 0 for any other. */
static size_t expression_char(const struct it_scan *scan, size_t at, bool *operator_out)
{
    *operator_out = false;
    if (at >= scan->size) { return 0; }
    char c = scan->text[at];
    if (is_digit(c) || c == '.' || c == ' ' || c == '\t') { return 1; }
    *operator_out = true;
    if (c != '\0' && strchr("+-*/^()", c) != NULL) { return 1; }
    if (has(scan, at, "\u00d7") || has(scan, at, "\u00f7")) { return 2; }
    return 0;
}

static bool ends_expression(const struct it_scan *scan, size_t at)
{
    if (at >= scan->size) { return true; }
    char c = scan->text[at];
    return is_space(c) || (c != '\0' && strchr(".,:)$", c) != NULL);
}

size_t it_scan_expression(const struct it_scan *scan, size_t at, struct it_plain *plain)
{
    enum { LONGEST = 300 };
    if (!skip_prefix(scan, false, &at)) { return 0; }
    size_t from = at;
    while (at < scan->size && (scan->text[at] == '-' || scan->text[at] == '(')) { at++; }
    if (at > from + 2 || at >= scan->size || !is_digit(scan->text[at])) { return 0; }
    size_t end = 0, first_operator = 0;
    bool operates;
    for (size_t length; at - from < LONGEST; at += length) {
        length = expression_char(scan, at, &operates);
        if (length == 0) { break; }
        if (operates && first_operator == 0) {
            first_operator = at;
        } else if (first_operator > 0 && ends_expression(scan, at + length)) {
            end = at + length;
        }
    }
    if (end == 0) { return 0; }
    *plain = (struct it_plain){.from = from, .to = end, .expression = true};
    return end;
}
