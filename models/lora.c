/* SPDX-License-Identifier: MIT */
/* adapter_config.json as PEFT writes it. A field that would change what the adapter computes and
 * that is not known here is refused by name, never passed over. */
#include <math.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "models/internal.h"

static const char config_name[] = "adapter_config.json", ending[] = ".weight";

/* ---- target modules ---- */

static bool is_module(const struct it_name_row *row)
{
    for (int k = 0; k < IT_LORA_SLOTS; k++) {
        if (row->slot == it_lora_slots[k]) { return it_ends_with(row->pattern, ending); }
    }
    return false;
}

/* "q_proj" of "model.layers.%d.self_attn.q_proj.weight"; the caller frees. */
static char *module_name(const struct it_name_row *row)
{
    char *path = it_strndup(row->pattern, strlen(row->pattern) - (sizeof ending - 1));
    const char *dot = strrchr(path, '.');
    char *name = it_strdup(dot ? dot + 1 : path);
    it_free(path);
    return name;
}

/* As PEFT compares: the name is the module's path or what stands behind a dot of it. */
static bool is_meant(const struct it_name_row *row, const char *name)
{
    size_t path = strlen(row->pattern) - (sizeof ending - 1), length = strlen(name);
    if (length == 0 || length >= path || strchr(name, '%')) { return false; }
    return row->pattern[path - length - 1] == '.' &&
           strncmp(row->pattern + path - length, name, length) == 0;
}

static enum it_status unknown_module(const struct it_arch *arch, const char *where,
                                     const char *name)
{
    struct it_str list = {0};
    for (int i = 0; i < arch->n_names; i++) {
        if (!is_module(&arch->names[i])) { continue; }
        char *module = module_name(&arch->names[i]);
        it_str_printf(&list, "%s, ", module);
        it_free(module);
    }
    enum it_status status = it_fail(IT_INVALID, "%s: \"%s\" is no module of a %s that can have an "
                                    "adapter; expected %sor all-linear", where, name,
                                    arch->model_type, it_str_c(&list));
    it_str_free(&list);
    return status;
}

enum it_status it_lora_targets(const struct it_arch *arch, const char *where,
                               const struct it_strs *names, uint64_t *modules_out)
{
    uint64_t modules = 0;
    for (size_t n = 0; n < names->n; n++) {
        bool all = strcmp(names->item[n], "all-linear") == 0, found = all;
        for (int i = 0; i < arch->n_names; i++) {
            const struct it_name_row *row = &arch->names[i];
            if (!is_module(row) || !(all || is_meant(row, names->item[n]))) { continue; }
            modules |= (uint64_t)1 << i;
            found = true;
        }
        if (!found) { return unknown_module(arch, where, names->item[n]); }
    }
    if (!modules) { return it_fail(IT_INVALID, "%s: names no module", where); }
    *modules_out = modules;
    return IT_OK;
}

void it_lora_names(const struct it_net *net, struct it_str *names)
{
    for (int i = 0; i < net->arch->n_names; i++) {
        if (!(net->lora.modules >> i & 1)) { continue; }
        char *name = module_name(&net->arch->names[i]);
        it_str_printf(names, "%s%s", names->len ? ", " : "", name);
        it_free(name);
    }
}

/* ---- reading ---- */

/* Fields that say how an adapter was made or is held, not what it computes. */
static const char *const no_matter[] = {
    "auto_mapping",  "base_model_name_or_path", "eva_config",    "inference_mode",
    "loftq_config",  "lora_dropout",            "megatron_core", "parent_library",
    "peft_version",  "qalora_group_size",       "revision",      "base_model_class",
    "corda_config",
};
/* Read one by one. */
static const char *const known[] = {"bias",      "init_lora_weights", "lora_alpha",    "peft_type",
                                    "r",         "target_modules",    "task_type",
                                    "use_rslora"};

static bool is_among(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], word) == 0) { return true; }
    }
    return false;
}

