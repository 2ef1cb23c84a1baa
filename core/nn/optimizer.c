/* SPDX-License-Identifier: MIT */
/* AdamW over a weight set. With BF16 weights the f32 master is the weight and its low 16 bits
 * (ops.def), so that the working copy is updated in place and nothing is copied afterwards. */
#include <math.h>

#include "core/base/mem.h"
#include "core/nn/internal.h"

static enum it_status tensors(struct it_optimizer *o)
{
    struct it_net *net = o->net;
    enum it_dtype a = it_dtype_accumulation(net->dtype);
    IT_TRY(it_weights_open(net, "first moments", a, NULL, &o->m));
    IT_TRY(it_weights_open(net, "second moments", a, NULL, &o->v));
    IT_TRY(it_weights_fill(&o->m, 0.0));
    IT_TRY(it_weights_fill(&o->v, 0.0));
    if (net->dtype == IT_BF16) {
        IT_TRY(it_weights_open(net, "low halves", IT_I16, NULL, &o->lo));
        for (int i = 0; i < o->lo.n; i++) {
            struct it_tensor t = o->lo.item[i].t;
            if (t.dtype == IT_NONE) { continue; }
            int64_t bytes = it_tensor_count(&t) * (int64_t)it_dtype_size(IT_I16);
            void *zeros = it_calloc(1, (size_t)bytes);
            enum it_status status = it_upload(t, zeros);
            it_free(zeros);
            IT_TRY(status);
        }
    }
    IT_TRY(it_arena_open(net->device, "optimizer scalars", 4096, &o->scratch));
    IT_TRY(it_tensor1(o->scratch, a, 8, &o->scalars[0]));
    IT_TRY(it_tensor1(o->scratch, a, 8, &o->scalars[1]));
    return it_tensor1(o->scratch, a, 1, &o->sumsq);
}

enum it_status it_optimizer_open(struct it_net *net, const struct it_adamw_options *options,
                                 struct it_optimizer **optimizer_out)
{
    struct it_optimizer *o = it_calloc(1, sizeof *o);
    o->net = net;
    o->options = *options;
    enum it_status status = tensors(o);
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
    it_weights_close(&o->m);
    it_weights_close(&o->v);
    it_weights_close(&o->lo);
    it_arena_close(o->scratch);
    it_free(o);
}

int64_t it_optimizer_bytes(const struct it_net *net)
{
    int64_t bytes = 2 * it_weights_bytes(net, it_dtype_accumulation(net->dtype)) + 4096;
    return net->dtype == IT_BF16 ? bytes + it_weights_bytes(net, IT_I16) : bytes;
}

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

enum it_status it_optimizer_step(struct it_optimizer *o, const struct it_weights *grads,
                                 double learning_rate, double scale)
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
    struct it_weights *w = &o->net->weights;
    for (int i = 0; i < w->n; i++) {
        if (w->item[i].t.dtype == IT_NONE || (w->item[i].flags & IT_WEIGHT_FROZEN)) { continue; }
        struct it_adamw_state state = {flat(w, i), flat(&o->m, i), flat(&o->v, i), flat(&o->lo, i)};
        IT_TRY(
            it_adamw(state, flat(grads, i), o->scalars[(w->item[i].flags & IT_WEIGHT_DECAY) != 0]));
    }
    o->step++;
    return IT_OK;
}
