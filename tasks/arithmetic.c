/* SPDX-License-Identifier: MIT */
/* The task `arithmetic`: drawing problems, splitting them by hash, judging the last box. The texts
 * themselves are made in arithmetic_text.c. */
#include "tasks/arithmetic.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/box.h"
#include "tasks/task.h"

/* PATIENCE: draws without one of the split; REPEATS: draws in a row of problems already taken. */
enum { DEFAULT_COUNT = 1000, PATIENCE = 20000, REPEATS = 2000, SPLIT_SHARES = 10 };

static const char *const kind_names[IT_ARITHMETIC_KINDS] = {"chain", "add", "mul", "max"};
static const char *const param_names[] = {"kinds", "terms", "digits"};

static enum it_status parse_kinds(const char *text, unsigned *kinds_out)
{
    unsigned kinds = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "+");
        char *name = it_strndup(text, length);
        int found = -1;
        for (int i = 0; i < IT_ARITHMETIC_KINDS; i++) {
            if (strcmp(name, kind_names[i]) == 0) { found = i; }
        }
        if (found < 0) {
            const char *near = it_closest(name, kind_names, IT_ARITHMETIC_KINDS);
            (void)it_fail(IT_INVALID,
                          "arithmetic: unknown kind \"%s\"%s%s%s (chain, add, mul, max)", name,
                          near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                          near != NULL ? "\"?" : "");
            it_free(name);
            return IT_INVALID;
        }
        it_free(name);
        kinds |= 1U << found;
        text += length;
        if (*text == '+') { text++; }
    }
    if (kinds == 0) { return it_fail(IT_INVALID, "arithmetic: kinds: expected at least one"); }
    *kinds_out = kinds;
    return IT_OK;
}

/* "4" or "3..5". */
static enum it_status parse_range(const char *name, const char *text, int least, int most,
                                  int *min_out, int *max_out)
{
    char *end;
    long low = strtol(text, &end, 10), high = low;
    bool good = end != text;
    if (good && end[0] == '.' && end[1] == '.') {
        const char *rest = end + 2;
        high = strtol(rest, &end, 10);
        good = end != rest;
    }
    if (!good || *end != '\0' || low < least || high > most || low > high) {
        return it_fail(IT_INVALID,
                       "arithmetic: %s: expected a number or LOW..HIGH within %d..%d, found \"%s\"",
                       name, least, most, text);
    }
    *min_out = (int)low;
    *max_out = (int)high;
    return IT_OK;
}

static enum it_status parse_pair(const char *key, const char *value,
                                 struct it_arithmetic_space *space)
{
    if (strcmp(key, "kinds") == 0) { return parse_kinds(value, &space->kinds); }
    if (strcmp(key, "terms") == 0) {
        return parse_range(key, value, 2, IT_ARITHMETIC_TERMS, &space->terms_min,
                           &space->terms_max);
    }
    if (strcmp(key, "digits") == 0) {
        return parse_range(key, value, 1, 6, &space->digits_min, &space->digits_max);
    }
    const char *near = it_closest(key, param_names, 3);
    return it_fail(IT_INVALID, "arithmetic: unknown parameter \"%s\"%s%s%s", key,
                   near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : " (kinds, terms, digits)");
}

enum it_status it_arithmetic_space_parse(const char *params, struct it_arithmetic_space *space_out)
{
    struct it_arithmetic_space space = {1U << IT_ARITHMETIC_CHAIN, 4, 4, 1, 1};
    const char *at = params != NULL ? params : "";
    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        char *key = it_strndup(at, length);
        char *value = strchr(key, '=');
        enum it_status status;
        if (value == NULL) {
            status = it_fail(IT_INVALID, "arithmetic: expected name=value, found \"%s\"", key);
        } else {
            *value++ = '\0';
            status = parse_pair(key, value, &space);
        }
        it_free(key);
        IT_TRY(status);
        at += length;
        if (*at == ',') { at++; }
    }
    *space_out = space;
    return IT_OK;
}

/* FNV-1a with a final mix, because its low digits alone are poor. */
static uint64_t text_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    return hash;
}

enum split { SPLIT_TEST, SPLIT_FRESH, SPLIT_TRAIN };

static enum split split_of(uint64_t hash)
{
    uint64_t share = hash % SPLIT_SHARES;
    return share == 0 ? SPLIT_TEST : share == 1 ? SPLIT_FRESH : SPLIT_TRAIN;
}

