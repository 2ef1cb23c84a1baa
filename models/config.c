/* SPDX-License-Identifier: MIT */
/* config.json, as the versions 4 and 5 of transformers write it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "models/internal.h"

enum it_status it_model_json(const char *path, json_t **object_out)
{
    json_t *value;
    IT_TRY(it_json_read(path, &value));
    if (!json_is_object(value)) {
        json_decref(value);
        return it_fail(IT_INVALID, "%s: expected an object", path);
    }
    *object_out = value;
    return IT_OK;
}

/* ---- architecture ---- */

static enum it_status unknown_arch(const char *path, const char *field, const char *found)
{
    const char *names[32];
    struct it_str known = {0};
    size_t n = 0;
    for (; n < sizeof names / sizeof names[0] && it_arch_at(n); n++) {
        names[n] = it_arch_at(n)->model_type;
        it_str_printf(&known, "%s%s", n ? ", " : "", names[n]);
    }
    const char *closest = it_closest(found, names, n);
    enum it_status status =
        it_fail(IT_INVALID, "%s: field \"%s\": \"%s\" is not a known architecture%s%s%s (known: "
                "%s)", path, field, found, closest ? "; the closest is \"" : "",
                closest ? closest : "", closest ? "\"" : "", it_str_c(&known));
    it_str_free(&known);
    return status;
}

static enum it_status read_arch(const json_t *object, const char *path,
                                const struct it_arch **arch_out)
{
    const char *type;
    IT_TRY(it_json_get_string(object, path, "model_type", &type));
    if (!type) {
        return it_fail(IT_INVALID, "%s: field \"model_type\" is missing: not a model's config.json",
                       path);
    }
    *arch_out = it_arch_find(type);
    if (!*arch_out) { return unknown_arch(path, "model_type", type); }
    const json_t *classes = json_object_get(object, "architectures");
    const char *class_name = json_string_value(json_array_get(classes, 0));
    if (class_name && strcmp(class_name, (*arch_out)->class_name) != 0) {
        return it_fail(IT_INVALID, "%s: field \"architectures\": \"%s\"; of model_type %s only "
                       "%s is supported", path, class_name, type, (*arch_out)->class_name);
    }
    return IT_OK;
}

/* ---- what would change the numbers and is not implemented ---- */

static enum it_status unsupported(const char *path, const char *field, const char *expected)
{
    return it_fail(IT_INVALID, "%s: field \"%s\": only %s is supported", path, field, expected);
}

static enum it_status check_layer_types(const json_t *object, const char *path)
{
    const json_t *types = json_object_get(object, "layer_types");
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (!type || strcmp(type, "full_attention") != 0) {
            return unsupported(path, "layer_types", "\"full_attention\"");
        }
    }
    return IT_OK;
}

static bool is_neutral(const json_t *value, double neutral)
{
    if (!value || json_is_null(value)) { return true; }
    if (json_is_boolean(value)) { return json_is_true(value) == (neutral != 0.0); }
    return json_is_number(value) && json_number_value(value) == neutral;
}

/* Fields of relatives of these models that change the mathematics, with the value that does not. */
static enum it_status check_neutral(const json_t *object, const char *path)
{
    static const struct {
        const char *field;
        double neutral;
        const char *expected;
    } rows[] = {
        {"use_sliding_window", 0.0, "false"},
        {"use_mrope", 0.0, "false"},
        {"mlp_bias", 0.0, "false"},
        {"bias", 0.0, "false"},
        {"partial_rotary_factor", 1.0, "1"},
        {"rotary_pct", 1.0, "1"},
        {"final_logit_softcapping", 0.0, "null"},
        {"attn_logit_softcapping", 0.0, "null"},
        {"logit_softcapping", 0.0, "null"},
        {"clip_qkv", 0.0, "null"},
        {"qk_clip", 0.0, "null"},
        {"logit_scale", 1.0, "1"},
        {"logits_scaling", 1.0, "1"},
        {"embedding_multiplier", 1.0, "1"},
        {"residual_multiplier", 1.0, "1"},
        {"attention_multiplier", 0.0, "null"},
        {"query_pre_attn_scalar", 0.0, "null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!is_neutral(json_object_get(object, rows[i].field), rows[i].neutral)) {
            return unsupported(path, rows[i].field, rows[i].expected);
        }
    }
    return IT_OK;
}

