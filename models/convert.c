/* SPDX-License-Identifier: MIT */
/* Numbers of one floating type into another, on the host, on many threads. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "core/base/pool.h"
#include "core/tensor/kmath.h"
#include "models/internal.h"

/* IEEE binary16 to f32, exactly: subnormals too. */
static float half_load(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, rest = h & 1023u;
    if (exponent == 31u) { return k_float(sign | 0x7f800000u | rest << 13); }
    if (exponent != 0u) { return k_float(sign | (exponent + 112u) << 23 | rest << 13); }
    float magnitude = (float)rest * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

/* f32 to the nearest IEEE binary16, ties to even; too large becomes infinity. */
static uint16_t half_store(float x)
{
    uint32_t bits = k_bits(x), sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) { return (uint16_t)(sign | 0x7e00u); }
    if (rest >= 0x477ff000u) { return (uint16_t)(sign | 0x7c00u); }
    if (rest < 0x38800000u) { /* below 2^-14: a multiple of 2^-24, rounded by the addition */
        uint32_t sum = k_bits(k_float(rest) + 0.5f);
        return (uint16_t)(sign | (sum - k_bits(0.5f)));
    }
    uint32_t odd = (rest >> 13) & 1u;
    return (uint16_t)(sign | ((rest - 0x38000000u + 0xfffu + odd) >> 13));
}

/* Numbers that pass through f32 at a time: a part of the first-level cache. */
enum { BLOCK = 1024 };

static void widen(enum it_dtype type, const char *from, int64_t n, float *values)
{
    uint16_t h[BLOCK];
    double d[BLOCK];
    switch (type) {
    case IT_BF16:
        memcpy(h, from, (size_t)n * sizeof h[0]);
        for (int64_t i = 0; i < n; i++) { values[i] = k_bf16_load(h[i]); }
        break;
    case IT_F16:
        memcpy(h, from, (size_t)n * sizeof h[0]);
        for (int64_t i = 0; i < n; i++) { values[i] = half_load(h[i]); }
        break;
    case IT_F64:
        memcpy(d, from, (size_t)n * sizeof d[0]);
        for (int64_t i = 0; i < n; i++) { values[i] = (float)d[i]; }
        break;
    default: memcpy(values, from, (size_t)n * sizeof values[0]); break;
    }
}

static void narrow(enum it_dtype type, const float *values, int64_t n, void *to, int64_t at)
{
    switch (type) {
    case IT_BF16:
        for (int64_t i = 0; i < n; i++) {
            ((uint16_t *)to)[at + i] = (uint16_t)k_bf16_store(values[i]);
        }
        break;
    case IT_F16:
        for (int64_t i = 0; i < n; i++) { ((uint16_t *)to)[at + i] = half_store(values[i]); }
        break;
    case IT_F64:
        for (int64_t i = 0; i < n; i++) { ((double *)to)[at + i] = (double)values[i]; }
        break;
    default: memcpy((float *)to + at, values, (size_t)n * sizeof values[0]); break;
    }
}

struct job {
    enum it_dtype to_type, from_type;
    void *to;
    const char *from;
};

static void convert(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct job *job = context;
    size_t size = it_dtype_size(job->from_type);
    float values[BLOCK];
    if (job->to_type == job->from_type) {
        memcpy((char *)job->to + (size_t)begin * size, job->from + (size_t)begin * size,
               (size_t)(end - begin) * size);
        return;
    }
    for (int64_t i = begin; i < end; i += BLOCK) {
        int64_t n = end - i < BLOCK ? end - i : BLOCK;
        widen(job->from_type, job->from + (size_t)i * size, n, values);
        narrow(job->to_type, values, n, job->to, i);
    }
}

void it_convert(struct it_pool *pool, enum it_dtype to_type, void *to, enum it_dtype from_type,
                const void *from, int64_t n)
{
    struct job job = {.to_type = to_type, .from_type = from_type, .to = to, .from = from};
    it_pool_run(pool, n, 1 << 16, convert, &job);
}

/* ---- numbers that are none ---- */

struct scan {
    const char *from;
    uint64_t exponents, lowest; /* masks of the fields of all numbers in a word */
    atomic_bool found;
};

/* A number whose exponent is all ones carries out of it into the sign's bit, which the mask has
 * cleared before. `begin` and `end` are words. */
static void find_special(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    struct scan *scan = context;
    uint64_t carried = 0, word;
    for (int64_t i = begin; i < end; i++) {
        memcpy(&word, scan->from + i * (int64_t)sizeof word, sizeof word);
        carried |= (word & scan->exponents) + scan->lowest;
    }
    if (carried & ~scan->exponents & (scan->exponents << 1)) {
        atomic_store_explicit(&scan->found, true, memory_order_relaxed);
    }
}

bool it_is_finite(struct it_pool *pool, enum it_dtype type, const void *from, int64_t n)
{
    struct scan scan = {.from = from};
    switch (type) {
    case IT_BF16:
        scan.exponents = UINT64_C(0x7f807f807f807f80);
        scan.lowest = UINT64_C(0x0080008000800080);
        break;
    case IT_F16:
        scan.exponents = UINT64_C(0x7c007c007c007c00);
        scan.lowest = UINT64_C(0x0400040004000400);
        break;
    default: /* f32 */
        scan.exponents = UINT64_C(0x7f8000007f800000);
        scan.lowest = UINT64_C(0x0080000000800000);
        break;
    }
    atomic_init(&scan.found, false);
    size_t bytes = (size_t)n * it_dtype_size(type), words = bytes / sizeof(uint64_t);
    it_pool_run(pool, (int64_t)words, 1 << 14, find_special, &scan);
    if (bytes % sizeof(uint64_t)) { /* the rest, filled up with zeros */
        char rest[sizeof(uint64_t)] = {0};
        memcpy(rest, scan.from + words * sizeof rest, bytes % sizeof rest);
        scan.from = rest;
        find_special(&scan, 0, 1, 0);
    }
    return !atomic_load(&scan.found);
}