static enum it_status split_named(const char *name, enum split *split_out)
{
    static const char *const names[] = {"test", "fresh", "train"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            *split_out = (enum split)i;
            return IT_OK;
        }
    }
    return it_fail(IT_INVALID, "arithmetic: unknown split \"%s\" (test, fresh, train)", name);
}

static int64_t power10(int digits)
{
    int64_t power = 1;
    while (digits-- > 0) { power *= 10; }
    return power;
}

/* An operand of exactly `digits` digits, never 0. */
static int64_t draw_operand(struct it_rng *rng, int digits)
{
    int64_t low = power10(digits - 1);
    return low + it_rng_below(rng, power10(digits) - low);
}

/* Left to right, each partial sum within [0, 10^(digits+1)): 0..99 for single digits. */
static void draw_chain(struct it_rng *rng, int digits, struct it_arithmetic_problem *problem)
{
    int64_t most = power10(digits + 1) - 1, sum = 0;
    for (int i = 0; i < problem->n; i++) {
        int64_t operand = draw_operand(rng, digits);
        bool minus = i > 0 && it_rng_below(rng, 2) == 1;
        if (minus && operand > sum) { minus = false; }
        if (!minus && sum + operand > most) { minus = true; }
        problem->operand[i] = operand;
        problem->sign[i] = minus ? '-' : '+';
        sum += minus ? -operand : operand;
    }
    problem->gold = sum;
}

static void draw_any(const struct it_arithmetic_space *space, struct it_rng *rng,
                     struct it_arithmetic_problem *problem)
{
    int listed[IT_ARITHMETIC_KINDS], kinds = 0;
    for (int i = 0; i < IT_ARITHMETIC_KINDS; i++) {
        if ((space->kinds & (1U << i)) != 0) { listed[kinds++] = i; }
    }
    memset(problem, 0, sizeof *problem);
    problem->kind = (enum it_arithmetic_kind)listed[it_rng_below(rng, kinds)];
    int terms = space->terms_min + (int)it_rng_below(rng, space->terms_max - space->terms_min + 1);
    int digits =
        space->digits_min + (int)it_rng_below(rng, space->digits_max - space->digits_min + 1);
    bool pair = problem->kind == IT_ARITHMETIC_ADD || problem->kind == IT_ARITHMETIC_MUL;
    problem->n = pair ? 2 : terms;
    if (problem->kind == IT_ARITHMETIC_CHAIN) {
        draw_chain(rng, digits, problem);
        return;
    }
    for (int i = 0; i < problem->n; i++) {
        bool factor = problem->kind == IT_ARITHMETIC_MUL && i == 0;
        int64_t operand = draw_operand(rng, factor ? 1 : digits);
        problem->operand[i] = operand;
        switch (problem->kind) {
        case IT_ARITHMETIC_ADD: problem->gold += operand; break;
        case IT_ARITHMETIC_MUL: problem->gold = i == 0 ? operand : problem->gold * operand; break;
        default: problem->gold = operand > problem->gold ? operand : problem->gold; break;
        }
    }
}

static enum it_status draw(const struct it_arithmetic_space *space, enum split split,
                           struct it_rng *rng, struct it_arithmetic_problem *problem_out,
                           uint64_t *hash_out)
{
    struct it_str text = {0};
    bool found = false;
    for (int tries = 0; tries < PATIENCE && !found; tries++) {
        draw_any(space, rng, problem_out);
        it_str_clear(&text);
        it_arithmetic_text(problem_out, &text);
        *hash_out = text_hash(it_str_c(&text));
        found = split_of(*hash_out) == split;
    }
    it_str_free(&text);
    if (!found) {
        return it_fail(IT_INVALID, "arithmetic: so few problems that one split has none of them; "
                                   "allow more kinds, terms or digits");
    }
    return IT_OK;
}

enum it_status it_arithmetic_draw(const struct it_arithmetic_space *space, const char *split,
                                  struct it_rng *rng, struct it_arithmetic_problem *problem_out)
{
    enum split wanted = SPLIT_TEST;
    uint64_t hash;
    IT_TRY(split_named(split, &wanted));
    return draw(space, wanted, rng, problem_out, &hash);
}

/* The hashes of the problems taken so far: open addressing, never more than half full. */
struct hash_set {
    uint64_t *slot;
    size_t size;
};

