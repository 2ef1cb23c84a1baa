/* SPDX-License-Identifier: MIT */
/* Training end to end with a tiny random net: for every switch of the recipe the run ends, the
 * sampler's log-probs are the trainer's to the bit, and a run that was interrupted and resumed is
 * the uninterrupted one, to the bit, weights and optimizer included. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tiny_run.h"

static const char *const cases[] = {
    "",
    "beta=0.1",
    "beta=0.1;kl_estimator=k1;loss_type=grpo",
    "beta=0.1;kl_estimator=k2;kl_clamp=1;loss_type=bnpo",
    "loss_type=dr_grpo;importance_sampling_level=sequence",
    "num_iterations=2",
    "num_iterations=3;beta=0.1;delta=4;dual_clip=3;epsilon=0.001",
    "beta=0.1;sync_ref_model=true;ref_model_sync_steps=2",
    "sc_shift=or1_compat",
    "sc_shift=or1_compat;sc_annotator=frozen;beta=0.1",
    "sc_source=train_recompute;sc_dtype=bf16;sc_subtract_logv=false",
    "sc_vocab=tokenizer;sc_temperature=0;temperature=0.8",
    "sc_include_eos=false;sc_agg=sum",
    "sc_agg=min_window;sc_window=3",
    "sc_agg=tail;sc_window=4",
    "sc_annotator=frozen",
    "sc_annotator=frozen;beta=0.1;sync_ref_model=true;ref_model_sync_steps=1",
    "sc_annotator=ema;sc_ema=0.5",
    "sc_annotator=periodic;sc_period=3",
    "mask_truncated_completions=true",
    "mask_truncated_completions=true;truncated_in_statistics=true;beta=0.1",
    "truncated_in_statistics=false",
    "torch_dtype=bfloat16",
    "optim=adamw_8bit",
    "optim=paged_adamw_8bit;torch_dtype=bfloat16;weight_decay=0.1",
    "optim=adamw_bnb_8bit;torch_dtype=bfloat16;bf16_stochastic_round=true",
    "torch_dtype=bfloat16;bf16_stochastic_round=true",
    "torch_dtype=bfloat16;sc_annotator=ema;beta=0.1;sync_ref_model=true;ref_model_sync_steps=1",
    "profile=paper-openr1",
    "profile=paper-math",
    "profile=verl;entropy_coef=0.01",
    "method=direct_sc",
    "method=grpo",
    "method=grpo_pv;plurality_tie=random",
    "method=grpo;reward_funcs=accuracy,self_certainty;reward_combine=separate",
    "method=grpo;reward_funcs=accuracy,format_only;reward_combine=gdpo",
    "advantage=loo;scale_rewards=none",
    "advantage=batch;scale_rewards=batch",
    "advantage=none;scale_rewards=none",
    "top_k=9;top_p=0.9;min_p=0.01",
    "stop_strings=a,zz",
    "micro_tokens=24;lr_scheduler_type=linear;warmup_steps=2;weight_decay=0.1",
    "shuffle_dataset=false;num_generations=2;max_steps=-1;num_train_epochs=2",
    "gradient_accumulation_steps=14;max_completion_length=4", /* fewer prompts than a batch */
    "eval_steps=1;completions_logged=1",
};
enum { CASES = sizeof cases / sizeof *cases };

static const char *joined(const char *a, const char *b)
{
    static char text[1024];
    snprintf(text, sizeof text, "%s%s%s", a, *a ? ";" : "", b);
    return text;
}

static int64_t last_step(const char *name)
{
    struct it_lines lines;
    int64_t n = 0;
    char *path = it_path_join(scratch_path(name), "metrics.jsonl");
    ck_ok(it_lines_open(path, 0, &lines));
    while (it_lines_next(&lines) == IT_OK) { n++; }
    it_lines_close(&lines);
    it_free(path);
    return n;
}

