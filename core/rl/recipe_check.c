/* SPDX-License-Identifier: MIT */
/* What can be said against a recipe before data and model are seen. */
#include <string.h>

#include "core/base/log.h"
#include "core/rl/recipe_internal.h"

/* `ends`: a round bracket leaves that end out. */
static const struct range {
    const char *key, *ends;
    double low, high;
} ranges[] = {
    {"dataset_limit", "[]", 0, 1e12},
    {"max_prompt_length", "[]", 1, 1 << 24},
    {"max_completion_length", "[]", 1, 1 << 24},
    {"num_generations", "[]", 1, 1 << 16},
    {"per_device_train_batch_size", "[]", 1, 1 << 20},
    {"gradient_accumulation_steps", "[]", 1, 1 << 20},
    {"num_processes", "[]", 0, 1 << 20},
    {"max_steps", "[]", -1, 1e12},
    {"num_train_epochs", "(]", 0, 1e6},
    {"num_iterations", "[]", 1, 1024},
    {"micro_tokens", "[]", 0, 1 << 30},
    {"temperature", "(]", 0, 100},
    {"top_p", "(]", 0, 1},
    {"min_p", "[)", 0, 1},
    {"top_k", "[]", -1, 1 << 30},
    {"advantage_eps", "[]", 0, 1},
    {"min_std", "[]", 0, 1e9},
    {"beta", "[]", 0, 1e9},
    {"epsilon", "[]", 0, 1},
    {"epsilon_high", "[]", 0, 1e9},
    {"delta", "[]", 0, 1e9},
    {"dual_clip", "[]", 0, 1e9},
    {"kl_clamp", "[]", 0, 1e9},
    {"entropy_coef", "[]", -1e9, 1e9},
    {"direct_sc_coef", "[]", -1e9, 1e9},
    {"ref_model_mixup_alpha", "[]", 0, 1},
    {"ref_model_sync_steps", "[]", 1, 1e12},
    {"sc_temperature", "[]", 0, 100},
    {"sc_ema", "[]", 0, 1},
    {"sc_period", "[]", 1, 1e12},
    {"sc_window", "[]", 1, 1 << 24},
    {"learning_rate", "[]", 0, 1},
    {"warmup_ratio", "[]", 0, 1},
    {"warmup_steps", "[]", 0, 1e12},
    {"adam_beta1", "[)", 0, 1},
    {"adam_beta2", "[)", 0, 1},
    {"adam_epsilon", "[]", 0, 1},
    {"weight_decay", "[]", 0, 1e3},
    {"max_grad_norm", "[]", 0, 1e9},
    {"lora_r", "[]", 1, 1 << 16},
    {"lora_alpha", "[]", -1e9, 1e9},
    {"lora_dropout", "[)", 0, 1},
    {"seed", "[]", 0, 1e18},
    {"threads", "[]", 0, 4096},
    {"memory_limit", "[]", 0, 1e18},
    {"save_steps", "[]", 0, 1e12},
    {"save_total_limit", "[]", 0, 1e12},
    {"logging_steps", "[]", 0, 1e12},
    {"eval_steps", "[]", 0, 1e12},
    {"eval_limit", "[]", 0, 1e12},
    {"completions_logged", "[]", 0, 1e12},
    {"guard_ratio_dev", "[]", 0, 1e9},
    {"guard_entropy", "[]", 0, 1e9},
    {"guard_kl", "[]", 0, 1e9},
    {"guard_accuracy_drop", "[]", 0, 1},
    {"guard_eos_rate", "[]", 0, 1},
    {"guard_repetition", "[]", 0, 1},
    {"guard_patience", "[]", 1, 1e12},
    {"train_batch_tokens", "[]", 1, 1e12},
    {"label_smoothing", "[)", 0, 1},
    {"token_noise", "[]", 0, 1},
};

static double number(const struct it_recipe *r, const struct it_option *row)
{
    const char *field = (const char *)r + row->offset;
    if (row->type == IT_OPT_REAL) { return *(const double *)(const void *)field; }
    return (double)*(const int64_t *)(const void *)field;
}

/* Where the key was set, for the head of a message. */
static const char *where(const struct it_draft *d, const char *key)
{
    const char *place = it_draft_where(d, key);
    return place ? place : "recipe";
}

static enum it_status check_range(const struct it_draft *d, const struct range *range)
{
    double x = number(&d->recipe, it_option_find(&it_recipe_table, range->key));
    bool above_open = range->ends[0] == '(', below_open = range->ends[1] == ')';
    bool low = above_open ? x > range->low : x >= range->low;
    bool high = below_open ? x < range->high : x <= range->high;
    if (low && high) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: %s: expected a number %s %g and %s %g, found %g",
                   where(d, range->key), range->key, above_open ? "above" : "of at least",
                   range->low, below_open ? "below" : "at most", range->high, x);
}