static bool hash_set_add(struct hash_set *set, uint64_t hash)
{
    uint64_t key = hash | 1; /* 0 marks an empty slot; the lowest bit is not needed */
    size_t at = (size_t)(hash >> 1) % set->size;
    while (set->slot[at] != 0) {
        if (set->slot[at] == key) { return false; }
        at = (at + 1) % set->size;
    }
    set->slot[at] = key;
    return true;
}

static void add_problem(const struct it_arithmetic_problem *problem, const char *split,
                        struct it_problems *problems)
{
    struct it_str text = {0}, worked = {0}, bare = {0};
    it_arithmetic_text(problem, &text);
    it_arithmetic_worked(problem, 0.0, NULL, &worked);
    it_arithmetic_bare(problem, &bare);
    problems->item =
        it_grow(problems->item, &problems->cap, problems->n + 1, sizeof *problems->item);
    struct it_problem *item = &problems->item[problems->n];
    struct it_str id = {0}, gold = {0};
    it_str_printf(&id, "arithmetic/%s/%zu", split, problems->n);
    it_str_printf(&gold, "%lld", (long long)problem->gold);
    item->id = it_str_take(&id);
    item->gold = it_str_take(&gold);
    item->text = it_str_take(&text);
    item->record =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", item->id, "kind",
                  kind_names[problem->kind], "split", split, "problem", item->text, "gold",
                  item->gold, "worked", it_str_c(&worked), "bare", it_str_c(&bare));
    problems->n++;
    it_str_free(&worked);
    it_str_free(&bare);
}

static enum it_status arithmetic_open(const struct it_task_source *source,
                                      struct it_problems *problems_out)
{
    const char *name = source->split != NULL ? source->split : "test";
    struct it_arithmetic_space space;
    enum split split = SPLIT_TEST;
    IT_TRY(it_arithmetic_space_parse(source->params, &space));
    IT_TRY(split_named(name, &split));
    int64_t count = source->limit > 0 ? source->limit : DEFAULT_COUNT;
    if (count > INT64_C(100000000)) {
        return it_fail(IT_INVALID, "arithmetic: limit %lld is above 100000000", (long long)count);
    }
    struct hash_set seen = {.size = 2 * (size_t)count + 1};
    seen.slot = it_calloc(seen.size, sizeof *seen.slot);
    struct it_problems problems = {0};
    struct it_rng rng;
    /* streams below 2^63 are the corpus' examples */
    it_rng_init(&rng, source->seed, UINT64_C(1) << 63 | (uint64_t)split);
    enum it_status status = IT_OK;
    for (int repeats = 0; (int64_t)problems.n < count && repeats < REPEATS;) {
        struct it_arithmetic_problem problem;
        uint64_t hash;
        IT_TRY_GOTO(status, done, draw(&space, split, &rng, &problem, &hash));
        if (!hash_set_add(&seen, hash)) {
            repeats++;
            continue;
        }
        repeats = 0;
        add_problem(&problem, name, &problems);
    }
    if ((int64_t)problems.n < count) {
        it_warn("arithmetic: only %zu different problems in split %s, %lld were wanted", problems.n,
                name, (long long)count);
    }
    *problems_out = problems;
done:
    it_free(seen.slot);
    if (status != IT_OK) { it_problems_free(&problems); }
    return status;
}

static enum it_status arithmetic_grade(const struct it_grading *grading, const json_t *fields,
                                 const char *where, struct it_verdict *verdict_out)
{
    (void)grading;
    const char *completion;
    char *gold;
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(it_dataset_gold(fields, where, "gold", &gold));
    struct it_verdict verdict = {.gradable = true};
    verdict.extracted = it_box_last(completion);
    verdict.correct = verdict.extracted != NULL && strcmp(verdict.extracted, gold) == 0;
    it_free(gold);
    if (verdict.extracted == NULL) { verdict.detail = it_strdup("no complete box"); }
    *verdict_out = verdict;
    return IT_OK;
}

const struct it_task it_task_arithmetic = {
    .name = "arithmetic",
    .summary = "sums, products and comparisons made by the program, no files needed",
    .default_profile = "box",
    .profiles = "box",
    .system_prompt = NULL,
    .max_new_tokens = 64,
    .open = arithmetic_open,
    .grade = arithmetic_grade,
    .equal = NULL,
};
