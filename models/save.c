/* SPDX-License-Identifier: MIT */
/* Writing a folder that transformers loads. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/safetensors.h"
#include "models/internal.h"

/* The size at which transformers cuts files; host bytes that a conversion passes through. */
static const int64_t default_shard_bytes = INT64_C(5000000000);
enum { PIECE_BYTES = 16 << 20 };

/* ---- weights ---- */

/* A run of places in one file. */
struct shard {
    size_t first, n;
};

struct save {
    const struct it_net *net;
    const char *folder;
    enum it_dtype dtype;
    struct it_places places;
    struct shard *shard;
    size_t n_shards;
    int64_t bytes; /* of all tensors */
};

static int64_t place_bytes(const struct save *save, size_t i)
{
    return it_tensor_count(&save->places.item[i].view) * (int64_t)it_dtype_size(save->dtype);
}

/* As many tensors as fit, in order; a tensor larger than the limit has a file of its own. */
static void cut_shards(struct save *save, int64_t limit)
{
    int64_t filled = 0;
    save->shard = it_calloc(save->places.n, sizeof *save->shard);
    for (size_t i = 0; i < save->places.n; i++) {
        int64_t bytes = place_bytes(save, i);
        if (i == 0 || filled + bytes > limit) {
            save->shard[save->n_shards++] = (struct shard){.first = i};
            filled = 0;
        }
        save->shard[save->n_shards - 1].n++;
        filled += bytes;
        save->bytes += bytes;
    }
}

/* "model.safetensors" or "model-00001-of-00003.safetensors". */
static void shard_name(const struct save *save, size_t shard, struct it_str *name)
{
    it_str_clear(name);
    if (save->n_shards == 1) {
        it_str_puts(name, "model.safetensors");
    } else {
        it_str_printf(name, "model-%05zu-of-%05zu.safetensors", shard + 1, save->n_shards);
    }
}

static enum it_status put_converted(const struct save *save, struct it_safetensors_writer *writer,
                                    struct it_tensor t)
{
    int64_t rows = t.shape[0], columns = it_tensor_count(&t) / rows;
    int64_t step = PIECE_BYTES / (columns * (int64_t)it_dtype_size(t.dtype)) + 1;
    if (step > rows) { step = rows; }
    void *piece = it_alloc((size_t)(step * columns) * it_dtype_size(t.dtype));
    void *converted = it_alloc((size_t)(step * columns) * it_dtype_size(save->dtype));
    enum it_status status = IT_OK;
    for (int64_t r = 0; r < rows && status == IT_OK; r += step) {
        int64_t n = rows - r < step ? rows - r : step;
        status = it_download(piece, it_rows(t, r, n));
        if (status != IT_OK) { break; }
        it_convert(it_device_pool(save->net->device), save->dtype, converted, t.dtype, piece,
                   n * columns);
        status = it_safetensors_put(writer, converted,
                                    (size_t)(n * columns) * it_dtype_size(save->dtype));
    }
    it_free(piece);
    it_free(converted);
    return status;
}

static enum it_status put_tensors(const struct save *save, const struct shard *shard,
                                  struct it_safetensors_writer *writer)
{
    const struct it_place *place = save->places.item + shard->first;
    for (size_t i = 0; i < shard->n; i++) {
        const struct it_tensor *t = &place[i].view;
        IT_TRY(it_safetensors_declare(writer, place[i].name, save->dtype, t->rank, t->shape));
    }
    for (size_t i = 0; i < shard->n; i++) {
        if (place[i].view.dtype == save->dtype) {
            IT_TRY(it_safetensors_save_tensor(writer, place[i].view));
        } else {
            IT_TRY(put_converted(save, writer, place[i].view));
        }
    }
    return IT_OK;
}

static enum it_status write_shard(const struct save *save, size_t shard)
{
    struct it_str name = {0};
    struct it_safetensors_writer *writer = NULL;
    shard_name(save, shard, &name);
    char *path = it_path_join(save->folder, it_str_c(&name));
    enum it_status status = it_safetensors_create(path, &writer);
    if (status == IT_OK) {
        status = put_tensors(save, &save->shard[shard], writer);
        if (status == IT_OK) {
            status = it_safetensors_finish(writer);
        } else {
            it_safetensors_abandon(writer);
        }
    }
    it_free(path);
    it_str_free(&name);
    return status;
}

