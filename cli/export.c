/* SPDX-License-Identifier: MIT */
/* intuitor export: a model folder handed to another runtime. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/file.h"
#include "core/base/mem.h"

enum { TO_GGUF };
static const enum it_dtype dtypes[] = {IT_NONE, IT_F32, IT_F16, IT_BF16}; /* of --dtype */

struct export_values {
    struct it_cli_common common;
    char *model, *output;
    int to;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(export_values),
    {"model", IT_OPT_STRING, NULL, "model folder", offsetof(struct export_values, model), NULL},
    {"to", IT_OPT_CHOICE, "gguf", "format: one file for llama.cpp",
     offsetof(struct export_values, to), "gguf"},
    {"output", IT_OPT_STRING, NULL, "file to write; unset: FOLDER-DTYPE.gguf in the current folder",
     offsetof(struct export_values, output), NULL},
    {"dtype", IT_OPT_CHOICE, "auto", "type of the matrices; auto: as config.json says",
     offsetof(struct export_values, common.dtype), "auto|f32|f16|bf16"},
};

/* "models/tiny/" and F16: "tiny-f16.gguf", in the current folder. */
static char *default_output(const char *folder, enum it_dtype dtype)
{
    struct it_str name = {0};
    char *path = it_strdup(folder);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') { path[--n] = '\0'; }
    it_str_printf(&name, "%s-%s.gguf", it_path_base(path), it_dtype_name(dtype));
    it_free(path);
    return it_str_take(&name);
}

static enum it_status export_gguf(const struct export_values *v, struct it_device *device)
{
    enum it_dtype dtype = dtypes[v->common.dtype];
    struct it_model_options how = {.device = device};
    struct it_model *model = NULL;
    how.dtype = dtype == IT_BF16 || dtype == IT_NONE ? dtype : IT_F32;
    how.positions = 1;
    IT_TRY(it_model_open(v->model, &how, &model));
    if (dtype == IT_NONE) { dtype = model->file_dtype == IT_F16 ? IT_F16 : model->net->dtype; }
    char *path = v->output ? it_strdup(v->output) : default_output(v->model, dtype);
    enum it_status status = it_model_export_gguf(model, path, dtype);
    if (status == IT_OK) { it_info("%s: %s as GGUF, %s", path, v->model, it_dtype_name(dtype)); }
    it_free(path);
    it_model_close(model);
    return status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct export_values *v = values;
    struct it_device_options host = {0};
    struct it_device *device = NULL;
    if (!v->model || arguments->n) {
        return it_cli_usage(&it_command_export, v->model ? "no arguments are expected"
                                                         : "no --model given");
    }
    IT_TRY(it_device_open("cpu", &host, &device));
    enum it_status status = export_gguf(v, device);
    it_device_close(device);
    return status;
}

const struct it_command it_command_export = {
    .name = "export",
    .summary = "write a model for another runtime",
    .usage = "--model DIR --to gguf [--output FILE] [--dtype f32|f16|bf16]",
    .example = "intuitor export --model models/tiny --to gguf --output tiny.gguf",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct export_values),
    .run = run,
};
