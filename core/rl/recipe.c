/* SPDX-License-Identifier: MIT */
/* Reading a recipe: YAML, then overrides, then profile and method, then checks. */
#include "core/rl/recipe.h"

#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/rl/recipe_internal.h"

/* ---- words of their world in ours ---- */

static const struct {
    const char *theirs, *ours;
} aliases[] = {{"dtype", "torch_dtype"}};

static const char *key_of(const char *key)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(aliases[i].theirs, key) == 0) { return aliases[i].ours; }
    }
    return key;
}

static const struct {
    const char *key, *theirs, *ours;
} values[] = {
    {"scale_rewards", "true", "group"},   {"scale_rewards", "false", "none"},
    {"torch_dtype", "bf16", "bfloat16"},  {"torch_dtype", "f32", "float32"},
    {"torch_dtype", "fp32", "float32"},   {"sc_dtype", "fp32", "f32"},
    {"sc_dtype", "bf16_compat", "bf16"},  {"sc_vocab", "padded", "lm_head"},
    {"save_strategy", "false", "no"},
    /* AdamW of transformers. Paged: its state may wait in host memory, where and not what it is */
    {"optim", "adamw_torch_fused", "adamw_torch"}, {"optim", "adamw_hf", "adamw_torch"},
    {"optim", "adamw_apex_fused", "adamw_torch"},  {"optim", "adamw_torch_xla", "adamw_torch"},
    {"optim", "adamw_torch_npu_fused", "adamw_torch"},
    {"optim", "paged_adamw", "adamw_torch"},       {"optim", "paged_adamw_32bit", "adamw_torch"},
    {"optim", "adamw_bnb_8bit", "adamw_8bit"},     {"optim", "adamw_torch_8bit", "adamw_8bit"},
    {"optim", "paged_adamw_8bit", "adamw_8bit"},
};

static const char *value_of(const char *key, const char *text)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strcmp(values[i].key, key) == 0 && strcasecmp(values[i].theirs, text) == 0) {
            return values[i].ours;
        }
    }
    return text;
}

/* Keys that mean nothing at some values and would change the run at others. `harmless`: "a|b", a
 * name ending in * stands for what begins so; empty: unset only. */
static const struct condition {
    const char *key, *harmless, *reason;
} conditions[] = {
    {"fp16", "false", "training in float16 is not offered; use bf16: true"},
    {"load_in_8bit", "false", "training on quantised weights is not offered"},
    {"load_in_4bit", "false", "training on quantised weights is not offered"},
    {"adafactor", "false", "the optimizer is AdamW"},
    {"optim_args", "", "the optimizer's keys are adam_beta1, adam_beta2, adam_epsilon"},
    {"lr_scheduler_kwargs", "", "the schedules take no arguments"},
    {"generation_kwargs", "", "use temperature, top_p, top_k, min_p"},
    {"vllm_guided_decoding_regex", "", "sampling under a grammar is not offered"},
    {"model_init_kwargs", "", "use torch_dtype"},
    {"dataset_mixture", "", "one dataset_name at a time"},
    {"chat_template", "", "put the template into the model's folder"},
    {"steps_per_generation", "", "an update uses all completions of its rollout"},
    {"top_entropy_quantile", "1|1.0", "all tokens have a loss"},
    {"neftune_noise_alpha", "0|0.0", "noise on embeddings is not offered"},
    {"label_smoothing_factor", "0|0.0", "use label_smoothing, of pretrain"},
    {"repetition_n_grams", "3", "reward repetition counts runs of 3 words"},
    {"repetition_max_penalty", "-1|-1.0", "weigh reward repetition in reward_weights"},
};

/* Is `text` one of "a|b*"? */
static bool matches(const char *list, const char *text)
{
    while (*list) {
        size_t length = strcspn(list, "|"), fixed = length;
        bool open = length > 0 && list[length - 1] == '*';
        if (open) { fixed--; }
        if (strncasecmp(list, text, fixed) == 0 && (open || text[fixed] == '\0')) { return true; }
        list += length + (list[length] == '|');
    }
    return false;
}