static bool has_slot(const struct it_arch *arch, enum it_slot slot)
{
    for (int r = 0; r < arch->n_slots; r++) {
        if (arch->slots[r].slot == slot) { return true; }
    }
    return false;
}

/* Fields that say what the recipe is: they may only say what it is here. */
static enum it_status check_recipe(const struct it_arch *arch, const json_t *object,
                                   const char *path)
{
    const struct it_step *last = arch->steps;
    while (last[2].kind != IT_STEP_END) { last++; }
    bool norms_qk = has_slot(arch, IT_SLOT_QNORM);
    const struct {
        const char *field;
        bool expected;
    } rows[] = {{"qk_norm", norms_qk},
                {"use_qk_norm", norms_qk},
                {"norm_after", last->kind == IT_STEP_NORM}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!is_neutral(json_object_get(object, rows[i].field), rows[i].expected)) {
            return unsupported(path, rows[i].field, rows[i].expected ? "true" : "false");
        }
    }
    if (!has_slot(arch, IT_SLOT_QKV_BIAS) &&
        !is_neutral(json_object_get(object, "attention_bias"), 0.0)) {
        return unsupported(path, "attention_bias", "false");
    }
    return IT_OK;
}

static enum it_status check_supported(const struct it_arch *arch, const json_t *object,
                                      const char *path)
{
    const char *activation;
    IT_TRY(it_json_get_string(object, path, "hidden_act", &activation));
    if (activation && strcmp(activation, "silu") != 0) {
        return unsupported(path, "hidden_act", "\"silu\"");
    }
    const json_t *quantized = json_object_get(object, "quantization_config");
    if (quantized && !json_is_null(quantized)) {
        return unsupported(path, "quantization_config", "a model that is not quantized");
    }
    IT_TRY(check_neutral(object, path));
    IT_TRY(check_recipe(arch, object, path));
    return check_layer_types(object, path);
}

/* ---- the rows of the architecture ---- */

/* null is 0, "follows from other sizes", which no file may say in digits. */
static enum it_status read_int(const json_t *object, const char *path, const struct it_option *row,
                               int64_t *value)
{
    const json_t *found = json_object_get(object, row->name);
    if (!row->fallback && (!found || json_is_null(found))) {
        return it_fail(IT_INVALID, "%s: field \"%s\" is missing", path, row->name);
    }
    int64_t fallback = found || !row->fallback ? 0 : strtoll(row->fallback, NULL, 10);
    IT_TRY(it_json_get_int(object, path, row->name, fallback, value));
    if (found && !json_is_null(found) && *value < 1) {
        return it_fail(IT_INVALID, "%s: field \"%s\": %lld; expected at least 1", path, row->name,
                       (long long)*value);
    }
    return IT_OK;
}

static enum it_status read_row(const json_t *object, const char *path, const struct it_option *row,
                               struct it_model_config *config)
{
    void *field = (char *)config + row->offset;
    switch (row->type) {
    case IT_OPT_INT: return read_int(object, path, row, field);
    case IT_OPT_BOOL:
        return it_json_get_bool(object, path, row->name, strcmp(row->fallback, "true") == 0, field);
    case IT_OPT_REAL:
        return it_json_get_real(object, path, row->name, strtod(row->fallback, NULL), field);
    default:
        return it_fail(IT_FAILED, "%s: field \"%s\": its row has no type of a configuration", path,
                       row->name);
    }
}

