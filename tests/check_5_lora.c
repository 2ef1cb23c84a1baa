/* SPDX-License-Identifier: MIT */
/* Training adapters: exact as training all weights is, resumed to the bit, the reference free, the
 * checkpoint an adapter in PEFT's layout. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tiny_run.h"

static const char *const cases[] = {
    "",
    "beta=0.1",
    "torch_dtype=bfloat16;beta=0.1;lora_target_modules=all-linear",
    "lora_target_modules=all-linear;num_iterations=2;weight_decay=0.1",
    "gradient_checkpointing=true;lora_target_modules=o_proj,down_proj;use_rslora=true",
    "sc_annotator=frozen;beta=0.1",
    "sc_annotator=frozen;sync_ref_model=true;ref_model_sync_steps=2;ref_model_mixup_alpha=1",
    "beta=0.1;sync_ref_model=true;ref_model_sync_steps=2;ref_model_mixup_alpha=1",
    "sc_annotator=periodic;sc_period=3;torch_dtype=bfloat16",
    "micro_tokens=24;method=direct_sc",
};
enum { CASES = sizeof cases / sizeof *cases };

static const char *adapted(const char *changes)
{
    static char text[512];
    snprintf(text, sizeof text, "use_peft=true;lora_r=4;lora_alpha=8%s%s", *changes ? ";" : "",
             changes);
    return text;
}

static void same_end(const char *a, const char *b)
{
    tiny_same_metrics(a, b);
    tiny_same_file(a, b, "eval.jsonl");
    tiny_same_file(a, b, "checkpoint-4/adapter_model.safetensors");
    tiny_same_file(a, b, "checkpoint-4/adapter_config.json");
    tiny_same_file(a, b, "checkpoint-4/optimizer.safetensors");
    tiny_same_file(a, b, "completions/completions_00004.jsonl");
}

START_TEST(resumed_is_uninterrupted)
{
    const char *changes = adapted(cases[_i]);
    scratch_begin();
    tiny.interrupt_at = 20; /* in the third update of four */
    ck_assert_int_eq(tiny_apart(tiny_train, "cut", changes), IT_INTERRUPTED);
    tiny.interrupt_at = 0;
    ck_ok(tiny_train("whole", changes, false));
    for (int64_t step = 1; step <= 4; step++) {
        ck_assert_double_eq(tiny_field("whole", step, "policy/ratio_dev_max"), 0.0);
        ck_assert_double_eq(tiny_field("whole", step, "guard/skipped_updates"), 0.0);
        ck_assert_double_gt(tiny_field("whole", step, "grad_norm"), 0.0);
    }
    ck_ok(tiny_train("cut", changes, true));
    same_end("whole", "cut");
    ck_assert(!it_path_exists(scratch_path("whole/checkpoint-4/model.safetensors")));
    scratch_end();
}
END_TEST

START_TEST(checkpointing_changes_nothing)
{
    scratch_begin();
    ck_ok(tiny_train("kept", adapted("lora_target_modules=all-linear"), false));
    ck_ok(tiny_train("again", adapted("lora_target_modules=all-linear;gradient_checkpointing=true"),
                     false));
    same_end("kept", "again");
    scratch_end();
}
END_TEST

/* Before the first update the policy is its reference, and drifts from it afterwards. */
START_TEST(reference_is_the_base)
{
    scratch_begin();
    ck_ok(tiny_train("full", "beta=0.1", false));
    ck_ok(tiny_train("lora", adapted("beta=0.1"), false));
    ck_assert_double_eq(tiny_field("lora", 1, "kl"), 0.0);
    ck_assert_double_gt(tiny_field("lora", 4, "kl"), 0.0);
    static const char *const same[] = {"reward", "entropy", "self_certainty/mean", "loss"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ck_assert_double_eq(tiny_field("lora", 1, same[i]), tiny_field("full", 1, same[i]));
    }
    scratch_end();
}
END_TEST

