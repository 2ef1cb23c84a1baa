/* SPDX-License-Identifier: MIT */
/* Every byte of a run before the first is allocated: the very code that will run is walked over
 * views without memory. Running out is an error at the start, not at update 400. */
#include "core/base/mem.h"
#include "core/rl/internal.h"

static const int64_t default_micro_tokens = 2048, default_slots = 256;

bool it_needs_reference(const struct it_recipe *r)
{
    return r->beta != 0.0 || (r->sc_annotator == IT_SC_FROZEN && !r->sync_ref_model);
}

bool it_needs_annotator(const struct it_recipe *r)
{
    return r->sc_annotator == IT_SC_EMA || r->sc_annotator == IT_SC_PERIODIC ||
           (r->sc_annotator == IT_SC_FROZEN && r->sync_ref_model);
}

bool it_needs_certainty(const struct it_recipe *r)
{
    return r->sc_shift == IT_SC_OR1_COMPAT || r->sc_source == IT_SC_TRAIN_RECOMPUTE ||
           r->sc_annotator != IT_SC_POLICY;
}

/* What could wait in host memory: not adapters, which are small, and not where host memory is the
 * device's own. */
bool it_can_stream(const struct it_recipe *r, const struct it_net *net)
{
    bool unified = it_device_info(net->device)->flags & IT_DEVICE_UNIFIED;
    return !unified && !net->lora.r && (it_needs_reference(r) || it_needs_annotator(r));
}

/* A plan while it is being made. */
struct draft {
    struct it_memory_plan p;
    int64_t longest, completions;     /* tokens of a sequence; sequences of an update */
    int64_t reference, annotator;     /* bytes of the sets, wherever they wait */
    int64_t pass;                     /* of activations without gradient; 0: none is made */
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The parts that depend on neither micro_tokens nor slots, and the most of those. */
static enum it_status begin(const struct it_trainer_setup *s, struct draft *d)
{
    const struct it_net *net = s->net;
    const struct it_recipe *r = s->recipe;
    struct it_memory_plan *p = &d->p;
    struct it_batch_shape shape;
    IT_TRY(it_recipe_batch(r, s->devices, &shape));
    d->completions = shape.completions;
    d->longest = r->max_prompt_length + r->max_completion_length;
    p->micro_tokens = r->micro_tokens ? r->micro_tokens : default_micro_tokens;
    if (p->micro_tokens > d->completions * d->longest) {
        p->micro_tokens = d->completions * d->longest;
    }
    p->micro_tokens = larger(p->micro_tokens, d->longest);
    p->slots = d->completions < default_slots ? d->completions : default_slots;
    int64_t trained = it_weights_bytes(net, net->dtype);
    bool moves = r->sync_ref_model || !net->lora.r; /* else the base without adapters */
    d->reference = it_needs_reference(r) && moves ? trained : 0;
    d->annotator = it_needs_annotator(r) ? trained : 0;
    p->device = it_device_info(net->device)->memory_held;
    p->weights = it_arena_peak(net->weights.arena) + (net->lora.r ? trained : 0);
    const struct it_adamw_options adamw = it_recipe_adamw(s->recipe);
    IT_TRY(it_adamw_check(net, &adamw));
    p->optimizer = it_optimizer_bytes(net, &adamw);
    p->gradients = it_weights_bytes(net, it_dtype_accumulation(net->dtype));
    p->constants = it_arena_peak(net->constants);
    return IT_OK;
}

/* The parts that do depend on them. */
static enum it_status measure(const struct it_trainer_setup *s, struct draft *d)
{
    const struct it_recipe *r = s->recipe;
    struct it_memory_plan *p = &d->p;
    struct it_tape_options tape = {.max_tokens = p->micro_tokens,
                                   .max_segments = p->micro_tokens,
                                   .max_rows = it_packs_max_rows(p->micro_tokens, d->completions),
                                   .checkpoint = r->gradient_checkpointing ? IT_CHECKPOINT_BLOCK
                                                                           : IT_CHECKPOINT_NONE,
                                   .train = true};
    struct it_generator_options gen = {.slots = p->slots, .max_length = d->longest};
    IT_TRY(it_tape_plan(s->net, &tape, &p->activations));
    IT_TRY(it_generator_plan(s->net, &gen, &p->kv));
    tape.train = false;
    d->pass = 0;
    if (r->beta == 0.0 && !it_needs_certainty(r)) { return IT_OK; }
    return it_tape_plan(s->net, &tape, &d->pass);
}

/* What lives at once. Of streamed models one at a time is on the device, where the gradients of the
 * phase to come will be. */
static void add_up(struct draft *d, bool streamed)
{
    struct it_memory_plan *p = &d->p;
    p->streamed = streamed;
    p->reference = streamed ? 0 : d->reference;
    p->annotator = streamed ? 0 : d->annotator;
    p->host = streamed ? d->reference + d->annotator : 0;
    p->scoring = d->pass + (streamed ? larger(d->reference, d->annotator) : 0);
    p->phase = larger(larger(p->gradients + p->activations, p->kv), p->scoring) + (1 << 20);
    p->total = p->device + p->weights + p->reference + p->annotator + p->optimizer + p->constants +
               p->phase;
}

/* Fewer tokens or sequences at once, whichever the phase is large for; false: no fewer. */
static bool shrink(const struct it_trainer_setup *s, struct draft *d)
{
    struct it_memory_plan *p = &d->p;
    bool training = larger(p->gradients + p->activations, p->scoring) > p->kv;
    if (training && p->micro_tokens / 2 >= d->longest && !s->recipe->micro_tokens) {
        p->micro_tokens /= 2;
        return true;
    }
    if (training || p->slots <= 1) { return false; }
    p->slots /= 2;
    return true;
}

enum it_status it_plan_choose(const struct it_trainer_setup *s, int64_t limit,
                              struct it_memory_plan *plan_out)
{
    struct draft d = {0};
    const struct it_memory_plan *p = &d.p;
    int place = s->recipe->reference;
    bool may = place != IT_REFERENCE_RESIDENT && it_can_stream(s->recipe, s->net);
    IT_TRY(begin(s, &d));
    IT_TRY(measure(s, &d));
    add_up(&d, may && place == IT_REFERENCE_STREAMED);
    if (p->total > limit && may) { add_up(&d, true); } /* before anything else gives way */
    while (p->total > limit && shrink(s, &d)) {
        IT_TRY(measure(s, &d));
        add_up(&d, p->streamed);
    }
    if (p->streamed && place == IT_REFERENCE_AUTO) { /* what else gave way may have made room */
        add_up(&d, false);
        if (p->total > limit) { add_up(&d, true); }
    }
    *plan_out = d.p;
    return IT_OK;
}

static int64_t limit_of(const struct it_trainer_setup *s)
{
    const struct it_device_info *info = it_device_info(s->net->device);
    if (s->recipe->memory_limit) { return s->recipe->memory_limit; }
    return info->memory_total ? info->memory_total / 10 * 9 : INT64_MAX;
}

enum it_status it_trainer_plan(const struct it_trainer_setup *s, struct it_memory_plan *plan_out)
{
    struct it_memory_plan p;
    int64_t limit = limit_of(s);
    IT_TRY(it_plan_choose(s, limit, &p));
    if (p.total > limit) { return it_plan_refuse(s, &p, limit); }
    *plan_out = p;
    return IT_OK;
}