static enum it_status write_json(const char *folder, const char *name, const json_t *value)
{
    char *path = it_path_join(folder, name);
    enum it_status status = it_json_write(path, value);
    it_free(path);
    return status;
}

static enum it_status write_index(const struct save *save)
{
    struct it_str name = {0};
    json_t *map = json_object();
    for (size_t s = 0; s < save->n_shards; s++) {
        shard_name(save, s, &name);
        for (size_t i = 0; i < save->shard[s].n; i++) {
            const char *tensor = save->places.item[save->shard[s].first + i].name;
            json_object_set_new(map, tensor, json_string(it_str_c(&name)));
        }
    }
    json_t *index = json_pack("{s:{s:I}, s:o}", "metadata", "total_size", (json_int_t)save->bytes,
                              "weight_map", map);
    enum it_status status = write_json(save->folder, "model.safetensors.index.json", index);
    json_decref(index);
    it_str_free(&name);
    return status;
}

/* What an earlier save left: a single file hides shards, and shards of another cut are waste. */
static enum it_status remove_stale(const struct save *save)
{
    struct it_strs names = {0};
    struct it_str ending = {0};
    IT_TRY(it_dir_list(save->folder, &names));
    it_str_printf(&ending, "-of-%05zu.safetensors", save->n_shards);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.item[i];
        bool single = strcmp(name, "model.safetensors") == 0;
        bool index = strcmp(name, "model.safetensors.index.json") == 0;
        bool part = it_starts_with(name, "model-") && strstr(name, "-of-") &&
                    it_ends_with(name, ".safetensors");
        bool sums = strcmp(name, "SHA256SUMS") == 0; /* of other files, now */
        bool stale = save->n_shards == 1 ? index || part
                                         : single || (part && !it_ends_with(name, ending.data));
        if (!stale && !sums) { continue; }
        char *path = it_path_join(save->folder, name);
        if (remove(path) != 0) { it_warn("%s: left by an earlier save, cannot be removed", path); }
        it_free(path);
    }
    it_str_free(&ending);
    it_strs_free(&names);
    return IT_OK;
}

static enum it_status write_weights(struct save *save, int64_t limit)
{
    cut_shards(save, limit);
    for (size_t s = 0; s < save->n_shards; s++) { IT_TRY(write_shard(save, s)); }
    if (save->n_shards > 1) { IT_TRY(write_index(save)); }
    return remove_stale(save);
}

/* ---- configuration ---- */

/* An object of `folder`, new and empty when there is no such file or no folder. */
static enum it_status read_or_empty(const char *folder, const char *name, json_t **object_out)
{
    char *path = folder ? it_path_join(folder, name) : NULL;
    enum it_status status = IT_OK;
    if (path && it_path_exists(path)) {
        status = it_model_json(path, object_out);
    } else {
        *object_out = json_object();
    }
    it_free(path);
    return status;
}

static void set_eos(json_t *object, const struct it_model_config *config)
{
    if (config->n_eos == 0) { return; }
    json_t *ids = json_array();
    for (int i = 0; i < config->n_eos; i++) {
        json_array_append_new(ids, json_integer(config->eos[i]));
    }
    json_object_set(object, "eos_token_id", config->n_eos == 1 ? json_array_get(ids, 0) : ids);
    json_decref(ids);
}

static json_t *config_object(const struct it_net *net, enum it_dtype dtype)
{
    const struct it_model_config *config = &net->config;
    const struct it_option_table rows = {net->arch->config, (size_t)net->arch->n_config};
    json_t *object =
        json_pack("{s:[s], s:s, s:s, s:s, s:f, s:b}", "architectures", net->arch->class_name,
                  "model_type", net->arch->model_type, "torch_dtype",
                  dtype == IT_BF16 ? "bfloat16" : "float32", "hidden_act", "silu",
                  "attention_dropout", 0.0, "use_cache", 1);
    json_t *fields = it_options_dump(&rows, config);
    if (json_object_get(fields, "sliding_window") && config->window == 0) {
        json_object_set_new(fields, "sliding_window", json_null());
    }
    json_object_update(object, fields);
    json_decref(fields);
    it_rope_write(config, object);
    return object;
}

