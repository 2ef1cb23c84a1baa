/* SPDX-License-Identifier: MIT */
/* The run directory: what is refused, cut back, damaged and pruned; event files read back byte by
 * byte; two runs compared. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/rl/events.h"
#include "core/rl/run.h"
#include "core/tensor/tensor.h"
#include "tests/scratch.h"

#define ck_ok(call) ck_assert_int_eq((call), IT_OK)

static struct it_recipe recipe;

/* A recipe whose output_dir is FOLDER/run. */
static void load_recipe(const char *text)
{
    char output[sizeof scratch + 64];
    const char *overrides[] = {output};
    snprintf(output, sizeof output, "output_dir=%s", scratch_path("run"));
    ck_ok(it_recipe_load(scratch_text("recipe.yaml", text), overrides, 1, &recipe, NULL));
}

static struct it_run *open_run(bool resume, bool overwrite)
{
    struct it_run *run;
    json_t *ledger = json_pack("{ss}", "version", "0");
    ck_ok(it_run_open(&recipe, ledger, resume, overwrite, &run));
    json_decref(ledger);
    return run;
}

static void begin(void)
{
    scratch_begin();
    load_recipe("save_total_limit: 2\nlearning_rate: 0.5\n");
}

static void end(void)
{
    it_recipe_free(&recipe);
    scratch_end();
}

static json_t *record(int64_t step, double loss)
{
    json_t *r = json_object();
    json_object_set_new(r, "step", json_integer((json_int_t)step));
    json_object_set_new(r, "loss", it_json_real(loss));
    return r;
}

static void put(struct it_run *run, int64_t step, double loss)
{
    json_t *r = record(step, loss), *list = json_array();
    json_array_append(list, r);
    ck_ok(it_run_metrics(run, step, r));
    ck_ok(it_run_eval(run, step, r));
    ck_ok(it_run_completions(run, step, list));
    json_decref(list);
    json_decref(r);
}

static char *content(const char *name)
{
    struct it_str text = {0};
    ck_ok(it_file_read(scratch_path(name), &text));
    char *copy = it_strdup(it_str_c(&text));
    it_str_free(&text);
    return copy;
}

static void check_content(const char *name, const char *expected)
{
    char *text = content(name);
    ck_assert_str_eq(text, expected);
    it_free(text);
}

/* ---- opening ---- */

START_TEST(refused_resumed_overwritten)
{
    struct it_run *run;
    begin();
    run = open_run(false, false);
    put(run, 1, 1.0);
    it_run_close(run);
    ck_assert(it_path_exists(scratch_path("run/run.json")));
    ck_assert_fails(it_run_open(&recipe, NULL, false, false, &run), IT_INVALID, "not empty");
    it_run_close(open_run(true, false));
    ck_assert(it_path_exists(scratch_path("run/metrics.jsonl")));
    it_run_close(open_run(false, true));
    ck_assert(!it_path_exists(scratch_path("run/metrics.jsonl")));
    end();
}
END_TEST

START_TEST(what_is_not_a_run_is_left)
{
    struct it_run *run;
    begin();
    ck_ok(it_dir_make(scratch_path("run")));
    scratch_text("run/events.out.tfevents.1", "of another program");
    ck_assert_fails(it_run_open(&recipe, NULL, false, true, &run), IT_INVALID, "not a run");
    ck_assert_fails(it_run_open(&recipe, NULL, true, false, &run), IT_INVALID, "not a run");
    check_content("run/events.out.tfevents.1", "of another program");
    ck_ok(it_dir_remove(scratch_path("run")));
    ck_ok(it_dir_make(scratch_path("run/completions"))); /* killed while it began */
    scratch_text("run/run.json", "{}");
    it_run_close(open_run(true, false));
    ck_assert(it_path_exists(scratch_path("run/recipe.yaml")));
    end();
}
END_TEST

START_TEST(resume_with_another_recipe)
{
    struct it_run *run;
    begin();
    it_run_close(open_run(false, false));
    it_recipe_free(&recipe);
    load_recipe("save_total_limit: 7\nlearning_rate: 0.5\nlogging_steps: 3\n");
    it_run_close(open_run(true, false)); /* changes no number */
    it_recipe_free(&recipe);
    load_recipe("learning_rate: 0.25\n");
    ck_assert_fails(it_run_open(&recipe, NULL, true, false, &run), IT_INVALID,
                    "learning_rate 0.5 and would go on with 0.25");
    end();
}
END_TEST

