/* SPDX-License-Identifier: MIT */
/* Checkpoints: written under a temporary name, synced, renamed. A checkpoint counts as whole when
 * every file has the size and CRC-32 that trainer_state.json, written last, says of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/safetensors.h"
#include "core/rl/run.h"

static const char *const state_name = "trainer_state.json", *const tensors_name =
    "optimizer.safetensors";

static enum it_status sum_of(const char *path, int64_t *size_out, int64_t *crc_out)
{
    struct it_map map;
    IT_TRY(it_map_open(path, &map));
    *size_out = (int64_t)map.size;
    *crc_out = (int64_t)crc32_z(0, map.data, map.size);
    it_map_close(&map);
    return IT_OK;
}

static enum it_status describe_files(const char *folder, json_t *files)
{
    struct it_strs names = {0};
    IT_TRY(it_dir_list(folder, &names));
    enum it_status status = IT_OK;
    for (size_t i = 0; i < names.n && status == IT_OK; i++) {
        char *path = it_path_join(folder, names.item[i]);
        int64_t size, crc;
        status = sum_of(path, &size, &crc);
        if (status == IT_OK) {
            json_t *file = json_object();
            json_object_set_new(file, "bytes", json_integer((json_int_t)size));
            json_object_set_new(file, "crc32", json_integer((json_int_t)crc));
            json_object_set_new(files, names.item[i], file);
        }
        it_free(path);
    }
    it_strs_free(&names);
    return status;
}

static enum it_status save_tensors(const char *folder, const struct it_state_tensor *tensors,
                                   int64_t n)
{
    struct it_safetensors_writer *writer;
    char *path = it_path_join(folder, tensors_name);
    enum it_status status = it_safetensors_create(path, &writer);
    it_free(path);
    IT_TRY(status);
    for (int64_t i = 0; i < n && status == IT_OK; i++) {
        const struct it_tensor *t = &tensors[i].t;
        status = it_safetensors_declare(writer, tensors[i].name, t->dtype, t->rank, t->shape);
    }
    for (int64_t i = 0; i < n && status == IT_OK; i++) {
        status = it_safetensors_save_tensor(writer, tensors[i].t);
    }
    if (status == IT_OK) { return it_safetensors_finish(writer); }
    it_safetensors_abandon(writer);
    return status;
}

static enum it_status write_all(const char *folder, const struct it_rl_folders *folders,
                                const struct it_weights *weights,
                                const struct it_state_tensor *tensors, int64_t n,
                                const json_t *state)
{
    json_t *whole = json_deep_copy(state), *files = json_object();
    char *path = it_path_join(folder, state_name);
    enum it_status status;
    IT_TRY_GOTO(status, end, it_dir_remove(folder));
    IT_TRY_GOTO(status, end, it_dir_make(folder));
    IT_TRY_GOTO(status, end, folders->save(folders->context, weights, folder));
    IT_TRY_GOTO(status, end, save_tensors(folder, tensors, n));
    IT_TRY_GOTO(status, end, describe_files(folder, files));
    json_object_set(whole, "files", files);
    IT_TRY_GOTO(status, end, it_json_write(path, whole));
    status = it_dir_sync(folder);
end:
    it_free(path);
    json_decref(whole);
    json_decref(files);
    return status;
}

/* ---- the checkpoints there are ---- */

static int64_t step_of(const char *name)
{
    static const char prefix[] = "checkpoint-";
    char *end;
    if (!it_starts_with(name, prefix)) { return -1; }
    const char *digits = name + sizeof prefix - 1;
    if (*digits < '0' || *digits > '9') { return -1; }
    long long step = strtoll(digits, &end, 10);
    return *end ? -1 : (int64_t)step;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static enum it_status list(const struct it_run *run, int64_t **steps_out, size_t *n_out)
{
    struct it_strs names = {0};
    IT_TRY(it_dir_list(run->folder, &names));
    int64_t *steps = it_calloc(names.n + 1, sizeof *steps);
    size_t n = 0;
    for (size_t i = 0; i < names.n; i++) {
        int64_t step = step_of(names.item[i]);
        if (step >= 0) { steps[n++] = step; }
    }
    it_strs_free(&names);
    qsort(steps, n, sizeof *steps, newest_first);
    *steps_out = steps;
    *n_out = n;
    return IT_OK;
}

static char *folder_of(const struct it_run *run, int64_t step, const char *suffix)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoint-%lld%s", (long long)step, suffix);
    return it_path_join(run->folder, name);
}

/* Steps after `step` do not count: they were passed over as damaged, or this one would not have
 * been computed again. */