/* Ids that only the text side knows come from where its files come from. */
static enum it_status write_config(const struct save *save, const char *text_from)
{
    static const char *const kept[] = {"bos_token_id", "pad_token_id"};
    json_t *before = NULL;
    IT_TRY(read_or_empty(text_from, "config.json", &before));
    json_t *object = config_object(save->net, save->dtype);
    set_eos(object, &save->net->config);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        json_t *id = json_object_get(before, kept[i]);
        if (json_is_integer(id)) { json_object_set(object, kept[i], id); }
    }
    enum it_status status = write_json(save->folder, "config.json", object);
    json_decref(object);
    json_decref(before);
    return status;
}

/* Sampling defaults of the model are kept; the end tokens are ours. */
static enum it_status write_generation(const struct save *save, const char *text_from)
{
    json_t *object = NULL;
    IT_TRY(read_or_empty(text_from, "generation_config.json", &object));
    set_eos(object, &save->net->config);
    enum it_status status = write_json(save->folder, "generation_config.json", object);
    json_decref(object);
    return status;
}

static enum it_status copy_if_there(const char *from, const char *to, const char *name)
{
    char *source = it_path_join(from, name), *target = it_path_join(to, name);
    enum it_status status = it_path_exists(source) ? it_file_copy(source, target) : IT_OK;
    it_free(source);
    it_free(target);
    return status;
}

/* Chat templates beside the default one, as transformers 5 keeps them. */
static enum it_status copy_templates(const char *from, const char *to)
{
    char *source = it_path_join(from, "additional_chat_templates");
    char *target = it_path_join(to, "additional_chat_templates");
    struct it_strs names = {0};
    enum it_status status = IT_OK;
    if (it_path_is_dir(source)) {
        status = it_dir_list(source, &names);
        if (status == IT_OK) { status = it_dir_make(target); }
    }
    for (size_t i = 0; i < names.n && status == IT_OK; i++) {
        if (it_ends_with(names.item[i], ".jinja")) {
            status = copy_if_there(source, target, names.item[i]);
        }
    }
    it_strs_free(&names);
    it_free(source);
    it_free(target);
    return status;
}

static enum it_status copy_text(const char *from, const char *to)
{
    static const char *const names[] = {
        "tokenizer.json",          "vocab.json",        "merges.txt",
        "tokenizer.model",         "added_tokens.json", "tokenizer_config.json",
        "special_tokens_map.json", "chat_template.jinja", "chat_template.json"};
    enum it_status status = IT_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && status == IT_OK; i++) {
        status = copy_if_there(from, to, names[i]);
    }
    return status == IT_OK ? copy_templates(from, to) : status;
}

/* ---- all of it ---- */

static enum it_status write_folder(struct save *save, const struct it_save_options *options)
{
    IT_TRY(write_weights(save, options->shard_bytes ? options->shard_bytes : default_shard_bytes));
    IT_TRY(write_config(save, options->text_from));
    IT_TRY(write_generation(save, options->text_from));
    return options->text_from ? copy_text(options->text_from, save->folder) : IT_OK;
}

static enum it_dtype choose_dtype(const struct it_net *net, enum it_dtype asked)
{
    if (asked != IT_NONE) { return asked; }
    return net->dtype == IT_F64 ? IT_F32 : net->dtype;
}

enum it_status it_model_save(const struct it_net *net, const struct it_weights *weights,
                             const char *folder, const struct it_save_options *options)
{
    struct save save = {.net = net, .folder = folder, .dtype = choose_dtype(net, options->dtype)};
    if (net->lora.r) { return it_adapter_save(net, weights, folder, options->text_from); }
    if (save.dtype != IT_F32 && save.dtype != IT_BF16) {
        return it_fail(IT_INVALID, "%s: weights are written as f32 or bf16, not as %s", folder,
                       it_dtype_name(save.dtype));
    }
    bool created = !it_path_exists(folder);
    IT_TRY(it_dir_make(folder));
    it_places_open(net, weights, &save.places);
    enum it_status status = write_folder(&save, options);
    it_places_close(&save.places);
    it_free(save.shard);
    if (status != IT_OK && created) { it_dir_remove(folder); }
    return status;
}
