/* SPDX-License-Identifier: MIT */
/* Laws of adamw and adamw8; a part of check_1_laws.c. */
#ifndef IT_TESTS_LAWS_ADAMW_H
#define IT_TESTS_LAWS_ADAMW_H

enum { WEIGHTS = 203, STEPS = 25 };

static struct it_tensor adam_scalars(int step)
{
    const double beta1 = 0.9, beta2 = 0.99;
    const double values[8] = {3e-3, beta1, beta2, 1e-8, 0.05, 1 - pow(beta1, step),
                              1 - pow(beta2, step), 0.5};
    return box_list(IT_F32, 8, values);
}

/* The formula by hand, in double. */
static void adam_by_hand(double *w, double *m, double *v, const double *grad, int step)
{
    for (int i = 0; i < WEIGHTS; ++i) {
        double g = 0.5 * grad[i];
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.99 * v[i] + 0.01 * g * g;
        double m_hat = m[i] / (1 - pow(0.9, step)), v_hat = v[i] / (1 - pow(0.99, step));
        w[i] -= 3e-3 * (m_hat / (sqrt(v_hat) + 1e-8) + 0.05 * w[i]);
    }
}

static struct it_tensor flat(enum it_dtype type, double scale)
{
    return it_flatten(box_random(type, 1, WEIGHTS, scale));
}

START_TEST(adamw_follows_the_formula_and_the_master_is_f32)
{
    begin(_i);
    struct it_adamw_state plain = {.w = flat(IT_F32, 1), .m = flat(IT_F32, 0),
                                   .v = flat(IT_F32, 0)};
    struct it_adamw_state split = {.w = flat(IT_BF16, 0), .m = flat(IT_F32, 0),
                                   .v = flat(IT_F32, 0), .lo = flat(IT_I16, 0)};
    ck_ok(it_copy(it_reshape2(split.w, 1, WEIGHTS), it_reshape2(plain.w, 1, WEIGHTS)));
    ck_ok(it_copy(it_reshape2(plain.w, 1, WEIGHTS), it_reshape2(split.w, 1, WEIGHTS)));
    double *w = box_get(plain.w), *m = box_get(plain.m), *v = box_get(plain.v);
    for (int step = 1; step <= STEPS; ++step) {
        struct it_tensor grad = flat(IT_F32, 1), scalars = adam_scalars(step);
        double *g = box_get(grad);
        adam_by_hand(w, m, v, g, step);
        free(g);
        ck_ok(it_adamw(plain, grad, scalars));
        ck_ok(it_adamw(split, grad, scalars));
    }
    float master[WEIGHTS];
    uint16_t high[WEIGHTS];
    int16_t low[WEIGHTS];
    ck_ok(it_download(master, plain.w));
    ck_ok(it_download(high, split.w));
    ck_ok(it_download(low, split.lo));
    for (int i = 0; i < WEIGHTS; ++i) {
        ck_assert(fabs((double)master[i] - w[i]) < 1e-5 * (1 + fabs(w[i])));
        uint joined = ((uint)high[i] << 16) + (uint)(int)low[i];
        ck_assert_uint_eq(joined, k_bits(master[i]));
        /* the weight is the master to the nearest */
        float ulp = k_float((uint)(high[i] + 1) << 16) - k_float((uint)high[i] << 16);
        ck_assert(fabsf(k_bf16_load(high[i]) - master[i]) <= 0.5f * fabsf(ulp));
    }
    ck_assert(box_same(plain.m, split.m) && box_same(plain.v, split.v));
    free(w);
    free(m);
    free(v);
    box_close();
}
END_TEST

/* ---- moments in 8 bits ---- */

enum { CODED = 700, BLOCKS = (CODED + IT_MOMENT_BLOCK - 1) / IT_MOMENT_BLOCK };

struct coded {
    struct it_adamw_state state;
    struct it_tensor ms, vs;
};

