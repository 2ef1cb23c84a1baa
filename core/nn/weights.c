/* SPDX-License-Identifier: MIT */
/* Weight sets: policy, reference, gradients and moments are the same tensors in the same order. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/nn/internal.h"
#include "core/tensor/kmath.h"

static const struct it_slot_row *slot_row(const struct it_net *net, enum it_slot slot)
{
    for (int r = 0; r < net->arch->n_slots; r++) {
        const struct it_slot_row *row = &net->arch->slots[r];
        if (row->slot != slot) { continue; }
        return (row->flags & IT_WEIGHT_UNTIED) && net->config.tied ? NULL : row;
    }
    return NULL;
}

/* The A and B of a net with adapters. */
static enum it_status allocate_adapters(const struct it_net *net, enum it_dtype dtype,
                                        struct it_weights *weights)
{
    struct it_weight *w = weights->item + weights->n_base;
    for (int64_t i = 0; i < net->config.layers * IT_LORA_SLOTS; i++, w += 2) {
        const struct it_slot_row *row = slot_row(net, it_lora_slots[i % IT_LORA_SLOTS]);
        struct it_lora_part part[IT_LORA_PARTS];
        int n = row ? it_lora_parts(net, row->slot, part) : 0;
        if (n == 0) { continue; }
        int64_t out = part[n - 1].b + part[n - 1].rows;
        w[0].flags = w[1].flags = IT_WEIGHT_DECAY;
        IT_TRY(it_tensor2(weights->arena, dtype, n * net->lora.r,
                          it_dim_size(&net->config, row->columns), &w[0].t));
        IT_TRY(it_tensor2(weights->arena, dtype, out, net->lora.r, &w[1].t));
    }
    return IT_OK;
}

static enum it_status allocate(const struct it_net *net, enum it_dtype dtype,
                               struct it_weights *weights)
{
    if (net->lora.r) { return allocate_adapters(net, dtype, weights); }
    for (int i = 0; i < weights->n; i++) {
        struct it_weight *w = &weights->item[i];
        const struct it_slot_row *row = slot_row(net, w->slot);
        if (!row) { continue; }
        w->flags = row->flags;
        int64_t rows = it_dim_size(&net->config, row->rows);
        if (row->columns == IT_DIM_ONE) {
            IT_TRY(it_tensor1(weights->arena, dtype, rows, &w->t));
        } else {
            int64_t columns = it_dim_size(&net->config, row->columns);
            IT_TRY(it_tensor2(weights->arena, dtype, rows, columns, &w->t));
        }
    }
    return IT_OK;
}

static void list_slots(const struct it_net *net, struct it_weights *weights)
{
    int layers = (int)net->config.layers, n = 0;
    weights->n_base = layers * IT_LAYER_SLOTS + (IT_SLOT_COUNT - IT_LAYER_SLOTS);
    weights->n = weights->n_base + (net->lora.r ? layers * IT_LORA_SLOTS * 2 : 0);
    weights->item = it_calloc((size_t)weights->n, sizeof *weights->item);
    for (int l = 0; l < layers; l++) {
        for (int s = 0; s < IT_LAYER_SLOTS; s++) {
            weights->item[n++] = (struct it_weight){.slot = (enum it_slot)s, .layer = l};
        }
    }
    for (int s = IT_LAYER_SLOTS; s < IT_SLOT_COUNT; s++) {
        weights->item[n++] = (struct it_weight){.slot = (enum it_slot)s, .layer = -1};
    }
    for (int i = 0; n < weights->n; i++) {
        weights->item[n++] = (struct it_weight){.slot = it_lora_slots[i / 2 % IT_LORA_SLOTS],
                                                .layer = i / (2 * IT_LORA_SLOTS)};
    }
}

int64_t it_weights_bytes(const struct it_net *net, enum it_dtype dtype)
{
    struct it_weights views = {0};
    if (it_arena_measure(net->device, "weights plan", &views.arena) != IT_OK) { return 0; }
    views.owned = true;
    list_slots(net, &views);
    int64_t bytes = allocate(net, dtype, &views) == IT_OK ? it_arena_peak(views.arena) : 0;
    it_weights_close(&views);
    return bytes;
}

enum it_status it_weights_open(const struct it_net *net, const char *label, enum it_dtype dtype,
                               struct it_arena *arena, struct it_weights *weights_out)
{
    struct it_weights w = {.arena = arena, .owned = !arena};
    if (dtype == IT_NONE) { dtype = net->dtype; }
    if (!arena) {
        IT_TRY(it_arena_open(net->device, label, it_weights_bytes(net, dtype), &w.arena));
    }
    list_slots(net, &w);
    enum it_status status = allocate(net, dtype, &w);
    if (status != IT_OK) {
        it_weights_close(&w);
        return status;
    }
    *weights_out = w;
    return IT_OK;
}

void it_weights_close(struct it_weights *weights)
{
    it_arrival_close(weights->arrival);
    it_free(weights->item);
    if (weights->owned) { it_arena_close(weights->arena); }
    *weights = (struct it_weights){0};
}

struct it_tensor it_weight(const struct it_weights *weights, int layer, enum it_slot slot)
{
    int globals = weights->n_base - (IT_SLOT_COUNT - IT_LAYER_SLOTS);
    int index = layer < 0 ? globals + (int)slot - IT_LAYER_SLOTS
                          : layer * IT_LAYER_SLOTS + (int)slot;
    return weights->item[index].t;
}

