/* SPDX-License-Identifier: MIT */
/* Finding the answer in free text. */
#include "tasks/grade/extract.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "tasks/grade/box.h"
#include "tasks/grade/latex.h"
#include "tasks/grade/scan.h"

/* ---- candidates ---- */

struct candidate {
    size_t start, end;
    bool box; /* [start, end) holds boxes up to its last brace */
    int n;    /* formulas; 0: a plain number or expression */
    struct it_formula formula[IT_FORMULAS];
    struct it_plain plain;
};

struct candidates {
    struct candidate *item;
    size_t n, cap;
};

static void add(struct candidates *list, const struct candidate *candidate)
{
    list->item = it_grow(list->item, &list->cap, list->n + 1, sizeof *list->item);
    list->item[list->n++] = *candidate;
}

/* Last end first, then earliest start. */
static int compare(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->end != b->end) { return a->end > b->end ? -1 : 1; }
    if (a->start != b->start) { return a->start < b->start ? -1 : 1; }
    /* formulas before plain items, expressions before numbers */
    if (a->n != b->n) { return a->n > b->n ? -1 : 1; }
    return (int)b->plain.expression - (int)a->plain.expression;
}

enum item { ITEM_FORMULA, ITEM_EXPRESSION, ITEM_NUMBER };

/* What a number or expression can begin with, its stars and currency included. */
static bool begins_plain(char c)
{
    return (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("-.(*$", c) != NULL);
}

/* Most characters begin nothing: that is seen first. */
static bool may_begin(const struct it_scan *scan, enum item item, size_t at)
{
    char first = at < scan->size ? scan->text[at] : ' ';
    char next = at + 1 < scan->size ? scan->text[at + 1] : '\0';
    bool space = first == ' ' || (first >= '\t' && first <= '\r');
    if (item == ITEM_FORMULA) {
        return space ? next == '[' : first == '$' || first == '\\' || first == '-';
    }
    if (at == 0 || scan->unspaced) { return true; }
    return (space || first == '=') && begins_plain(next);
}

/* The item at `at`; its end or 0. */
static size_t item_at(struct it_scan *scan, enum item item, size_t at, struct candidate *candidate)
{
    if (!may_begin(scan, item, at)) { return 0; }
    candidate->n = 0;
    candidate->box = false;
    switch (item) {
    case ITEM_FORMULA: return it_scan_formulas(scan, at, candidate->formula, &candidate->n);
    case ITEM_EXPRESSION: return it_scan_expression(scan, at, &candidate->plain);
    case ITEM_NUMBER: return it_scan_number(scan, at, &candidate->plain);
    }
    return 0;
}

static void find_any(struct it_scan *scan, enum item item, struct candidates *list)
{
    for (size_t at = 0; at < scan->size;) {
        if (!may_begin(scan, item, at)) {
            at++;
            continue;
        }
        struct candidate candidate = {.start = at};
        candidate.end = item_at(scan, item, at, &candidate);
        if (candidate.end > at) {
            add(list, &candidate);
            at = candidate.end;
        } else {
            at++;
        }
    }
}

/* ---- anchors ---- */

static bool word_at(const struct it_scan *scan, size_t at, const char *lower)
{
    for (; *lower != '\0'; lower++, at++) {
        if (at >= scan->size) { return false; }
        char c = scan->text[at];
        if (c >= 'A' && c <= 'Z') { c = (char)(c + ('a' - 'A')); }
        if (c != *lower) { return false; }
    }
    return true;
}

static size_t skip_space(const struct it_scan *scan, size_t at)
{
    while (at < scan->size && strchr(" \t\r\n\f\v", scan->text[at]) != NULL &&
           scan->text[at] != '\0') {
        at++;
    }
    return at;
}

/* The word for it in languages without spaces. */
static const char chinese_answer[] = "\u7b54\u6848";

enum anchor { ANCHOR_HOPE, ANCHOR_FINAL_IS, ANCHOR_COLON, ANCHOR_WORD };

static size_t line_end(const struct it_scan *scan, size_t from, size_t most)
{
    size_t end = from;
    while (end < scan->size && end - from < most && scan->text[end] != '\n') { end++; }
    return end;
}

/* An item after a gap of up to `most` bytes, as short as can be. Formulas may follow newlines. */
static size_t after_gap(struct it_scan *scan, enum item item, size_t from, size_t most,
                        struct candidate *candidate)
{
    size_t last = item == ITEM_FORMULA ? from + most : line_end(scan, from, most);
    for (size_t at = from; at <= last && at < scan->size; at++) {
        size_t end = item_at(scan, item, at, candidate);
        if (end > 0) { return end; }
    }
    return 0;
}