/* What holds in every run that is exact. */
static void look_at(const char *name, int64_t step)
{
    static const char *const finite[] = {
        "loss", "grad_norm", "learning_rate", "kl", "reward", "reward_std", "entropy",
        "completions/mean_length", "self_certainty/mean", "self_certainty/within_group_std",
        "guard/eos_rate", "guard/repetition", "guard/distinct_3", "policy/ess", "epoch"};
    for (size_t i = 0; i < sizeof finite / sizeof *finite; i++) {
        ck_assert_msg(isfinite(tiny_field(name, step, finite[i])), "%s", finite[i]);
    }
    ck_assert_double_eq(tiny_field(name, step, "policy/ratio_dev_max"), 0.0);
    ck_assert_double_eq(tiny_field(name, step, "policy/ess"), 1.0);
    ck_assert_double_eq(tiny_field(name, step, "guard/skipped_updates"), 0.0);
    ck_assert_double_ge(tiny_field(name, step, "completions/min_length"), 1.0);
}

static void same_end(const char *a, const char *b, int64_t step)
{
    char file[64];
    static const char *const files[] = {"model.safetensors", "optimizer.safetensors"};
    tiny_same_metrics(a, b);
    tiny_same_file(a, b, "eval.jsonl");
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "checkpoint-%d/%s", (int)step, files[i]);
        tiny_same_file(a, b, file);
    }
    snprintf(file, sizeof file, "completions/completions_%05d.jsonl", (int)step);
    tiny_same_file(a, b, file);
}

START_TEST(resumed_is_uninterrupted)
{
    const char *changes = cases[_i];
    scratch_begin();
    /* in the third update of four, or the second of two */
    tiny.interrupt_at = strstr(changes, "accumulation") ? 150 : strstr(changes, "epochs") ? 12 : 20;
    ck_assert_int_eq(tiny_apart(tiny_train, "cut", changes), IT_INTERRUPTED);
    tiny.interrupt_at = 0;
    ck_ok(tiny_train("whole", changes, false));
    int64_t last = last_step("whole");
    for (int64_t step = 1; step <= last; step++) { look_at("whole", step); }
    ck_assert_int_lt(last_step("cut"), last);
    ck_ok(tiny_train("cut", changes, true));
    same_end("whole", "cut", last);
    scratch_end();
}
END_TEST

START_TEST(checkpointing_changes_nothing)
{
    scratch_begin();
    ck_ok(tiny_train("kept", cases[_i], false));
    ck_ok(tiny_train("again", joined(cases[_i], "gradient_checkpointing=true"), false));
    same_end("kept", "again", last_step("kept"));
    scratch_end();
}
END_TEST

/* Every reward of the table as a method. */
START_TEST(rewards)
{
    char changes[128];
    scratch_begin();
    for (size_t i = 0; it_reward_at(i); i++) {
        const char *name = it_reward_at(i)->name;
        snprintf(changes, sizeof changes, "method=%s;max_steps=1", name);
        ck_ok(tiny_train(name, changes, false));
        look_at(name, 1);
        snprintf(changes, sizeof changes, "rewards/%s/mean", name);
        ck_assert(isfinite(tiny_field(name, 1, changes)));
    }
    scratch_end();
}
END_TEST

/* ---- interruptions at odd moments ---- */

START_TEST(interrupted_evaluation)
{
    const char *changes = "eval_steps=2";
    scratch_begin();
    ck_ok(tiny_train("whole", changes, false));
    tiny.interrupt_eval_at = 7 + _i * 6; /* after 6 at the start: update 2, update 4 */
    ck_assert_int_eq(tiny_apart(tiny_train, "cut", changes), IT_INTERRUPTED);
    tiny.interrupt_eval_at = 0;
    ck_ok(tiny_train("cut", changes, true));
    same_end("whole", "cut", 4);
    scratch_end();
}
END_TEST

START_TEST(interrupted_before_the_first_update)
{
    scratch_begin();
    ck_ok(tiny_train("whole", "", false));
    tiny.interrupt_eval_at = 1;
    ck_assert_int_eq(tiny_apart(tiny_train, "cut", ""), IT_INTERRUPTED);
    tiny.interrupt_eval_at = 0;
    ck_ok(tiny_train("cut", "", true));
    same_end("whole", "cut", 4);
    scratch_end();
}
END_TEST

