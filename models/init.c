/* SPDX-License-Identifier: MIT */
/* A random model of any known shape, as a folder. */
#include "core/base/file.h"
#include "models/internal.h"

/* Where config.json came from: its folder has the tokenizer's files, if any. */
static enum it_status save(const struct it_model *model, const char *folder)
{
    struct it_save_options options = {.text_from = model->folder};
    return it_model_save(model->net, &model->net->weights, folder, &options);
}

enum it_status it_model_init(const char *config_path, uint64_t seed, enum it_dtype dtype,
                             const char *folder)
{
    if (!it_dir_is_empty(folder)) {
        return it_fail(IT_INVALID, "%s: not empty; name a new folder", folder);
    }
    struct it_device_options host = {0};
    struct it_model_options how = {.dtype = dtype, .random = true, .seed = seed, .positions = 1};
    struct it_model *model = NULL;
    IT_TRY(it_device_open("cpu", &host, &how.device));
    enum it_status status = it_model_open(config_path, &how, &model);
    if (status == IT_OK) { status = save(model, folder); }
    it_model_close(model);
    it_device_close(how.device);
    return status;
}
