/* SPDX-License-Identifier: MIT */
/* A recipe that does not fit is refused with settings that do: the same plan is made of the recipe
 * with what changes no result, then with what changes little, then with shorter completions. */
#include "core/base/str.h"
#include "core/rl/internal.h"

/* A recipe with changes. */
struct trial {
    struct it_recipe recipe; /* borrows what it points to */
    enum it_dtype dtype;
    struct it_str words; /* "gradient_checkpointing=true torch_dtype=bfloat16" */
    struct it_memory_plan plan;
    bool fits;
};

static struct trial trial_of(const struct it_trainer_setup *s)
{
    return (struct trial){.recipe = *s->recipe, .dtype = s->net->dtype};
}

/* ---- changes, those of no result first; false: the recipe is so already, or cannot be ---- */

static bool checkpoints(struct trial *t, const struct it_net *net)
{
    (void)net;
    bool could = !t->recipe.gradient_checkpointing;
    t->recipe.gradient_checkpointing = true;
    return could;
}

static bool streams(struct trial *t, const struct it_net *net)
{
    bool could = t->recipe.reference == IT_REFERENCE_RESIDENT && it_can_stream(&t->recipe, net);
    if (could) { t->recipe.reference = IT_REFERENCE_STREAMED; }
    return could;
}

static bool frees_passes(struct trial *t, const struct it_net *net)
{
    (void)net;
    bool could = t->recipe.micro_tokens != 0;
    t->recipe.micro_tokens = 0;
    return could;
}

static bool codes_moments(struct trial *t, const struct it_net *net)
{
    (void)net;
    bool could = t->recipe.optim == IT_OPTIM_ADAMW;
    t->recipe.optim = IT_OPTIM_ADAMW_8BIT;
    return could;
}

static bool narrows(struct trial *t, const struct it_net *net)
{
    bool has = it_device_info(net->device)->dtypes & (1u << IT_BF16);
    bool could = has && t->dtype == IT_F32;
    if (could) { t->dtype = IT_BF16; }
    return could;
}

static bool drops_masters(struct trial *t, const struct it_net *net)
{
    (void)net;
    bool could = t->dtype == IT_BF16 && !t->recipe.bf16_stochastic_round;
    if (could) { t->recipe.bf16_stochastic_round = true; }
    return could;
}

static const struct {
    bool (*make)(struct trial *t, const struct it_net *net);
    const char *words;
} changes[] = {
    {checkpoints, "gradient_checkpointing=true"},
    {streams, "reference=streamed"},
    {frees_passes, "micro_tokens=0"},
    {codes_moments, "optim=adamw_8bit"},
    {narrows, "torch_dtype=bfloat16"},
    {drops_masters, "bf16_stochastic_round=true"},
};
enum { CHANGES = sizeof changes / sizeof *changes };

static bool change(struct trial *t, const struct it_net *net, int i)
{
    if (!changes[i].make(t, net)) { return false; }
    it_str_printf(&t->words, "%s%s", t->words.len ? " " : "", changes[i].words);
    return true;
}

/* ---- trying ---- */

static enum it_status try_it(const struct it_trainer_setup *s, int64_t limit, struct trial *t)
{
    struct it_net *net;
    struct it_net_options options = {
        .dtype = t->dtype,
        .positions = t->recipe.max_prompt_length + t->recipe.max_completion_length,
        .measure = true};
    IT_TRY(it_net_open(s->net->device, s->net->arch, &s->net->config, &options, &net));
    enum it_status status = s->net->lora.r ? it_lora_open(net, &s->net->lora, "plan") : IT_OK;
    struct it_trainer_setup setup = *s;
    setup.recipe = &t->recipe;
    setup.net = net;
    if (status == IT_OK) { status = it_plan_choose(&setup, limit, &t->plan); }
    it_net_close(net);
    t->fits = status == IT_OK && t->plan.total <= limit;
    return status;
}