START_TEST(dry)
{
    struct it_run *run;
    begin();
    ck_assert_fails(it_run_open_dry(scratch_path("run"), &run), IT_NOT_FOUND, "no such run");
    it_run_close(open_run(false, false));
    ck_ok(it_run_open_dry(scratch_path("run"), &run));
    put(run, 1, 1.0);
    ck_ok(it_run_truncate(run, 0));
    ck_ok(it_run_save(run, 1, NULL, NULL, NULL, 0, NULL));
    ck_assert(!it_path_exists(scratch_path("run/metrics.jsonl")));
    it_run_close(run);
    it_run_close(NULL);
    end();
}
END_TEST

/* ---- cutting back ---- */

START_TEST(truncated)
{
    begin();
    struct it_run *run = open_run(false, false);
    for (int64_t step = 1; step <= 5; step++) { put(run, step, (double)step); }
    ck_ok(it_run_truncate(run, 2));
    check_content("run/metrics.jsonl", "{\"step\":1,\"loss\":1.0}\n{\"step\":2,\"loss\":2.0}\n");
    check_content("run/eval.jsonl", "{\"step\":1,\"loss\":1.0}\n{\"step\":2,\"loss\":2.0}\n");
    ck_assert(it_path_exists(scratch_path("run/completions/completions_00002.jsonl")));
    ck_assert(!it_path_exists(scratch_path("run/completions/completions_00003.jsonl")));
    ck_assert(it_run_evaluated(run, 2) && !it_run_evaluated(run, 3));
    ck_ok(it_run_truncate(run, -1));
    check_content("run/metrics.jsonl", "");
    ck_assert(!it_path_exists(scratch_path("run/completions/completions_00001.jsonl")));
    it_run_close(run);
    end();
}
END_TEST

START_TEST(torn_last_line)
{
    static const char *const torn[] = {"{\"step\":2,\"lo", "{\"step\":2,\"loss\":2.0", "{", "\"",
                                       "\xff\xfe", "{\"step\":1}{", "[1]"};
    begin();
    struct it_run *run = open_run(false, false);
    put(run, 1, 1.0);
    char *whole = content("run/metrics.jsonl");
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        struct it_str text = {0};
        it_str_printf(&text, "%s%s", whole, torn[i]);
        scratch_file("run/metrics.jsonl", text.data, text.len);
        it_str_free(&text);
        ck_ok(it_run_truncate(run, 9));
        check_content("run/metrics.jsonl", whole);
    }
    it_free(whole);
    it_run_close(run);
    end();
}
END_TEST

/* ---- checkpoints: the callbacks write one file, the tensors are two on the reference ---- */

static struct it_device *device;
static struct it_arena *arena;
static struct it_state_tensor tensors[2];
static bool fail_save;

static enum it_status save_model(void *context, const struct it_weights *weights,
                                 const char *folder)
{
    char *path = it_path_join(folder, "model.txt");
    enum it_status status = fail_save ? it_fail(IT_IO, "the disk is full")
                                      : it_file_write(path, context, strlen(context));
    (void)weights;
    it_free(path);
    return status;
}

static enum it_status load_model(void *context, struct it_weights *weights, const char *folder)
{
    char *path = it_path_join(folder, "model.txt");
    bool there = it_path_exists(path);
    (void)context;
    (void)weights;
    it_free(path);
    return there ? IT_OK : IT_FAILED;
}

static char words[] = "weights";
static const struct it_rl_folders folders = {
    .context = words, .save = save_model, .load = load_model};

static void fill(float first)
{
    float values[6] = {first, 1, 2, 3, 4, 5};
    ck_ok(it_upload(tensors[0].t, values));
    ck_ok(it_upload(tensors[1].t, values));
}

static float first_value(void)
{
    float values[6];
    ck_ok(it_download(values, tensors[0].t));
    return values[0];
}

static void open_tensors(void)
{
    ck_ok(it_device_open("reference", &(struct it_device_options){.threads = 1}, &device));
    ck_ok(it_arena_open(device, "state", 4096, &arena));
    strcpy(tensors[0].name, "m.0");
    strcpy(tensors[1].name, "v.0");
    ck_ok(it_tensor2(arena, IT_F32, 2, 3, &tensors[0].t));
    ck_ok(it_tensor1(arena, IT_F32, 6, &tensors[1].t));
}