START_TEST(damaged_checkpoint_is_computed_again)
{
    scratch_begin();
    ck_ok(tiny_train("whole", "save_steps=1;save_total_limit=2", false));
    ck_ok(tiny_train("cut", "save_steps=1;save_total_limit=2", false));
    scratch_text("cut/checkpoint-4/optimizer.safetensors", "damaged");
    ck_assert(!it_path_exists(scratch_path("cut/checkpoint-2")));
    ck_ok(tiny_train("cut", "save_steps=1;save_total_limit=2", true));
    same_end("whole", "cut", 4);
    ck_assert(it_path_exists(scratch_path("cut/checkpoint-3")));
    scratch_end();
}
END_TEST

START_TEST(fresh_seed_differs)
{
    struct it_str what = {0};
    bool same;
    scratch_begin();
    ck_ok(tiny_train("a", "max_steps=2", false));
    ck_ok(tiny_train("b", "max_steps=2;seed=4", false));
    ck_ok(it_run_diff(scratch_path("a"), scratch_path("b"), &same, &what));
    ck_assert(!same && it_starts_with(it_str_c(&what), "step 1: "));
    it_str_free(&what);
    ck_assert_fails(tiny_train("a", "max_steps=3", true), IT_INVALID, "max_steps");
    scratch_end();
}
END_TEST

/* ---- guards, failures ---- */

START_TEST(guard_saves_and_stops)
{
    scratch_begin();
    ck_assert_fails(tiny_train("g", "guard_entropy=100;guard_patience=3", false), IT_GUARD,
                    "guard_entropy");
    ck_assert_int_eq(last_step("g"), 3);
    ck_assert(it_path_exists(scratch_path("g/checkpoint-3")));
    scratch_end();
}
END_TEST

START_TEST(not_finite_three_times)
{
    scratch_begin();
    tiny.init_range = NAN;
    ck_assert_fails(tiny_train("n", "", false), IT_GUARD, "not finite");
    ck_assert_int_eq(last_step("n"), 3);
    ck_assert_double_eq(tiny_field("n", 3, "guard/skipped_updates"), 3.0);
    ck_assert(it_path_exists(scratch_path("n/checkpoint-3")));
    scratch_end();
}
END_TEST

START_TEST(broken_grader)
{
    scratch_begin();
    tiny.fail_grade = true;
    ck_assert_fails(tiny_train("f", "", false), IT_FAILED, "the grader is broken");
    scratch_end();
}
END_TEST

START_TEST(too_little_memory)
{
    scratch_begin();
    ck_assert_fails(tiny_train("m", "memory_limit=1200000", false), IT_INVALID,
                    "gradient_checkpointing");
    ck_assert_fails(tiny_train("m", "memory_limit=1200000;gradient_checkpointing=true", false),
                    IT_INVALID, "smaller model");
    ck_assert(!it_path_exists(scratch_path("m")));
    scratch_end();
}
END_TEST

/* ---- replay and probe ---- */

static const char *const replayed[] = {
    "beta=0.1;sc_annotator=ema",
    "optim=adamw_8bit;torch_dtype=bfloat16;bf16_stochastic_round=true",
};

START_TEST(replay)
{
    struct it_recipe recipe;
    struct it_str what = {0};
    scratch_begin();
    ck_ok(tiny_train("whole", replayed[_i], false));
    for (int64_t step = 1; step <= 4; step++) {
        json_t *record = NULL, *before = tiny_record("whole", "metrics.jsonl", step);
        ck_ok(tiny_load_recipe("whole", replayed[_i], &recipe));
        tiny_open(&recipe);
        struct it_trainer_setup setup = tiny_setup(&recipe);
        ck_ok(it_train_replay(&setup, step, &record));
        ck_assert_msg(it_record_same(before, record, &what), "%s", it_str_c(&what));
        json_decref(record);
        json_decref(before);
        tiny_close();
        it_recipe_free(&recipe);
    }
    it_str_free(&what);
    scratch_end();
}
END_TEST

