/* SPDX-License-Identifier: MIT */
/* AlpacaEval 2.0: win rates, the length-controlled model on a problem in closed form, the order
 * switch, and agreement with recorded annotations from INTUITOR_DATA. */
#include <math.h>

#include "core/base/json.h"
#include "core/data/data.h"
#include "tasks/grade/alpaca.h"
#include "tasks/grade/glm.h"
#include "tasks/grade/judge.h"
#include "tasks/task.h"
#include "tests/scratch.h"

static const char *data;

static double real(const json_t *summary, const char *name)
{
    return json_number_value(json_object_get(summary, name));
}

/* ---- a problem whose numbers are formulas: 100 instructions, two gamed baselines ---- */

enum { N = 100 };

static double difficulty(int i)
{
    return 2 * sin(1.7 * i) + 0.3 * cos(0.3 * i) - 0.5;
}

static int baseline_length(int i)
{
    return (int)(1500 + 400 * sin(0.9 * i) + 7 * (i % 13));
}

static void fill(const int *length, double a, double b, double c, double weight, double kind,
                 struct it_glm_row *row)
{
    double mean = 0, squares = 0;
    for (int i = 0; i < N; i++) { mean += (baseline_length(i) - length[i]) / (double)N; }
    for (int i = 0; i < N; i++) { squares += pow(baseline_length(i) - length[i] - mean, 2); }
    for (int i = 0; i < N; i++) {
        double z = tanh((baseline_length(i) - length[i]) / sqrt(squares / (N - 1)));
        double x = a * z + b * difficulty(i) + c + 0.8 * sin(2.3 * i + a);
        row[i] = (struct it_glm_row){
            .x = {z, difficulty(i), kind},
            .y = fmin(fmax(it_glm_logistic(x), 0.0005), 0.9995),
            .weight = weight,
        };
    }
}

static void closed_form(struct it_glm_row row[3 * N], int length[N])
{
    int concise[N], verbose[N];
    for (int i = 0; i < N; i++) {
        verbose[i] = (int)(1900 + 500 * cos(1.1 * i));
        concise[i] = (int)(700 + 200 * cos(0.7 * i));
        length[i] = (int)(1100 + 350 * cos(0.45 * i) + 3 * (i % 7));
    }
    fill(verbose, -1.6, 0.8, 0.2, 0.1, 0, row);
    fill(concise, -1.6, 0.7, -0.3, 0.1, 0, row + N);
    fill(length, -1.4, 0.9, -1.2, 1, 1, row + 2 * N);
}

static const double scores[] = {-1.3862943611198906, -1.3862943611198906, -1.3862943611198906,
                                -1.1720704253841245, -0.7249345427858745, -0.701666212824899,
                                -0.7011534000890933, -0.7011514570160585, -0.7011523568064527,
                                -0.7011524923961984};

START_TEST(regression)
{
    static const double wanted[] = {-1.4777046637267683, 0.8549313026388323, -1.0300516498907686};
    static const double weak[] = {0, 0.2410373355712436, -0.42815635791394024};
    struct it_glm_row row[3 * N];
    struct it_glm glm;
    double beta[3] = {5, -5, 5};
    int length[N];
    closed_form(row, length);
    ck_assert_double_eq_tol(row[2 * N].x[0], 0.12836830292462492, 1e-12);
    ck_assert_double_eq_tol(row[2 * N].y, 0.08721887087626863, 1e-12);
    it_glm_select(row, 3 * N, &glm);
    ck_assert_int_eq(glm.best, 7);
    for (int i = 0; i < IT_GLM_STRENGTHS; i++) {
        ck_assert_double_eq_tol(glm.score[i], scores[i], 2e-6);
    }
    for (int k = 0; k < 3; k++) { ck_assert_double_eq_tol(glm.beta[k], wanted[k], 1e-6); }
    it_glm_fit(row, 3 * N, pow(10, -4 + 8.0 * 3 / 9), beta);
    ck_assert(beta[0] == 0); /* exactly: the penalty is larger than its gain */
    for (int k = 1; k < 3; k++) { ck_assert_double_eq_tol(beta[k], weak[k], 1e-4); }
}
END_TEST

START_TEST(regression_extremes)
{
    struct it_glm_row row[10] = {0};
    struct it_glm glm;
    it_glm_select(row, 0, &glm);
    it_glm_select(row, 10, &glm); /* no weights */
    for (int k = 0; k < 3; k++) { ck_assert(glm.beta[k] == 0); }
    for (int i = 0; i < 10; i++) { /* all alike, and the same feature twice */
        row[i] = (struct it_glm_row){.x = {1, 1, 1}, .y = 1, .weight = 1};
    }
    it_glm_select(row, 10, &glm);
    ck_assert(isfinite(glm.beta[0]) && glm.beta[0] >= 0);
}
END_TEST

