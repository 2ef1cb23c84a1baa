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
    char *model, *adapter, *merge, *output;
    int to;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(export_values),
    {"model", IT_OPT_STRING, NULL, "model folder", offsetof(struct export_values, model), NULL},
    {"adapter", IT_OPT_STRING, NULL, "folder with a LoRA adapter of that model",
     offsetof(struct export_values, adapter), NULL},
    {"merge", IT_OPT_STRING, NULL,
     "write a whole model folder, the adapter added to its weights: the folder to make",
     offsetof(struct export_values, merge), NULL},
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

static bool has_adapter(const struct export_values *v)
{
    char *folder = it_model_path(v->model);
    bool is_adapter = it_model_is_adapter(folder);
    it_free(folder);
    return is_adapter || v->adapter;
}

/* The model with its adapter, if any, in it: added in f32 and rounded once, when it is written. */
static enum it_status open_whole(const struct export_values *v, enum it_dtype dtype,
                                 struct it_device *device, struct it_model **model_out)
{
    struct it_model_options how = {.device = device, .adapter = v->adapter, .positions = 1};
    how.dtype = has_adapter(v) ? IT_F32 : dtype;
    IT_TRY(it_model_open(v->model, &how, model_out));
    enum it_status status = it_lora_merge((*model_out)->net);
    if (status != IT_OK) { it_model_close(*model_out); }
    return status;
}

static enum it_status merge(const struct export_values *v, struct it_device *device)
{
    enum it_dtype dtype = dtypes[v->common.dtype];
    struct it_model *model = NULL;
    if (!has_adapter(v)) {
        return it_fail(IT_INVALID, "%s: no adapter_config.json, and no --adapter given: there is "
                       "nothing to merge", v->model);
    }
    if (!it_dir_is_empty(v->merge)) {
        return it_fail(IT_INVALID, "%s: not empty; name a new folder", v->merge);
    }
    IT_TRY(open_whole(v, IT_F32, device, &model));
    if (dtype == IT_NONE) { dtype = model->file_dtype == IT_BF16 ? IT_BF16 : IT_F32; }
    struct it_save_options how = {.text_from = model->folder, .dtype = dtype};
    enum it_status status = it_model_save(model->net, &model->net->weights, v->merge, &how);
    if (status == IT_OK) {
        it_info("%s: %s with %s merged into it, %s", v->merge, model->folder, model->adapter,
                it_dtype_name(dtype));
    }
    it_model_close(model);
    return status;
}

static enum it_status export_gguf(const struct export_values *v, struct it_device *device)
{
    enum it_dtype dtype = dtypes[v->common.dtype];
    struct it_model *model = NULL;
    IT_TRY(open_whole(v, dtype == IT_BF16 || dtype == IT_NONE ? dtype : IT_F32, device, &model));
    if (dtype == IT_NONE && has_adapter(v)) { dtype = model->file_dtype; }
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
    enum it_status status = v->merge ? merge(v, device) : export_gguf(v, device);
    it_device_close(device);
    return status;
}

const struct it_command it_command_export = {
    .name = "export",
    .summary = "write a model for another runtime, or with its adapter merged",
    .usage = "--model DIR [--adapter DIR] [--to gguf [--output FILE] | --merge OUT] [--dtype TYPE]",
    .example = "intuitor export --model models/tiny --to gguf --output tiny.gguf",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct export_values),
    .run = run,
};