/* The state of one optimizer is not the other's, whatever the recipe now says. */
START_TEST(another_optimizer_is_refused)
{
    static const char *const ways[][3] = {
        {"optim=adamw_torch", "optim=adamw_8bit", "adamw_torch, not by adamw_8bit:"},
        {"optim=adamw_8bit", "optim=adamw_torch", "adamw_8bit, not by adamw_torch:"},
        {"torch_dtype=bfloat16", "torch_dtype=bfloat16;bf16_stochastic_round=true",
         "adamw_torch, not by adamw_torch with bf16_stochastic_round:"},
    };
    struct it_recipe recipe;
    json_t *record = NULL;
    scratch_begin();
    ck_ok(tiny_train("run", ways[_i][0], false));
    ck_assert_fails(tiny_train("run", ways[_i][1], true), IT_INVALID, "the run began with");
    ck_ok(tiny_load_recipe("run", ways[_i][1], &recipe)); /* replay reads the checkpoint alone */
    tiny_open(&recipe);
    struct it_trainer_setup setup = tiny_setup(&recipe);
    ck_assert_fails(it_train_replay(&setup, 4, &record), IT_INVALID, ways[_i][2]);
    tiny_close();
    it_recipe_free(&recipe);
    scratch_end();
}
END_TEST

START_TEST(probe)
{
    struct it_recipe recipe;
    double mean = 1.0, most = 1.0;
    scratch_begin();
    ck_ok(tiny_load_recipe("p", "", &recipe));
    tiny_open(&recipe);
    struct it_trainer_setup setup = tiny_setup(&recipe);
    ck_ok(it_train_probe(&setup, &mean, &most));
    ck_assert_double_eq(mean, 0.0);
    ck_assert_double_eq(most, 0.0);
    ck_assert(!it_path_exists(scratch_path("p")));
    tiny_close();
    it_recipe_free(&recipe);
    scratch_end();
}
END_TEST

/* ---- what the records mean ---- */

START_TEST(records)
{
    struct it_lines lines;
    json_t *record;
    double length = 0.0, advantage = 0.0, clipped = 0.0;
    int n = 0;
    scratch_begin();
    ck_ok(tiny_train("r", "completions_logged=0;advantage_eps=0;eval_steps=2", false));
    ck_ok(it_lines_open(scratch_path("r/completions/completions_00002.jsonl"), 0, &lines));
    for (; it_jsonl_next(&lines, &record) == IT_OK; n++) {
        length += json_number_value(json_object_get(record, "completion_tokens"));
        advantage += json_number_value(json_object_get(record, "advantage"));
        const char *reason = json_string_value(json_object_get(record, "finish_reason"));
        clipped += strcmp(reason, "length") == 0;
        json_decref(record);
    }
    it_lines_close(&lines);
    ck_assert_int_eq(n, 8);
    ck_assert_double_eq_tol(advantage, 0.0, 1e-9);
    ck_assert_double_eq_tol(tiny_field("r", 2, "completions/mean_length"), length / n, 1e-12);
    ck_assert_double_eq_tol(tiny_field("r", 2, "completions/clipped_ratio"), clipped / n, 1e-12);
    ck_assert_double_eq_tol(tiny_field("r", 3, "epoch"), 1.0, 1e-12); /* 2 prompts of 6 an update */
    json_t *evaluation = tiny_record("r", "eval.jsonl", 2);
    ck_assert_int_eq(json_integer_value(json_object_get(evaluation, "n")), 3);
    ck_assert_uint_eq(json_array_size(json_object_get(evaluation, "samples")), 2);
    json_decref(evaluation);
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *all = tcase_create("every switch"), *some = tcase_create("runs");
    tcase_set_timeout(all, 120);
    tcase_set_timeout(some, 120);
    tcase_add_loop_test(all, resumed_is_uninterrupted, 0, CASES);
    tcase_add_loop_test(some, checkpointing_changes_nothing, 0, 6);
    tcase_add_test(some, rewards);
    tcase_add_loop_test(some, interrupted_evaluation, 0, 2);
    tcase_add_test(some, interrupted_before_the_first_update);
    tcase_add_test(some, damaged_checkpoint_is_computed_again);
    tcase_add_test(some, fresh_seed_differs);
    tcase_add_test(some, guard_saves_and_stops);
    tcase_add_test(some, not_finite_three_times);
    tcase_add_test(some, broken_grader);
    tcase_add_test(some, too_little_memory);
    tcase_add_loop_test(some, replay, 0, 2);
    tcase_add_loop_test(some, another_optimizer_is_refused, 0, 3);
    tcase_add_test(some, probe);
    tcase_add_test(some, records);
    suite_add_tcase(suite, all);
    suite_add_tcase(suite, some);
    return scratch_run(suite);
}