static void close_tensors(void)
{
    it_arena_close(arena);
    it_device_close(device);
}

static enum it_status save_at(struct it_run *run, int64_t step)
{
    json_t *state = json_pack("{sI}", "global_step", (json_int_t)step);
    fill((float)step);
    enum it_status status = it_run_save(run, step, &folders, NULL, tensors, 2, state);
    json_decref(state);
    return status;
}

/* The step of the newest whole checkpoint, read back; -1: none. */
static int64_t newest(struct it_run *run, int64_t most)
{
    char *folder;
    json_t *state;
    ck_ok(it_run_newest(run, most, &folder, &state));
    if (!folder) { return -1; }
    int64_t step = (int64_t)json_integer_value(json_object_get(state, "global_step"));
    fill(-1.0f);
    ck_ok(it_run_load(folder, &folders, NULL, tensors, 2));
    ck_assert_float_eq(first_value(), (float)step);
    json_decref(state);
    it_free(folder);
    return step;
}

START_TEST(checkpoints)
{
    begin();
    open_tensors();
    struct it_run *run = open_run(false, false);
    ck_assert_int_eq(newest(run, -1), -1);
    for (int64_t step = 2; step <= 10; step += 2) { ck_ok(save_at(run, step)); }
    ck_assert_int_eq(newest(run, -1), 10);
    ck_assert_int_eq(newest(run, 9), 8);
    ck_assert_int_eq(newest(run, 7), -1); /* pruned: save_total_limit is 2 */
    ck_assert(!it_path_exists(scratch_path("run/checkpoint-6")));
    ck_assert(!it_path_exists(scratch_path("run/checkpoint-6.tmp")));
    ck_ok(save_at(run, 10)); /* is there, is left */
    ck_assert_int_eq(newest(run, -1), 10);
    it_run_close(run);
    close_tensors();
    end();
}
END_TEST

/* Each way of damage: passed over, named, and replaced when the step is saved again. */
static const struct {
    const char *file, *content, *says;
} damages[] = {
    {"optimizer.safetensors", "short", "not as it was saved"},
    {"model.txt", "WEIGHTS", "not as it was saved"}, /* the size is right, the sum is not */
    {"model.txt", NULL, "not as it was saved"},
    {"trainer_state.json", NULL, "no trainer_state.json"},
    {"trainer_state.json", "{\"global_step\": 4, \"fi", "trainer_state.json"},
    {"trainer_state.json", "{\"global_step\": 4}", NULL},
};

START_TEST(damaged)
{
    char name[128];
    begin();
    open_tensors();
    struct it_run *run = open_run(false, false);
    ck_ok(save_at(run, 2));
    ck_ok(save_at(run, 4));
    snprintf(name, sizeof name, "run/checkpoint-4/%s", damages[_i].file);
    if (damages[_i].content) {
        scratch_text(name, damages[_i].content);
    } else {
        ck_assert_int_eq(remove(scratch_path(name)), 0);
    }
    capture_begin();
    int64_t step = newest(run, -1);
    const char *said = capture_end();
    ck_assert_int_eq(step, 2);
    if (damages[_i].says) { ck_assert_msg(strstr(said, damages[_i].says), "%s", said); }
    ck_ok(save_at(run, 3)); /* a damaged later one does not count for the limit of 2 */
    ck_assert_int_eq(newest(run, 2), 2);
    ck_ok(save_at(run, 4));
    ck_assert_int_eq(newest(run, -1), 4);
    it_run_close(run);
    close_tensors();
    end();
}
END_TEST

START_TEST(failed_and_stale)
{
    begin();
    open_tensors();
    struct it_run *run = open_run(false, false);
    ck_ok(save_at(run, 1));
    fail_save = true;
    ck_assert_fails(save_at(run, 2), IT_IO, "the disk is full");
    fail_save = false;
    ck_assert(!it_path_exists(scratch_path("run/checkpoint-2")));
    ck_assert(!it_path_exists(scratch_path("run/checkpoint-2.tmp")));
    ck_ok(it_dir_make(scratch_path("run/checkpoint-3.tmp"))); /* killed while it saved */
    scratch_text("run/checkpoint-3.tmp/model.txt", "half");
    ck_ok(it_dir_make(scratch_path("run/checkpoint-x")));
    ck_ok(it_dir_make(scratch_path("run/checkpoint-5y")));
    it_run_close(run);
    run = open_run(true, false);
    ck_assert(!it_path_exists(scratch_path("run/checkpoint-3.tmp")));
    ck_assert_int_eq(newest(run, -1), 1);
    it_run_close(run);
    close_tensors();
    end();
}
END_TEST

