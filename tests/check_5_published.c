/* SPDX-License-Identifier: MIT */
/* The published recipes of open-r1 Intuitor load as they are, and mean what was published. They are
 * looked for in recipes/ under INTUITOR_DATA; without it the test is skipped. */
#include "core/rl/recipe.h"
#include "tests/scratch.h"

static const struct published {
    const char *file, *method, *rewards;
    int64_t generations, prompts, n_prompts, updates, completion;
    double beta, rate;
} published[] = {
    {"Qwen2.5-3B_intuitor_config_demo.yaml", "intuitor", "accuracy:0 self_certainty:1", 7, 128,
     7500, 58, 3072, 0.005, 3e-6},
    {"Qwen2.5-3B_grpo_config_demo.yaml", "grpo", "accuracy:1", 7, 128, 7500, 58, 3072, 0.005, 3e-6},
    {"Qwen2.5-3B_intuitor_config_code_demo.yaml", "intuitor", "self_certainty:1 accuracy:0", 14, 64,
     13000, 50, 2048, 0.01, 1e-6},
    {"Qwen2.5-7B_intuitor_config_demo.yaml", "intuitor", "accuracy:0 self_certainty:1", 14, 64,
     7500, 117, 3072, 0.01, 1e-6},
    {"Qwen2.5-7B_grpo_config_demo.yaml", "grpo", "accuracy:1", 14, 64, 7500, 117, 3072, 0.01, 1e-6},
};

static void ck_recipe(const struct published *p, const struct it_recipe *r)
{
    struct it_str rewards = {0};
    struct it_batch_shape s;
    for (size_t i = 0; i < r->reward_funcs.n; i++) {
        it_str_printf(&rewards, "%s%s:%g", i ? " " : "", r->reward_funcs.item[i],
                      r->reward_weights.item[i]);
    }
    ck_assert_str_eq(it_str_c(&rewards), p->rewards);
    it_str_free(&rewards);
    ck_assert_str_eq(r->method, p->method);
    ck_assert_int_eq(r->num_generations, p->generations);
    ck_assert_int_eq(r->max_completion_length, p->completion);
    ck_assert_double_eq(r->beta, p->beta);
    ck_assert_double_eq(r->learning_rate, p->rate);
    ck_assert_int_eq(r->torch_dtype, IT_RECIPE_BF16);
    ck_assert(r->gradient_checkpointing);
    ck_assert_int_eq(r->seed, 7);
    ck_assert_int_eq(it_recipe_batch(r, 1, &s), IT_OK);
    ck_assert_int_eq(s.completions, 896);
    ck_assert_int_eq(s.prompts, p->prompts);
    ck_assert_int_eq(s.micro_batches, 224);
    ck_assert_int_eq(s.processes, 7);
    ck_assert_int_eq(it_recipe_updates(r, &s, p->n_prompts), p->updates);
}

START_TEST(loads)
{
    const struct published *p = &published[_i];
    static const char *const profiles[] = {"profile=recommended", "profile=paper-openr1",
                                           "profile=paper-math", "profile=verl"};
    char *folder = it_path_join(getenv("INTUITOR_DATA"), "recipes");
    char *path = it_path_join(folder, p->file);
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        struct it_recipe r;
        ck_assert_int_eq(it_recipe_load(path, &profiles[i], 1, &r, NULL), IT_OK);
        ck_recipe(p, &r);
        it_recipe_free(&r);
    }
    it_free(path);
    it_free(folder);
}
END_TEST

int main(void)
{
    const char *data = getenv("INTUITOR_DATA");
    if (!data || !it_path_is_dir(data)) { return 77; }
    Suite *suite = suite_create("published recipes");
    TCase *tests = tcase_create("published recipes");
    tcase_add_loop_test(tests, loads, 0, sizeof published / sizeof *published);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
