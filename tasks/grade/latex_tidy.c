/* SPDX-License-Identifier: MIT */
/* Tidying the text of an answer before it is cut into tokens. */
#include <ctype.h>
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/box.h"
#include "tasks/grade/latex.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- boxes ---- */

static bool has_list_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ',' || text[i] == ';') { return true; }
        if (size - i >= 3 && memcmp(text + i, "and", 3) == 0) { return true; }
        if (size - i >= 2 && memcmp(text + i, "or", 2) == 0) { return true; }
    }
    return false;
}

/* Is the earlier box a part of the same answer as the later? Nearly adjacent ones are; so are those
 * joined by a short stretch that reads like a list. */
static bool boxes_belong(const char *text, const struct it_box *earlier, const struct it_box *later)
{
    size_t from = earlier->close + 1;
    if (from > later->start) { return false; }
    size_t gap = later->start - from;
    if (gap < 10) { return true; }
    size_t one = earlier->close - earlier->open, two = later->close - later->open;
    bool same = one == two && memcmp(text + earlier->open, text + later->open, one) == 0;
    return gap < 70 && has_list_word(text + from, gap) && !same;
}

/* Nothing but "and", "or" or a comma between them. */
static bool boxes_adjoin(const char *text, const struct it_box *earlier, const struct it_box *later)
{
    static const char *const joint[] = {"and", "or", ","};
    size_t from = earlier->close + 1, to = later->start;
    if (from > to) { return false; }
    while (from < to && is_space(text[from])) { from++; }
    while (to > from && is_space(text[to - 1])) { to--; }
    for (size_t i = 0; i < sizeof joint / sizeof *joint; i++) {
        if (to - from == strlen(joint[i]) && memcmp(text + from, joint[i], to - from) == 0) {
            return true;
        }
    }
    return false;
}

/* Boxes that lie in another whole one are part of its content: drop them from the list. */
static void drop_nested(struct it_boxes *boxes, size_t size)
{
    size_t kept = 0, end = 0;
    for (size_t i = 0; i < boxes->n; i++) {
        if (boxes->item[i].start < end) { continue; }
        if (boxes->item[i].close < size) { end = boxes->item[i].close; }
        boxes->item[kept++] = boxes->item[i];
    }
    boxes->n = kept;
}

void it_latex_unbox(const char *text, size_t size, enum it_latex_boxes mode, struct it_str *out)
{
    struct it_boxes boxes;
    it_boxes_find(text, size, &boxes);
    drop_nested(&boxes, size);
    if (boxes.n == 0) {
        it_str_add(out, text, size);
        it_boxes_free(&boxes);
        return;
    }
    size_t first = boxes.n - 1;
    /* what is before an unclosed box does not count: each would hold the rest of the text */
    while (first > 0 && boxes.item[first].close < size && boxes.item[first - 1].close < size) {
        const struct it_box *earlier = &boxes.item[first - 1], *later = &boxes.item[first];
        bool joined = mode == IT_LATEX_BOXES_ALL ||
                      (mode == IT_LATEX_BOXES_LAST ? boxes_belong(text, earlier, later)
                                                   : boxes_adjoin(text, earlier, later));
        if (!joined) { break; }
        first--;
    }
    for (size_t i = first; i < boxes.n; i++) {
        const struct it_box *box = &boxes.item[i];
        /* an unclosed box keeps its brace and with it is no formula */
        size_t from = box->close < size ? box->open + 1 : box->open;
        it_str_add(out, text + from, box->close - from);
        if (i + 1 < boxes.n) { it_str_putc(out, ','); }
    }
    it_boxes_free(&boxes);
}

/* ---- units ---- */

/* Words after a number that do not change it. Single letters are among them: "5m" is 5, as the
 * reference grader has it, at the price that "x+2h" is x+2. */
