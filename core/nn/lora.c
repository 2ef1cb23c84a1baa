/* SPDX-License-Identifier: MIT */
/* Low-rank adapters. The modules of a fused slot (q, k, v; gate, up) have their A stacked into one
 * matrix, so that x A^T is one product; each B then acts on its module's columns of y. The adapters
 * of a layer's slot are two items of a weight set, behind those of the model. */
#include <assert.h>
#include <math.h>

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/internal.h"
#include "core/tensor/kmath.h"

const enum it_slot it_lora_slots[IT_LORA_SLOTS] = {IT_SLOT_QKV, IT_SLOT_OUT, IT_SLOT_GATE_UP,
                                                   IT_SLOT_DOWN};

static const struct it_tensor absent;

/* ---- where what lies ---- */

int it_lora_parts(const struct it_net *net, enum it_slot slot,
                  struct it_lora_part parts_out[IT_LORA_PARTS])
{
    int n = 0;
    int64_t b = 0;
    for (int i = 0; i < net->arch->n_names; i++) {
        const struct it_name_row *row = &net->arch->names[i];
        if (row->slot != slot || !(net->lora.modules >> i & 1)) { continue; }
        struct it_lora_part part = {.name = i, .index = n, .b = b};
        part.rows = it_dim_size(&net->config, row->rows);
        for (int k = 0; k < 2; k++) {
            if (row->after[k] != IT_DIM_ONE) {
                part.first += it_dim_size(&net->config, row->after[k]);
            }
        }
        assert(n < IT_LORA_PARTS);
        parts_out[n++] = part;
        b += part.rows;
    }
    return n;
}

struct it_lora_pair it_lora_pair(const struct it_weights *weights, int layer, enum it_slot slot)
{
    int k = 0;
    while (it_lora_slots[k] != slot) { k++; }
    int index = weights->n_base + (layer * IT_LORA_SLOTS + k) * 2;
    if (index >= weights->n) { return (struct it_lora_pair){absent, absent}; }
    return (struct it_lora_pair){weights->item[index].t, weights->item[index + 1].t};
}

static double scale_of(const struct it_lora *lora)
{
    double r = (double)lora->r;
    return lora->alpha / (lora->rslora ? sqrt(r) : r);
}

/* ---- forward and backward ---- */

enum it_status it_lora_forward(struct it_pass *pass, enum it_slot slot, struct it_tensor y,
                               struct it_tensor x, struct it_tensor *u_out)
{
    const struct it_net *net = pass->net;
    struct it_lora_pair w = it_lora_pair(pass->weights, pass->layer, slot);
    struct it_lora_part part[IT_LORA_PARTS];
    struct it_tensor u;
    *u_out = absent;
    if (w.a.dtype == IT_NONE) { return IT_OK; }
    int64_t r = net->lora.r;
    IT_TRY(it_tensor2(pass->arena, net->dtype, pass->tokens, w.a.shape[0], &u));
    IT_TRY(it_matmul(u, x, w.a, absent, (struct it_matmul_how){.trans_b = true}));
    IT_TRY(it_scale_add(u, scale_of(&net->lora), u, 0.0, u));
    for (int i = 0, n = it_lora_parts(net, slot, part); i < n; i++) {
        IT_TRY(it_matmul(it_columns(y, part[i].first, part[i].rows),
                         it_columns(u, part[i].index * r, r),
                         it_rows(w.b, part[i].b, part[i].rows), absent,
                         (struct it_matmul_how){.trans_b = true, .accumulate = true}));
    }
    *u_out = u;
    return IT_OK;
}

/* With u = s x A^T and y += u B^T: dB += dy^T u, du = s dy B, dA += du^T x, dx += du A. */
enum it_status it_lora_backward(struct it_pass *pass, enum it_slot slot, struct it_tensor dx,
                                struct it_tensor dy, struct it_tensor x, struct it_tensor u)
{
    const struct it_net *net = pass->net;
    const struct it_matmul_how add = {.trans_a = true, .accumulate = true};
    struct it_lora_part part[IT_LORA_PARTS];
    struct it_tensor du;
    if (u.dtype == IT_NONE) { return IT_OK; }
    struct it_lora_pair w = it_lora_pair(pass->weights, pass->layer, slot);
    struct it_lora_pair dw = it_lora_pair(pass->grads, pass->layer, slot);
    int64_t r = net->lora.r;
    IT_TRY(it_tensor2(pass->arena, net->dtype, pass->tokens, u.shape[1], &du));
    for (int i = 0, n = it_lora_parts(net, slot, part); i < n; i++) {
        struct it_tensor dy_i = it_columns(dy, part[i].first, part[i].rows);
        struct it_tensor b = it_rows(w.b, part[i].b, part[i].rows);
        IT_TRY(it_matmul(it_rows(dw.b, part[i].b, part[i].rows), dy_i,
                         it_columns(u, part[i].index * r, r), absent, add));
        IT_TRY(it_matmul(it_columns(du, part[i].index * r, r), dy_i, b, absent,
                         (struct it_matmul_how){0}));
    }
    IT_TRY(it_scale_add(du, scale_of(&net->lora), du, 0.0, du));
    IT_TRY(it_matmul(dw.a, du, x, absent, add));
    return it_matmul(dx, du, w.a, absent, (struct it_matmul_how){.accumulate = true});
}

/* ---- beginning ---- */

