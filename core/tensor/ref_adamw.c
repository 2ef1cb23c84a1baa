/* SPDX-License-Identifier: MIT */
/* Reference kernel: adamw (Loshchilov and Hutter, arXiv 1711.05101), decay apart from the gradient.
 *
 * A BF16 weight may keep the low half of its f32 master in `lo`. The weight is the master rounded
 * to nearest; where the master is half way it is the larger in magnitude, because the difference
 * must fit 16 signed bits. Without `lo` the weight is rounded to nearest even. */
#include "core/tensor/ref_internal.h"

static float join_master(uint16_t high, int16_t low)
{
    return k_float(((uint)high << 16) + (uint)(int)low);
}

static void split_master(float master, uint16_t *high, int16_t *low)
{
    uint bits = k_bits(master);
    if (master != master) { bits = (bits & 0x80000000u) | 0x7fc00000u; } /* payload would carry */
    uint rounded = (bits + 0x8000u) >> 16;
    *high = (uint16_t)rounded;
    *low = (int16_t)(int)(bits - (rounded << 16));
}

enum it_status REF(adamw)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *w = &args->t[0], *m = &args->t[1], *v = &args->t[2], *lo = &args->t[3],
                           *grad = &args->t[4], *scalars = &args->t[5];
    real lr = ref_get(scalars, 0), beta1 = ref_get(scalars, 1), beta2 = ref_get(scalars, 2);
    real eps = ref_get(scalars, 3), decay = ref_get(scalars, 4);
    real correct1 = ref_get(scalars, 5), correct2 = ref_get(scalars, 6);
    real scale = ref_get(scalars, 7);
    bool split = lo->dtype != IT_NONE;
    uint16_t *high = split ? it_view_host(w) : NULL;
    int16_t *low = split ? it_view_host(lo) : NULL;
    for (int64_t i = 0; i < w->shape[0]; ++i) {
        real g = ref_get(grad, i) * scale;
        real first = beta1 * ref_get(m, i) + (1 - beta1) * g;
        real second = beta2 * ref_get(v, i) + (1 - beta2) * g * g;
        real old = split ? (real)join_master(high[i], low[i]) : ref_get(w, i);
        real step = first / correct1 / (ref_sqrt(second / correct2) + eps);
        real new = old - lr * (step + decay * old);
        ref_set(m, i, first);
        ref_set(v, i, second);
        if (split) {
            split_master((float)new, &high[i], &low[i]);
        } else {
            ref_set(w, i, new);
        }
    }
    return IT_OK;
}
