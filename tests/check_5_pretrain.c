/* SPDX-License-Identifier: MIT */
/* Next-token training: the loss is what it says, it falls, and an interrupted run goes on to the
 * same bits. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tiny_run.h"

enum { EXAMPLES = 9, LENGTH = 14 };

static int32_t text_ids[EXAMPLES][LENGTH];
static struct it_text_example example[EXAMPLES];

static void make_examples(void)
{
    for (int i = 0; i < EXAMPLES; i++) {
        for (int k = 0; k < LENGTH; k++) { text_ids[i][k] = 'a' + (i + 2 * k) % 10; }
        example[i] = (struct it_text_example){
            .ids = text_ids[i], .n = LENGTH - i % 4, .n_prompt = i % 3};
    }
}

static enum it_status pretrain(const char *name, const char *changes, bool resume)
{
    struct it_recipe recipe;
    char all[512];
    snprintf(all, sizeof all, "train_batch_tokens=50;micro_tokens=24;max_steps=6%s%s",
             *changes ? ";" : "", changes);
    ck_ok(tiny_load_recipe(name, all, &recipe));
    tiny_open(&recipe);
    struct it_pretrain_setup setup = {.recipe = &recipe, .net = tiny_net,
                                      .tokenizer = tiny_tokenizer, .examples = example,
                                      .n_examples = EXAMPLES, .resume = resume,
                                      .folders = {.save = tiny_save, .load = tiny_load}};
    enum it_status status = it_pretrain(&setup);
    tiny_close();
    it_recipe_free(&recipe);
    return status;
}

static void begin(void)
{
    scratch_begin();
    make_examples();
}

static const char *const cases[] = {
    "",
    "label_smoothing=0.1;token_noise=0.2",
    "completion_only_loss=true;shuffle_dataset=false",
    "torch_dtype=bfloat16;gradient_checkpointing=true;lr_scheduler_type=constant",
    "max_steps=-1;num_train_epochs=3;max_grad_norm=0.01",
    "optim=adamw_8bit",
    "optim=adamw_8bit;torch_dtype=bfloat16;bf16_stochastic_round=true",
};

START_TEST(resumed_is_uninterrupted)
{
    begin();
    tiny.interrupt_save_at = 1; /* heard in the update after */
    ck_assert_int_eq(tiny_apart(pretrain, "cut", cases[_i]), IT_INTERRUPTED);
    tiny.interrupt_save_at = 0;
    ck_ok(pretrain("cut", cases[_i], true));
    ck_ok(pretrain("whole", cases[_i], false));
    tiny_same_metrics("whole", "cut");
    tiny_same_file("whole", "cut", "checkpoint-6/model.safetensors");
    tiny_same_file("whole", "cut", "checkpoint-6/optimizer.safetensors");
    scratch_end();
}
END_TEST

START_TEST(it_learns)
{
    begin();
    ck_ok(pretrain("run", "max_steps=40;weight_decay=0", false));
    ck_assert_double_gt(tiny_field("run", 1, "loss"), 2.0);
    ck_assert_double_lt(tiny_field("run", 40, "loss"), 1.0);
    ck_assert_double_gt(tiny_field("run", 40, "mean_token_accuracy"), 0.7);
    scratch_end();
}
END_TEST

/* Less memory, the same lesson: a net whose matrices all have coded moments, along its way from a
 * loss of 5.9 to one of 0.004. Rounding at random is compared with masters. */