static struct it_memory_plan plan_of(const char *changes)
{
    struct it_recipe recipe;
    struct it_memory_plan plan;
    ck_ok(tiny_load_recipe("plan", changes, &recipe));
    tiny_open(&recipe);
    struct it_trainer_setup setup = tiny_setup(&recipe);
    ck_ok(it_trainer_plan(&setup, &plan));
    tiny_close();
    it_recipe_free(&recipe);
    return plan;
}

START_TEST(memory_plan)
{
    scratch_begin();
    struct it_memory_plan full = plan_of("beta=0.1"), lora = plan_of(adapted("beta=0.1"));
    ck_assert_int_eq(full.reference, full.weights);
    ck_assert_int_eq(lora.reference, 0);
    ck_assert_int_gt(lora.weights, full.weights);
    ck_assert_int_lt(lora.weights - full.weights, full.weights / 4);
    ck_assert_int_lt(lora.optimizer * 4, full.optimizer);
    ck_assert_int_lt(lora.gradients * 4, full.gradients);
    scratch_end();
}
END_TEST

/* What is frozen is in no checkpoint, also where another model is kept beside the policy. */
START_TEST(checkpoints_are_small)
{
    struct it_map map;
    scratch_begin();
    ck_ok(tiny_train("a", adapted("sc_annotator=periodic;sc_period=3"), false));
    int64_t base = plan_of("").weights;
    static const char *const files[] = {"adapter_model.safetensors", "optimizer.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *folder = it_path_join(scratch_path("a"), "checkpoint-4");
        char *path = it_path_join(folder, files[i]);
        ck_ok(it_map_open(path, &map));
        ck_assert_int_lt((int64_t)map.size, base);
        it_map_close(&map);
        it_free(folder);
        it_free(path);
    }
    scratch_end();
}
END_TEST

START_TEST(resume_of_another_adapter)
{
    scratch_begin();
    ck_ok(tiny_train("a", adapted(""), false));
    ck_assert_fails(tiny_train("a", "use_peft=true;lora_r=5;lora_alpha=8", true), IT_INVALID,
                    "lora_r 4 and would go on with 5");
    ck_assert_fails(tiny_train("a", "", true), IT_INVALID, "use_peft");
    scratch_end();
}
END_TEST

START_TEST(recipes)
{
    static const struct {
        const char *changes, *says;
    } row[] = {
        {"use_peft=true;lora_dropout=0.05", "lora_dropout: only 0"},
        {"use_peft=true;lora_r=0", "lora_r: expected a number of at least 1"},
        {"use_peft=true;lora_r=65537", "lora_r"},
        {"use_peft=true;lora_alpha=nan", "lora_alpha"},
        {"use_peft=true;use_dora=true", "use_dora: only false"},
        {"use_peft=true;lora_modules_to_save=lm_head", "lora_modules_to_save: only unset"},
        {"use_peft=true;sync_ref_model=true", "ref_model_mixup_alpha: only 1"},
        {"use_peft=true;sc_annotator=ema", "use periodic"},
    };
    struct it_recipe recipe;
    scratch_begin();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        ck_assert_fails(tiny_load_recipe("r", row[i].changes, &recipe), IT_INVALID, row[i].says);
    }
    ck_ok(tiny_load_recipe("r", "lora_dropout=0.05;use_dora=true;sc_annotator=ema", &recipe));
    ck_assert(!recipe.use_peft); /* without it nothing of the sort matters */
    it_recipe_free(&recipe);
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lora training");
    TCase *tests = tcase_create("lora training");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, resumed_is_uninterrupted, 0, CASES);
    tcase_add_test(tests, checkpointing_changes_nothing);
    tcase_add_test(tests, reference_is_the_base);
    tcase_add_test(tests, memory_plan);
    tcase_add_test(tests, checkpoints_are_small);
    tcase_add_test(tests, resume_of_another_adapter);
    tcase_add_test(tests, recipes);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
