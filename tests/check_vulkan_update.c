/* SPDX-License-Identifier: MIT */
/* An exact update of the embedded model on a device, beside that of the cpu backend: what is
 * sampled, log-probs, loss, norm of the gradient, and every weight. Compiled for each of the
 * portable backends. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/tensor/backend.h"
#include "tests/tiny_run.h"

#ifndef UPDATE_DEVICE
#    define UPDATE_DEVICE "vulkan"
#endif

static const char changes[] = "exact=true;torch_dtype=float32;max_steps=1;save_steps=1;beta=0.01;"
                              "learning_rate=0.001;lr_scheduler_type=constant;warmup_steps=0";

static void train(const char *backend)
{
    const char *top = getenv("top_srcdir");
    char folder[4096];
    struct it_recipe recipe;
    struct it_model *model;
    ck_ok(tiny_load_recipe(backend, changes, &recipe));
    const struct it_device_options device = {.threads = 1, .exact = true, .strict = true};
    ck_ok(it_device_open(backend, &device, &tiny_device));
    const struct it_model_options options = {
        .device = tiny_device, .dtype = IT_F32, .need_tokenizer = true,
        .positions = recipe.max_prompt_length + recipe.max_completion_length};
    snprintf(folder, sizeof folder, "%s/models/embedded", top ? top : ".");
    ck_ok(it_model_open(folder, &options, &model));
    tiny_net = model->net;
    tiny_tokenizer = model->tokenizer;
    tiny_prompts();
    struct it_trainer_setup setup = tiny_setup(&recipe);
    ck_ok(it_train(&setup));
    it_model_close(model);
    it_device_close(tiny_device);
    it_recipe_free(&recipe);
}

/* The numbers of a checkpoint's weights, behind the header; owned by the caller. */
static struct it_str weights_of(const char *backend, size_t *first_out)
{
    struct it_str bytes = {0};
    uint64_t header;
    char *path = it_path_join(scratch_path(backend), "checkpoint-1/model.safetensors");
    ck_ok(it_file_read(path, &bytes));
    it_free(path);
    ck_assert_uint_gt(bytes.len, sizeof header);
    memcpy(&header, it_str_c(&bytes), sizeof header);
    *first_out = sizeof header + (size_t)header;
    ck_assert_uint_lt(*first_out, bytes.len);
    return bytes;
}

static void compare(const char *field, double tolerance)
{
    double ours = tiny_field(UPDATE_DEVICE, 1, field), theirs = tiny_field("cpu", 1, field);
    ck_assert_msg(fabs(ours - theirs) <= tolerance * (1 + fabs(theirs)), "%s: %.9g, on cpu %.9g",
                  field, ours, theirs);
}

/* A first step of AdamW is the learning rate in the gradient's direction: a weight whose gradient
 * is next to nothing may go the other way, all others agree. */
static void compare_weights(void)
{
    enum { FEW = 1000 };
    const double rate = 0.001;
    size_t first, first_cpu, n = 0, apart = 0, moved = 0;
    struct it_str ours = weights_of(UPDATE_DEVICE, &first), theirs = weights_of("cpu", &first_cpu);
    ck_assert_uint_eq(ours.len - first, theirs.len - first_cpu);
    for (size_t at = 0; at + sizeof(float) <= ours.len - first; at += sizeof(float), n++) {
        float x, y;
        memcpy(&x, it_str_c(&ours) + first + at, sizeof x);
        memcpy(&y, it_str_c(&theirs) + first_cpu + at, sizeof y);
        ck_assert(fabs((double)x - y) <= 2.1 * rate);
        apart += fabs((double)x - y) > 0.01 * rate;
        moved += x != y;
    }
    ck_assert_uint_gt(n, 1000000);
    ck_assert_msg(apart * FEW <= n, "%zu of %zu weights differ", apart, n);
    printf("%zu weights, %zu to the bit, %zu apart\n", n, n - moved, apart);
    it_str_free(&ours);
    it_str_free(&theirs);
}

START_TEST(an_update_is_the_cpus)
{
    scratch_begin();
    train(UPDATE_DEVICE);
    train("cpu");
    compare("reward", 1e-5);
    compare("entropy", 1e-5);
    compare("loss", 1e-5);
    compare("kl", 1e-5);
    compare("grad_norm", 1e-4);
    ck_assert(tiny_field(UPDATE_DEVICE, 1, "grad_norm") > 0);
    ck_assert(tiny_field(UPDATE_DEVICE, 1, "policy/ratio_dev_max") == 0);
    compare_weights();
    scratch_end();
}
END_TEST

int main(void)
{
    char why[160];
    const struct it_backend *backend = NULL;
    for (size_t i = 0; !backend && it_backend_at(i); i++) {
        if (strcmp(it_backend_name(it_backend_at(i)), UPDATE_DEVICE) == 0) {
            backend = it_backend_at(i);
        }
    }
    if (!backend || !tiny_has("cpu") || backend->probe(why, sizeof why) == 0) { return 77; }
    it_log_set_level(IT_LOG_WARN);
    Suite *suite = suite_create("update");
    TCase *tests = tcase_create("update");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, an_update_is_the_cpus);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* drivers do not survive a fork */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