/* ---- keys that contradict each other ---- */

static enum it_status check_sampling(const struct it_draft *d)
{
    const struct it_recipe *r = &d->recipe;
    if (r->repetition_penalty != 1.0) {
        return it_fail(IT_INVALID, "%s: repetition_penalty: only 1 is supported: with a penalty "
                       "completions come from another distribution than the one that is trained",
                       where(d, "repetition_penalty"));
    }
    for (size_t i = 0; i < r->stop_strings.n; i++) {
        if (r->stop_strings.item[i][0] == '\0') {
            return it_fail(IT_INVALID, "%s: stop_strings: an empty text would stop them all",
                           where(d, "stop_strings"));
        }
    }
    bool relative = r->advantage == IT_ADVANTAGE_GROUP || r->advantage == IT_ADVANTAGE_LOO ||
                    r->scale_rewards == IT_SCALE_GROUP;
    if (r->num_generations < 2 && relative) {
        return it_fail(IT_INVALID, "%s: num_generations: expected at least 2, found %lld: a "
                       "completion is compared with others of its prompt; or set advantage: batch "
                       "and scale_rewards: batch", where(d, "num_generations"),
                       (long long)r->num_generations);
    }
    return IT_OK;
}

static enum it_status check_objective(const struct it_draft *d)
{
    const struct it_recipe *r = &d->recipe;
    double high = 1.0 + (r->epsilon_high > 0.0 ? r->epsilon_high : r->epsilon);
    if (r->delta > 0.0 && r->delta <= high) {
        return it_fail(IT_INVALID, "%s: delta: expected 0 or more than %g, the clipped ratio, "
                       "found %g", where(d, "delta"), high, r->delta);
    }
    if (r->dual_clip > 0.0 && r->dual_clip <= 1.0) {
        return it_fail(IT_INVALID, "%s: dual_clip: expected 0 or more than 1, found %g",
                       where(d, "dual_clip"), r->dual_clip);
    }
    bool learns = r->direct_sc_coef != 0.0 || r->entropy_coef != 0.0;
    for (size_t i = 0; i < r->reward_weights.n; i++) {
        learns = learns || r->reward_weights.item[i] != 0.0;
    }
    if (!learns) {
        return it_fail(IT_INVALID, "%s: method %s: every reward weight is 0, nothing would be "
                       "learned", where(d, "reward_weights"), r->method);
    }
    return IT_OK;
}

/* What TRL has and this does not; without use_peft none of it matters. */
static enum it_status check_adapters(const struct it_draft *d)
{
    const struct it_recipe *r = &d->recipe;
    const struct {
        bool wrong;
        const char *key, *reason;
    } rule[] = {
        {r->lora_dropout != 0.0, "lora_dropout",
         "only 0 is supported: with dropout the trained log-probs are not those of the sampler"},
        {r->use_dora, "use_dora", "only false is supported"},
        {r->lora_modules_to_save.n > 0, "lora_modules_to_save",
         "only unset is supported: nothing is trained beside the adapters"},
        {r->sync_ref_model && r->ref_model_mixup_alpha != 1.0, "ref_model_mixup_alpha",
         "only 1 is supported with use_peft: a mean of adapters is not the mean of the models"},
        {r->sc_annotator == IT_SC_EMA, "sc_annotator",
         "ema is not supported with use_peft: a mean of adapters is not the mean of the models; "
         "use periodic"},
    };
    for (size_t i = 0; r->use_peft && i < sizeof rule / sizeof *rule; i++) {
        if (!rule[i].wrong) { continue; }
        return it_fail(IT_INVALID, "%s: %s: %s", where(d, rule[i].key), rule[i].key,
                       rule[i].reason);
    }
    return IT_OK;
}

enum it_status it_draft_check(const struct it_draft *d)
{
    const struct it_recipe *r = &d->recipe;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        IT_TRY(check_range(d, &ranges[i]));
    }
    IT_TRY(check_sampling(d));
    IT_TRY(check_objective(d));
    IT_TRY(check_adapters(d));
    if (strcmp(r->save_strategy, "steps") != 0 && strcmp(r->save_strategy, "no") != 0) {
        return it_fail(IT_INVALID, "%s: save_strategy: expected steps or no, found \"%s\"",
                       where(d, "save_strategy"), r->save_strategy);
    }
    if (r->bf16_stochastic_round && r->torch_dtype == IT_RECIPE_F32) {
        return it_fail(IT_INVALID, "%s: bf16_stochastic_round: torch_dtype is float32, and only "
                       "bfloat16 weights are rounded", where(d, "bf16_stochastic_round"));
    }
    struct it_batch_shape shape;
    return r->num_processes > 0 ? it_recipe_batch(r, 1, &shape) : IT_OK;
}
