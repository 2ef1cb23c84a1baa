/* SPDX-License-Identifier: MIT */
/* AdamW over a weight set. With BF16 weights the f32 master is the weight and its low 16 bits
 * (ops.def), so that the working copy is updated in place and nothing is copied afterwards. There
 * are two ways of taking less memory: moments in 8 bits, and rounding at random without masters. */
#include <math.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/internal.h"

enum { KEY_WORDS = 4 };

/* ---- memory ---- */

enum part { MOMENT, SCALE, LOW };

static bool is_coded(const struct it_adamw_options *options, const struct it_tensor *weight)
{
    return options->eight_bit && it_tensor_count(weight) >= IT_SMALLEST_CODED;
}

/* What belongs to one weight. */
static enum it_status add_tensor(struct it_optimizer *o, enum part part,
                                 const struct it_tensor *weight, struct it_tensor *tensor_out)
{
    enum it_dtype a = it_dtype_accumulation(o->net->dtype);
    int64_t count = it_tensor_count(weight);
    bool coded = is_coded(&o->options, weight);
    if (part == SCALE) {
        int64_t blocks = (count + IT_MOMENT_BLOCK - 1) / IT_MOMENT_BLOCK;
        return coded ? it_tensor1(o->arena, a, blocks, tensor_out) : IT_OK;
    }
    enum it_dtype dtype = part == LOW ? IT_I16 : coded ? IT_U8 : a;
    return it_arena_tensor(o->arena, dtype, weight->rank, weight->shape, tensor_out);
}

/* The same for every tensor that is trained, in their order. */
static enum it_status add_set(struct it_optimizer *o, enum part part,
                              const struct it_weights *trained, struct it_weights *set)
{
    *set = (struct it_weights){.arena = o->arena, .n_base = trained->n_base, .n = trained->n};
    set->item = it_alloc((size_t)set->n * sizeof *set->item);
    for (int i = 0; i < set->n; i++) {
        set->item[i] = trained->item[i];
        set->item[i].t = (struct it_tensor){0};
    }
    for (int i = 0; i < set->n; i++) {
        const struct it_tensor *weight = &trained->item[i].t;
        if (weight->dtype == IT_NONE) { continue; }
        IT_TRY(add_tensor(o, part, weight, &set->item[i].t));
    }
    return IT_OK;
}

static enum it_status add_all(struct it_optimizer *o, const struct it_weights *trained)
{
    enum it_dtype a = it_dtype_accumulation(o->net->dtype);
    bool narrow = o->net->dtype == IT_BF16;
    IT_TRY(add_set(o, MOMENT, trained, &o->m));
    IT_TRY(add_set(o, MOMENT, trained, &o->v));
    IT_TRY(add_set(o, SCALE, trained, &o->m_scale));
    IT_TRY(add_set(o, SCALE, trained, &o->v_scale));
    if (narrow && !o->options.stochastic) { IT_TRY(add_set(o, LOW, trained, &o->lo)); }
    if (narrow && o->options.stochastic) {
        IT_TRY(it_tensor2(o->arena, IT_U32, trained->n, KEY_WORDS, &o->keys));
    }
    IT_TRY(it_tensor1(o->arena, a, 8, &o->scalars[0]));
    IT_TRY(it_tensor1(o->arena, a, 8, &o->scalars[1]));
    return it_tensor1(o->arena, a, 1, &o->sumsq);
}

static void drop_sets(struct it_optimizer *o)
{
    struct it_weights *const sets[] = {&o->m, &o->v, &o->m_scale, &o->v_scale, &o->lo};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) { it_weights_close(sets[s]); }
}

/* With bytes 0 nothing is allocated, and the arena's peak is what it would take. */
static enum it_status open_memory(struct it_optimizer *o, int64_t bytes)
{
    struct it_net *net = o->net;
    struct it_arena *measure = NULL;
    struct it_weights trained = {0};
    enum it_status status = it_arena_measure(net->device, "weights", &measure);
    IT_TRY_GOTO(status, end, it_weights_open(net, "weights", IT_NONE, measure, &trained));
    IT_TRY_GOTO(status, end, bytes ? it_arena_open(net->device, "optimizer", bytes, &o->arena)
                                   : it_arena_measure(net->device, "optimizer", &o->arena));
    status = add_all(o, &trained);
end:
    it_weights_close(&trained);
    it_arena_close(measure);
    return status;
}

int64_t it_optimizer_bytes(const struct it_net *net, const struct it_adamw_options *options)
{
    struct it_optimizer o = {.net = (struct it_net *)(uintptr_t)net, .options = *options};
    int64_t bytes = open_memory(&o, 0) == IT_OK ? it_arena_peak(o.arena) : 0;
    drop_sets(&o);
    it_arena_close(o.arena);
    return bytes;
}

/* Codes and low halves, for which there is no op, a piece at a time. */
static enum it_status zero(struct it_tensor t)
{
    enum { PIECE = 1 << 20 };
    struct it_tensor all = it_flatten(t);
    int64_t count = it_tensor_count(&all);
    if (t.dtype != IT_U8 && t.dtype != IT_I16) { return it_fill(it_reshape2(all, 1, count), 0.0); }
    void *zeros = it_calloc(PIECE, it_dtype_size(t.dtype));
    enum it_status status = IT_OK;
    for (int64_t i = 0; i < count && status == IT_OK; i += PIECE) {
        status = it_upload(it_rows(all, i, count - i < PIECE ? count - i : PIECE), zeros);
    }
    it_free(zeros);
    return status;
}

