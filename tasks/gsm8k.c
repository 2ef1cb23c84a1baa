/* SPDX-License-Identifier: MIT */
/* The task `gsm8k`: grade-school word problems with a number as answer. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/dataset.h"
#include "tasks/grade/answer.h"
#include "tasks/grade/zeroeval.h"
#include "tasks/task.h"

static const char system_prompt[] =
    "Solve the problem step by step. Finish with one line that gives the final number in "
    "\\boxed{}.";

/* The number of an answer text: what follows "####"; a bare answer is kept, without the "#" that
 * some copies leave before it. The caller frees. */
static char *gold_number(const char *answer)
{
    const char *mark = strstr(answer, "####");
    const char *at = mark != NULL ? mark + 4 : answer;
    while (*at != '\0' && strchr("# \t\r\n", *at) != NULL) { at++; }
    size_t size = strlen(at);
    while (size > 0 && strchr(" \t\r\n", at[size - 1]) != NULL) { size--; }
    struct it_str kept = {0};
    for (size_t i = 0; i < size; i++) {
        if (at[i] != ',' && at[i] != '$') { it_str_putc(&kept, at[i]); }
    }
    char *text = kept.len > 0 ? it_str_take(&kept) : it_strdup("");
    it_str_free(&kept);
    return text;
}

static enum it_status gsm8k_fill(const json_t *record, const char *where,
                                 struct it_problem *problem)
{
    const char *question;
    char *answer;
    IT_TRY(it_dataset_string(record, where, "question", &question));
    IT_TRY(it_dataset_text(record, where, "id", &problem->id));
    IT_TRY(it_dataset_text(record, where, "answer", &answer));
    problem->text = it_strdup(question);
    char *number = answer != NULL ? gold_number(answer) : NULL;
    it_free(answer);
    if (number != NULL && number[0] == '\0') {
        it_free(number);
        number = NULL;
    }
    problem->gold = number;
    return IT_OK;
}

static enum it_status gsm8k_open(const struct it_task_source *source,
                                 struct it_problems *problems_out)
{
    const char *split = source->split != NULL ? source->split : "test";
    return it_dataset_open("gsm8k", "gsm8k", split, source, gsm8k_fill, problems_out);
}

/* The number after the first "#### " or "A: ", commas removed; NULL when there is none. */
static char *marked_number(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const char *from = NULL;
        if (strncmp(at, "#### ", 5) == 0) { from = at + 5; }
        if (strncmp(at, "A: ", 3) == 0) { from = at + 3; }
        if (from == NULL) { continue; }
        size_t sign = *from == '-' ? 1 : 0, size = strspn(from + sign, "0123456789.,");
        if (size == 0) { continue; }
        struct it_str number = {0};
        for (size_t i = 0; i < sign + size; i++) {
            if (from[i] != ',') { it_str_putc(&number, from[i]); }
        }
        return number.len > 0 ? it_str_take(&number) : it_strdup("");
    }
    return NULL;
}

static void grade_openai(const char *gold, const char *completion, struct it_verdict *verdict)
{
    char *wanted = marked_number(gold);
    if (wanted == NULL) { wanted = gold_number(gold); }
    verdict->gradable = wanted[0] != '\0';
    verdict->extracted = marked_number(completion);
    verdict->correct = verdict->extracted != NULL && strcmp(wanted, verdict->extracted) == 0;
    if (verdict->extracted == NULL) { verdict->detail = it_strdup("no \"####\" or \"A:\""); }
    it_free(wanted);
}

static void grade_zeroeval(const char *gold, const char *completion, struct it_verdict *verdict)
{
    char *wanted = gold_number(gold), *number = it_zeroeval_number(wanted);
    verdict->gradable = number != NULL;
    verdict->extracted = it_zeroeval_answer(completion, NULL);
    verdict->correct =
        verdict->extracted != NULL && it_zeroeval_numbers_equal(wanted, verdict->extracted);
    if (verdict->extracted == NULL) { verdict->detail = it_strdup("no \"answer\""); }
    it_free(number);
    it_free(wanted);
}

static enum it_status gsm8k_grade(const struct it_grading *grading, const json_t *fields,
                                 const char *where, struct it_verdict *verdict_out)
{
    const char *profile = grading->profile;
    const char *completion;
    char *gold;
    struct it_verdict verdict = {0};
    IT_TRY(it_dataset_string(fields, where, "completion", &completion));
    IT_TRY(it_dataset_gold(fields, where, "gold", &gold));
    if (strcmp(profile, "openai") == 0) {
        grade_openai(gold, completion, &verdict);
    } else if (strcmp(profile, "zeroeval") == 0) {
        grade_zeroeval(gold, completion, &verdict);
    } else if (strcmp(profile, "math-verify") == 0) {
        char *number = gold_number(gold);
        it_answer_grade(profile, IT_GOLD_NUMBER, NULL, number, completion, &verdict);
        it_free(number);
    } else {
        /* lighteval reads the gold from the whole rationale: four golds of the test set wrong */
        it_answer_grade(profile, IT_GOLD_RATIONALE, NULL, gold, completion, &verdict);
    }
    it_free(gold);
    *verdict_out = verdict;
    return IT_OK;
}

static bool gsm8k_equal(const char *profile, const char *a, const char *b)
{
    if (strcmp(profile, "zeroeval") == 0) { return it_zeroeval_numbers_equal(a, b); }
    if (strcmp(profile, "openai") == 0) { return strcmp(a, b) == 0; }
    return it_answer_same(profile, a, b);
}

const struct it_task it_task_gsm8k = {
    .name = "gsm8k",
    .summary = "grade-school word problems, a number as answer",
    .default_profile = "math-verify",
    .profiles = "math-verify|lighteval|lighteval-2025-05|openai|zeroeval",
    .system_prompt = system_prompt,
    .max_new_tokens = 1024,
    .open = gsm8k_open,
    .grade = gsm8k_grade,
    .equal = gsm8k_equal,
};