static struct it_tensor zeros_8(int64_t n)
{
    struct it_tensor t;
    void *zeros = calloc((size_t)n, 1);
    ck_ok(it_tensor1(box_arena, IT_U8, n, &t));
    ck_ok(it_upload(t, zeros));
    free(zeros);
    return t;
}

static struct coded coded_new(struct it_tensor w)
{
    int64_t n = w.shape[0], blocks = (n + IT_MOMENT_BLOCK - 1) / IT_MOMENT_BLOCK;
    return (struct coded){{.w = w, .m = zeros_8(n), .v = zeros_8(n)},
                          it_flatten(box_random(IT_F32, 1, blocks, 0)),
                          it_flatten(box_random(IT_F32, 1, blocks, 0))};
}

static void coded_step(const struct coded *c, struct it_tensor grad, int step)
{
    ck_ok(it_adamw8(c->state, c->ms, c->vs, grad, adam_scalars(step)));
}

/* Gradients whose sizes spread over two decades within a block. */
static struct it_tensor spread_grads(int64_t n)
{
    struct it_tensor t = it_flatten(box_random(IT_F32, 1, n, 1));
    double *g = box_get(t);
    for (int64_t i = 0; i < n; ++i) { g[i] *= pow(10, -2.0 * (double)(i % 17) / 16); }
    box_set(t, g);
    free(g);
    return t;
}

/* After a first step the moments are known: a tenth of the gradient, a hundredth of its square. */
START_TEST(codes_are_the_moments)
{
    begin(_i);
    struct coded c = coded_new(it_flatten(box_random(dtype, 1, CODED, 1)));
    struct it_tensor grad = spread_grads(CODED);
    double *g = box_get(grad);
    for (int i = 16; i < CODED; i += 17) { g[i] *= 1e-7; } /* too small for a code */
    box_set(grad, g);
    coded_step(&c, grad, 1);
    double *ms = box_get(c.ms), *vs = box_get(c.vs);
    uint8_t m[CODED], v[CODED];
    ck_ok(it_download(m, c.state.m));
    ck_ok(it_download(v, c.state.v));
    for (int b = 0; b < BLOCKS; ++b) {
        double most = 0;
        int end = (b + 1) * IT_MOMENT_BLOCK < CODED ? (b + 1) * IT_MOMENT_BLOCK : CODED;
        for (int i = b * IT_MOMENT_BLOCK; i < end; ++i) { most = fmax(most, fabs(0.5 * g[i])); }
        ck_assert(fabs(ms[b] - 0.1 * most) < 1e-6 * most && fabs(vs[b] - 0.1 * most) < 1e-6 * most);
        for (int i = b * IT_MOMENT_BLOCK; i < end; ++i) {
            double first = 0.05 * g[i], root = 0.05 * fabs(g[i]), q = sqrt(fabs(first) / ms[b]);
            /* half a code off in the root: that is the step between neighbours, at most */
            double near = ms[b] * (q / 127 + 0.2501 / (127 * 127));
            ck_assert(fabs((double)k_moment((int8_t)m[i], (float)ms[b]) - first) <= near);
            near = vs[b] * (sqrt(root / vs[b]) / 255 + 0.2501 / (255 * 255));
            ck_assert(v[i] == 1 || fabs((double)k_root(v[i], (float)vs[b]) - root) <= near);
            ck_assert(v[i] >= 1 && (i % 17 != 16 || (v[i] == 1 && m[i] == 0)));
            ck_assert(fabs(0.5 * g[i]) < most || (v[i] == 255 && (int8_t)m[i] * g[i] > 0));
        }
    }
    free(g);
    free(ms);
    free(vs);
    box_close();
}
END_TEST