/* ---- event files ---- */

/* CRC-32C by its definition, one bit at a time over the reflected polynomial. */
static uint32_t sum(const unsigned char *data, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < 8 * n; i++) {
        uint32_t bit = (crc ^ (uint32_t)data[i / 8] >> (i % 8)) & 1u;
        crc = crc >> 1 ^ (bit ? 0x82f63b78u : 0u);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static uint64_t little(const unsigned char *p, int n)
{
    uint64_t x = 0;
    while (n-- > 0) { x = x << 8 | p[n]; }
    return x;
}

static uint64_t varint(const unsigned char **p)
{
    uint64_t x = 0;
    for (int shift = 0;; shift += 7) {
        unsigned char byte = *(*p)++;
        x |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) { return x; }
    }
}

/* A scalar of the file as "step tag value" lines. */
static void read_value(const unsigned char *p, uint64_t step, struct it_str *out)
{
    float value;
    ck_assert_int_eq(*p++, 1 << 3 | 2);
    int n = (int)varint(&p);
    const char *tag = (const char *)p;
    p += n;
    ck_assert_int_eq(*p++, 2 << 3 | 5);
    uint32_t bits = (uint32_t)little(p, 4);
    memcpy(&value, &bits, sizeof value);
    it_str_printf(out, "%llu %.*s %g\n", (unsigned long long)step, n, tag, (double)value);
}

static void read_event(const unsigned char *p, const unsigned char *stop, struct it_str *out)
{
    uint64_t step = 0;
    double wall = 0.0;
    while (p < stop) {
        uint64_t key = varint(&p), n;
        switch (key) {
        case 1 << 3 | 1:
            memcpy(&wall, p, sizeof wall);
            p += 8;
            break;
        case 2 << 3: step = varint(&p); break;
        case 3 << 3 | 2:
            n = varint(&p);
            it_str_printf(out, "%.*s\n", (int)n, (const char *)p);
            p += n;
            break;
        case 5 << 3 | 2:
            n = varint(&p);
            for (const unsigned char *q = p + n; p < q;) {
                ck_assert_int_eq(*p++, 1 << 3 | 2);
                n = varint(&p);
                read_value(p, step, out);
                p += n;
            }
            break;
        default: ck_abort_msg("field %llu", (unsigned long long)key);
        }
    }
    ck_assert_ptr_eq(p, stop);
    ck_assert_double_gt(wall, 1.6e9);
}

static void read_events(const char *folder, struct it_str *out)
{
    struct it_strs names = {0};
    struct it_str bytes = {0};
    int files = 0;
    ck_ok(it_dir_list(folder, &names));
    for (size_t i = 0; i < names.n; i++) {
        if (!it_starts_with(names.item[i], "events.out.tfevents.")) { continue; }
        char *path = it_path_join(folder, names.item[i]);
        ck_ok(it_file_read(path, &bytes));
        it_free(path);
        files++;
    }
    ck_assert_int_eq(files, 1);
    const unsigned char *p = (const unsigned char *)bytes.data, *stop = p + bytes.len;
    while (p < stop) {
        size_t n = (size_t)little(p, 8);
        ck_assert_uint_le(n + 16, (size_t)(stop - p));
        ck_assert_uint_eq(little(p + 8, 4), sum(p, 8));
        ck_assert_uint_eq(little(p + 12 + n, 4), sum(p + 12, n));
        read_event(p + 12, p + 12 + n, out);
        p += n + 16;
    }
    it_str_free(&bytes);
    it_strs_free(&names);
}

