/* SPDX-License-Identifier: MIT */
/* The memory of a run: the plan's total is what the run takes, on a device that counts its own
 * allocations; models that wait in host memory change no bit; what cannot fit is refused before
 * anything is allocated, with settings that do fit. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rl/internal.h"
#include "tests/hostile.h"
#include "tests/tiny_run.h"

/* "changes;more"; the string lives until the fourth call after. */
static const char *with(const char *changes, const char *more)
{
    static struct it_str text[4];
    static int at;
    struct it_str *out = &text[at++ % 4];
    it_str_free(out);
    it_str_printf(out, "%s%s%s", changes, *changes ? ";" : "", more);
    return it_str_c(out);
}

/* ---- plan and peak ---- */

static const char *const recipes[] = {
    "",
    "beta=0.1",
    "gradient_checkpointing=true",
    "beta=0.1;gradient_checkpointing=true;torch_dtype=bfloat16",
    "beta=0.1;reference=resident",
    "beta=0.1;reference=streamed",
    "beta=0.1;reference=streamed;torch_dtype=bfloat16;sc_annotator=ema",
    "beta=0.1;sc_annotator=frozen;sync_ref_model=true;ref_model_sync_steps=1",
    "sc_annotator=periodic;sc_shift=or1_compat",
    "sc_source=train_recompute;micro_tokens=24",
    "optim=adamw_8bit;torch_dtype=bfloat16;beta=0.1",
    "bf16_stochastic_round=true;torch_dtype=bfloat16;optim=adamw_8bit",
    "use_peft=true;lora_r=4;beta=0.1",
    "use_peft=true;lora_r=4;beta=0.1;sync_ref_model=true;ref_model_mixup_alpha=1",
    "use_peft=true;lora_target_modules=all-linear;gradient_checkpointing=true",
    "num_generations=2;gradient_accumulation_steps=6;max_completion_length=20;eval_steps=1",
};
enum { RECIPES = sizeof recipes / sizeof *recipes };

static void ck_close(double a, double b, const char *what)
{
    ck_assert_msg(fabs(a - b) <= 0.03 * b, "%s: %.0f against %.0f", what, a, b);
}

/* The driver of the hostile device is its allocator: it knows nothing of plans and arenas. */
START_TEST(the_plan_is_what_a_run_takes)
{
    static const char *const backends[] = {"hostile", "cpu"};
    ck_ok(hostile_register());
    hostile_plan.refuse_percent = 0;
    tiny.scale = 2;
    tiny.init_range = 0.1;
    scratch_begin();
    for (size_t k = 0; k < sizeof backends / sizeof *backends; k++) {
        if (!tiny_has("cpu")) { continue; }
        tiny.backend = backends[k];
        ck_ok(tiny_train(backends[k], with("max_completion_length=4;max_steps=2", recipes[_i]),
                         false));
        double plan = tiny_field(backends[k], 2, "mem/plan_bytes");
        ck_close(tiny_field(backends[k], 2, "mem/peak_bytes"), plan, backends[k]);
        ck_assert_double_gt(plan, 1e6);
        if (k == 0) {
            ck_close(tiny_field(backends[k], 2, "mem/driver_bytes"), plan, "its allocator");
        }
    }
    scratch_end();
}
END_TEST

/* What the open device holds counts against the limit, and in the plan. */
START_TEST(a_limit_counts_the_device_itself)
{
    struct it_device *device;
    struct it_arena *arena = NULL;
    struct it_device_options options = {.threads = 1};
    scratch_begin();
    if (!tiny_has("cpu")) { return; }
    ck_ok(it_device_open("cpu", &options, &device));
    int64_t held = it_device_info(device)->memory_held;
    ck_assert_int_gt(held, 1 << 20);
    it_device_close(device);
    options.memory_limit = held + 8192;
    ck_ok(it_device_open("cpu", &options, &device));
    ck_assert_int_eq(it_device_memory_peak(device), held);
    ck_assert_fails(it_arena_open(device, "a", 8193, &arena), IT_NOMEM, "by the open device");
    ck_ok(it_arena_open(device, "a", 8192, &arena));
    ck_assert_int_eq(it_device_memory_peak(device), held + 8192);
    it_arena_close(arena);
    it_device_close(device);
    scratch_end();
}
END_TEST

