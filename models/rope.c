/* SPDX-License-Identifier: MIT */
/* Rotary scaling in config.json. Version 4 of transformers has rope_scaling, null or an object,
 * beside rope_theta; version 5 has rope_parameters with the base inside, and reads rope_scaling
 * first. */
#include <string.h>

#include "core/base/json.h"
#include "core/base/str.h"
#include "models/internal.h"

static const char *const kind_names[] = {
    [IT_ROPE_DEFAULT] = "default", [IT_ROPE_LINEAR] = "linear", [IT_ROPE_LLAMA3] = "llama3"};
enum { N_KINDS = sizeof kind_names / sizeof kind_names[0] };

/* `where` is "FILE: field \"rope_scaling\"". The kind has two names, the older one "type". */
static enum it_status read_kind(const json_t *rope, const char *where, enum it_rope_kind *kind_out)
{
    const char *name = NULL;
    const json_t *value;
    const char *field;
    IT_TRY(it_json_get_string(rope, where, "rope_type", &name));
    if (!name) { IT_TRY(it_json_get_string(rope, where, "type", &name)); }
    json_object_foreach((json_t *)(uintptr_t)rope, field, value) {
        if (json_is_object(value)) {
            return it_fail(IT_INVALID, "%s: \"%s\": settings of some layers alone are not "
                           "supported", where, field);
        }
    }
    for (int k = 0; k < N_KINDS; k++) {
        if (!name || strcmp(kind_names[k], name) == 0) {
            *kind_out = (enum it_rope_kind)k;
            return IT_OK;
        }
    }
    return it_fail(IT_INVALID, "%s: the type \"%s\" is not supported; only null, default, linear "
                   "and llama3 are", where, name);
}

static enum it_status read_number(const json_t *rope, const char *where, const char *field,
                                  double *value_out)
{
    const json_t *value = json_object_get(rope, field);
    if (!value || json_is_null(value)) {
        return it_fail(IT_INVALID, "%s: \"%s\" is missing", where, field);
    }
    return it_json_get_real(rope, where, field, 0.0, value_out);
}

static enum it_status read_scaling(const json_t *rope, const char *where,
                                   struct it_model_config *config)
{
    struct it_rope_scaling *scaling = &config->rope;
    double part = 1.0;
    if (!json_is_object(rope)) { return it_fail(IT_INVALID, "%s: expected an object", where); }
    IT_TRY(read_kind(rope, where, &scaling->kind));
    IT_TRY(it_json_get_real(rope, where, "partial_rotary_factor", 1.0, &part));
    if (part != 1.0) {
        return it_fail(IT_INVALID, "%s: \"partial_rotary_factor\": only 1 is supported", where);
    }
    IT_TRY(it_json_get_real(rope, where, "rope_theta", config->rope_theta, &config->rope_theta));
    if (scaling->kind == IT_ROPE_DEFAULT) { return IT_OK; }
    IT_TRY(read_number(rope, where, "factor", &scaling->factor));
    if (scaling->kind == IT_ROPE_LINEAR) { return IT_OK; }
    IT_TRY(read_number(rope, where, "low_freq_factor", &scaling->low));
    IT_TRY(read_number(rope, where, "high_freq_factor", &scaling->high));
    return it_json_get_int(rope, where, "original_max_position_embeddings", config->max_positions,
                           &scaling->original);
}

/* The field that transformers would go by, NULL when there is none. */
static const char *rope_field(const json_t *object)
{
    static const char *const fields[] = {"rope_scaling", "rope_parameters"};
    for (int i = 0; i < 2; i++) {
        const json_t *rope = json_object_get(object, fields[i]);
        bool empty = json_is_object(rope) && json_object_size(rope) == 0;
        if (rope && !json_is_null(rope) && !empty) { return fields[i]; }
    }
    return NULL;
}

enum it_status it_rope_read(const json_t *object, const char *path, struct it_model_config *config)
{
    const char *field = rope_field(object);
    if (!field) { return IT_OK; }
    struct it_str where = {0};
    it_str_printf(&where, "%s: field \"%s\"", path, field);
    enum it_status status =
        read_scaling(json_object_get(object, field), it_str_c(&where), config);
    it_str_free(&where);
    return status;
}

void it_rope_write(const struct it_model_config *config, json_t *object)
{
    const struct it_rope_scaling *r = &config->rope;
    json_t *rope = json_null();
    if (r->kind != IT_ROPE_DEFAULT) {
        rope = json_pack("{s:s, s:f}", "rope_type", kind_names[r->kind], "factor", r->factor);
    }
    if (r->kind == IT_ROPE_LLAMA3) {
        json_object_set_new(rope, "low_freq_factor", json_real(r->low));
        json_object_set_new(rope, "high_freq_factor", json_real(r->high));
        json_object_set_new(rope, "original_max_position_embeddings",
                            json_integer((json_int_t)r->original));
    }
    json_object_set_new(object, "rope_scaling", rope);
}
