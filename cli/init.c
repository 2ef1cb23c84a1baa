/* SPDX-License-Identifier: MIT */
/* intuitor init: a random model of any known shape, as a model folder. */
#include "cli/cli.h"

struct init_values {
    struct it_cli_common common;
    char *config;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(init_values),
    {"config", IT_OPT_STRING, NULL,
     "config.json of the shape, or its folder; tokenizer files beside it are copied",
     offsetof(struct init_values, config), NULL},
    {"seed", IT_OPT_INT, "0", "of the random weights", offsetof(struct init_values, common.seed),
     NULL},
    {"dtype", IT_OPT_CHOICE, "auto", "type of the weights; auto: as config.json says",
     offsetof(struct init_values, common.dtype), "auto|f32|bf16"},
};

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct init_values *v = values;
    if (!v->config) { return it_cli_usage(&it_command_init, "no --config given"); }
    if (arguments->n != 1) {
        return it_cli_usage(&it_command_init, "expected one folder to make");
    }
    const char *folder = arguments->item[0];
    IT_TRY(it_model_init(v->config, (uint64_t)v->common.seed, it_cli_dtype(&v->common), folder));
    it_info("%s: a model of the shape of %s with random weights of seed %lld", folder, v->config,
            (long long)v->common.seed);
    return IT_OK;
}

const struct it_command it_command_init = {
    .name = "init",
    .summary = "make a random model of any supported shape",
    .usage = "--config config.json [--seed N] [--dtype f32|bf16] DIR",
    .example = "intuitor init --config config.json --seed 1 models/tiny",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct init_values),
    .run = run,
};