/* "final answer is: ITEM. I hope" */
static size_t match_hope(struct it_scan *scan, enum item item, size_t at,
                         struct candidate *candidate)
{
    if (!word_at(scan, at, "final answer is")) { return 0; }
    at += strlen("final answer is");
    if (at < scan->size && scan->text[at] == ':') { at++; }
    size_t end = item_at(scan, item, at, candidate);
    if (end == 0) { end = item_at(scan, item, skip_space(scan, at), candidate); }
    if (end == 0) { return 0; }
    size_t rest = skip_space(scan, end);
    if (rest < scan->size && scan->text[rest] == '.') { rest = skip_space(scan, rest + 1); }
    /* these words count: nothing that ends before them comes first */
    return word_at(scan, rest, "i hope") ? rest + strlen("i hope") : 0;
}

static bool is_letter(const struct it_scan *scan, size_t at)
{
    char c = at < scan->size ? scan->text[at] : ' ';
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "final answer" ... "is" [:] ITEM */
static size_t match_final_is(struct it_scan *scan, enum item item, size_t at,
                             struct candidate *candidate)
{
    if (!word_at(scan, at, "final answer")) { return 0; }
    at += strlen("final answer");
    size_t last = item == ITEM_FORMULA ? at + 100 : line_end(scan, at, 100);
    for (; at <= last && at < scan->size; at++) {
        if ((scan->text[at] | 0x20) != 'i' || !word_at(scan, at, "is") || is_letter(scan, at - 1) ||
            is_letter(scan, at + 2)) {
            continue;
        }
        size_t next = at + 2;
        if (next < scan->size && scan->text[next] == ':') { next++; }
        size_t end = item_at(scan, item, next, candidate);
        if (end == 0 && item == ITEM_FORMULA) {
            end = item_at(scan, item, skip_space(scan, next), candidate);
        }
        if (end > 0) { return end; }
    }
    return 0;
}

/* "answer" [:] ... ITEM */
static size_t match_answer(struct it_scan *scan, enum item item, size_t at, bool colon,
                           struct candidate *candidate)
{
    static const char wide_colon[] = "\uff1a";
    at += strlen(word_at(scan, at, "answer") ? "answer" : chinese_answer);
    if (colon) {
        size_t size = at < scan->size && scan->text[at] == ':'          ? 1
                      : scan->unspaced && word_at(scan, at, wide_colon) ? strlen(wide_colon)
                                                                        : 0;
        if (size == 0) { return 0; }
        at += size;
    }
    if (item == ITEM_FORMULA) { return after_gap(scan, item, at, 50, candidate); }
    /* an item in space after the last "=" that has one, itself not followed by another */
    for (size_t i = line_end(scan, at, 100); i > at; i--) {
        if (scan->text[i - 1] != '=') { continue; }
        size_t end = item_at(scan, item, i, candidate);
        if (end > 0 && (end >= scan->size || scan->text[end] != '=')) { return end; }
    }
    size_t end = after_gap(scan, item, at, 50, candidate);
    return end > 0 && end < scan->size && scan->text[end] == '=' ? 0 : end;
}

enum { ANCHORS = 2000 };

/* The places of the word "answer", the last few thousand of them: what ends last counts, and nobody
 * writes more. */
struct anchors {
    size_t at[ANCHORS];
    size_t n; /* of all; the places stand modulo ANCHORS */
};

static void find_words(const struct it_scan *scan, struct anchors *anchors)
{
    anchors->n = 0;
    for (size_t at = 0; at < scan->size; at++) {
        bool begins = (scan->text[at] | 0x20) == 'a' ||
                      (scan->unspaced && scan->text[at] == chinese_answer[0]);
        if (begins && (word_at(scan, at, "answer") ||
                       (scan->unspaced && word_at(scan, at, chinese_answer)))) {
            anchors->at[anchors->n++ % ANCHORS] = at;
        }
    }
}

static void find_anchored(struct it_scan *scan, const struct anchors *anchors, enum anchor anchor,
                          enum item item, struct candidates *list)
{
    static const char final[] = "final ";
    bool is_final = anchor == ANCHOR_HOPE || anchor == ANCHOR_FINAL_IS;
    size_t back = is_final ? strlen(final) : 0, past = 0;
    for (size_t i = anchors->n > ANCHORS ? anchors->n - ANCHORS : 0; i < anchors->n; i++) {
        size_t at = anchors->at[i % ANCHORS];
        if (at < past + back || (is_final && !word_at(scan, at - back, final))) { continue; }
        at -= back;
        struct candidate candidate = {.start = at};
        size_t end = 0;
        switch (anchor) {
        case ANCHOR_HOPE: end = match_hope(scan, item, at, &candidate); break;
        case ANCHOR_FINAL_IS: end = match_final_is(scan, item, at, &candidate); break;
        case ANCHOR_COLON: end = match_answer(scan, item, at, true, &candidate); break;
        case ANCHOR_WORD: end = match_answer(scan, item, at, false, &candidate); break;
        }
        candidate.end = end;
        if (end > 0) {
            add(list, &candidate);
            past = end;
        }
    }
}

/* ---- boxes ---- */

static bool holds_box(const struct it_scan *scan, const struct it_formula *formula)
{
    for (size_t i = formula->from; i < formula->to; i++) {
        if (scan->text[i] == '\\' && word_at(scan, i, "\\boxed")) { return true; }
    }
    return false;
}

/* Formulas with a box in them (of a list, those that have one), and the stretch from the first box
 * to the last closing brace. */
static void find_boxed(struct it_scan *scan, struct candidates *list)
{
    size_t first = scan->size, last = scan->size;
    for (size_t i = 0; i < scan->size && first == scan->size; i++) {
        if (scan->text[i] != '\\') { continue; }
        if (word_at(scan, i, "\\boxed") || word_at(scan, i, "\\fbox")) { first = i; }
    }
    if (first == scan->size) { return; }
    while (last > first && scan->text[last - 1] != '}') { last--; }
    if (last == first) { return; }
    struct candidates formulas = {0};
    find_any(scan, ITEM_FORMULA, &formulas);
    for (size_t i = 0; i < formulas.n; i++) {
        struct candidate *candidate = &formulas.item[i];
        int kept = 0;
        for (int k = 0; k < candidate->n; k++) {
            struct it_formula formula = candidate->formula[k];
            if (holds_box(scan, &formula)) { candidate->formula[kept++] = formula; }
        }
        candidate->n = kept;
        if (kept > 0) { add(list, candidate); }
    }
    it_free(formulas.item);
    struct candidate whole = {.start = first, .end = last, .box = true, .n = 1};
    whole.formula[0] = (struct it_formula){first, last, false};
    add(list, &whole);
}

/* ---- reading a candidate ---- */

static struct it_expr *percent_of(struct it_expr_pool *pool, struct it_expr *node)
{
    return node != NULL ? it_expr_unary(pool, IT_EXPR_PERCENT, node) : NULL;
}

static enum it_latex_units units_of(const struct it_extract_rules *rules)
{
    return rules->older ? IT_LATEX_UNITS_TEXT : IT_LATEX_UNITS_ALL;
}

/* Of a chain "a = b = c" without a list, what follows its last sign: an older grader keeps no more,
 * even where it would understand all. */
static const char *after_chain(const char *text)
{
    const char *last = NULL;
    int signs = 0;
    if (strpbrk(text, ",;") != NULL || strstr(text, "and") != NULL || strstr(text, "or") != NULL) {
        return text;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '=' || (at > text && strchr("\\<!>", at[-1]) != NULL)) { continue; }
        last = at;
        signs++;
    }
    return signs > 1 ? last + 1 : text;
}

