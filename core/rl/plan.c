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

/* The parts that depend on neither micro_tokens nor slots. */
static void fixed_parts(const struct it_trainer_setup *s, struct it_memory_plan *p)
{
    const struct it_net *net = s->net;
    int64_t trained = it_weights_bytes(net, net->dtype);
    bool moves = s->recipe->sync_ref_model || !net->lora.r; /* else the base without adapters */
    p->weights = it_arena_peak(net->weights.arena) + (net->lora.r ? trained : 0);
    p->reference = it_needs_reference(s->recipe) && moves ? trained : 0;
    p->annotator = it_needs_annotator(s->recipe) ? trained : 0;
    p->optimizer = it_optimizer_bytes(net);
    p->gradients = it_weights_bytes(net, it_dtype_accumulation(net->dtype));
    p->constants = it_arena_peak(net->constants);
}

static enum it_status phase_parts(const struct it_trainer_setup *s, int64_t completions,
                                  struct it_memory_plan *p)
{
    const struct it_recipe *r = s->recipe;
    struct it_tape_options tape = {.max_tokens = p->micro_tokens,
                                   .max_segments = p->micro_tokens,
                                   .max_rows = it_packs_max_rows(p->micro_tokens, completions),
                                   .checkpoint = r->gradient_checkpointing ? IT_CHECKPOINT_BLOCK
                                                                           : IT_CHECKPOINT_NONE,
                                   .train = true};
    struct it_generator_options gen = {
        .slots = p->slots, .max_length = r->max_prompt_length + r->max_completion_length};
    IT_TRY(it_tape_plan(s->net, &tape, &p->activations));
    IT_TRY(it_generator_plan(s->net, &gen, &p->kv));
    int64_t train = p->gradients + p->activations;
    p->phase = (train > p->kv ? train : p->kv) + (1 << 20);
    p->total = p->weights + p->reference + p->annotator + p->optimizer + p->constants + p->phase;
    return IT_OK;
}

static int64_t limit_of(const struct it_trainer_setup *s)
{
    const struct it_device_info *info = it_device_info(s->net->device);
    if (s->recipe->memory_limit) { return s->recipe->memory_limit; }
    return info->memory_total ? info->memory_total / 10 * 9 : INT64_MAX;
}

static enum it_status refuse(const struct it_trainer_setup *s, const struct it_memory_plan *p,
                             int64_t limit)
{
    char need[24], have[24];
    const char *cure = s->recipe->gradient_checkpointing
                           ? "use bfloat16, a smaller model, or shorter max_completion_length"
                           : "set gradient_checkpointing: true, or shorten max_completion_length";
    return it_fail(IT_INVALID,
                   "the run needs %s and the limit is %s, even with %lld tokens a pass "
                   "and %lld sequences at once: %s",
                   it_format_size(p->total, need, sizeof need),
                   it_format_size(limit, have, sizeof have), (long long)p->micro_tokens,
                   (long long)p->slots, cure);
}

enum it_status it_trainer_plan(const struct it_trainer_setup *s, struct it_memory_plan *plan_out)
{
    const struct it_recipe *r = s->recipe;
    struct it_memory_plan p = {0};
    struct it_batch_shape shape;
    IT_TRY(it_recipe_batch(r, s->devices, &shape));
    int64_t longest = r->max_prompt_length + r->max_completion_length;
    int64_t all = shape.completions * longest, limit = limit_of(s);
    p.micro_tokens = r->micro_tokens ? r->micro_tokens : default_micro_tokens;
    if (p.micro_tokens > all) { p.micro_tokens = all; }
    if (p.micro_tokens < longest) { p.micro_tokens = longest; }
    p.slots = shape.completions < default_slots ? shape.completions : default_slots;
    fixed_parts(s, &p);
    IT_TRY(phase_parts(s, shape.completions, &p));
    while (p.total > limit) {
        bool training = p.gradients + p.activations > p.kv;
        if (training && p.micro_tokens / 2 >= longest && !r->micro_tokens) {
            p.micro_tokens /= 2;
        } else if (!training && p.slots > 1) {
            p.slots /= 2;
        } else {
            return refuse(s, &p, limit);
        }
        IT_TRY(phase_parts(s, shape.completions, &p));
    }
    *plan_out = p;
    return IT_OK;
}
