/* SPDX-License-Identifier: MIT */
/* intuitor pretrain: next-token training by a recipe. */
#include <string.h>

#include "cli/cli.h"
#include "cli/corpus.h"

struct pretrain_values {
    struct it_cli_common common;
    bool resume, overwrite;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(pretrain_values),
    IT_CLI_BACKEND_ROW(pretrain_values),
    IT_CLI_DEVICE_ROWS(pretrain_values),
    {"resume", IT_OPT_BOOL, "false", "go on from the newest valid checkpoint of output_dir",
     offsetof(struct pretrain_values, resume), NULL},
    {"overwrite", IT_OPT_BOOL, "false", "delete the run in output_dir first",
     offsetof(struct pretrain_values, overwrite), NULL},
};

static enum it_status open_model(const struct it_recipe *r, const struct it_cli_common *common,
                                 struct it_device *device, struct it_model **model_out)
{
    enum it_dtype dtype = it_cli_dtype(common);
    if (!r->model_name_or_path) {
        return it_fail(IT_INVALID, "model_name_or_path is not set: name a model folder");
    }
    if (dtype == IT_NONE && r->torch_dtype != IT_RECIPE_AUTO) {
        dtype = r->torch_dtype == IT_RECIPE_BF16 ? IT_BF16 : IT_F32;
    }
    struct it_model_options options = {
        .device = device, .dtype = dtype, .need_tokenizer = true, .random = r->from_scratch,
        .chat = true, .chat_settings = {r->template_date, r->chat_template_kwargs},
        .seed = (uint64_t)r->seed, .positions = r->max_prompt_length + r->max_completion_length};
    struct it_adapter_options adapters;
    IT_TRY(it_cli_adapters(r, &adapters, &options));
    return it_model_open(r->model_name_or_path, &options, model_out);
}

static enum it_status train(const struct pretrain_values *v, struct it_recipe *r)
{
    struct it_cli_common common = v->common;
    struct it_device *device = NULL;
    struct it_model *model = NULL;
    struct it_corpus corpus = {0};
    json_t *ledger = NULL;
    enum it_status status;
    if (!common.threads) { common.threads = r->threads; }
    if (strcmp(common.backend, "auto") == 0 && r->backend) { common.backend = r->backend; }
    IT_TRY_GOTO(status, end, it_cli_device(&common, r->exact, r->strict, &device));
    IT_TRY_GOTO(status, end, open_model(r, &common, device, &model));
    IT_TRY_GOTO(status, end, it_corpus_open(model, r, &corpus));
    ledger = it_cli_ledger(device);
    json_object_set_new(ledger, "examples", json_integer((json_int_t)corpus.n));
    it_info("%lld examples, %.2f M parameters", (long long)corpus.n,
            1e-6 * (double)it_net_parameters(model->net));
    struct it_pretrain_setup setup = {.recipe = r, .net = model->net,
                                      .tokenizer = model->tokenizer, .examples = corpus.example,
                                      .n_examples = corpus.n, .folders = it_cli_folders(model),
                                      .resume = v->resume, .overwrite = v->overwrite,
                                      .ledger = ledger};
    status = it_pretrain(&setup);
end:
    json_decref(ledger);
    it_corpus_close(&corpus);
    it_model_close(model);
    it_device_close(device);
    return status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    struct it_recipe recipe;
    struct it_strs words = {0};
    if (arguments->n == 0) { return it_cli_usage(&it_command_pretrain, "no recipe given"); }
    for (size_t i = 0; i < arguments->n; i++) { it_strs_add(&words, arguments->item[i]); }
    it_cli_add_seed(values, &words);
    enum it_status status = it_recipe_load(words.item[0], (const char *const *)words.item + 1,
                                           (int)words.n - 1, &recipe, NULL);
    if (status == IT_OK) {
        status = train(values, &recipe);
        it_recipe_free(&recipe);
    }
    it_strs_free(&words);
    return status;
}

const struct it_command it_command_pretrain = {
    .name = "pretrain",
    .summary = "next-token training on text, prompt and completion, or chat records",
    .usage = "RECIPE.yaml [key=value ...] [--resume | --overwrite]",
    .example = "intuitor pretrain recipes/embedded-base.yaml output_dir=runs/base",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct pretrain_values),
    .run = run,
    .recipe = &it_recipe_table,
};