/* Of a chain "a = b = c" that is not understood, what follows its last sign. */
static struct it_expr *last_side(const struct it_extract_rules *rules, const struct it_str *text,
                                 struct it_expr_pool *pool)
{
    const char *data = it_str_c(text), *first = strchr(data, '='), *last = strrchr(data, '=');
    if (first == last || strpbrk(data, ",;") != NULL) { return NULL; }
    struct it_str tidy = {0};
    it_latex_tidy(last + 1, strlen(last + 1), units_of(rules), &tidy);
    struct it_expr *node = it_latex_parse(it_str_c(&tidy), tidy.len, rules->fold_case, pool);
    it_str_free(&tidy);
    return node;
}

static struct it_expr *read_formula(const struct it_extract_rules *rules, const char *text,
                                    size_t size, bool last_box, struct it_expr_pool *pool,
                                    struct it_str *shown)
{
    struct it_str content = {0}, tidy = {0};
    enum it_latex_boxes one = rules->older ? IT_LATEX_BOXES_TIGHT : IT_LATEX_BOXES_LAST;
    it_latex_unbox(text, size, last_box ? one : IT_LATEX_BOXES_ALL, &content);
    if (rules->older) {
        struct it_str kept = {0};
        it_str_puts(&kept, after_chain(it_str_c(&content)));
        it_str_free(&content);
        content = kept;
    }
    it_latex_tidy(it_str_c(&content), content.len, units_of(rules), &tidy);
    struct it_expr *node = it_latex_parse(it_str_c(&tidy), tidy.len, rules->fold_case, pool);
    if (node == NULL) { /* what looked like a unit may have been an operand: \sin^2 t */
        it_str_clear(&tidy);
        it_latex_tidy(it_str_c(&content), content.len, IT_LATEX_UNITS_KEPT, &tidy);
        node = it_latex_parse(it_str_c(&tidy), tidy.len, rules->fold_case, pool);
    }
    if (node == NULL) { node = last_side(rules, &tidy, pool); }
    it_str_add(shown, it_str_c(&tidy), tidy.len);
    it_str_free(&content);
    it_str_free(&tidy);
    return node;
}