static enum it_status derive(const char *path, struct it_model_config *config)
{
    if (config->kv_heads == 0) { config->kv_heads = config->heads; }
    if (config->head_dim == 0) {
        if (config->hidden % config->heads != 0) {
            return it_fail(IT_INVALID, "%s: field \"hidden_size\": %lld is not a multiple of "
                           "num_attention_heads %lld, and \"head_dim\" is not given", path,
                           (long long)config->hidden, (long long)config->heads);
        }
        config->head_dim = config->hidden / config->heads;
    }
    return it_config_check(config, path);
}

/* ---- stop ids ---- */

void it_eos_add(int32_t id, int32_t *ids, int *n)
{
    for (int i = 0; i < *n; i++) {
        if (ids[i] == id) { return; }
    }
    if (*n < IT_MAX_EOS) { ids[(*n)++] = id; }
}

enum it_status it_eos_read(const json_t *object, const char *where, int64_t vocab, int32_t *ids,
                           int *n)
{
    const json_t *value = json_object_get(object, "eos_token_id");
    if (!value || json_is_null(value)) { return IT_OK; }
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count > IT_MAX_EOS) {
        return it_fail(IT_INVALID, "%s: field \"eos_token_id\": %zu ids; at most %d are possible",
                       where, count, IT_MAX_EOS);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(id)) {
            return it_fail(IT_INVALID, "%s: field \"eos_token_id\": expected an id or a list of "
                           "ids", where);
        }
        json_int_t number = json_integer_value(id);
        if (number >= 0 && number < vocab) {
            it_eos_add((int32_t)number, ids, n);
        } else { /* transformers fills in the id of the full-size model where a config has none */
            it_warn("%s: field \"eos_token_id\": %lld is not an id of a vocabulary of %lld: "
                    "nothing ends there", where, (long long)number, (long long)vocab);
        }
    }
    return IT_OK;
}

/* ---- the file ---- */

/* torch_dtype became dtype in transformers 5. IT_NONE where the file does not say. */
static enum it_status read_dtype(const json_t *object, const char *path, enum it_dtype *dtype_out)
{
    static const struct {
        const char *name;
        enum it_dtype dtype;
    } names[] = {{"float32", IT_F32}, {"bfloat16", IT_BF16}, {"float16", IT_F16}};
    const char *field = json_object_get(object, "dtype") ? "dtype" : "torch_dtype", *name;
    IT_TRY(it_json_get_string(object, path, field, &name));
    *dtype_out = IT_NONE;
    if (!name) { return IT_OK; }
    if (it_starts_with(name, "torch.")) { name += strlen("torch."); }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            *dtype_out = names[i].dtype;
            return IT_OK;
        }
    }
    return unsupported(path, field, "float32, bfloat16 or float16");
}

static enum it_status read_config(const json_t *object, const char *path,
                                  const struct it_arch **arch_out,
                                  struct it_model_config *config_out, enum it_dtype *dtype_out)
{
    struct it_model_config config = {0};
    const struct it_arch *arch = NULL;
    IT_TRY(read_arch(object, path, &arch));
    IT_TRY(check_supported(arch, object, path));
    for (int i = 0; i < arch->n_config; i++) {
        IT_TRY(read_row(object, path, &arch->config[i], &config));
    }
    IT_TRY(it_rope_read(object, path, &config));
    IT_TRY(derive(path, &config));
    IT_TRY(it_eos_read(object, path, config.vocab, config.eos, &config.n_eos));
    IT_TRY(read_dtype(object, path, dtype_out));
    config.model_type = it_strdup(arch->model_type);
    *config_out = config;
    *arch_out = arch;
    return IT_OK;
}

enum it_status it_config_read(const char *path, const struct it_arch **arch_out,
                              struct it_model_config *config_out, enum it_dtype *file_dtype_out)
{
    char *found = NULL;
    IT_TRY(it_model_base(path, &found));
    char *file = it_path_is_dir(found) ? it_path_join(found, "config.json") : it_strdup(found);
    json_t *object = NULL;
    it_free(found);
    enum it_status status = it_model_json(file, &object);
    if (status == IT_OK) {
        status = read_config(object, file, arch_out, config_out, file_dtype_out);
    }
    json_decref(object);
    it_free(file);
    return status;
}
