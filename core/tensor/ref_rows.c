/* SPDX-License-Identifier: MIT */
/* Reference kernels that move whole rows: gather, scatter, the KV cache. */
#include "core/tensor/ref_internal.h"

enum it_status REF(gather_rows)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *w = &args->t[1], *ids = &args->t[2];
    for (int64_t r = 0; r < y->shape[0]; ++r) {
        int64_t id = ref_id(ids, r);
        bool known = id >= 0 && id < w->shape[0];
        for (int64_t j = 0; j < y->shape[1]; ++j) {
            ref_put(y, r, j, known ? ref_at(w, id, j) : 0);
        }
    }
    return IT_OK;
}

enum it_status REF(scatter_add_rows)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *dw = &args->t[0], *dy = &args->t[1], *ids = &args->t[2];
    for (int64_t r = 0; r < dy->shape[0]; ++r) {
        int64_t id = ref_id(ids, r);
        if (id < 0 || id >= dw->shape[0]) { continue; }
        for (int64_t j = 0; j < dy->shape[1]; ++j) {
            ref_put(dw, id, j, ref_at(dw, id, j) + ref_at(dy, r, j));
        }
    }
    return IT_OK;
}

/* A row beyond the cache is skipped like a negative one: nothing is written outside of it. */
enum it_status REF(kv_write)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *kc = &args->t[0], *vc = &args->t[1], *k = &args->t[2],
                           *v = &args->t[3], *rows = &args->t[4];
    for (int64_t r = 0; r < k->shape[0]; ++r) {
        int64_t row = ref_id(rows, r);
        if (row < 0 || row >= kc->shape[0]) { continue; }
        for (int64_t j = 0; j < k->shape[1]; ++j) {
            ref_put(kc, row, j, ref_at(k, r, j));
            ref_put(vc, row, j, ref_at(v, r, j));
        }
    }
    return IT_OK;
}