/* The same through files and records. */
static void write_folder(const struct it_glm_row row[3 * N])
{
    struct it_str base = {0}, hard = {0}, gamed = {0};
    char *text = it_alloc(4096);
    it_str_puts(&hard, ",instruction_difficulty\n");
    it_str_puts(&gamed, ",model,index,preference,std_delta_len,instruction_difficulty\n");
    for (int i = 0; i < N; i++) {
        int n = baseline_length(i);
        memset(text, 'x', (size_t)n);
        text[n] = '\0';
        it_str_printf(&base, "%s{\"instruction\":\"i%d\",\"output\":\"%s\"}", i ? "," : "[", i,
                      text);
        it_str_printf(&hard, "%d,%.17g\n", i, difficulty(i));
    }
    it_str_puts(&base, "]");
    for (int i = 0; i < 2 * N; i++) {
        it_str_printf(&gamed, "%d,g,%d,%.17g,%.17g,%.17g\n", i, i % N, row[i].y, atanh(row[i].x[0]),
                      row[i].x[1]);
    }
    scratch_text("alpaca_eval_gpt4_baseline.json", it_str_c(&base));
    scratch_text("instruction_difficulty.csv", it_str_c(&hard));
    scratch_text("df_gamed.csv", it_str_c(&gamed));
    it_str_free(&base);
    it_str_free(&hard);
    it_str_free(&gamed);
    it_free(text);
}

static json_t *record_of(int i, int length, double preference)
{
    struct it_str text = {0};
    for (int k = 0; k < length; k++) { it_str_puts(&text, "\xC3\xA9"); } /* one code point each */
    json_t *record = json_pack("{s:s, s:s, s:f}", "output_2", it_str_c(&text), "generator_2", "m",
                               "preference", preference);
    it_str_clear(&text);
    it_str_printf(&text, "i%d", i);
    json_object_set_new(record, "instruction", json_string(it_str_c(&text)));
    it_str_free(&text);
    return record;
}

START_TEST(through_files)
{
    struct it_glm_row row[3 * N];
    json_t *records[N], *summary = json_object();
    int length[N];
    const struct it_task *task = it_task_find("alpaca_eval");
    struct it_grading grading = {.data = scratch, .profile = task->default_profile};
    closed_form(row, length);
    write_folder(row);
    for (int i = 0; i < N; i++) { records[i] = record_of(i, length[i], 1 + row[2 * N + i].y); }
    ck_assert_int_eq(task->report(&grading, records, N, summary), IT_OK);
    ck_assert_double_eq_tol(real(summary, "win_rate"), 15.369399301262094, 1e-9);
    ck_assert_double_eq_tol(real(summary, "standard_error"), 1.898084250959829, 1e-9);
    ck_assert_double_eq_tol(real(summary, "lc_win_rate"), 24.76475711435944, 1e-4);
    ck_assert_double_eq_tol(real(summary, "lc_standard_error"), 1.9269555227873894, 1e-4);
    ck_assert_str_eq(json_string_value(json_object_get(summary, "lc_gamed")), "df_gamed.csv");
    json_object_set_new(records[5], "preference", json_null()); /* prediction still has all */
    ck_assert_int_eq(task->report(&grading, records, N, summary), IT_OK);
    ck_assert_double_eq_tol(real(summary, "lc_win_rate"), 24.76, 0.5);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "n_total")), N - 1);
    grading.data = NULL;
    ck_assert_int_eq(task->report(&grading, records, N, summary), IT_OK);
    ck_assert(json_is_null(json_object_get(summary, "lc_win_rate")));
    for (int i = 0; i < N; i++) { json_decref(records[i]); }
    json_decref(summary);
}
END_TEST