/* Digits of a number as it is written: "1,234.50", "2,74", ".5". */
static struct it_expr *read_number(const char *text, size_t size, bool grouped,
                                   struct it_expr_pool *pool, struct it_str *shown)
{
    bool minus = size > 0 && text[0] == '-';
    /* "2,74" is a decimal, "7,425" one thousand and more, "0,111" what the rules say */
    bool decimal_comma = !grouped;
    size_t lead = minus ? 1 : 0;
    struct it_str digits = {0};
    for (size_t i = lead; i < size; i++) {
        if (text[i] == ',' && decimal_comma) {
            it_str_putc(&digits, '.');
        } else if (text[i] != ',' && text[i] != ' ') {
            it_str_putc(&digits, text[i]);
        }
    }
    struct it_rational value;
    struct it_expr *node = NULL;
    const char *data = it_str_c(&digits);
    bool decimal = strchr(data, '.') != NULL;
    if (it_rational_parse(data, digits.len, &value)) {
        node = it_expr_number(pool, value, decimal);
    } else if (digits.len > 0) {
        node = it_expr_named(pool, IT_EXPR_BIG, data, digits.len);
        if (node != NULL) { node->decimal = decimal; }
    }
    it_str_printf(shown, "%s%s", minus ? "-" : "", data);
    it_str_free(&digits);
    return minus && node != NULL ? it_expr_unary(pool, IT_EXPR_NEG, node) : node;
}

static struct it_expr *read_plain(const char *text, const struct it_plain *plain,
                                  struct it_expr_pool *pool, struct it_str *shown)
{
    const char *from = text + plain->from;
    size_t size = plain->to - plain->from;
    if (!plain->expression) {
        struct it_expr *node = read_number(from, size, plain->grouped, pool, shown);
        return plain->percent ? percent_of(pool, node) : node;
    }
    while (size > 0 && strchr(" \t.", from[size - 1]) != NULL) { size--; }
    it_str_add(shown, from, size);
    /* the signs outside ASCII are no Python: such an expression keeps its text only */
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)from[i] >= 0x80) { return NULL; }
    }
    return it_latex_parse(from, size, false, pool);
}

/* "$k = 2,$ and $m = 3$": a formula with its own comma is part of a sentence, not of a list. */
static bool is_clause(const char *formula, size_t size)
{
    char last = size > 1 ? formula[size - 1] : ' ', before = size > 1 ? formula[size - 2] : ' ';
    return last == ',' || last == ';' || (last == '.' && (before < '0' || before > '9'));
}

/* Several formulas that all parse are one set; nested sets join it. */
static struct it_expr *read_formulas(const struct it_extract_rules *rules, const char *text,
                                     const struct candidate *candidate, struct it_expr_pool *pool,
                                     struct it_str *shown)
{
    struct it_expr *member[256], *first = NULL;
    int n = 0;
    bool all = true;
    for (int i = 0; i < candidate->n; i++) {
        const struct it_formula *formula = &candidate->formula[i];
        it_str_puts(shown, i > 0 ? "," : "");
        struct it_expr *node = read_formula(
            rules, text + formula->from, formula->to - formula->from, candidate->box, pool, shown);
        if (candidate->n > 1 && is_clause(text + formula->from, formula->to - formula->from)) {
            node = NULL;
        }
        if (formula->percent) { node = percent_of(pool, node); }
        if (i == 0) { first = node; }
        all = all && node != NULL;
        if (node == NULL) { continue; }
        bool flat = node->kind == IT_EXPR_SET;
        for (int k = 0; k < (flat ? node->n : 1) && n < 256; k++) {
            member[n++] = flat ? node->arg[k] : node;
        }
    }
    if (candidate->n == 1 || !all) { return first; }
    return it_expr_new(pool, IT_EXPR_SET, 0, member, n);
}