START_TEST(events)
{
    struct it_str text = {0};
    begin();
    struct it_run *run = open_run(false, false);
    put(run, 1, 0.25);
    put(run, 300, -2.0);
    put(run, 301, NAN); /* null: no scalar */
    read_events(scratch_path("run"), &text);
    ck_assert_str_eq(it_str_c(&text), "brain.Event:2\n1 loss 0.25\n1 eval/loss 0.25\n300 loss -2\n"
                                      "300 eval/loss -2\n");
    it_str_clear(&text);
    ck_ok(it_run_truncate(run, 1)); /* written again from metrics.jsonl, then eval.jsonl */
    read_events(scratch_path("run"), &text);
    ck_assert_str_eq(it_str_c(&text), "brain.Event:2\n1 loss 0.25\n1 eval/loss 0.25\n");
    ck_ok(it_events_put(NULL, 1, "", NULL));
    it_str_free(&text);
    it_run_close(run);
    end();
}
END_TEST

START_TEST(crc_of_known_bytes)
{
    static const unsigned char zeros[32]; /* RFC 3720, B.4 */
    uint32_t crc = 0x8a9136aau;
    ck_assert_uint_eq(sum(zeros, 32), (crc >> 15 | crc << 17) + 0xa282ead8u);
}
END_TEST

/* ---- two runs ---- */

/* metrics.jsonl of FOLDER/a and FOLDER/b; what it_run_diff says of them, "" when it is the same. */
static const char *compared(const char *a, const char *b)
{
    static char said[256];
    struct it_str what = {0};
    bool same = false;
    ck_ok(it_dir_make(scratch_path("a")));
    ck_ok(it_dir_make(scratch_path("b")));
    scratch_text("a/metrics.jsonl", a);
    scratch_text("b/metrics.jsonl", b);
    ck_ok(it_run_diff(scratch_path("a"), scratch_path("b"), &same, &what));
    snprintf(said, sizeof said, "%s", same ? "" : it_str_c(&what));
    it_str_free(&what);
    return said;
}

START_TEST(differences)
{
    const char *one = "{\"step\":1,\"loss\":0.5,\"time/x\":1.0,\"mem/y\":3,\"step_time\":1.5}\n";
    scratch_begin();
    ck_assert_str_eq(compared(one, one), "");
    ck_assert_str_eq(compared(one, "{\"step\":1,\"loss\":0.5,\"perf/z\":1}\n"), "");
    ck_assert_str_eq(compared(one, "{\"step\":1,\"loss\":0.25}\n"),
                     "step 1: loss: 0.5 against 0.25");
    ck_assert_str_eq(compared("{\"step\":1,\"kl\":0}\n", "{\"step\":1}\n"),
                     "step 1: kl: 0 against missing");
    ck_assert_str_eq(compared("{\"step\":1}\n", "{\"step\":1,\"kl\":null}\n"),
                     "step 1: kl: missing against null");
    ck_assert_str_eq(compared("{\"step\":1}\n{\"step\":2}\n", "{\"step\":1}\n"),
                     "step 2: only one run has it");
    ck_assert_str_eq(compared("", "{\"step\":7}\n"), "step 7: only one run has it");
    ck_assert_str_eq(compared("", ""), "");
    scratch_end();
}
END_TEST

START_TEST(unreadable_runs)
{
    bool same;
    struct it_str what = {0};
    scratch_begin();
    compared("{\"step\":1}\n", "{\"step\":1}\n");
    scratch_text("b/metrics.jsonl", "{\"step\":");
    ck_assert_fails(it_run_diff(scratch_path("a"), scratch_path("b"), &same, &what), IT_INVALID,
                    "metrics.jsonl:1");
    ck_assert_fails(it_run_diff(scratch_path("b"), scratch_path("a"), &same, &what), IT_INVALID,
                    "metrics.jsonl:1");
    ck_assert_fails(it_run_diff(scratch_path("a"), scratch_path("c"), &same, &what), IT_NOT_FOUND,
                    "metrics.jsonl");
    it_str_free(&what);
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, refused_resumed_overwritten);
    tcase_add_test(tests, what_is_not_a_run_is_left);
    tcase_add_test(tests, resume_with_another_recipe);
    tcase_add_test(tests, dry);
    tcase_add_test(tests, truncated);
    tcase_add_test(tests, torn_last_line);
    tcase_add_test(tests, checkpoints);
    tcase_add_loop_test(tests, damaged, 0, sizeof damages / sizeof *damages);
    tcase_add_test(tests, failed_and_stale);
    tcase_add_test(tests, events);
    tcase_add_test(tests, crc_of_known_bytes);
    tcase_add_test(tests, differences);
    tcase_add_test(tests, unreadable_runs);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
