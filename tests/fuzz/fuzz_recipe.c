/* SPDX-License-Identifier: MIT */
/* Any bytes as a recipe: refused with a message, or a recipe that is written and read back the
 * same. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/rl/recipe.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/it-fuzz-recipe-XXXXXX", path[sizeof folder + 16];

static void clean_up(void)
{
    it_dir_remove(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (!mkdtemp(folder)) { abort(); }
    snprintf(path, sizeof path, "%s/recipe.yaml", folder);
    atexit(clean_up);
    it_log_set_level(IT_LOG_ERROR);
    stderr = fopen("/dev/null", "w"); /* our messages; the sanitizers write to the descriptor */
    return 0;
}

static void read_back(const struct it_recipe *recipe)
{
    struct it_recipe again;
    json_t *before = it_options_dump(&it_recipe_table, recipe), *after;
    if (it_recipe_write(recipe, path) != IT_OK) { abort(); }
    if (it_recipe_load(path, NULL, 0, &again, NULL) != IT_OK) { abort(); }
    after = it_options_dump(&it_recipe_table, &again);
    if (!json_equal(before, after)) { abort(); }
    json_decref(before);
    json_decref(after);
    it_recipe_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct it_recipe recipe;
    struct it_batch_shape shape;
    FILE *stream = fopen(path, "w");
    if (!stream || fwrite(data, 1, size, stream) != size || fclose(stream) != 0) { abort(); }
    if (it_recipe_load(path, NULL, 0, &recipe, NULL) != IT_OK) { return 0; }
    if (it_recipe_batch(&recipe, 1, &shape) == IT_OK) {
        int64_t n = it_recipe_updates(&recipe, &shape, 1000);
        it_recipe_learning_rate(&recipe, 1, n);
        it_recipe_learning_rate(&recipe, n, n);
    }
    read_back(&recipe);
    it_recipe_free(&recipe);
    return 0;
}