/* A tensor updated at once, and cut at blocks: shards of an optimizer may be anywhere. */
START_TEST(blocks_do_not_know_each_other)
{
    begin(_i);
    struct it_tensor w = it_flatten(box_random(dtype, 1, CODED, 1));
    struct it_tensor copy = it_flatten(copy_of(it_reshape2(w, 1, CODED)));
    struct coded whole = coded_new(w), cut = coded_new(copy);
    for (int step = 1; step <= 3; ++step) {
        struct it_tensor grad = spread_grads(CODED);
        coded_step(&whole, grad, step);
        for (int b = 0; b < BLOCKS; ++b) {
            int64_t at = b * IT_MOMENT_BLOCK, n = CODED - at < IT_MOMENT_BLOCK ? CODED - at
                                                                              : IT_MOMENT_BLOCK;
            struct coded part = {{.w = it_rows(copy, at, n), .m = it_rows(cut.state.m, at, n),
                                  .v = it_rows(cut.state.v, at, n)},
                                 it_rows(cut.ms, b, 1), it_rows(cut.vs, b, 1)};
            coded_step(&part, it_rows(grad, at, n), step);
        }
    }
    ck_assert(box_same(w, copy) && box_same(whole.ms, cut.ms) && box_same(whole.vs, cut.vs));
    ck_assert(box_same(whole.state.m, cut.state.m) && box_same(whole.state.v, cut.state.v));
    box_close();
}
END_TEST

/* Along the same gradients, which have a mean and noise, weights move as with moments in f32: by
 * far more than they differ. */
START_TEST(eight_bits_go_where_floats_go)
{
    begin(_i);
    struct it_tensor w = it_flatten(box_random(IT_F32, 1, CODED, 1));
    struct it_tensor copy = it_flatten(copy_of(it_reshape2(w, 1, CODED)));
    double *start = box_get(w), off = 0, moved = 0, along = 0, other = 0;
    struct it_adamw_state plain = {.w = w, .m = it_flatten(box_random(IT_F32, 1, CODED, 0)),
                                   .v = it_flatten(box_random(IT_F32, 1, CODED, 0))};
    struct coded coded = coded_new(copy);
    struct it_tensor mean = spread_grads(CODED);
    for (int step = 1; step <= 60; ++step) {
        int64_t mark = it_arena_mark(box_arena);
        struct it_tensor grad = spread_grads(CODED);
        ck_ok(it_scale_add(it_reshape2(grad, 1, CODED), 1, it_reshape2(grad, 1, CODED), 0.5,
                           it_reshape2(mean, 1, CODED)));
        ck_ok(it_adamw(plain, grad, adam_scalars(step)));
        coded_step(&coded, grad, step);
        it_arena_reset(box_arena, mark);
    }
    double *a = box_get(w), *b = box_get(copy);
    for (int i = 0; i < CODED; ++i) {
        double x = a[i] - start[i], y = b[i] - start[i];
        off += (x - y) * (x - y);
        moved += x * x;
        other += y * y;
        along += x * y;
    }
    ck_assert_msg(off < 0.05 * 0.05 * moved, "off by %g of the way", sqrt(off / moved));
    ck_assert(along > 0.998 * sqrt(moved * other));
    free(start);
    free(a);
    free(b);
    box_close();
}
END_TEST

/* ---- rounding at random ---- */

enum { TRIES = 3000, ROUNDED = 40 };

/* A step from the same weight under the key of `at`; bits of all weights. */
static void rounded_step(struct it_tensor w, const uint16_t *start, struct it_tensor grad, int at,
                         bool in_8_bits, uint16_t *out)
{
    int64_t mark = it_arena_mark(box_arena);
    const double key[4] = {17, 4, at, 5};
    struct it_tensor keys;
    ck_ok(it_tensor1(box_arena, IT_U32, 4, &keys));
    box_set(keys, key);
    ck_ok(it_upload(w, start));
    if (in_8_bits) {
        struct coded c = coded_new(w);
        c.state.keys = keys;
        coded_step(&c, grad, 1);
    } else {
        struct it_adamw_state s = {.w = w, .m = it_flatten(box_random(IT_F32, 1, ROUNDED, 0)),
                                   .v = it_flatten(box_random(IT_F32, 1, ROUNDED, 0)),
                                   .keys = keys};
        ck_ok(it_adamw(s, grad, adam_scalars(1)));
    }
    ck_ok(it_download(out, w));
    it_arena_reset(box_arena, mark);
}