static bool is_off(const json_t *value)
{
    return !json_is_true(value) && !json_is_number(value) && json_object_size(value) == 0 &&
           json_array_size(value) == 0 && json_string_length(value) == 0;
}

static enum it_status refuse(const char *path, const char *field, const char *expected)
{
    return it_fail(IT_INVALID, "%s: field \"%s\" is not supported at this value; expected %s", path,
                   field, expected);
}

static enum it_status check_others(const json_t *object, const char *path)
{
    const char *field;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, field, value) {
        bool read = is_among(field, known, sizeof known / sizeof *known) ||
                    is_among(field, no_matter, sizeof no_matter / sizeof *no_matter);
        if (!read && !is_off(value)) {
            return refuse(path, field, "none: plain LoRA, the same in all layers");
        }
    }
    return IT_OK;
}

/* A string field that may be missing, null, or one of "a|b". */
static enum it_status check_word(const json_t *object, const char *path, const char *field,
                                 const char *first, const char *second)
{
    const char *word;
    IT_TRY(it_json_get_string(object, path, field, &word));
    if (!word || strcmp(word, first) == 0 || strcmp(word, second) == 0) { return IT_OK; }
    return refuse(path, field, first);
}

/* Beginnings that change the weights beside the adapter, as PiSSA's, would need those weights. */
static enum it_status check_init(const json_t *object, const char *path)
{
    static const char *const pure[] = {"gaussian", "eva", "orthogonal"};
    const json_t *value = json_object_get(object, "init_lora_weights");
    if (!json_is_string(value)) { return IT_OK; }
    if (is_among(json_string_value(value), pure, sizeof pure / sizeof *pure)) { return IT_OK; }
    return refuse(path, "init_lora_weights",
                  "true, false, gaussian, eva or orthogonal; others change the base model");
}

static enum it_status read_targets(const json_t *object, const char *path,
                                   const struct it_arch *arch, uint64_t *modules_out)
{
    const json_t *value = json_object_get(object, "target_modules"), *item;
    struct it_strs names = {0};
    struct it_str where = {0};
    enum it_status status = IT_OK;
    size_t i;
    it_str_printf(&where, "%s: field \"target_modules\"", path);
    if (json_is_string(value) && strcmp(json_string_value(value), "all-linear") == 0) {
        it_strs_add(&names, json_string_value(value));
    } else if (json_is_string(value)) {
        status = refuse(path, "target_modules", "a list of names; an expression is not understood");
    }
    json_array_foreach((json_t *)(uintptr_t)value, i, item) {
        if (json_is_string(item)) {
            it_strs_add(&names, json_string_value(item));
        } else if (status == IT_OK) {
            status = it_fail(IT_INVALID, "%s: expected a list of names", it_str_c(&where));
        }
    }
    if (status == IT_OK) { status = it_lora_targets(arch, it_str_c(&where), &names, modules_out); }
    it_strs_free(&names);
    it_str_free(&where);
    return status;
}

static enum it_status read_config(const json_t *object, const char *path,
                                  const struct it_arch *arch, struct it_lora *lora)
{
    const char *type;
    IT_TRY(it_json_get_string(object, path, "peft_type", &type));
    if (!type || strcmp(type, "LORA") != 0) {
        return it_fail(IT_INVALID, "%s: field \"peft_type\" is %s; expected LORA", path,
                       type ? type : "missing");
    }
    IT_TRY(check_others(object, path));
    IT_TRY(check_word(object, path, "bias", "none", "none"));
    IT_TRY(check_word(object, path, "task_type", "CAUSAL_LM", "CAUSAL_LM"));
    IT_TRY(check_init(object, path));
    IT_TRY(it_json_get_int(object, path, "r", 8, &lora->r)); /* PEFT's defaults */
    IT_TRY(it_json_get_real(object, path, "lora_alpha", 8.0, &lora->alpha));
    IT_TRY(it_json_get_bool(object, path, "use_rslora", false, &lora->rslora));
    return read_targets(object, path, arch, &lora->modules);
}