static enum it_status zero_set(const struct it_weights *set)
{
    for (int i = 0; i < set->n; i++) {
        if (set->item[i].t.dtype != IT_NONE) { IT_TRY(zero(set->item[i].t)); }
    }
    return IT_OK;
}

static enum it_status begin(struct it_optimizer *o)
{
    IT_TRY(open_memory(o, it_optimizer_bytes(o->net, &o->options)));
    IT_TRY(zero_set(&o->m));
    IT_TRY(zero_set(&o->v));
    IT_TRY(zero_set(&o->m_scale));
    IT_TRY(zero_set(&o->v_scale));
    return zero_set(&o->lo);
}

enum it_status it_adamw_check(const struct it_net *net, const struct it_adamw_options *options)
{
    if (!options->stochastic || net->dtype == IT_BF16) { return IT_OK; }
    return it_fail(IT_INVALID,
                   "bf16_stochastic_round: the weights are %s, and only bf16 ones are rounded; set "
                   "bf16: true, or leave it out",
                   it_dtype_name(net->dtype));
}

enum it_status it_optimizer_open(struct it_net *net, const struct it_adamw_options *options,
                                 struct it_optimizer **optimizer_out)
{
    IT_TRY(it_adamw_check(net, options));
    struct it_optimizer *o = it_calloc(1, sizeof *o);
    o->net = net;
    o->options = *options;
    enum it_status status = begin(o);
    if (status != IT_OK) {
        it_optimizer_close(o);
        return status;
    }
    *optimizer_out = o;
    return IT_OK;
}

void it_optimizer_close(struct it_optimizer *o)
{
    if (!o) { return; }
    drop_sets(o);
    it_arena_close(o->arena);
    it_free(o);
}

/* ---- updates ---- */

enum it_status it_grad_norm(struct it_optimizer *o, const struct it_weights *grads,
                            double *norm_out)
{
    double zero = 0.0, sum, scratch;
    IT_TRY(it_put_reals(o->sumsq, &zero, &scratch));
    for (int i = 0; i < grads->n; i++) {
        if (grads->item[i].t.dtype == IT_NONE) { continue; }
        IT_TRY(it_sumsq(o->sumsq, it_flatten(grads->item[i].t)));
    }
    IT_TRY(it_get_reals(&sum, o->sumsq, &scratch));
    *norm_out = sqrt(sum);
    return IT_OK;
}

static struct it_tensor flat(const struct it_weights *weights, int index)
{
    if (!weights->n || weights->item[index].t.dtype == IT_NONE) { return (struct it_tensor){0}; }
    return it_flatten(weights->item[index].t);
}

/* The key is the seed's own, apart from those of sampling; the counters are told apart by update
 * and tensor. */
static enum it_status put_keys(struct it_optimizer *o)
{
    if (o->keys.dtype == IT_NONE) { return IT_OK; }
    static const uint64_t rounding = 0x726f756e64ull; /* the stream's name */
    struct it_rng rng;
    it_rng_init(&rng, o->options.seed, rounding);
    int64_t n = o->keys.shape[0];
    uint32_t *keys = it_alloc((size_t)n * KEY_WORDS * sizeof *keys);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t row[KEY_WORDS] = {rng.key[0], rng.key[1], (uint32_t)o->step, (uint32_t)i};
        memcpy(keys + i * KEY_WORDS, row, sizeof row);
    }
    enum it_status status = it_upload(o->keys, keys);
    it_free(keys);
    return status;
}

static enum it_status put_scalars(struct it_optimizer *o, double learning_rate, double scale)
{
    const struct it_adamw_options *p = &o->options;
    double t = (double)(o->step + 1), scratch[8];
    for (int decay = 0; decay < 2; decay++) {
        double scalars[8] = {learning_rate,
                             p->beta1,
                             p->beta2,
                             p->eps,
                             decay ? p->weight_decay : 0.0,
                             1.0 - pow(p->beta1, t),
                             1.0 - pow(p->beta2, t),
                             scale};
        IT_TRY(it_put_reals(o->scalars[decay], scalars, scratch));
    }
    return IT_OK;
}

static enum it_status step_weight(struct it_optimizer *o, int i, struct it_tensor grad)
{
    const struct it_weights *w = &o->net->weights;
    struct it_adamw_state state = {.w = flat(w, i), .m = flat(&o->m, i), .v = flat(&o->v, i),
                                   .lo = flat(&o->lo, i)};
    struct it_tensor scalars = o->scalars[(w->item[i].flags & IT_WEIGHT_DECAY) != 0];
    if (o->keys.dtype != IT_NONE) { state.keys = it_flatten(it_rows(o->keys, i, 1)); }
    if (state.m.dtype != IT_U8) { return it_adamw(state, grad, scalars); }
    return it_adamw8(state, flat(&o->m_scale, i), flat(&o->v_scale, i), grad, scalars);
}

enum it_status it_optimizer_step(struct it_optimizer *o, const struct it_weights *grads,
                                 double learning_rate, double scale)
{
    IT_TRY(put_scalars(o, learning_rate, scale));
    IT_TRY(put_keys(o));
    const struct it_weights *w = &o->net->weights;
    for (int i = 0; i < w->n; i++) {
        if (w->item[i].t.dtype == IT_NONE || (w->item[i].flags & IT_WEIGHT_FROZEN)) { continue; }
        IT_TRY(step_weight(o, i, flat(grads, i)));
    }
    o->step++;
    return IT_OK;
}