/* The mean over many keys is the f32 result: within five deviations of such a mean. */
START_TEST(rounding_at_random_is_right_on_average)
{
    begin(_i);
    bool in_8_bits = dtype == IT_F32; /* the weights are bf16 either way */
    struct it_tensor w = it_flatten(box_random(IT_BF16, 1, ROUNDED, 1));
    struct it_tensor grad = it_flatten(box_random(IT_F32, 1, ROUNDED, 1));
    uint16_t start[ROUNDED], once[ROUNDED], low[ROUNDED], high[ROUNDED];
    double sum[ROUNDED] = {0}, *g = box_get(grad);
    ck_ok(it_download(start, w));
    for (int at = 0; at < TRIES; ++at) {
        rounded_step(w, start, grad, at, in_8_bits, once);
        for (int i = 0; i < ROUNDED; ++i) {
            if (at == 0 || once[i] < low[i]) { low[i] = once[i]; }
            if (at == 0 || once[i] > high[i]) { high[i] = once[i]; }
            sum[i] += (double)k_bf16_load(once[i]);
        }
    }
    for (int i = 0; i < ROUNDED; ++i) {
        double old = (double)k_bf16_load(start[i]);
        double want = old - 3e-3 * ((g[i] > 0 ? 1 : -1) + 0.05 * old);
        double ulp = fabs((double)k_bf16_load(high[i]) - (double)k_bf16_load(low[i]));
        ck_assert_int_le(high[i] - low[i], 1); /* the two neighbours, no others */
        if (ulp == 0) { ulp = 0.01 * fabs(want); }
        ck_assert_msg(fabs(sum[i] / TRIES - want) < 5 * 0.5 * ulp / sqrt(TRIES) + 1e-7,
                      "element %d: mean %g, not %g; neighbours are %g apart", i, sum[i] / TRIES,
                      want, ulp);
    }
    free(g);
    box_close();
}
END_TEST

/* The same key gives the same bits, another one others; and the bits are those of the definition in
 * ops.def. */
START_TEST(noise_is_that_of_the_element)
{
    begin(_i);
    bool in_8_bits = dtype == IT_F32;
    struct it_tensor w = it_flatten(box_random(IT_BF16, 1, ROUNDED, 1));
    struct it_tensor grad = it_flatten(box_random(IT_F32, 1, ROUNDED, 1));
    uint16_t start[ROUNDED], a[ROUNDED], b[ROUNDED], c[ROUNDED];
    double *g = box_get(grad);
    ck_ok(it_download(start, w));
    rounded_step(w, start, grad, 8, in_8_bits, a);
    rounded_step(w, start, grad, 8, in_8_bits, b);
    rounded_step(w, start, grad, 9, in_8_bits, c);
    ck_assert(memcmp(a, b, sizeof a) == 0 && memcmp(a, c, sizeof a) != 0);
    int differ = 0;
    for (int i = 0; i < ROUNDED; ++i) {
        const uint32_t key[2] = {17, 4}, counter[4] = {(uint32_t)i / 4, 0, 8, 5};
        uint32_t word[4];
        it_philox(key, counter, word);
        double old = (double)k_bf16_load(start[i]);
        double want = old - 3e-3 * ((g[i] > 0 ? 1 : -1) + 0.05 * old);
        differ += a[i] != k_bf16_dither((float)want, word[i % 4] & 0xffff);
    }
    ck_assert_int_le(differ, 1); /* a last digit may tip one over */
    free(g);
    box_close();
}
END_TEST

#endif