START_TEST(small_optimizers_learn_alike)
{
    static const char *const ways[][2] = {
        {"weight_decay=0", "optim=adamw_8bit;weight_decay=0"},
        {"torch_dtype=bfloat16", "torch_dtype=bfloat16;optim=adamw_8bit"},
        {"torch_dtype=bfloat16", "torch_dtype=bfloat16;bf16_stochastic_round=true"},
        {"torch_dtype=bfloat16",
         "torch_dtype=bfloat16;optim=adamw_8bit;bf16_stochastic_round=true"},
    };
    const char *learn = "max_steps=60;learning_rate=0.001;warmup_steps=5;eval_steps=0";
    char changes[512];
    double loss[2][60];
    begin();
    tiny.scale = 8;
    tiny.init_range = 0.1;
    for (int k = 0; k < 2; k++) {
        snprintf(changes, sizeof changes, "%s;%s", learn, ways[_i][k]);
        ck_ok(pretrain(k ? "small" : "large", changes, false));
        for (int i = 0; i < 60; i++) {
            loss[k][i] = tiny_field(k ? "small" : "large", i + 1, "loss");
        }
    }
    for (int i = 0; i < 60; i++) {
        double part = i < 5 ? 0.05 : 0.02; /* small steps do not reach the nearest bf16 at first */
        ck_assert_msg(fabs(loss[1][i] - loss[0][i]) < part * loss[0][i] + 0.02,
                      "%s: update %d: loss %g, not %g", ways[_i][1], i + 1, loss[1][i], loss[0][i]);
    }
    tiny.scale = 0;
    tiny.init_range = 0.3;
    scratch_end();
}
END_TEST

/* loss = (1 - e) nll + e u; u, the mean of -ln p over the vocabulary, does not depend on e. */
START_TEST(label_smoothing)
{
    static const double e[] = {0.0, 0.2, 0.4};
    char name[16], changes[64];
    double loss[3], nll[3];
    begin();
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "run%d", i);
        snprintf(changes, sizeof changes, "learning_rate=0;max_steps=1;label_smoothing=%g", e[i]);
        ck_ok(pretrain(name, changes, false));
        loss[i] = tiny_field(name, 1, "loss");
        nll[i] = tiny_field(name, 1, "nll");
    }
    ck_assert_double_eq(loss[0], nll[0]);
    ck_assert_double_eq(nll[1], nll[0]);
    double u = (loss[1] - (1.0 - e[1]) * nll[0]) / e[1];
    ck_assert_double_eq_tol((loss[2] - (1.0 - e[2]) * nll[0]) / e[2], u, 1e-9);
    ck_assert_double_gt(u, log((double)TINY_VOCAB));
    scratch_end();
}
END_TEST

/* A net of zeros gives every token the chance 1/V: both parts of the loss are ln V. */
START_TEST(uniform)
{
    begin();
    tiny.init_range = 0.0;
    ck_ok(pretrain("run", "max_steps=1;label_smoothing=0.3", false));
    ck_assert_double_eq_tol(tiny_field("run", 1, "loss"), log((double)TINY_VOCAB), 1e-5);
    ck_assert_double_eq_tol(tiny_field("run", 1, "nll"), log((double)TINY_VOCAB), 1e-5);
    scratch_end();
}
END_TEST

START_TEST(not_finite)
{
    begin();
    tiny.init_range = NAN;
    ck_assert_int_eq(pretrain("run", "", false), IT_GUARD);
    ck_assert(it_path_exists(scratch_path("run/checkpoint-2")));
    scratch_end();
}
END_TEST

START_TEST(examples_that_cannot_be)
{
    begin();
    example[4].n = 1;
    ck_assert_fails(pretrain("run", "", false), IT_INVALID, "example 5 has 1 tokens");
    example[4].n = 40; /* longer than the net's positions */
    ck_assert_fails(pretrain("run", "", false), IT_INVALID, "example 5 has 40 tokens");
    example[4].n = example[4].n_prompt = 5;
    ck_assert_fails(pretrain("run", "completion_only_loss=true", false), IT_INVALID, "5 of them");
    ck_assert(!it_path_exists(scratch_path("run")));
    scratch_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pretrain");
    TCase *tests = tcase_create("pretrain");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, resumed_is_uninterrupted, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, it_learns);
    tcase_add_loop_test(tests, small_optimizers_learn_alike, 0, 4);
    tcase_add_test(tests, label_smoothing);
    tcase_add_test(tests, uniform);
    tcase_add_test(tests, not_finite);
    tcase_add_test(tests, examples_that_cannot_be);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
