/* SPDX-License-Identifier: MIT */
/* The tasks `math`, `math500` and, for grading pairs of answers, `math_equiv`. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/answer.h"
#include "tasks/grade/box.h"
#include "tasks/grade/zeroeval.h"
#include "tasks/task.h"

static const char system_prompt[] =
    "Reason step by step, and put your final answer within \\boxed{}.";

static enum it_status math_fill(const json_t *record, const char *where, struct it_problem *problem)
{
    const char *text, *solution;
    IT_TRY(it_dataset_string(record, where, "problem", &text));
    IT_TRY(it_json_get_string(record, where, "solution", &solution));
    IT_TRY(it_dataset_text(record, where, "unique_id", &problem->id));
    if (problem->id == NULL) { IT_TRY(it_dataset_text(record, where, "id", &problem->id)); }
    problem->text = it_strdup(text);
    IT_TRY(it_dataset_text(record, where, "answer", &problem->gold));
    if (problem->gold == NULL && solution != NULL) { problem->gold = it_box_last(solution); }
    if (problem->gold != NULL && problem->gold[0] == '\0') {
        it_free(problem->gold); /* two problems of the train split have an empty box */
        problem->gold = NULL;
    }
    return IT_OK;
}

static enum it_status math_open(const struct it_task_source *source,
                                struct it_problems *problems_out)
{
    const char *split = source->split != NULL ? source->split : "test";
    return it_dataset_open("math", "math", split, source, math_fill, problems_out);
}

static enum it_status math500_open(const struct it_task_source *source,
                                   struct it_problems *problems_out)
{
    const char *split = source->split;
    if (split != NULL && strcmp(split, "test") != 0) {
        return it_fail(IT_INVALID, "math500: the only split is test, not \"%s\"", split);
    }
    /* The published folder has one split, test; where there is also a train, it is that of math. */
    bool published = !it_dataset_has("math", "math500", source->data) &&
                     it_dataset_has("math500", "test", source->data) &&
                     !it_dataset_has("math500", "train", source->data);
    return it_dataset_open("math500", published ? "math500" : "math",
                           published ? "test" : "math500", source, math_fill, problems_out);
}

static void grade_zeroeval(const char *gold, const char *completion, struct it_verdict *verdict)
{
    char *number = it_zeroeval_number(gold);
    verdict->gradable = number != NULL;
    verdict->extracted = it_zeroeval_answer(completion, NULL);
    verdict->correct =
        verdict->extracted != NULL && it_zeroeval_numbers_equal(gold, verdict->extracted);
    if (!verdict->gradable) {
        verdict->detail = it_strdup("the gold holds no number");
    } else if (verdict->extracted == NULL) {
        verdict->detail = it_strdup("no \"answer\"");
    }
    it_free(number);
}

static void grade(const char *profile, enum it_gold kind, const struct it_answer_settings *settings,
                  const char *gold, const char *text, struct it_verdict *verdict_out)
{
    struct it_verdict verdict = {0};
    if (strcmp(profile, "zeroeval") == 0) {
        grade_zeroeval(gold, text, &verdict);
    } else {
        it_answer_grade(profile, kind, settings, gold, text, &verdict);
    }
    *verdict_out = verdict;
}

static enum it_status math_grade(const struct it_grading *grading, const json_t *fields,
                                 const char *where, struct it_verdict *verdict_out)
{
    const char *profile = grading->profile;
    const char *completion;
    char *gold;
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(it_dataset_gold(fields, where, "gold", &gold));
    grade(profile, IT_GOLD_ANSWER, NULL, gold, completion, verdict_out);
    it_free(gold);
    return IT_OK;
}

static bool math_equal(const char *profile, const char *a, const char *b)
{
    if (strcmp(profile, "zeroeval") == 0) { return it_zeroeval_numbers_equal(a, b); }
    return it_answer_same(profile, a, b);
}

static enum it_status equiv_open(const struct it_task_source *source,
                                 struct it_problems *problems_out)
{
    (void)source;
    (void)problems_out;
    return it_fail(IT_UNSUPPORTED, "math_equiv: has no problems; it grades pairs of answers "
                                   "(grade --task math_equiv)");
}