/* One change, or else as many as it takes; all of them where those are not enough. */
static enum it_status try_changes(const struct it_trainer_setup *s, int64_t limit,
                                  struct trial *found_out)
{
    for (int i = 0; i < CHANGES; i++) {
        struct trial one = trial_of(s);
        enum it_status status = change(&one, s->net, i) ? try_it(s, limit, &one) : IT_OK;
        if (one.fits) {
            *found_out = one;
            return IT_OK;
        }
        it_str_free(&one.words);
        IT_TRY(status);
    }
    *found_out = trial_of(s);
    enum it_status status = IT_OK;
    for (int i = 0; i < CHANGES && status == IT_OK && !found_out->fits; i++) {
        if (change(found_out, s->net, i)) { status = try_it(s, limit, found_out); }
    }
    return status;
}

/* The longest completions that fit, in steps that people would write. */
static enum it_status try_shorter(const struct it_trainer_setup *s, int64_t limit,
                                  struct trial *t)
{
    int64_t step = t->recipe.max_completion_length >= 64 ? 16 : 1;
    int64_t fits = 0, not = (t->recipe.max_completion_length + step - 1) / step;
    while (not - fits > 1) {
        int64_t middle = fits + (not - fits) / 2;
        t->recipe.max_completion_length = middle * step;
        IT_TRY(try_it(s, limit, t));
        if (t->fits) {
            fits = middle;
        } else {
            not = middle;
        }
    }
    t->recipe.max_completion_length = fits ? fits * step : 1;
    IT_TRY(try_it(s, limit, t));
    it_str_printf(&t->words, "%smax_completion_length=%lld", t->words.len ? " " : "",
                  (long long)t->recipe.max_completion_length);
    return IT_OK;
}

/* ---- in words ---- */

static void describe(const struct trial *t, struct it_str *words)
{
    char total[24];
    if (!t->fits) { return; }
    it_str_printf(words, "%s%s (%s)", words->len ? ", or " : "", it_str_c(&t->words),
                  it_format_size(t->plan.total, total, sizeof total));
}

/* `changed` has all changes there are. */
static void describe_none(const struct trial *changed, struct it_str *words)
{
    char total[24];
    if (changed->words.len) {
        it_str_printf(words, "nothing in the recipe, for with %s it needs %s, and too much with "
                      "shorter completions", it_str_c(&changed->words),
                      it_format_size(changed->plan.total, total, sizeof total));
    } else {
        it_str_puts(words, "nothing in the recipe, shorter completions neither");
    }
    it_str_puts(words, ": use a smaller model, use_peft: true or a larger limit");
}

static enum it_status find_cures(const struct it_trainer_setup *s, int64_t limit,
                                 struct it_str *words)
{
    struct trial changed = {0}, shorter = trial_of(s);
    struct it_str none = {0};
    enum it_status status;
    IT_TRY_GOTO(status, end, try_changes(s, limit, &changed));
    IT_TRY_GOTO(status, end, try_shorter(s, limit, &shorter));
    if (!changed.fits && !shorter.fits) {
        describe_none(&changed, &none);
        IT_TRY_GOTO(status, end, try_shorter(s, limit, &changed));
    }
    describe(&changed, words);
    describe(&shorter, words);
    if (!words->len) { it_str_puts(words, it_str_c(&none)); }
end:
    it_str_free(&changed.words);
    it_str_free(&shorter.words);
    it_str_free(&none);
    return status;
}

enum it_status it_plan_refuse(const struct it_trainer_setup *s, const struct it_memory_plan *p,
                              int64_t limit)
{
    char need[24], have[24], own[24];
    struct it_str cures = {0};
    enum it_status status = find_cures(s, limit, &cures);
    if (status == IT_OK) {
        status = it_fail(IT_INVALID,
                         "the run needs %s and the limit is %s, %s of it for the open device "
                         "itself, even with %lld tokens a pass and %lld sequences at once; what "
                         "fits: %s",
                         it_format_size(p->total, need, sizeof need),
                         it_format_size(limit, have, sizeof have),
                         it_format_size(p->device, own, sizeof own), (long long)p->micro_tokens,
                         (long long)p->slots, it_str_c(&cures));
    }
    it_str_free(&cures);
    return status;
}
