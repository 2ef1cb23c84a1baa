/* SPDX-License-Identifier: MIT */
/* MMLU-Pro: letters by each stage of the official rule, Python's random numbers behind its guesses,
 * prompts with worked examples, and agreement with recorded outputs from INTUITOR_DATA. */
#include "core/base/json.h"
#include "tasks/grade/mersenne.h"
#include "tasks/grade/mmlu_letter.h"
#include "tasks/task.h"
#include "tests/scratch.h"

static const struct it_task *task(void)
{
    return it_task_find("mmlu_pro");
}

START_TEST(letters)
{
    static const struct {
        const char *text, *stage;
        char letter;
    } cases[] = {
        {"The answer is C", "first", 'C'},
        {"The answer is (A). Wait, the answer is (D).", "first", 'A'},
        {"The answer is Apple", "first", 'A'},
        {"answer is K, the answer is J", "first", 'J'},
        {"answer is ((A)", "last", 'A'},
        {"answer is  (C)", "last", 'C'},
        {"Answer is (C)", "last", 'C'},
        {"the answer is **C**", "last", 'C'},
        {"Answer: D", "second", 'D'},
        {"answer:\n\nE because", "second", 'E'},
        {"Answer:\xC2\xA0\xE3\x80\x80"
         "F",
         "second", 'F'},
        {"Answer: A then Answer: B\nAnswer: C", "second", 'B'},
        {"Line1 Answer: \nLine2 answer: F", "second", 'F'},
        {"Answer:K Answer:\nB", "second", 'B'},
        {"ANSWER: F", "last", 'F'},
        {"Final Answer: \\boxed{E}", "last", 'E'},
        {"A cat sat. Option B? Then C!", "last", 'C'},
        {"I", "last", 'I'},
        {"B_ A", "last", 'A'},
        {"A1", "none", 0},
        {"\xC3\xA9"
         "A",
         "none", 0},
        {"\xC3\xA9 A \xC3\xA9", "last", 'A'},
        {"A\xC2\xB2", "none", 0},   /* a superscript two is a digit */
        {"A\xCC\x81", "last", 'A'}, /* a combining accent is no word */
        {"\xFF"
         "A\xFF",
         "last", 'A'},
        {"no letters here", "none", 0},
        {"", "none", 0},
    };
    static const char *const names[] = {"none", "first", "second", "last"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum it_mmlu_stage stage;
        char letter = it_mmlu_letter(cases[i].text, strlen(cases[i].text), IT_MMLU_LAST, &stage);
        ck_assert_msg(letter == cases[i].letter, "\"%s\": %c", cases[i].text, letter);
        ck_assert_str_eq(names[stage], cases[i].stage);
        letter = it_mmlu_letter(cases[i].text, strlen(cases[i].text), IT_MMLU_FIRST, &stage);
        ck_assert_int_eq(letter, strcmp(cases[i].stage, "first") ? 0 : cases[i].letter);
    }
}
END_TEST

/* The originals would need hours for these. */
START_TEST(linear)
{
    struct it_str text = {0};
    enum it_mmlu_stage stage;
    for (int i = 0; i < 1000000; i++) { it_str_puts(&text, "answer:"); }
    ck_assert_int_eq(it_mmlu_letter(text.data, text.len, IT_MMLU_LAST, &stage), 0);
    it_str_clear(&text);
    for (int i = 0; i < 300000; i++) { it_str_puts(&text, "answer:        "); }
    ck_assert_int_eq(it_mmlu_letter(text.data, text.len, IT_MMLU_LAST, &stage), 0);
    it_str_clear(&text);
    for (int i = 0; i < 3000000; i++) { it_str_puts(&text, "\n A1"); }
    ck_assert_int_eq(it_mmlu_letter(text.data, text.len, IT_MMLU_LAST, &stage), 0);
    it_str_free(&text);
}
END_TEST

START_TEST(random_numbers)
{
    static const uint32_t tens[] = {6, 0, 4, 5, 3, 4, 9, 6, 2, 5, 1, 6, 4, 8, 2, 9, 8, 2, 5, 1};
    static const uint32_t sizes[] = {10, 4, 9, 10, 3, 7, 8, 5, 6, 10, 2, 10};
    static const uint32_t draws[] = {6, 0, 4, 5, 0, 2, 6, 1, 2, 1, 1, 4};
    struct it_mersenne m;
    it_mersenne_seed(&m, 12345);
    for (size_t i = 0; i < 20; i++) { ck_assert_uint_eq(it_mersenne_below(&m, 10), tens[i]); }
    it_mersenne_seed(&m, 12345);
    for (size_t i = 0; i < 12; i++) {
        ck_assert_uint_eq(it_mersenne_below(&m, sizes[i]), draws[i]);
    }
    it_mersenne_seed(&m, 12345);
    for (int i = 0; i < 1000; i++) { ck_assert_uint_eq(it_mersenne_below(&m, 1), 0); }
}
END_TEST

