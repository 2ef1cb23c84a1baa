/* SPDX-License-Identifier: MIT */
/* What a recipe leaves open: the profile's values, the method's rewards, and keys that follow from
 * others. */
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/rl/recipe_internal.h"
#include "core/rl/reward.h"

/* ---- profiles ---- */

/* The table's fallbacks are profile `recommended`; here is where the others differ. paper-openr1 is
 * what the published trainer computed, quirks included (docs/algorithm.md); paper-math the
 * equations as printed, otherwise the same; verl the authors' second implementation. */
enum { OPENR1 = 1 << IT_PROFILE_PAPER_OPENR1, MATH = 1 << IT_PROFILE_PAPER_MATH,
       VERL = 1 << IT_PROFILE_VERL };

static const struct {
    unsigned profiles;
    const char *key, *value;
} differences[] = {
    {OPENR1, "sc_shift", "or1_compat"},
    {OPENR1, "loss_type", "bnpo"},
    {OPENR1, "advantage_eps", "1e-4"},
    {MATH, "loss_type", "grpo"},
    {MATH, "advantage_eps", "0"},
    {OPENR1 | MATH, "temperature", "0.9"},
    {OPENR1 | MATH, "top_k", "50"},
    {OPENR1 | MATH, "sc_temperature", "1"},
    {OPENR1 | MATH, "reward_combine", "separate"},
    {OPENR1 | MATH, "weight_decay", "0"},
    {OPENR1 | MATH | VERL, "per_device_train_batch_size", "4"},
    {OPENR1 | MATH | VERL, "sc_subtract_logv", "false"},
    {OPENR1 | MATH | VERL, "sc_dtype", "bf16"},
    {OPENR1 | MATH | VERL, "sc_source", "train_recompute"},
    {OPENR1 | MATH | VERL, "min_std", "0"},
    {OPENR1 | MATH | VERL, "lr_zero_first", "true"},
    {VERL, "num_generations", "8"},
    {VERL, "temperature", "1"},
    {VERL, "top_k", "0"},
    {VERL, "sc_temperature", "0"},
    {VERL, "loss_type", "bnpo"},
    {VERL, "advantage_eps", "1e-6"},
    {VERL, "dual_clip", "3"},
    {VERL, "kl_clamp", "10"},
    {VERL, "weight_decay", "0.01"},
};

static enum it_status apply_profile(struct it_draft *d)
{
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++) {
        bool mine = differences[i].profiles & 1u << d->recipe.profile;
        if (!mine || it_draft_where(d, differences[i].key)) { continue; }
        IT_TRY(it_option_set(&it_recipe_table, &d->recipe, "profile", differences[i].key,
                             differences[i].value));
    }
    return IT_OK;
}

/* ---- methods ---- */

/* A preset adds its reward with weight 1 unless it is listed; with `only_alone`, unless any is. */
static const struct preset {
    const char *name, *reward;
    bool only_alone;
} presets[] = {
    {"intuitor", "self_certainty", false},
    {"grpo", "accuracy", true},
    {"grpo_pv", "plurality", false},
    {"direct_sc", NULL, false},
};
enum { N_PRESETS = sizeof presets / sizeof *presets };

static bool listed(const struct it_recipe *r, const char *reward)
{
    for (size_t i = 0; i < r->reward_funcs.n; i++) {
        if (strcmp(r->reward_funcs.item[i], reward) == 0) { return true; }
    }
    return false;
}

static void add_weight(struct it_recipe *r, double weight)
{
    struct it_reals *w = &r->reward_weights;
    w->item = it_grow(w->item, &w->cap, w->n + 1, sizeof *w->item);
    w->item[w->n++] = weight;
}

static void add_reward(struct it_recipe *r, const char *name, double weight)
{
    if (listed(r, name)) { return; }
    it_strs_add(&r->reward_funcs, name);
    add_weight(r, weight);
}

/* The closest name of a method or reward; the first n_presets presets are candidates. */
static enum it_status unknown(const char *where, const char *key, const char *name,
                              size_t n_presets)
{
    size_t n = n_presets;
    while (it_reward_at(n - n_presets)) { n++; }
    const char **names = it_alloc(n * sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[i] = i < n_presets ? presets[i].name : it_reward_at(i - n_presets)->name;
    }
    const char *closest = it_closest(name, names, n);
    it_free(names);
    return it_fail(IT_INVALID, "%s: %s: unknown %s \"%s\"%s%s%s", where, key,
                   n_presets ? "method" : "reward", name, closest ? "; did you mean \"" : "",
                   closest ? closest : "", closest ? "\"?" : "");
}

static enum it_status check_rewards(struct it_draft *d)
{
    struct it_recipe *r = &d->recipe;
    const char *where = it_draft_where(d, "reward_funcs");
    for (size_t i = 0; i < r->reward_funcs.n; i++) {
        const char *name = r->reward_funcs.item[i];
        if (!it_reward_find(name)) { return unknown(where, "reward_funcs", name, 0); }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(name, r->reward_funcs.item[k]) == 0) {
                return it_fail(IT_INVALID, "%s: reward_funcs: %s is listed twice", where, name);
            }
        }
    }
    if (r->reward_weights.n == 0) { /* TRL: 1 each */
        for (size_t i = 0; i < r->reward_funcs.n; i++) { add_weight(r, 1.0); }
    }
    if (r->reward_weights.n == r->reward_funcs.n) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: reward_weights: expected one for each of the %zu in "
                   "reward_funcs, found %zu", it_draft_where(d, "reward_weights"),
                   r->reward_funcs.n, r->reward_weights.n);
}