static enum it_status check(const struct it_net *net, const struct it_lora *lora, const char *where)
{
    const int64_t most = 1 << 16;
    if (net->lora.r) { return it_fail(IT_INVALID, "%s: the model has adapters already", where); }
    if (lora->r < 1 || lora->r > most) {
        return it_fail(IT_INVALID, "%s: rank r of the adapters is %lld; expected 1 to %lld", where,
                       (long long)lora->r, (long long)most);
    }
    if (!(fabs(lora->alpha) <= 1e9)) {
        return it_fail(IT_INVALID, "%s: alpha of the adapters is %g; expected -1e9 to 1e9", where,
                       lora->alpha);
    }
    return IT_OK;
}

static bool has_modules(const struct it_net *net)
{
    struct it_lora_part part[IT_LORA_PARTS];
    int n = 0;
    for (int k = 0; k < IT_LORA_SLOTS; k++) { n += it_lora_parts(net, it_lora_slots[k], part); }
    return n > 0;
}

/* The policy's items of a net without adapters, followed by A and B. */
static void append(struct it_net *net, struct it_weights *adapters)
{
    struct it_weights *w = &net->weights;
    for (int i = 0; i < w->n_base; i++) {
        adapters->item[i] = w->item[i];
        adapters->item[i].flags |= IT_WEIGHT_FROZEN;
    }
    it_free(w->item);
    w->item = adapters->item;
    w->n = adapters->n;
    net->adapters = adapters->arena;
}

enum it_status it_lora_open(struct it_net *net, const struct it_lora *lora, const char *where)
{
    struct it_weights adapters = {0};
    struct it_arena *views = NULL;
    IT_TRY(check(net, lora, where));
    if (it_arena_is_measuring(net->weights.arena)) {
        IT_TRY(it_arena_measure(net->device, "adapters", &views));
    }
    net->lora = *lora;
    enum it_status status =
        has_modules(net) ? it_weights_open(net, "adapters", net->dtype, views, &adapters)
                         : it_fail(IT_INVALID, "%s: no module of the model has adapters", where);
    if (status != IT_OK) {
        net->lora = (struct it_lora){0};
        it_arena_close(views);
        return status;
    }
    append(net, &adapters);
    return IT_OK;
}

/* Uniform as PEFT's: kaiming_uniform_ with a = sqrt(5), which is 1 / sqrt(columns) either way. */
static enum it_status init_a(struct it_tensor a, uint64_t seed, uint64_t stream)
{
    int64_t n = it_tensor_count(&a);
    double bound = 1.0 / sqrt((double)a.shape[1]);
    void *values = it_alloc((size_t)n * it_dtype_size(a.dtype));
    struct it_rng rng;
    it_rng_init(&rng, seed, stream);
    for (int64_t i = 0; i < n; i++) {
        float x = (float)(bound * (2.0 * it_rng_uniform(&rng) - 1.0));
        switch (a.dtype) {
        case IT_F64: ((double *)values)[i] = (double)x; break;
        case IT_BF16: ((uint16_t *)values)[i] = (uint16_t)k_bf16_store(x); break;
        default: ((float *)values)[i] = x; break;
        }
    }
    enum it_status status = it_upload(a, values);
    it_free(values);
    return status;
}

enum it_status it_lora_init(struct it_net *net, uint64_t seed)
{
    const uint64_t first = (uint64_t)1 << 32; /* away from the streams of the weights */
    const struct it_weights *w = &net->weights;
    for (int i = w->n_base; i < w->n; i += 2) {
        if (w->item[i].t.dtype == IT_NONE) { continue; }
        IT_TRY(init_a(w->item[i].t, seed, first + (uint64_t)(i - w->n_base)));
        IT_TRY(it_fill(w->item[i + 1].t, 0.0));
    }
    return IT_OK;
}

int64_t it_lora_parameters(const struct it_net *net)
{
    int64_t n = 0;
    for (int i = net->weights.n_base; i < net->weights.n; i++) {
        if (net->weights.item[i].t.dtype != IT_NONE) {
            n += it_tensor_count(&net->weights.item[i].t);
        }
    }
    return n;
}

/* ---- merging ---- */

static enum it_status merge_slot(struct it_net *net, int layer, enum it_slot slot)
{
    struct it_lora_pair pair = it_lora_pair(&net->weights, layer, slot);
    struct it_tensor w = it_weight(&net->weights, layer, slot);
    struct it_lora_part part[IT_LORA_PARTS];
    if (pair.a.dtype == IT_NONE) { return IT_OK; }
    IT_TRY(it_scale_add(pair.b, scale_of(&net->lora), pair.b, 0.0, pair.b));
    for (int i = 0, n = it_lora_parts(net, slot, part); i < n; i++) {
        IT_TRY(it_matmul(it_rows(w, part[i].first, part[i].rows),
                         it_rows(pair.b, part[i].b, part[i].rows),
                         it_rows(pair.a, part[i].index * net->lora.r, net->lora.r), absent,
                         (struct it_matmul_how){.accumulate = true}));
    }
    return IT_OK;
}

enum it_status it_lora_merge(struct it_net *net)
{
    struct it_weights *w = &net->weights;
    for (int layer = 0; layer < net->config.layers && net->lora.r; layer++) {
        for (int k = 0; k < IT_LORA_SLOTS; k++) {
            IT_TRY(merge_slot(net, layer, it_lora_slots[k]));
        }
    }
    w->n = w->n_base;
    for (int i = 0; i < w->n; i++) { w->item[i].flags &= ~(unsigned)IT_WEIGHT_FROZEN; }
    it_arena_close(net->adapters);
    net->adapters = NULL;
    net->lora = (struct it_lora){0};
    return IT_OK;
}