static enum it_status grade(const char *profile, const char *record, struct it_verdict *verdict)
{
    const struct it_grading grading = {.profile = profile};
    json_t *fields;
    ck_assert_int_eq(it_json_parse("record", record, strlen(record), &fields), IT_OK);
    enum it_status status = task()->grade(&grading, fields, "f:1", verdict);
    json_decref(fields);
    return status;
}

START_TEST(verdicts)
{
    struct it_verdict v;
    ck_assert_int_eq(grade("mmlu-pro", "{\"completion\":\"so B\",\"gold\":\"B\"}", &v), IT_OK);
    ck_assert(v.correct && v.gradable);
    ck_assert_str_eq(v.extracted, "B");
    it_verdict_free(&v);
    ck_assert_int_eq(grade("mmlu-pro-first", "{\"completion\":\"so B\",\"gold\":\"B\"}", &v),
                     IT_OK);
    ck_assert(!v.correct && v.gradable);
    ck_assert_ptr_null(v.extracted);
    it_verdict_free(&v);
    ck_assert_int_eq(grade("mmlu-pro", "{\"completion\":\"so B\",\"gold\":\"banana\"}", &v), IT_OK);
    ck_assert(!v.gradable && !v.correct);
    it_verdict_free(&v);
    ck_assert_fails(grade("mmlu-pro", "{\"completion\":\"so B\"}", &v), IT_INVALID, "gold");
    ck_assert_fails(grade("mmlu-pro", "{\"completion\":3,\"gold\":\"B\"}", &v), IT_INVALID,
                    "completion");
}
END_TEST

/* ---- guesses ---- */

static json_t *unanswered(const char *subject, int options, int answer)
{
    json_t *record = json_pack("{s:s, s:[], s:i, s:n, s:b}", "category", subject, "options",
                               "answer_index", answer, "extracted", "correct", 0);
    for (int i = 0; i < options; i++) {
        json_array_append_new(json_object_get(record, "options"), json_string("x"));
    }
    json_array_append_new(json_object_get(record, "options"), json_string("N/A"));
    return record;
}

static double real(const json_t *summary, const char *name)
{
    return json_number_value(json_object_get(summary, name));
}

START_TEST(guesses)
{
    /* The stream of ten: 6 0 | 4 5, then 3 | 4. Subjects go in alphabetical order, each is drawn
     * for twice, and the second draw counts. */
    json_t *records[] = {unanswered("math", 10, 4), unanswered("law", 10, 4),
                         unanswered("law", 10, 5), unanswered("law", 10, 6)};
    json_t *summary = json_object();
    json_t *law[] = {records[1], records[2]};
    ck_assert_int_eq(task()->report(NULL, law, 2, summary), IT_OK);
    ck_assert_double_eq(real(summary, "accuracy_guessing"), 1.0);
    ck_assert_double_eq(real(summary, "accuracy_guessing_per_draw"), 0.0);
    ck_assert_double_eq_tol(real(summary, "accuracy_guessing_expected"), 0.1, 1e-15);
    json_t *both[] = {records[0], records[1], records[2]};
    ck_assert_int_eq(task()->report(NULL, both, 3, summary), IT_OK);
    ck_assert_double_eq(real(summary, "accuracy_guessing"), 1.0);
    ck_assert_int_eq(task()->report(NULL, records + 3, 1, summary), IT_OK);
    ck_assert_double_eq(real(summary, "accuracy_guessing"), 0.0);
    ck_assert_double_eq(real(summary, "accuracy_guessing_per_draw"), 1.0);
    json_object_del(records[3], "options");
    ck_assert_int_eq(task()->report(NULL, records, 4, summary), IT_OK);
    ck_assert(json_is_null(json_object_get(summary, "accuracy_guessing")));
    json_object_set_new(records[3], "extracted", json_string("B"));
    json_object_set_new(records[3], "correct", json_true());
    ck_assert_int_eq(task()->report(NULL, records + 3, 1, summary), IT_OK);
    ck_assert_double_eq(real(summary, "accuracy_guessing"), 1.0);
    for (int i = 0; i < 4; i++) { json_decref(records[i]); }
    json_decref(summary);
}
END_TEST

/* ---- prompts ---- */

static const char questions[] =
    "{\"question_id\":7,\"question\":\"Two and two?\",\"options\":[\"3\",\"N/A\",\"4\"],"
    "\"answer\":\"B\",\"category\":\"math\"}\n";
static const char examples[] =
    "{\"question\":\"One?\",\"options\":[\"1\",\"2\"],\"answer\":\"A\",\"category\":\"math\","
    "\"cot_content\":\"A: Let's think step by step. One. The answer is (A).\"}\n"
    "{\"question\":\"Law?\",\"options\":[\"yes\",\"no\"],\"answer\":\"A\",\"category\":\"law\","
    "\"cot_content\":\"A: Let's think step by step. The answer is (A).\"}\n"
    "{\"question\":\"Two?\",\"options\":[\"1\",\"2\"],\"answer\":\"B\",\"category\":\"math\","
    "\"cot_content\":\"A: Let's think step by step. Two. The answer is (B).\"}\n";