static const struct preset *find_preset(const char *name)
{
    for (size_t i = 0; i < N_PRESETS; i++) {
        if (strcmp(presets[i].name, name) == 0) { return &presets[i]; }
    }
    return NULL;
}

static void say_method(struct it_draft *d, const char *because)
{
    const struct it_recipe *r = &d->recipe;
    struct it_str text = {0};
    it_str_printf(&text, "method %s%s: rewards ", r->method, because);
    for (size_t i = 0; i < r->reward_funcs.n; i++) {
        it_str_printf(&text, "%s%s x %g", i ? ", " : "", r->reward_funcs.item[i],
                      r->reward_weights.item[i]);
    }
    it_strs_add(&d->choices, it_str_c(&text));
    it_str_free(&text);
}

static enum it_status apply_method(struct it_draft *d)
{
    struct it_recipe *r = &d->recipe;
    const char *because = "";
    IT_TRY(check_rewards(d));
    if (!r->method || r->method[0] == '\0') {
        bool positive = false;
        for (size_t i = 0; i < r->reward_weights.n; i++) {
            positive = positive || r->reward_weights.item[i] > 0.0;
        }
        it_free(r->method);
        r->method = it_strdup(positive ? "grpo" : "intuitor");
        because = positive ? " (a reward weight is above 0)" : " (no reward weight is above 0)";
    }
    const struct preset *preset = find_preset(r->method);
    if (!preset && !it_reward_find(r->method)) {
        return unknown(it_draft_where(d, "method"), "method", r->method, N_PRESETS);
    }
    const char *reward = preset ? preset->reward : r->method;
    if (reward && !(preset && preset->only_alone && r->reward_funcs.n > 0)) {
        add_reward(r, reward, 1.0);
    }
    if (!reward && !it_draft_where(d, "direct_sc_coef")) { r->direct_sc_coef = 1.0; }
    add_reward(r, "accuracy", 0.0); /* a monitor; NaN where there is no gold */
    say_method(d, because);
    return IT_OK;
}

/* ---- what follows ---- */

static void follow(struct it_draft *d)
{
    struct it_recipe *r = &d->recipe;
    if (r->torch_dtype == IT_RECIPE_AUTO && r->bf16) { r->torch_dtype = IT_RECIPE_BF16; }
    if (r->torch_dtype == IT_RECIPE_F32 && r->bf16) {
        it_warn("bf16: true has no effect: torch_dtype is float32");
    }
    if (!it_draft_where(d, "truncated_in_statistics")) {
        r->truncated_in_statistics = !r->mask_truncated_completions;
    }
    if (r->sc_shift == IT_SC_OR1_COMPAT && r->sc_source != IT_SC_TRAIN_RECOMPUTE) {
        if (it_draft_where(d, "sc_source")) {
            it_warn("sc_source is train_recompute: sc_shift or1_compat needs the distribution "
                    "after the last token, which the sampler never sees");
        }
        r->sc_source = IT_SC_TRAIN_RECOMPUTE;
    }
    if (strcmp(r->save_strategy, "epoch") == 0) {
        it_warn("save_strategy epoch is taken as steps: every save_steps updates, and the last");
        it_free(r->save_strategy);
        r->save_strategy = it_strdup("steps");
    }
}

static void say_profile(struct it_draft *d)
{
    const struct it_recipe *r = &d->recipe;
    struct it_str text = {0};
    json_t *dump = it_options_dump(&it_recipe_table, r);
    static const char *const shown[] = {"loss_type", "sc_shift", "sc_dtype"};
    const char *word[sizeof shown / sizeof *shown];
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        word[i] = json_string_value(json_object_get(dump, shown[i]));
    }
    char top_k[32] = "off";
    if (r->top_k > 0) { snprintf(top_k, sizeof top_k, "%lld", (long long)r->top_k); }
    it_str_printf(&text, "profile %s: temperature %g, top_k %s, loss_type %s, beta %g, "
                  "weight_decay %g, self-certainty %s in %s",
                  json_string_value(json_object_get(dump, "profile")), r->temperature, top_k,
                  word[0], r->beta, r->weight_decay, word[1], word[2]);
    it_strs_add(&d->choices, it_str_c(&text));
    it_str_free(&text);
    json_decref(dump);
}

enum it_status it_draft_resolve(struct it_draft *d)
{
    IT_TRY(apply_profile(d));
    IT_TRY(apply_method(d));
    follow(d);
    if (d->ignored.len) {
        struct it_str text = {0};
        it_str_printf(&text, "no effect here: %s", it_str_c(&d->ignored));
        it_strs_add(&d->choices, it_str_c(&text));
        it_str_free(&text);
    }
    say_profile(d);
    return IT_OK;
}
