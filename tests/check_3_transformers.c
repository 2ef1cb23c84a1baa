/* SPDX-License-Identifier: MIT */
/* transformers loads what is saved here: the golden models, saved again in several ways, are handed
 * to scripts/check_transformers.py. PYTHON names the interpreter; skipped where it has no
 * transformers. */
#include <sys/wait.h>

#include "models/models.h"
#include "tests/scratch.h"

enum { SKIPPED = 77 };

static const struct {
    const char *folder;
    enum it_dtype dtype;
    int64_t shard_bytes;
} cases[] = {
    {"qwen2-tied", IT_F32, 0},
    {"qwen2-untied", IT_F32, 0},
    {"qwen2-tied", IT_BF16, 0},
    {"qwen2-untied", IT_F32, 20000}, /* in several shards */
    {"qwen3-tied", IT_F32, 0},
    {"qwen3-untied", IT_BF16, 0},
    {"llama-tied", IT_F32, 20000},
    {"llama-untied", IT_F32, 0},
    {"olmo2-tied", IT_BF16, 0},
    {"olmo2-untied", IT_F32, 0},
    {"mistral-tied", IT_F32, 0},
    {"mistral-untied", IT_F32, 0},
};

static void save_again(const char *from, const char *to, enum it_dtype dtype, int64_t shard_bytes)
{
    struct it_device_options options = {0};
    struct it_model_options how = {.dtype = IT_F32};
    struct it_save_options save = {.text_from = from, .shard_bytes = shard_bytes, .dtype = dtype};
    struct it_model *model = NULL;
    ck_assert_int_eq(it_device_open("reference", &options, &how.device), IT_OK);
    ck_assert_int_eq(it_model_open(from, &how, &model), IT_OK);
    ck_assert_int_eq(it_model_save(model->net, &model->net->weights, to, &save), IT_OK);
    it_model_close(model);
    it_device_close(how.device);
}

static const char *top_folder(void)
{
    const char *top = getenv("top_srcdir");
    return top ? top : ".";
}

static int run_script(const char *arguments)
{
    const char *python = getenv("PYTHON");
    struct it_str command = {0};
    it_str_printf(&command, "HF_HUB_OFFLINE=1 '%s' '%s/scripts/check_transformers.py' %s >&2",
                  python ? python : "python3", top_folder(), arguments);
    int status = system(it_str_c(&command));
    it_str_free(&command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(a_saved_model_is_what_it_was)
{
    struct it_str from = {0}, arguments = {0};
    const char *to = scratch_path("saved");
    it_str_printf(&from, "%s/tests/golden/%s", top_folder(), cases[_i].folder);
    save_again(it_str_c(&from), to, cases[_i].dtype, cases[_i].shard_bytes);
    it_str_printf(&arguments, "'%s' '%s'%s", it_str_c(&from), to,
                  cases[_i].dtype == IT_BF16 ? " bfloat16" : "");
    ck_assert_int_eq(run_script(it_str_c(&arguments)), 0);
    it_str_free(&arguments);
    it_str_free(&from);
}
END_TEST

int main(void)
{
    /* the script without arguments fails, but not with 77 where it could run; 127: no python */
    int probe = run_script("2>/dev/null");
    if (probe == SKIPPED || probe == 127) { return SKIPPED; }
    Suite *suite = suite_create("transformers");
    TCase *tests = tcase_create("transformers");
    tcase_set_timeout(tests, 60); /* importing torch takes its time */
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_loop_test(tests, a_saved_model_is_what_it_was, 0, sizeof cases / sizeof cases[0]);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