START_TEST(bad_files)
{
    struct it_glm_row row[3 * N];
    struct it_alpaca_set set;
    int length[N];
    closed_form(row, length);
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_NOT_FOUND, "alpaca_eval_gpt4_baseline");
    write_folder(row);
    scratch_text("instruction_difficulty.csv", ",instruction_difficulty\n100,0.5\n");
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_INVALID, "from 0 to 99");
    scratch_text("instruction_difficulty.csv", ",instruction_difficulty\n1,half\n");
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_INVALID, "instruction_difficulty");
    scratch_text("instruction_difficulty.csv", ",instruction_difficulty\n1e300,1\n");
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_INVALID, "index");
    scratch_text("instruction_difficulty.csv", ",instruction_difficulty\n1,1\n");
    ck_assert_int_eq(it_alpaca_set_open(scratch, &set), IT_OK);
    it_alpaca_set_close(&set);
    scratch_text("df_gamed.csv", "preference,std_delta_len\n0.5,0\n");
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_INVALID, "instruction_difficulty");
    scratch_text("alpaca_eval_gpt4_baseline.json", "[{\"instruction\":\"a\"}]");
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_INVALID, "output");
    scratch_text("alpaca_eval_gpt4_baseline.json", "[{\"instruction\":\"a\",\"output\":\"\"},"
                                                   "{\"instruction\":\"a\",\"output\":\"\"}]");
    ck_assert_fails(it_alpaca_set_open(scratch, &set), IT_INVALID, "twice");
}
END_TEST

/* ---- rates and verdicts ---- */

START_TEST(rates)
{
    static const double preferences[] = {1, 2, 0, 1.5, 1.75, NAN};
    json_t *records[6], *summary = json_object();
    for (int i = 0; i < 6; i++) {
        records[i] = record_of(i, 10 + i, 1);
        json_object_set_new(records[i], "preference", it_json_real(preferences[i]));
    }
    it_alpaca_rates(records, 6, summary);
    ck_assert_double_eq_tol(real(summary, "win_rate"), 55, 1e-12);
    ck_assert_double_eq_tol(real(summary, "standard_error"), 16.583123951777, 1e-9);
    ck_assert_double_eq_tol(real(summary, "discrete_win_rate"), 60, 1e-12);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "n_wins")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "n_wins_base")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "n_draws")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "n_total")), 5);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "avg_length")), 12);
    it_alpaca_rates(records, 1, summary);
    ck_assert(json_is_null(json_object_get(summary, "standard_error")));
    it_alpaca_rates(records, 0, summary);
    ck_assert(json_is_null(json_object_get(summary, "win_rate")));
    for (int i = 0; i < 6; i++) { json_decref(records[i]); }
    json_decref(summary);
}
END_TEST

static enum it_status grade(const char *record, struct it_verdict *verdict)
{
    const struct it_grading grading = {0};
    json_t *fields;
    ck_assert_int_eq(it_json_parse("record", record, strlen(record), &fields), IT_OK);
    enum it_status status = it_task_find("alpaca_eval")->grade(&grading, fields, "f:1", verdict);
    json_decref(fields);
    return status;
}

#define HEAD "{\"instruction\":\"i\",\"output_2\":\"o\""
START_TEST(verdicts)
{
    struct it_verdict v;
    ck_assert_int_eq(grade(HEAD ",\"preference\":1.75}", &v), IT_OK);
    ck_assert(v.correct);
    ck_assert_str_eq(v.extracted, "output_2");
    ck_assert_str_eq(v.detail, "preference 1.75");
    it_verdict_free(&v);
    ck_assert_int_eq(grade(HEAD ",\"preference\":0}", &v), IT_OK);
    ck_assert(!v.correct);
    ck_assert_str_eq(v.extracted, "draw");
    it_verdict_free(&v);
    ck_assert_int_eq(grade(HEAD ",\"preference\":null}", &v), IT_OK);
    ck_assert(!v.correct && v.gradable);
    ck_assert_ptr_null(v.extracted);
    it_verdict_free(&v);
    ck_assert_fails(grade(HEAD "}", &v), IT_INVALID, "preference");
    ck_assert_fails(grade(HEAD ",\"preference\":7}", &v), IT_INVALID, "from 1 to 2");
    ck_assert_fails(grade(HEAD ",\"preference\":\"2\"}", &v), IT_INVALID, "from 1 to 2");
    ck_assert_fails(grade("{\"instruction\":\"i\",\"preference\":1}", &v), IT_INVALID, "output_2");
    ck_assert_fails(grade("{\"output_2\":\"i\",\"preference\":1}", &v), IT_INVALID, "instruction");
}
END_TEST

START_TEST(order)
{
    static const struct {
        const char *instruction;
        double random;
        bool switched;
    } cases[] = {
        {"hello", 0.3703273324920633, false},
        {"", 0.14709790944563927, false},
        {"na\xC3\xAFve caf\xC3\xA9", 0.2869284272911532, false},
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 0.055494600322232523, false},
        {"instruction number 4", 0.8106564020747793, true},
        {"instruction number 13", 0.5819120224402, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double random;
        ck_assert_int_eq(it_judge_is_switched(cases[i].instruction, &random), cases[i].switched);
        ck_assert_double_eq(random, cases[i].random);
    }
    char *text = it_calloc(1, 400); /* every padding of the hash, and many words of key */
    int switched = 0;
    for (int n = 0; n < 400; n++) {
        switched += it_judge_is_switched(text, NULL);
        if (n < 399) { text[n] = 'a'; }
    }
    it_free(text);
    ck_assert_int_eq(switched, 201);
}
END_TEST

