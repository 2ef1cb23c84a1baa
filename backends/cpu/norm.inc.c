/* SPDX-License-Identifier: MIT */
/* Kernels with sums along a row or a column, and pointwise ones with an exponential or a root:
 * rmsnorm, swiglu, sum_rows, sumsq. */

/* ---- rmsnorm ---- */

static void rmsnorm_some(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *y = &args->t[0], *x = &args->t[2];
    float *rstd = it_view_host(&args->t[1]);
    const void *w = it_view_host(&args->t[3]);
    bool narrow = is_narrow(x);
    int64_t n = x->shape[1];
    for (int64_t r = begin; r < end; r++) {
        const char *from = row_at(x, r);
        char *to = row_of(y, r);
        vf sum = v_set(0);
        for (int64_t j = 0; j < n; j += VW) {
            vf value = get_n(from, j, at_most(n - j, VW), narrow);
            sum = v_fma(value, value, sum);
        }
        rstd[r] = 1.0f / sqrtf(v_sum(sum) / (float)n + (float)args->f[0]);
        vf scale = v_set(rstd[r]);
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            put_n(to, j, get_n(from, j, c, narrow) * scale * get_n(w, j, c, narrow), c, narrow);
        }
    }
}

static enum it_status rmsnorm(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 3)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[0].shape[0], 8 * args->t[0].shape[1], rmsnorm_some, args);
    return IT_OK;
}

/* With z = x * rstd and g = dy * w:  dx = rstd * (g - z * mean(g z)) */
static void rmsnorm_bwd_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *dx = &args->t[0], *dy = &args->t[2], *x = &args->t[3];
    const void *w = it_view_host(&args->t[4]);
    const float *rstd = it_view_host(&args->t[5]);
    bool narrow = is_narrow(x);
    int64_t n = x->shape[1];
    for (int64_t r = begin; r < end; r++) {
        const char *slope = row_at(dy, r), *from = row_at(x, r);
        char *to = row_of(dx, r);
        vf scale = v_set(rstd[r]), sum = v_set(0);
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            vf g = get_n(slope, j, c, narrow) * get_n(w, j, c, narrow);
            sum = v_fma(g, get_n(from, j, c, narrow) * scale, sum);
        }
        vf mean = v_set(v_sum(sum) / (float)n);
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            vf g = get_n(slope, j, c, narrow) * get_n(w, j, c, narrow);
            put_n(to, j, scale * (g - get_n(from, j, c, narrow) * scale * mean), c, narrow);
        }
    }
}

/* dw += column sums of dy * z, rows in ascending order */
static void rmsnorm_bwd_columns(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *dy = &args->t[2], *x = &args->t[3];
    float *dw = it_view_host(&args->t[1]);
    const float *rstd = it_view_host(&args->t[5]);
    bool narrow = is_narrow(x);
    int64_t last = end * STRIPE < x->shape[1] ? end * STRIPE : x->shape[1];
    for (int64_t j = begin * STRIPE; j < last; j += STRIPE) {
        vf sum[STRIPE / VW];
        int64_t stop = j + STRIPE < last ? j + STRIPE : last;
        for (int i = 0; j + i * VW < stop; i++) {
            sum[i] = v_load_n(dw + j + i * VW, at_most(stop - j - i * VW, VW));
        }
        for (int64_t r = 0; r < x->shape[0]; r++) {
            const char *slope = row_at(dy, r), *from = row_at(x, r);
            vf scale = v_set(rstd[r]);
            for (int i = 0; j + i * VW < stop; i++) {
                int c = at_most(stop - j - i * VW, VW);
                vf z = get_n(from, j + i * VW, c, narrow) * scale;
                sum[i] = v_fma(get_n(slope, j + i * VW, c, narrow), z, sum[i]);
            }
        }
        for (int i = 0; j + i * VW < stop; i++) {
            v_store_n(dw + j + i * VW, sum[i], at_most(stop - j - i * VW, VW));
        }
    }
}

static enum it_status rmsnorm_bwd(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 5)) { return IT_UNSUPPORTED; }
    int64_t rows = args->t[0].shape[0], columns = args->t[0].shape[1];
    run_stripes(device, columns, 2 * rows, rmsnorm_bwd_columns, args);
    for_rows(device, rows, 12 * columns, rmsnorm_bwd_rows, args);
    return IT_OK;
}

/* ---- swiglu: the operations of k_silu, in its order ---- */

static inline vf sigmoid(vf x)
{
    return v_set(1.0f) / (v_set(1.0f) + v_exp(-x));
}