enum it_status it_lora_read(const char *folder, const struct it_arch *arch,
                            struct it_lora *lora_out)
{
    struct it_lora lora = {0};
    char *path = it_path_join(folder, config_name);
    json_t *object = NULL;
    enum it_status status = it_model_json(path, &object);
    if (status == IT_OK) { status = read_config(object, path, arch, &lora); }
    json_decref(object);
    it_free(path);
    if (status == IT_OK) { *lora_out = lora; }
    return status;
}

bool it_model_is_adapter(const char *folder)
{
    char *path = it_path_join(folder, config_name);
    bool there = it_path_exists(path);
    it_free(path);
    return there;
}

enum it_status it_model_base(const char *name, char **folder_out)
{
    char *folder = it_model_path(name);
    enum it_status status = IT_OK;
    if (it_model_is_adapter(folder)) {
        status = it_lora_base(folder, folder_out);
        it_free(folder);
    } else {
        *folder_out = folder;
    }
    return status;
}

/* A path from here, one from the adapter's folder, or a name in the hub's cache; else NULL. */
static char *find_base(const char *folder, const char *name)
{
    char *beside = it_path_join(folder, name), *base = it_model_path(name);
    if (!it_path_exists(base)) {
        it_free(base);
        base = name[0] != '/' && it_path_exists(beside) ? it_strdup(beside) : NULL;
    }
    it_free(beside);
    return base;
}

enum it_status it_lora_base(const char *folder, char **base_out)
{
    char *path = it_path_join(folder, config_name), *base = NULL;
    json_t *object = NULL;
    const char *name = NULL;
    enum it_status status;
    IT_TRY_GOTO(status, end, it_model_json(path, &object));
    IT_TRY_GOTO(status, end, it_json_get_string(object, path, "base_model_name_or_path", &name));
    base = name && *name ? find_base(folder, name) : NULL;
    if (!base) {
        status = it_fail(IT_NOT_FOUND, "%s: base model %s is not here: open the base model, and %s "
                         "as its adapter", path, name ? name : "(not named)", folder);
    } else if (it_model_is_adapter(base)) {
        status = it_fail(IT_INVALID, "%s: base model %s is an adapter itself: merge that one first",
                         path, name);
    } else {
        *base_out = base;
        base = NULL;
    }
end:
    it_free(base);
    json_decref(object);
    it_free(path);
    return status;
}

/* ---- writing ---- */

json_t *it_lora_config(const struct it_net *net, const char *base)
{
    const struct it_lora *lora = &net->lora;
    json_t *targets = json_array();
    for (int i = 0; i < net->arch->n_names; i++) {
        if (!(lora->modules >> i & 1)) { continue; }
        char *name = module_name(&net->arch->names[i]);
        json_array_append_new(targets, json_string(name));
        it_free(name);
    }
    bool whole = lora->alpha == floor(lora->alpha) && fabs(lora->alpha) < 1e9;
    json_t *alpha = whole ? json_integer((json_int_t)lora->alpha) : json_real(lora->alpha);
    return json_pack("{s:s, s:s, s:s?, s:I, s:o, s:b, s:o, s:s, s:f, s:b, s:b, s:b, s:b, s:n, s:n,"
                     " s:n, s:{}, s:{}}",
                     "peft_type", "LORA", "task_type", "CAUSAL_LM", "base_model_name_or_path", base,
                     "r", (json_int_t)lora->r, "lora_alpha", alpha, "use_rslora", lora->rslora,
                     "target_modules", targets, "bias", "none", "lora_dropout", 0.0,
                     "fan_in_fan_out", 0, "inference_mode", 1, "init_lora_weights", 1, "use_dora",
                     0, "modules_to_save", "layers_to_transform", "layers_pattern", "rank_pattern",
                     "alpha_pattern");
}