static enum it_status prune(struct it_run *run, int64_t step)
{
    int64_t *steps;
    size_t n;
    enum it_status status = IT_OK;
    if (run->save_total_limit <= 0) { return IT_OK; }
    IT_TRY(list(run, &steps, &n));
    size_t first = 0;
    while (first < n && steps[first] > step) { first++; }
    for (size_t i = first + (size_t)run->save_total_limit; i < n && status == IT_OK; i++) {
        /* renamed first, so that a kill leaves no half-removed folder under a checkpoint's name */
        char *folder = folder_of(run, steps[i], ""), *aside = folder_of(run, steps[i], ".tmp");
        status = rename(folder, aside) ? it_fail(IT_IO, "%s: cannot rename", folder)
                                       : it_dir_remove(aside);
        it_free(folder);
        it_free(aside);
    }
    it_free(steps);
    return status;
}

static bool files_whole(const char *folder, const json_t *files)
{
    const char *name;
    json_t *file;
    if (!json_is_object(files)) { return false; }
    json_object_foreach((json_t *)(uintptr_t)files, name, file) {
        char *path = it_path_join(folder, name);
        int64_t size = -1, crc = -1;
        bool same = it_path_exists(path) && sum_of(path, &size, &crc) == IT_OK &&
                    json_integer_value(json_object_get(file, "bytes")) == (json_int_t)size &&
                    json_integer_value(json_object_get(file, "crc32")) == (json_int_t)crc;
        if (!same) { it_warn("%s is not as it was saved: the checkpoint is passed over", path); }
        it_free(path);
        if (!same) { return false; }
    }
    return true;
}

/* The state of a checkpoint that is whole; of one that is damaged is said what is wrong. */
static bool read_whole(const char *folder, json_t **state_out)
{
    char *path = it_path_join(folder, state_name);
    json_t *state = NULL;
    bool whole = false;
    if (it_path_exists(folder) && !it_path_exists(path)) {
        it_warn("%s has no %s: passed over", folder, state_name);
    } else if (it_path_exists(path) && it_json_read(path, &state) == IT_OK) {
        whole = files_whole(folder, json_object_get(state, "files"));
    }
    it_free(path);
    if (whole) {
        *state_out = state;
    } else {
        json_decref(state);
    }
    return whole;
}

enum it_status it_run_save(struct it_run *run, int64_t step, const struct it_rl_folders *folders,
                           const struct it_weights *weights, const struct it_state_tensor *tensors,
                           int64_t n, const json_t *state)
{
    if (run->dry || run->saved == step) { return IT_OK; }
    char *folder = folder_of(run, step, ""), *temporary = folder_of(run, step, ".tmp");
    enum it_status status = IT_OK;
    json_t *there = NULL;
    if (!read_whole(folder, &there)) {
        status = write_all(temporary, folders, weights, tensors, n, state);
        if (status == IT_OK) { status = it_dir_remove(folder); }
        if (status == IT_OK && rename(temporary, folder)) {
            status = it_fail(IT_IO, "%s: cannot rename to %s", temporary, folder);
        }
        if (status == IT_OK) { status = it_dir_sync(run->folder); }
        if (status != IT_OK) { it_dir_remove(temporary); }
    }
    json_decref(there);
    if (status == IT_OK) {
        run->saved = step;
        it_debug("saved %s", folder);
        status = prune(run, step);
    }
    it_free(folder);
    it_free(temporary);
    return status;
}

enum it_status it_run_newest(const struct it_run *run, int64_t most, char **folder_out,
                             json_t **state_out)
{
    int64_t *steps;
    size_t n;
    *folder_out = NULL;
    *state_out = NULL;
    IT_TRY(list(run, &steps, &n));
    for (size_t i = 0; i < n && !*folder_out; i++) {
        if (most >= 0 && steps[i] > most) { continue; }
        char *folder = folder_of(run, steps[i], "");
        if (read_whole(folder, state_out)) {
            *folder_out = folder;
        } else {
            it_free(folder);
        }
    }
    it_free(steps);
    return IT_OK;
}

enum it_status it_run_load(const char *checkpoint, const struct it_rl_folders *folders,
                           struct it_weights *weights, const struct it_state_tensor *tensors,
                           int64_t n)
{
    struct it_safetensors file;
    char *path = it_path_join(checkpoint, tensors_name);
    enum it_status status = it_safetensors_open(path, &file);
    it_free(path);
    IT_TRY(status);
    for (int64_t i = 0; i < n && status == IT_OK; i++) {
        status = it_safetensors_load_tensor(&file, tensors[i].name, tensors[i].t);
    }
    it_safetensors_close(&file);
    IT_TRY(status);
    return folders->load(folders->context, weights, checkpoint);
}