/* ---- models that wait in host memory ---- */

static const char *const beside[] = {
    "beta=0.1",
    "beta=0.1;torch_dtype=bfloat16;micro_tokens=16",
    "sc_annotator=frozen",
    "sc_annotator=frozen;beta=0.1;sync_ref_model=true;ref_model_sync_steps=1",
    "sc_annotator=ema;sc_ema=0.5;beta=0.1",
    "sc_annotator=periodic;sc_period=1",
    "sync_ref_model=true;beta=0.1;ref_model_sync_steps=1;ref_model_mixup_alpha=1",
};
enum { BESIDE = sizeof beside / sizeof *beside };

static const char *short_run(const char *place, int i)
{
    return with(with("max_completion_length=4;max_steps=2", place), beside[i]);
}

static void same_end(const char *a, const char *b)
{
    tiny_same_metrics(a, b);
    tiny_same_file(a, b, "checkpoint-2/model.safetensors");
    tiny_same_file(a, b, "checkpoint-2/optimizer.safetensors");
}

START_TEST(a_streamed_model_changes_no_bit)
{
    if (!tiny_has("cpu")) { return; }
    ck_ok(hostile_register());
    hostile_plan.refuse_percent = 10;
    tiny.backend = "hostile";
    scratch_begin();
    ck_ok(tiny_train("resident", short_run("reference=resident", _i), false));
    ck_assert_int_eq(hostile_counts.prefetched, 0);
    ck_ok(tiny_train("streamed", short_run("reference=streamed", _i), false));
    ck_assert_int_gt(hostile_counts.prefetched, 0);
    same_end("resident", "streamed");
    ck_assert_double_lt(tiny_field("streamed", 2, "mem/peak_bytes"),
                        tiny_field("resident", 2, "mem/peak_bytes"));
    /* one begun with the other goes on with this one */
    tiny.interrupt_at = 12; /* in the second update */
    ck_assert_int_eq(tiny_apart(tiny_train, "cut", short_run("reference=resident", _i)),
                     IT_INTERRUPTED);
    tiny.interrupt_at = 0;
    ck_ok(tiny_train("cut", short_run("reference=streamed", _i), true));
    same_end("resident", "cut");
    ck_assert_int_eq(hostile_counts.buffers, 0);
    scratch_end();
}
END_TEST

/* A processor's memory is the host's: nothing is to be gained, and nothing is moved. */
START_TEST(a_processor_streams_nothing)
{
    scratch_begin();
    ck_ok(tiny_train("resident", short_run("reference=resident", 0), false));
    ck_ok(tiny_train("streamed", short_run("reference=streamed", 0), false));
    same_end("resident", "streamed");
    ck_assert_double_eq(tiny_field("streamed", 2, "mem/peak_bytes"),
                        tiny_field("resident", 2, "mem/peak_bytes"));
    scratch_end();
}
END_TEST

/* ---- plans ---- */

static enum it_status plan_of(const char *changes, struct it_memory_plan *plan_out)
{
    struct it_recipe recipe;
    ck_ok(tiny_load_recipe("p", changes, &recipe));
    tiny_open(&recipe);
    struct it_trainer_setup setup = tiny_setup(&recipe);
    int64_t before = it_device_memory_peak(tiny_device);
    enum it_status status = it_trainer_plan(&setup, plan_out);
    ck_assert_int_eq(it_device_memory_peak(tiny_device), before); /* nothing was allocated */
    tiny_close();
    it_recipe_free(&recipe);
    return status;
}

static const char *limited(const char *changes, int64_t limit)
{
    char text[64];
    snprintf(text, sizeof text, "memory_limit=%lld", (long long)limit);
    return with(changes, text);
}