/* ---- real data ---- */

static json_t **read_records(const char *name, size_t *n_out)
{
    static const struct it_data_options options;
    struct it_data *reader;
    json_t **records = it_alloc(1000 * sizeof *records);
    char *path = it_path_join(data, name);
    ck_assert_int_eq(it_data_open(path, &options, &reader), IT_OK);
    for (*n_out = 0; *n_out < 1000; ++*n_out) {
        if (it_data_next(reader, &records[*n_out]) != IT_OK) { break; }
    }
    it_data_close(reader);
    it_free(path);
    return records;
}

static const struct {
    const char *file;
    double win_rate, error, discrete, lc, lc_tolerance;
    int length;
} recordings[] = {
    {"alpaca_eval/open/vicuna-7b.annotations.json", 4.16261116226087, 0.6135107768217068,
     3.602484472049689, 6.277217738516609, 0.1, 1044},
    {"alpaca_eval/open/FuseChat-Llama-3.2-3B-Instruct.annotations.json", 51.29667710101864,
     1.482579367297701, 52.85714285714286, 53.99883748344241, 0.1, 1976},
};

START_TEST(recorded)
{
    size_t n;
    const struct it_task *task = it_task_find("alpaca_eval");
    const struct it_grading grading = {.data = data, .profile = task->default_profile};
    json_t **records = read_records(recordings[_i].file, &n), *summary = json_object();
    ck_assert_uint_eq(n, 805);
    ck_assert_int_eq(task->report(&grading, records, n, summary), IT_OK);
    ck_assert_double_eq_tol(real(summary, "win_rate"), recordings[_i].win_rate, 1e-6);
    ck_assert_double_eq_tol(real(summary, "standard_error"), recordings[_i].error, 1e-6);
    ck_assert_double_eq_tol(real(summary, "discrete_win_rate"), recordings[_i].discrete, 1e-9);
    ck_assert_int_eq(json_integer_value(json_object_get(summary, "avg_length")),
                     recordings[_i].length);
    ck_assert_double_eq_tol(real(summary, "lc_win_rate_published"), recordings[_i].lc, 1e-6);
    ck_assert_double_eq_tol(real(summary, "lc_win_rate"), recordings[_i].lc,
                            recordings[_i].lc_tolerance);
    json_decref(summary);
    for (size_t i = 0; i < n; i++) { json_decref(records[i]); }
    it_free(records);
}
END_TEST

/* What the judge wrote, read by our rule, is the preference that was recorded. */
START_TEST(recorded_answers)
{
    size_t n, switches = 0;
    json_t **records = read_records(recordings[_i].file, &n);
    for (size_t i = 0; i < n; i++) {
        const char *instruction = json_string_value(json_object_get(records[i], "instruction"));
        bool switched = it_judge_is_switched(instruction, NULL), binary;
        const json_t *answer = json_object_get(records[i], "raw_completion");
        switches += switched;
        if (json_is_object(answer)) {
            double share = it_judge_share(answer, &binary);
            ck_assert(!binary);
            ck_assert_double_eq_tol(it_judge_preference(share, switched),
                                    real(records[i], "preference"), 1e-9);
        }
        json_decref(records[i]);
    }
    ck_assert_uint_eq(switches, 406);
    it_free(records);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alpaca_eval");
    TCase *rules = tcase_create("rules");
    tcase_add_checked_fixture(rules, scratch_begin, scratch_end);
    tcase_add_test(rules, regression);
    tcase_add_test(rules, regression_extremes);
    tcase_add_test(rules, through_files);
    tcase_add_test(rules, bad_files);
    tcase_add_test(rules, rates);
    tcase_add_test(rules, verdicts);
    tcase_add_test(rules, order);
    suite_add_tcase(suite, rules);
    data = getenv("INTUITOR_DATA");
    if (data) {
        TCase *real_data = tcase_create("data");
        tcase_set_timeout(real_data, 60);
        tcase_add_loop_test(real_data, recorded, 0, 2);
        tcase_add_loop_test(real_data, recorded_answers, 0, 2);
        suite_add_tcase(suite, real_data);
    }
    return scratch_run(suite);
}