static void swiglu_some(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *h = &args->t[0], *gu = &args->t[1];
    bool narrow = is_narrow(h);
    int64_t n = h->shape[1];
    for (int64_t r = begin; r < end; r++) {
        const char *from = row_at(gu, r);
        char *to = row_of(h, r);
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            vf gate = get_n(from, j, c, narrow), up = get_n(from, n + j, c, narrow);
            put_n(to, j, gate * sigmoid(gate) * up, c, narrow);
        }
    }
}

static enum it_status swiglu(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[0].shape[0], 24 * args->t[0].shape[1], swiglu_some, args);
    return IT_OK;
}

static void swiglu_bwd_some(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *dgu = &args->t[0], *dh = &args->t[1], *gu = &args->t[2];
    bool narrow = is_narrow(dh);
    int64_t n = dh->shape[1];
    vf one = v_set(1.0f);
    for (int64_t r = begin; r < end; r++) {
        const char *slope = row_at(dh, r), *from = row_at(gu, r);
        char *to = row_of(dgu, r);
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            vf gate = get_n(from, j, c, narrow), up = get_n(from, n + j, c, narrow);
            vf d = get_n(slope, j, c, narrow), s = sigmoid(gate);
            put_n(to, j, d * up * (s * (one + gate * (one - s))), c, narrow);
            put_n(to, n + j, d * (gate * s), c, narrow);
        }
    }
}

static enum it_status swiglu_bwd(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 2)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[1].shape[0], 32 * args->t[1].shape[1], swiglu_bwd_some, args);
    return IT_OK;
}

/* ---- sums ---- */

static void sum_rows_stripes(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *x = &args->t[1];
    float *y = it_view_host(&args->t[0]);
    bool narrow = is_narrow(x);
    int64_t last = end * STRIPE < x->shape[1] ? end * STRIPE : x->shape[1];
    for (int64_t j = begin * STRIPE; j < last; j += VW) {
        int c = at_most(last - j, VW);
        vf sum = v_load_n(y + j, c);
        for (int64_t r = 0; r < x->shape[0]; r++) { sum = sum + get_n(row_at(x, r), j, c, narrow); }
        v_store_n(y + j, sum, c);
    }
}

static enum it_status sum_rows(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    run_stripes(device, args->t[1].shape[1], args->t[1].shape[0], sum_rows_stripes, args);
    return IT_OK;
}

/* Squares in at most IT_CPU_PARTS parts of a size that n decides; in a part, tiles of floats are
 * added up in double. */
struct squares {
    const float *x;
    double *parts;
    int64_t n, part;
};
enum { SQUARES_TILE = 4096, SQUARES_PART = 65536 };

static void sumsq_parts(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct squares *s = context;
    for (int64_t p = begin; p < end; p++) {
        int64_t last = s->n - p * s->part < s->part ? s->n : (p + 1) * s->part;
        double sum = 0;
        for (int64_t i = p * s->part; i < last; i += SQUARES_TILE) {
            int64_t stop = i + SQUARES_TILE < last ? i + SQUARES_TILE : last;
            vf tile[2] = {v_set(0), v_set(0)};
            for (int64_t j = i; j < stop; j += 2 * VW) {
                vf a = v_load_n(s->x + j, at_most(stop - j, VW)), b = v_set(0);
                if (j + VW < stop) { b = v_load_n(s->x + j + VW, at_most(stop - j - VW, VW)); }
                tile[0] = v_fma(a, a, tile[0]);
                tile[1] = v_fma(b, b, tile[1]);
            }
            sum += (double)v_sum(tile[0] + tile[1]);
        }
        s->parts[p] = sum;
    }
}

static enum it_status sumsq(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    struct it_cpu *cpu = device->data;
    float *y = it_view_host(&args->t[0]);
    int64_t n = args->t[1].shape[0];
    struct squares s = {.x = it_view_host(&args->t[1]), .parts = cpu->parts, .n = n};
    int64_t tiles = (n + SQUARES_PART * IT_CPU_PARTS - 1) / (SQUARES_PART * (int64_t)IT_CPU_PARTS);
    s.part = (tiles > 1 ? tiles : 1) * SQUARES_PART;
    int64_t parts = (n + s.part - 1) / s.part;
    it_pool_run(device->pool, parts, 1, sumsq_parts, &s);
    double sum = (double)y[0];
    for (int64_t p = 0; p < parts; p++) { sum += s.parts[p]; }
    y[0] = (float)sum;
    return IT_OK;
}