static const char *const unit_words[] = {
    "ab",     "acre",     "am",         "apple",     "are",   "bc",      "by",      "c",
    "cc",     "cent",     "centimeter", "cm",        "coin",  "cube",    "cubic",   "d",
    "day",    "decrease", "deg",        "degree",    "digit", "dm",      "dollar",  "east",
    "edge",   "excess",   "eye",        "feet",      "floor", "ft",      "g",       "gain",
    "gal",    "gallon",   "gm",         "gram",      "h",     "hectare", "hour",    "hr",
    "inch",   "increase", "kg",         "kilometer", "km",    "kmh",     "kmph",    "l",
    "lb",     "less",     "liter",      "litre",     "loss",  "lt",      "m",       "man",
    "mark",   "meal",     "men",        "meter",     "metre", "mile",    "min",     "minute",
    "mm",     "monkey",   "month",      "more",      "mp",    "mph",     "mps",     "mt",
    "mtr",    "multiple", "noon",       "number",    "o",     "ohm",     "per",     "pie",
    "pm",     "pound",    "prime",      "profit",    "pure",  "ratio",   "rd",      "rise",
    "rounds", "rs",       "rupee",      "s",         "sec",   "second",  "soldier", "sq",
    "square", "st",       "strawberry", "student",   "sue",   "t",       "th",      "tile",
    "toy",    "train",    "tree",       "trip",      "truck", "unit",    "way",     "week",
    "west",   "woman",    "women",      "yard",      "year",  "yr",
};

static bool word_is(const char *word, size_t size, const char *name)
{
    return strlen(name) == size && memcmp(word, name, size) == 0;
}

static bool is_unit(const char *word, size_t size)
{
    for (size_t i = 0; i < sizeof unit_words / sizeof *unit_words; i++) {
        if (word_is(word, size, unit_words[i])) { return true; }
        if (size > 1 && word[size - 1] == 's' && word_is(word, size - 1, unit_words[i])) {
            return true;
        }
        if (size > 2 && word[size - 1] == 's' && word[size - 2] == 'e' &&
            word_is(word, size - 2, unit_words[i])) {
            return true;
        }
    }
    return false;
}

static size_t trim_end(const char *text, size_t size)
{
    for (;;) {
        if (size > 0 && (is_space(text[size - 1]) || strchr(".,;:~", text[size - 1]) != NULL)) {
            size--;
        } else if (size > 1 && text[size - 2] == '\\' && text[size - 1] == '\\') {
            size -= 2;
        } else if (size > 0 && text[size - 1] == '\\') {
            size--;
        } else {
            return size;
        }
    }
}

/* The bytes of a command whose argument is words, at `at`, its brace included; 0 for none. */
static size_t wordy_command(const char *text, size_t size, size_t at)
{
    static const char *const command[] = {"\\text{",   "\\mbox{",   "\\textnormal{",
                                          "\\textbf{", "\\textit{", "\\textrm{",
                                          "\\mathrm{", "\\mathbf{", "\\mathit{"};
    for (size_t i = 0; i < sizeof command / sizeof *command; i++) {
        size_t length = strlen(command[i]);
        if (size - at >= length && memcmp(text + at, command[i], length) == 0) { return length; }
    }
    return 0;
}

/* "and}", " or }", ", and }": the words join two answers. */
static bool is_joint(const char *words, size_t size)
{
    size_t at = 0;
    while (at < size && (is_space(words[at]) || words[at] == ',')) { at++; }
    size_t length = at + 3 <= size && memcmp(words + at, "and", 3) == 0  ? 3
                    : at + 2 <= size && memcmp(words + at, "or", 2) == 0 ? 2
                                                                         : 0;
    if (length == 0) { return false; }
    for (at += length; at < size && is_space(words[at]); at++) {}
    return at < size && words[at] == '}';
}

/* Size without words that end the answer, \text{...} with an exponent of one digit perhaps. As the
 * reference grader has it, all goes from the first words on: "7\text{ ft }2\text{ in}" is 7. */
static size_t drop_text_unit(const char *text, size_t size)
{
    size_t end = size;
    if (end > 2 && is_digit(text[end - 1]) && text[end - 2] == '^') { end -= 2; }
    if (end > 4 && text[end - 1] == '}' && is_digit(text[end - 2]) && text[end - 3] == '{' &&
        text[end - 4] == '^') {
        end -= 4;
    }
    if (end == 0 || text[end - 1] != '}') { return size; }
    for (size_t at = 0; at < end; at++) {
        size_t length = text[at] == '\\' ? wordy_command(text, end, at) : 0;
        if (length == 0 || is_joint(text + at + length, end - at - length)) { continue; }
        size_t rest = trim_end(text, at);
        return rest > 0 ? rest : size;
    }
    return size;
}