/* ---- groups ---- */

/* True when the answer is settled. */
static bool read_group(const struct it_extract_rules *rules, const char *text,
                       struct candidates *list, struct it_answer *answer)
{
    enum { TRIES = 200 }; /* nobody writes that many broken formulas after the answer */
    if (list->n > 1) { qsort(list->item, list->n, sizeof *list->item, compare); }
    bool found = false;
    for (size_t i = 0; i < list->n && i < TRIES && !found; i++) {
        const struct candidate *candidate = &list->item[i];
        struct it_str shown = {0};
        it_expr_pool_free(&answer->pool);
        it_expr_pool_init(&answer->pool);
        answer->expr = candidate->n > 0
                           ? read_formulas(rules, text, candidate, &answer->pool, &shown)
                           : read_plain(text, &candidate->plain, &answer->pool, &shown);
        found = answer->expr != NULL;
        if (shown.len > 0 && answer->first == NULL) { answer->first = it_strdup(it_str_c(&shown)); }
        if (shown.len > 0 && (found || answer->text == NULL)) {
            it_free(answer->text);
            answer->text = it_str_take(&shown);
        }
        it_str_free(&shown);
    }
    list->n = 0;
    return found;
}

static void find_group(const struct it_extract_rules *rules, struct it_scan *scan,
                       const struct anchors *anchors, enum anchor anchor, struct candidates *list)
{
    if (rules->latex) { find_anchored(scan, anchors, anchor, ITEM_FORMULA, list); }
    if (rules->plain) {
        find_anchored(scan, anchors, anchor, ITEM_EXPRESSION, list);
        find_anchored(scan, anchors, anchor, ITEM_NUMBER, list);
    }
}

void it_answer_find(const struct it_extract_rules *rules, const char *text, size_t size,
                    struct it_answer *answer_out)
{
    /* priorities of the groups; boxes stand at rules->box_priority */
    static const struct {
        int priority;
        enum anchor anchor;
    } groups[] = {{0, ANCHOR_HOPE}, {50, ANCHOR_FINAL_IS}, {100, ANCHOR_COLON}, {200, ANCHOR_WORD}};
    struct it_scan scan = {.text = text,
                           .size = size,
                           .loose_groups = rules->loose_groups,
                           .unspaced = rules->unspaced,
                           .no_dollars = size,
                           .no_bracket = size,
                           .no_paren = size};
    struct candidates list = {0};
    struct it_answer answer = {0};
    struct anchors anchors;
    it_expr_pool_init(&answer.pool);
    find_words(&scan, &anchors);
    bool found = false, boxes_done = !rules->latex || rules->box_priority < 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && !found; i++) {
        if (!boxes_done && rules->box_priority < groups[i].priority) {
            find_boxed(&scan, &list);
            boxes_done = true;
            found = read_group(rules, text, &list, &answer);
            if (found) { break; }
        }
        find_group(rules, &scan, &anchors, groups[i].anchor, &list);
        if (!boxes_done && rules->box_priority == groups[i].priority) {
            find_boxed(&scan, &list);
            boxes_done = true;
        }
        found = read_group(rules, text, &list, &answer);
    }
    if (!found) {
        if (rules->latex) { find_any(&scan, ITEM_FORMULA, &list); }
        if (rules->plain) {
            find_any(&scan, ITEM_EXPRESSION, &list);
            find_any(&scan, ITEM_NUMBER, &list);
        }
        found = read_group(rules, text, &list, &answer);
    }
    if (!rules->keep_text) {
        it_free(answer.first);
        answer.first = NULL;
    }
    if (!found && !rules->keep_text) {
        it_free(answer.text);
        answer.text = NULL;
    }
    it_free(list.item);
    *answer_out = answer;
}

void it_answer_whole(const struct it_extract_rules *rules, const char *text, size_t size,
                     struct it_answer *answer_out)
{
    struct it_answer answer = {0};
    struct it_str shown = {0};
    it_expr_pool_init(&answer.pool);
    answer.expr = read_formula(rules, text, size, false, &answer.pool, &shown);
    if (shown.len > 0 && (answer.expr != NULL || rules->keep_text)) {
        if (rules->keep_text) { answer.first = it_strdup(it_str_c(&shown)); }
        answer.text = it_str_take(&shown);
    }
    it_str_free(&shown);
    *answer_out = answer;
}

void it_answer_free(struct it_answer *answer)
{
    it_expr_pool_free(&answer->pool);
    it_free(answer->text);
    it_free(answer->first);
    *answer = (struct it_answer){0};
}