/* Settings that a pair brings along under "extraction_config", in the words of the graders' own
 * tests: match_types, precision, strict, allow_set_relation_comp, language. */
static enum it_status read_settings(const json_t *fields, const char *where,
                                    struct it_answer_settings *settings_out)
{
    struct it_answer_settings settings = {0};
    const json_t *config = json_object_get(fields, "extraction_config");
    const json_t *precision = json_object_get(config, "precision"), *type;
    const char *language = json_string_value(json_object_get(config, "language"));
    size_t i;
    json_array_foreach(json_object_get(config, "match_types"), i, type)
    {
        const char *name = json_string_value(type);
        if (name == NULL) { continue; }
        settings.latex = settings.latex || strcmp(name, "latex") == 0;
        settings.plain = settings.plain || strcmp(name, "expr") == 0;
        settings.letters = settings.letters || strcmp(name, "NativeLetters") == 0;
    }
    if (precision != NULL) {
        json_int_t places = json_integer_value(precision);
        if (!json_is_integer(precision) || places < 1 || places > 12) {
            return it_fail(IT_INVALID, "%s: extraction_config.precision: 1 to 12 places", where);
        }
        settings.decimals = (int)places;
    }
    settings.rename = json_is_false(json_object_get(config, "strict"));
    settings.relations_as_sets = json_is_true(json_object_get(config, "allow_set_relation_comp"));
    settings.unspaced =
        language != NULL && (strcmp(language, "CHINESE") == 0 || strcmp(language, "JAPANESE") == 0);
    *settings_out = settings;
    return IT_OK;
}

static struct it_verdict compare_numbers(const char *gold, const char *pred)
{
    char *number = it_zeroeval_number(gold);
    struct it_verdict verdict = {.extracted = it_zeroeval_number(pred),
                                 .gradable = number != NULL,
                                 .correct = it_zeroeval_numbers_equal(gold, pred)};
    it_free(number);
    return verdict;
}

static enum it_status equiv_grade(const struct it_grading *grading, const json_t *fields,
                                  const char *where, struct it_verdict *verdict_out)
{
    const char *profile = grading->profile;
    struct it_answer_settings settings;
    char *pred, *gold;
    IT_TRY(read_settings(fields, where, &settings));
    IT_TRY(it_dataset_gold(fields, where, "pred", &pred));
    enum it_status status = it_dataset_gold(fields, where, "gold", &gold);
    if (status != IT_OK) {
        it_free(pred);
        return status;
    }
    if (strcmp(profile, "zeroeval") == 0) {
        *verdict_out = compare_numbers(gold, pred);
    } else {
        grade(profile, IT_GOLD_TEXT, &settings, gold, pred, verdict_out);
    }
    it_free(pred);
    it_free(gold);
    return IT_OK;
}

#define PROFILES "math-verify|lighteval|lighteval-2025-05|hendrycks|zeroeval"

const struct it_task it_task_math = {
    .name = "math",
    .summary = "competition mathematics, a LaTeX answer",
    .default_profile = "math-verify",
    .profiles = PROFILES,
    .system_prompt = system_prompt,
    .breakdown = "level|subject|type",
    .max_new_tokens = 3072,
    .open = math_open,
    .grade = math_grade,
    .equal = math_equal,
};

const struct it_task it_task_math500 = {
    .name = "math500",
    .summary = "500 problems of the test split of math",
    .default_profile = "math-verify",
    .profiles = PROFILES,
    .system_prompt = system_prompt,
    .breakdown = "level|subject|type",
    .max_new_tokens = 3072,
    .open = math500_open,
    .grade = math_grade,
    .equal = math_equal,
};

const struct it_task it_task_math_equiv = {
    .name = "math_equiv",
    .summary = "two mathematical answers, compared (grade only)",
    .default_profile = "math-verify",
    .profiles = PROFILES,
    .system_prompt = NULL,
    .max_new_tokens = 0,
    .open = equiv_open,
    .grade = equiv_grade,
    .equal = math_equal,
};