int64_t it_net_parameters(const struct it_net *net)
{
    int64_t n = 0;
    for (int i = 0; i < net->weights.n; i++) {
        const struct it_tensor *t = &net->weights.item[i].t;
        if (t->dtype != IT_NONE) { n += it_tensor_count(t); }
    }
    return n;
}

/* The ops are two-dimensional: a vector is a matrix of one row. */
static struct it_tensor matrix(struct it_tensor t)
{
    return t.rank == 2 ? t : it_reshape2(t, 1, it_tensor_count(&t));
}

static bool is_own(const struct it_weight *w)
{
    return w->t.dtype != IT_NONE && !(w->flags & IT_WEIGHT_FROZEN);
}

enum it_status it_weights_copy(struct it_weights *to, const struct it_weights *from)
{
    for (int i = 0; i < to->n; i++) {
        if (!is_own(&to->item[i])) { continue; }
        IT_TRY(it_copy(matrix(to->item[i].t), matrix(from->item[i].t)));
    }
    return IT_OK;
}

enum it_status it_weights_mix(struct it_weights *to, double mix, const struct it_weights *from)
{
    if (mix == 1.0) { return it_weights_copy(to, from); }
    for (int i = 0; i < to->n; i++) {
        if (!is_own(&to->item[i])) { continue; }
        struct it_tensor t = matrix(to->item[i].t);
        IT_TRY(it_scale_add(t, mix, matrix(from->item[i].t), 1.0 - mix, t));
    }
    return IT_OK;
}

enum it_status it_weights_fill(struct it_weights *weights, double value)
{
    for (int i = 0; i < weights->n; i++) {
        if (weights->item[i].t.dtype == IT_NONE) { continue; }
        IT_TRY(it_fill(matrix(weights->item[i].t), value));
    }
    return IT_OK;
}

enum it_status it_weights_fork(const struct it_net *net, const char *label, bool adapted,
                               struct it_weights *weights_out)
{
    struct it_weights w = {0};
    if (adapted || !net->lora.r) {
        IT_TRY(it_weights_open(net, label, IT_NONE, NULL, &w));
    } else {
        list_slots(net, &w); /* adapters stay absent */
    }
    for (int i = 0; i < w.n_base && net->lora.r; i++) { w.item[i] = net->weights.item[i]; }
    enum it_status status = it_weights_copy(&w, &net->weights);
    if (status != IT_OK) {
        it_weights_close(&w);
        return status;
    }
    *weights_out = w;
    return IT_OK;
}

/* ---- random weights ---- */

struct fill_normal {
    uint64_t seed, stream;
    int64_t first; /* index in the tensor of values[0] */
    double scale;
    enum it_dtype dtype;
    void *values;
};

static void fill_normal(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct fill_normal *f = context;
    struct it_rng rng;
    it_rng_init(&rng, f->seed, f->stream);
    rng.position = (uint64_t)(f->first + begin); /* one word a number */
    double normal[256];
    for (int64_t i = begin; i < end; i++) {
        int64_t at = (i - begin) % 256;
        if (at == 0) { it_rng_normals(&rng, normal, end - i < 256 ? end - i : 256); }
        float x = (float)(f->scale * normal[at]);
        switch (f->dtype) {
        case IT_F64: ((double *)f->values)[i] = x; break;
        case IT_BF16: ((uint16_t *)f->values)[i] = (uint16_t)k_bf16_store(x); break;
        default: ((float *)f->values)[i] = x; break;
        }
    }
}

/* Rows at a time, so that no second copy of a large matrix is made. */
static enum it_status init_random(const struct it_net *net, struct it_tensor t, uint64_t seed,
                                  uint64_t stream)
{
    struct it_tensor m = matrix(t);
    int64_t columns = m.shape[1], step = (1 << 20) / columns + 1;
    struct fill_normal f = {.seed = seed, .stream = stream, .scale = net->config.init_range,
                            .dtype = t.dtype};
    f.values = it_alloc((size_t)(step * columns) * it_dtype_size(t.dtype));
    enum it_status status = IT_OK;
    for (int64_t r = 0; r < m.shape[0] && status == IT_OK; r += step) {
        int64_t rows = m.shape[0] - r < step ? m.shape[0] - r : step;
        f.first = r * columns;
        it_pool_run(it_device_pool(net->device), rows * columns, 1 << 14, fill_normal, &f);
        status = it_upload(it_rows(m, r, rows), f.values);
    }
    it_free(f.values);
    return status;
}

enum it_status it_weights_init(const struct it_net *net, struct it_weights *weights, uint64_t seed)
{
    for (int i = 0; i < weights->n_base; i++) {
        struct it_weight *w = &weights->item[i];
        if (w->t.dtype == IT_NONE) { continue; }
        if (w->flags & (IT_WEIGHT_NORM | IT_WEIGHT_BIAS)) {
            IT_TRY(it_fill(matrix(w->t), w->flags & IT_WEIGHT_NORM ? 1.0 : 0.0));
        } else {
            uint64_t stream = (uint64_t)(w->layer + 1) * IT_SLOT_COUNT + (uint64_t)w->slot;
            IT_TRY(init_random(net, w->t, seed, stream));
        }
    }
    return IT_OK;
}
