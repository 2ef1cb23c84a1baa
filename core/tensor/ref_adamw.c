/* SPDX-License-Identifier: MIT */
/* Reference kernels: adamw (Loshchilov and Hutter, arXiv 1711.05101), decay apart from the
 * gradient, and the same with moments in 8 bits.
 *
 * A BF16 weight may keep the low half of its f32 master in `lo`. The weight is the master rounded
 * to nearest; where the master is half way it is the larger in magnitude, because the difference
 * must fit 16 signed bits. Without `lo` the weight is rounded at random where there are keys, else
 * to nearest even. */
#include "core/base/rng.h"
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

struct adamw {
    real lr, beta1, beta2, eps, decay, correct1, correct2, scale;
    const struct it_tensor *w, *lo, *keys;
};

static struct adamw adamw_of(const struct it_tensor *w, const struct it_tensor *lo,
                             const struct it_tensor *scalars, const struct it_tensor *keys)
{
    return (struct adamw){.lr = ref_get(scalars, 0), .beta1 = ref_get(scalars, 1),
                          .beta2 = ref_get(scalars, 2), .eps = ref_get(scalars, 3),
                          .decay = ref_get(scalars, 4), .correct1 = ref_get(scalars, 5),
                          .correct2 = ref_get(scalars, 6), .scale = ref_get(scalars, 7),
                          .w = w, .lo = lo, .keys = keys};
}

static uint noise_of(const struct it_tensor *keys, int64_t i)
{
    const uint32_t *key = it_view_host(keys);
    uint32_t word[4];
    uint64_t number = (uint64_t)i / 4;
    it_philox(key, (uint32_t[]){(uint32_t)number, (uint32_t)(number >> 32), key[2], key[3]}, word);
    return word[i % 4] & 0xffffu;
}

/* w[i] -= lr * (first / correct1 / (root + eps) + decay * w[i]); root is that of the corrected
 * second moment */
static void take_step(const struct adamw *a, int64_t i, real first, real root)
{
    bool split = a->lo->dtype != IT_NONE, random = a->keys->dtype != IT_NONE;
    uint16_t *high = split || random ? (uint16_t *)it_view_host(a->w) + i : NULL;
    int16_t *low = split ? (int16_t *)it_view_host(a->lo) + i : NULL;
    real old = split ? (real)join_master(*high, *low) : ref_get(a->w, i);
    real step = first / a->correct1 / (root + a->eps);
    real new = old - a->lr * (step + a->decay * old);
    if (split) {
        split_master((float)new, high, low);
    } else if (random) {
        *high = (uint16_t)k_bf16_dither((float)new, noise_of(a->keys, i));
    } else {
        ref_set(a->w, i, new);
    }
}

enum it_status REF(adamw)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *m = &args->t[1], *v = &args->t[2], *grad = &args->t[4];
    struct adamw a = adamw_of(&args->t[0], &args->t[3], &args->t[5], &args->t[6]);
    for (int64_t i = 0; i < m->shape[0]; ++i) {
        real g = ref_get(grad, i) * a.scale;
        real first = a.beta1 * ref_get(m, i) + (1 - a.beta1) * g;
        real second = a.beta2 * ref_get(v, i) + (1 - a.beta2) * g * g;
        ref_set(m, i, first);
        ref_set(v, i, second);
        take_step(&a, i, first, ref_sqrt(second / a.correct2));
    }
    return IT_OK;
}

/* ---- moments in 8 bits ---- */

/* k_inverse and k_code of kmath.h in the type of this version. */
static real inverse_of(real scale)
{
    return scale >= (real)1.17549435e-38f ? 1 / scale : 0;
}

static int code_of(real x, real inverse, real top)
{
    real y = ref_sqrt(x * inverse) * top + (real)0.5;
    return (int)(y < top ? y : top);
}

/* The new moments of a block: codes from its first element on, and the two scales. */
static void store_block(const struct it_args *args, int64_t block, int count, const real *first,
                        const real *root)
{
    uint8_t *m = (uint8_t *)it_view_host(&args->t[1]) + block * IT_MOMENT_BLOCK;
    uint8_t *v = (uint8_t *)it_view_host(&args->t[2]) + block * IT_MOMENT_BLOCK;
    real most = 0, most_root = 0;
    for (int i = 0; i < count; ++i) {
        real size = first[i] < 0 ? -first[i] : first[i];
        most = k_max(size, most); /* not-a-number never wins */
        most_root = k_max(root[i], most_root);
    }
    real inverse = inverse_of(most), inverse_root = inverse_of(most_root);
    for (int i = 0; i < count; ++i) {
        int code = code_of(first[i] < 0 ? -first[i] : first[i], inverse, 127);
        m[i] = (uint8_t)(first[i] < 0 ? -code : code);
        code = code_of(root[i], inverse_root, 255);
        v[i] = (uint8_t)(code == 0 && root[i] > 0 ? 1 : code);
    }
    ref_set(&args->t[3], block, most);
    ref_set(&args->t[4], block, most_root);
}

static void step_block(const struct it_args *args, const struct adamw *a, int64_t block, int count)
{
    int64_t start = block * IT_MOMENT_BLOCK;
    const int8_t *m = (const int8_t *)it_view_host(&args->t[1]) + start;
    const uint8_t *v = (const uint8_t *)it_view_host(&args->t[2]) + start;
    real unit = ref_get(&args->t[3], block) / 16129;
    real unit_root = ref_get(&args->t[4], block) / 65025;
    real correct2 = ref_sqrt(a->correct2), first[IT_MOMENT_BLOCK], root[IT_MOMENT_BLOCK];
    for (int i = 0; i < count; ++i) {
        real g = ref_get(&args->t[6], start + i) * a->scale, old = unit_root * (real)(v[i] * v[i]);
        first[i] = a->beta1 * (unit * (real)(m[i] < 0 ? -m[i] * m[i] : m[i] * m[i])) +
                   (1 - a->beta1) * g;
        root[i] = ref_sqrt(a->beta2 * (old * old) + (1 - a->beta2) * g * g);
        take_step(a, start + i, first[i], root[i] / correct2);
    }
    store_block(args, block, count, first, root);
}

enum it_status REF(adamw8)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    struct adamw a = adamw_of(&args->t[0], &args->t[5], &args->t[7], &args->t[8]);
    int64_t n = args->t[0].shape[0];
    for (int64_t block = 0; block < args->t[3].shape[0]; ++block) {
        int64_t left = n - block * IT_MOMENT_BLOCK;
        step_block(args, &a, block, (int)(left < IT_MOMENT_BLOCK ? left : IT_MOMENT_BLOCK));
    }
    return IT_OK;
}