static int64_t pretend_tokens(void *context, const char *text)
{
    (void)context;
    return strstr(text, "Two?") ? 2048 : 2047;
}

START_TEST(prompts)
{
    struct it_problems p;
    struct it_task_source source = {.data = scratch};
    scratch_text("test.jsonl", questions);
    scratch_text("validation.jsonl", examples);
    ck_assert_int_eq(task()->open(&source, &p), IT_OK);
    ck_assert_uint_eq(p.n, 1);
    ck_assert_str_eq(p.item[0].id, "mmlu_pro/7");
    ck_assert_str_eq(p.item[0].gold, "B");
    const char *text = strstr(p.item[0].text, "Question:");
    ck_assert_str_eq(text, "Question:\nOne?\nOptions:\nA. 1\nB. 2\n"
                           "Answer: Let's think step by step. One. The answer is (A).\n\n"
                           "Question:\nTwo?\nOptions:\nA. 1\nB. 2\n"
                           "Answer: Let's think step by step. Two. The answer is (B).\n\n"
                           "Question:\nTwo and two?\nOptions:\nA. 3\nB. 4\n"
                           "Answer: Let's think step by step.");
    it_problems_free(&p);
    source.count_tokens = pretend_tokens;
    ck_assert_int_eq(task()->open(&source, &p), IT_OK);
    ck_assert_ptr_nonnull(strstr(p.item[0].text, "One?"));
    ck_assert_ptr_null(strstr(p.item[0].text, "Two?"));
    it_problems_free(&p);
    source.prompt = "zero-shot";
    ck_assert_int_eq(task()->open(&source, &p), IT_OK);
    ck_assert_ptr_null(strstr(p.item[0].text, "One?"));
    ck_assert_ptr_nonnull(strstr(p.item[0].text, "about math"));
    it_problems_free(&p);
    source.data = scratch_path("test.jsonl"); /* the examples lie beside it */
    source.prompt = NULL;
    ck_assert_int_eq(task()->open(&source, &p), IT_OK);
    ck_assert_ptr_nonnull(strstr(p.item[0].text, "One?"));
    it_problems_free(&p);
    scratch_text("bad.jsonl", "{\"question\":\"?\",\"category\":\"law\",\"answer\":\"A\"}\n");
    source.data = scratch_path("bad.jsonl");
    ck_assert_fails(task()->open(&source, &p), IT_INVALID, "options");
}
END_TEST

/* ---- real data ---- */

static const char *data;
static const char *const models[] = {"Llama-2-7b-hf", "Meta-Llama-3-70B",
                                     "Mistral-7B-Instruct-v0.2"};

START_TEST(recorded)
{
    struct it_str name = {0};
    struct it_lines lines;
    json_t *record;
    it_str_printf(&name, "%s/mmlu_pro/open/%s.jsonl", data, models[_i]);
    ck_assert_int_eq(it_lines_open(it_str_c(&name), 0, &lines), IT_OK);
    while (it_jsonl_next(&lines, &record) == IT_OK) {
        enum it_mmlu_stage stage;
        const json_t *text = json_object_get(record, "generated_text");
        const char *wanted = json_string_value(json_object_get(record, "pred"));
        char letter = it_mmlu_letter(json_string_value(text), json_string_length(text),
                                     IT_MMLU_FIRST, &stage);
        ck_assert_msg(letter == (wanted ? wanted[0] : 0), "line %lld", (long long)lines.number);
        json_decref(record);
    }
    it_lines_close(&lines);
    it_str_free(&name);
}
END_TEST

START_TEST(dataset)
{
    struct it_problems p;
    const struct it_task_source source = {.data = data, .limit = 200};
    ck_assert_int_eq(task()->open(&source, &p), IT_OK);
    ck_assert_uint_eq(p.n, 200);
    for (size_t i = 0; i < p.n; i++) {
        int n = 0;
        for (const char *at = p.item[i].text; (at = strstr(at, "The answer is (")); at++) { n++; }
        ck_assert_int_eq(n, 5);
    }
    it_problems_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mmlu_pro");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, scratch_begin, scratch_end);
    tcase_add_test(rules, letters);
    tcase_add_test(rules, linear);
    tcase_add_test(rules, random_numbers);
    tcase_add_test(rules, verdicts);
    tcase_add_test(rules, guesses);
    tcase_add_test(rules, prompts);
    suite_add_tcase(suite, rules);
    data = getenv("INTUITOR_DATA");
    if (data) {
        TCase *real_data = tcase_create("data");
        tcase_set_timeout(real_data, 60);
        tcase_add_loop_test(real_data, recorded, 0, sizeof models / sizeof *models);
        tcase_add_test(real_data, dataset);
        suite_add_tcase(suite, real_data);
    }
    return scratch_run(suite);
}