static size_t drop_word_unit(const char *text, size_t size)
{
    size_t end = size;
    if (end > 2 && is_digit(text[end - 1]) && text[end - 2] == '^' && is_alpha(text[end - 3])) {
        end -= 2;
    }
    size_t from = end;
    while (from > 0 && is_alpha(text[from - 1])) { from--; }
    if (from == end || from == 0 || !is_unit(text + from, end - from)) { return size; }
    char before = text[from - 1];
    if (!is_digit(before) && before != '}' && before != ' ') { return size; }
    size_t rest = trim_end(text, from);
    /* an operator before the word: it is an operand, not a unit */
    return rest > 0 && strchr("+-*/=^_(<>", text[rest - 1]) == NULL ? rest : size;
}

/* ---- the whole ---- */

/* The bytes of a currency sign outside ASCII at `at`. */
static size_t currency_sign(const char *at, size_t left)
{
    static const char pound[] = "\u00a3", yen[] = "\u00a5";
    if (left >= 2 && (memcmp(at, pound, 2) == 0 || memcmp(at, yen, 2) == 0)) { return 2; }
    /* U+20A0 to U+20BF */
    bool block = left >= 3 && memcmp(at, "\xe2\x82", 2) == 0 && (unsigned char)at[2] >= 0xa0;
    return block ? 3 : 0;
}

/* Appends with deletions; thousands marked as such ("10{,}000", "10,\!000") lose their comma. */
static void rewrite(const char *text, size_t size, struct it_str *out)
{
    for (size_t i = 0; i < size; i++) {
        const char *at = text + i;
        size_t left = size - i;
        if (left >= 2 && at[0] == '\\' && at[1] == '$') {
            i++;
        } else if (left >= 2 && at[0] == '\\' && at[1] == '!') {
            i++;
            while (i + 1 < size && is_space(text[i + 1])) { i++; }
        } else if (left >= 3 && memcmp(at, "{,}", 3) == 0) {
            i += 2;
        } else if (left >= 4 && memcmp(at, ",\\!", 3) == 0 && (is_digit(at[3]) || at[3] == ' ')) {
            i += 2;
            while (i + 1 < size && is_space(text[i + 1])) { i++; }
        } else if (left >= 7 && memcmp(at, "\\text{}", 7) == 0) {
            i += 6;
        } else if (left >= 2 && at[0] == '\\' && at[1] == 'n' && (left == 2 || !is_alpha(at[2]))) {
            /* a newline that was escaped once too often */
            it_str_putc(out, ' ');
            i++;
        } else if (left >= 3 && at[0] == '\\' && at[1] == '\\' && is_alpha(at[2]) &&
                   strstr(text, "matrix") == NULL && strstr(text, "array") == NULL) {
            /* an escape doubled on its way through some program */
            it_str_putc(out, '\\');
            i++;
        } else if (currency_sign(at, left) > 0) {
            i += currency_sign(at, left) - 1;
        } else if (at[0] == '$' || at[0] == '"' || at[0] == '\'' || at[0] == '`') {
            continue;
        } else {
            it_str_putc(out, is_space(at[0]) ? ' ' : at[0]);
        }
    }
}

void it_latex_tidy(const char *text, size_t size, enum it_latex_units units, struct it_str *out)
{
    struct it_str rough = {0};
    char *copy = it_strndup(text, size); /* rewrite looks for words in all of it */
    rewrite(copy, strlen(copy), &rough);
    it_free(copy);
    const char *data = it_str_c(&rough);
    size_t end = rough.len, from = 0;
    while (from < end && (is_space(data[from]) || strchr(",;:~", data[from]) != NULL)) { from++; }
    data += from;
    end = trim_end(data, end - from);
    if (units != IT_LATEX_UNITS_KEPT) { end = drop_text_unit(data, end); }
    for (int i = 0; i < 2 && units == IT_LATEX_UNITS_ALL; i++) { end = drop_word_unit(data, end); }
    it_str_add(out, data, end);
    it_str_free(&rough);
}
