/* SPDX-License-Identifier: MIT */
/* Models by name: a path, or a repository that was pulled. */
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/hub.h"
#include "models/models.h"

char *it_model_path(const char *name)
{
    char *folder = NULL;
    if (!it_path_exists(name) && it_hub_find("model", name, NULL, &folder) == IT_OK) {
        it_debug("model %s: %s", name, folder);
        return folder;
    }
    return it_strdup(name);
}

enum it_status it_model_no_folder(const char *path)
{
    bool exists = it_path_exists(path);
    bool pullable = !exists && strchr(path, '/') && it_hub_is_id(path);
    return it_fail(exists ? IT_INVALID : IT_NOT_FOUND,
                   "%s: not a folder; a model is a folder with config.json and "
                   "model.safetensors%s%s",
                   path, pullable ? ", or is fetched by: intuitor pull " : "",
                   pullable ? path : "");
}