/* Resident where there is room, to the byte; nothing else gives way before it does. */
START_TEST(auto_streams_when_it_must)
{
    struct it_memory_plan resident, streamed, p;
    if (!tiny_has("cpu")) { return; }
    ck_ok(hostile_register());
    tiny.backend = "hostile";
    tiny.scale = 8;
    scratch_begin();
    ck_ok(plan_of("beta=0.1;reference=resident", &resident));
    ck_ok(plan_of("beta=0.1;reference=streamed", &streamed));
    ck_assert_int_eq(resident.total - streamed.total, resident.reference);
    ck_assert_int_eq(streamed.reference, 0);
    ck_assert_int_eq(streamed.host, resident.reference);
    ck_ok(plan_of(limited("beta=0.1", resident.total), &p));
    ck_assert(!p.streamed && p.total == resident.total);
    ck_ok(plan_of(limited("beta=0.1", resident.total - 1), &p));
    ck_assert(p.streamed && p.total == streamed.total && p.micro_tokens == resident.micro_tokens);
    ck_ok(plan_of(limited("beta=0.1", streamed.total - 1), &p));
    ck_assert(p.total < streamed.total);
    ck_assert(p.micro_tokens < resident.micro_tokens || p.slots < resident.slots);
    ck_ok(plan_of("beta=0", &p));
    ck_assert(!p.streamed && p.host == 0 && p.reference == 0 && p.scoring == 0);
    scratch_end();
}
END_TEST

/* The settings that a refusal names, of the form "what fits: K=V [K=V ...] (SIZE)[, or ...]", as
 * "K=V;K=V"; NULL past the last. */
static char *cure(int index)
{
    const char *at = strstr(it_str_c(&spoken), "what fits: ");
    ck_assert_ptr_nonnull(at);
    at += strlen("what fits: ");
    while (index-- > 0) {
        at = strstr(at, ", or ");
        if (!at) { return NULL; }
        at += strlen(", or ");
    }
    char *text = it_strndup(at, strcspn(at, "("));
    for (char *c = text; *c; c++) { *c = *c == ' ' ? ';' : *c; }
    return text;
}

static void refuse_plan(const char *changes)
{
    struct it_memory_plan p;
    capture_begin();
    enum it_status status = plan_of(changes, &p);
    capture_end();
    ck_assert_int_eq(status, IT_INVALID);
}

/* Not one token more than it says. */
static void longest(const char *changes, const char *words, int64_t limit)
{
    static const char key[] = "max_completion_length=";
    char text[512];
    if (!it_starts_with(words, key)) { return; }
    snprintf(text, sizeof text, "%s;%s%ld", limited(changes, limit), key,
             strtol(words + strlen(key), NULL, 10) + 1);
    struct it_memory_plan p;
    ck_assert_int_eq(plan_of(text, &p), IT_INVALID);
}

/* Limits from all to nothing: what a refusal says, holds. */
START_TEST(a_refusal_names_what_fits)
{
    static const char *const changes[] = {
        "", "beta=0.1;reference=resident", "micro_tokens=160;max_completion_length=24",
        "beta=0.1;sc_annotator=ema;reference=resident", "use_peft=true;lora_r=2"};
    struct it_memory_plan all, p;
    int refused = 0, cured = 0;
    ck_ok(hostile_register());
    tiny.backend = "hostile";
    tiny.scale = 8;
    scratch_begin();
    ck_ok(plan_of(changes[_i], &all));
    for (int64_t limit = all.total; limit > all.total / 16; limit -= all.total / 16) {
        const char *text = limited(changes[_i], limit);
        if (plan_of(text, &p) == IT_OK) {
            ck_assert_int_le(p.total, limit);
            continue;
        }
        refuse_plan(text);
        refused++;
        char *words;
        bool none = strstr(it_str_c(&spoken), "nothing in the recipe");
        for (int k = 0; !none && (words = cure(k)); k++) {
            char cured_text[1024];
            snprintf(cured_text, sizeof cured_text, "%s;%s", limited(changes[_i], limit), words);
            ck_ok(plan_of(cured_text, &p));
            ck_assert_int_le(p.total, limit);
            longest(changes[_i], words, limit);
            cured++;
            it_free(words);
        }
    }
    ck_assert_int_gt(refused, 2);
    ck_assert_int_gt(cured, 0);
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 300);
    tcase_add_loop_test(tests, the_plan_is_what_a_run_takes, 0, RECIPES);
    tcase_add_test(tests, a_limit_counts_the_device_itself);
    tcase_add_loop_test(tests, a_streamed_model_changes_no_bit, 0, BESIDE);
    tcase_add_test(tests, a_processor_streams_nothing);
    tcase_add_test(tests, auto_streams_when_it_must);
    tcase_add_loop_test(tests, a_refusal_names_what_fits, 0, 5);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