static enum it_status ignore(struct it_draft *d, const char *where, const char *key,
                             const char *text)
{
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        const struct condition *c = &conditions[i];
        if (strcmp(c->key, key) != 0 || (text && matches(c->harmless, text))) { continue; }
        return it_fail(IT_INVALID, "%s: %s: %s is not supported: %s", where, key,
                       text ? text : "this value", c->reason);
    }
    it_str_printf(&d->ignored, "%s%s", d->ignored.len ? ", " : "", key);
    return IT_OK;
}

/* ---- one key ---- */

static void mark(struct it_draft *d, const struct it_option *row, const char *where)
{
    char **slot = &d->where[row - it_recipe_table.row];
    it_free(*slot);
    *slot = it_strdup(where);
}

const char *it_draft_where(const struct it_draft *d, const char *key)
{
    return d->where[it_option_find(&it_recipe_table, key) - it_recipe_table.row];
}

static enum it_status set(void *context, const struct it_yaml_item *item)
{
    struct it_draft *d = context;
    const char *key = key_of(item->key);
    const struct it_option *row = it_option_find(&it_recipe_table, key);
    if (!row) { return it_option_set(&it_recipe_table, &d->recipe, item->where, key, ""); }
    if (item->is_null) { return IT_OK; }
    if (row->type == IT_OPT_IGNORED) { return ignore(d, item->where, key, item->scalar); }
    if (item->map && row->type != IT_OPT_OBJECT) {
        return it_fail(IT_INVALID, "%s: %s: expected a value, found a map", item->where, key);
    }
    if (item->list) {
        IT_TRY(it_option_set_list(&it_recipe_table, &d->recipe, item->where, key, item->list));
    } else {
        IT_TRY(it_option_set(&it_recipe_table, &d->recipe, item->where, key,
                             item->map ? item->map : value_of(key, item->scalar)));
    }
    mark(d, row, item->where);
    return IT_OK;
}

static enum it_status override(struct it_draft *d, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return it_fail(IT_INVALID, "command line: expected key=value, found \"%s\"", text);
    }
    char *key = it_strndup(text, (size_t)(equals - text));
    struct it_yaml_item item = {.where = "command line", .key = key, .scalar = equals + 1};
    enum it_status status = set(d, &item);
    it_free(key);
    return status;
}

/* ---- the whole ---- */

static enum it_status read_all(struct it_draft *d, const char *path, const char *const *overrides,
                               int n_overrides)
{
    IT_TRY(it_options_init(&it_recipe_table, &d->recipe));
    if (path) { IT_TRY(it_yaml_read(path, set, d)); }
    for (int i = 0; i < n_overrides; i++) { IT_TRY(override(d, overrides[i])); }
    IT_TRY(it_draft_resolve(d));
    return it_draft_check(d);
}

enum it_status it_recipe_load(const char *path, const char *const *overrides, int n_overrides,
                              struct it_recipe *recipe_out, struct it_strs *choices_out)
{
    struct it_draft d = {.where = it_calloc(it_recipe_table.n, sizeof *d.where)};
    enum it_status status = read_all(&d, path, overrides, n_overrides);
    for (size_t i = 0; i < it_recipe_table.n; i++) { it_free(d.where[i]); }
    it_free(d.where);
    it_str_free(&d.ignored);
    if (status == IT_OK && choices_out) {
        *choices_out = d.choices;
    } else {
        it_strs_free(&d.choices);
    }
    if (status != IT_OK) {
        it_recipe_free(&d.recipe);
        return status;
    }
    *recipe_out = d.recipe;
    return IT_OK;
}

void it_recipe_free(struct it_recipe *recipe)
{
    it_options_free(&it_recipe_table, recipe);
}
