/* SPDX-License-Identifier: MIT */
/* token_stats and token_stats_bwd. Sums over the vocabulary are made of tiles of a constant width:
 * floats in a tile, double from tile to tile, so that a mean over 150,000 entries keeps its digits
 * and the order is that of the vocabulary alone. */

enum { STATS_TILE = 1024 };

/* Of the first n logits, times `inverse`: the largest two. */
struct top_two {
    float most, second;
};

static struct top_two top_two_of(const float *z, int64_t n, float inverse)
{
    vf most = v_set(-INFINITY), second = most;
    for (int64_t j = 0; j < n; j += VW) {
        int c = at_most(n - j, VW);
        vf x = v_select(v_first(c), v_load_n(z + j, c), v_set(-INFINITY));
        second = v_max(v_min(x, most), second);
        most = v_max(x, most);
    }
    float a[VW], b[VW];
    v_store(a, most);
    v_store(b, second);
    struct top_two top = {a[0], b[0]};
    for (int i = 1; i < VW; i++) {
        float low = a[i] < top.most ? a[i] : top.most;
        top.most = a[i] > top.most ? a[i] : top.most;
        top.second = k_max(top.second, k_max(low, b[i]));
    }
    return (struct top_two){top.most * inverse, top.second * inverse};
}

/* With x = z * inverse - most: sums of e^x, x, x e^x, e^2x. */
struct vocabulary_sums {
    double s, a, b, g;
};

static struct vocabulary_sums sum_vocabulary(const float *z, int64_t n, float inverse, float most)
{
    struct vocabulary_sums sums = {0};
    vf factor = v_set(inverse), top = v_set(most), none = v_set(-INFINITY), least = v_set(-3e38f);
    for (int64_t i = 0; i < n; i += STATS_TILE) {
        int64_t end = i + STATS_TILE < n ? i + STATS_TILE : n;
        vf s = v_set(0), a = s, b = s, g = s;
        for (int64_t j = i; j < end; j += VW) {
            int c = at_most(end - j, VW);
            vf x = v_load_n(z + j, c) * factor - top;
            a = a + (c < VW ? v_select(v_first(c), x, v_set(0)) : x);
            vf p = v_exp(c < VW ? v_select(v_first(c), x, none) : x);
            s = s + p;
            b = v_fma(p, v_max(least, x), b); /* a logit of minus infinity has no weight */
            g = v_fma(p, p, g);
        }
        sums.s += (double)v_sum(s);
        sums.a += (double)v_sum(a);
        sums.b += (double)v_sum(b);
        sums.g += (double)v_sum(g);
    }
    return sums;
}

/* The sum of e^x alone over logits [from, n), tiles counted from `from`. */
static double sum_weights(const float *z, int64_t from, int64_t n, float inverse, float most)
{
    double sum = 0;
    vf factor = v_set(inverse), top = v_set(most), none = v_set(-INFINITY);
    for (int64_t i = from; i < n; i += STATS_TILE) {
        int64_t end = i + STATS_TILE < n ? i + STATS_TILE : n;
        vf s = v_set(0);
        for (int64_t j = i; j < end; j += VW) {
            int c = at_most(end - j, VW);
            vf x = v_load_n(z + j, c) * factor - top;
            s = s + v_exp(c < VW ? v_select(v_first(c), x, none) : x);
        }
        sum += (double)v_sum(s);
    }
    return sum;
}

static void stats_row(const float *z, int64_t v, int64_t n, const float *temps, int64_t target,
                      float *stats)
{
    float inverse1 = 1.0f / temps[0], inverse2 = 1.0f / temps[1];
    struct top_two top = top_two_of(z, n, inverse2);
    float most = top_two_of(z, v, inverse1).most;
    struct vocabulary_sums some = sum_vocabulary(z, n, inverse2, top.most);
    /* One temperature, and a vocabulary that holds the largest: what was summed is a part. */
    bool shared = inverse1 == inverse2 && most == top.most;
    double all = shared ? some.s + sum_weights(z, n, v, inverse1, most)
                        : sum_weights(z, 0, v, inverse1, most);
    float log_all = k_log((float)all), s = (float)some.s, log_s = k_log(s);
    float second = top.second > -INFINITY ? k_exp(top.second - top.most) : 0.0f;
    bool known = target >= 0 && target < v;
    stats[IT_STAT_LOGPROB] = known ? z[target] * inverse1 - most - log_all : 0.0f;
    stats[IT_STAT_ENTROPY] = log_s - (float)(some.b / some.s);
    stats[IT_STAT_CERTAINTY] = log_s - (float)(some.a / (double)n) - k_log((float)n);
    stats[IT_STAT_SUM_P2] = (float)(some.g / (some.s * some.s));
    stats[IT_STAT_MARGIN] = (1.0f - second) / s;
    stats[IT_STAT_LSE] = most + log_all;
    stats[IT_STAT_LSE2] = top.most + log_s;
    stats[IT_STAT_TOP] = 1.0f / s;
}

static void stats_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *logits = &args->t[1];
    const int32_t *targets = it_view_host(&args->t[2]);
    const float *temps = it_view_host(&args->t[3]);
    int64_t v = logits->shape[1], n = args->i[0] ? args->i[0] : v;
    for (int64_t r = begin; r < end; r++) {
        stats_row((const void *)row_at(logits, r), v, n, temps, targets[r],
                  (float *)(void *)row_of(&args->t[0], r));
    }
}

static enum it_status token_stats(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 3)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[1].shape[0], 24 * args->t[1].shape[1], stats_rows, args);
    return IT_OK;
}

/* What one row's gradient is made of; at the temperatures 1 and 2. */
struct slopes {
    float inverse1, inverse2, lse1, lse2;
    float logprob, entropy, certainty; /* coefficients over their temperature */
    float h;                           /* the entropy */
    float share;                       /* 1 / the statistics' vocabulary */
};

/* d log-prob / dz_j = (1[j = y] - p_j) / T1; at T2, over its vocabulary of V:
 * d entropy / dz_j = -p_j (ln p_j + H) / T2, d certainty / dz_j = (p_j - 1/V) / T2. */
static inline vf slope_at(const struct slopes *s, vf z, vf target, bool counts)
{
    vf d = v_set(0);
    if (s->logprob != 0) {
        d = v_set(s->logprob) * (target - v_exp(z * v_set(s->inverse1) - v_set(s->lse1)));
    }
    if (counts) {
        vf log_p = v_max(v_set(-3e38f), z * v_set(s->inverse2) - v_set(s->lse2));
        vf p = v_exp(log_p);
        d = d - v_set(s->entropy) * p * (log_p + v_set(s->h));
        d = d + v_set(s->certainty) * (p - v_set(s->share));
    }
    return d;
}

static void slope_row(const struct slopes *s, const float *z, int64_t v, int64_t n, int64_t target,
                      char *to, bool narrow)
{
    bool any = s->entropy != 0 || s->certainty != 0;
    for (int64_t j = 0; j < v; j += VW) {
        int c = at_most(v - j, VW);
        float one[VW] = {0};
        if (target >= j && target < j + c) { one[target - j] = 1; }
        vf x = v_load_n(z + j, c), hit = v_load(one);
        vf d = slope_at(s, x, hit, any && j < n);
        if (any && j < n && j + c > n) { /* the statistics' vocabulary ends in this vector */
            d = v_select(v_first((int)(n - j)), d, slope_at(s, x, hit, false));
        }
        put_n(to, j, d, c, narrow);
    }
}

static void slope_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *to = &args->t[0], *logits = &args->t[1];
    const int32_t *targets = it_view_host(&args->t[2]);
    const float *temps = it_view_host(&args->t[5]);
    int64_t v = logits->shape[1], n = args->i[0] ? args->i[0] : v;
    for (int64_t r = begin; r < end; r++) {
        const float *stats = (const void *)row_at(&args->t[3], r);
        const float *coefs = (const void *)row_at(&args->t[4], r);
        bool known = targets[r] >= 0 && targets[r] < v;
        struct slopes s = {.inverse1 = 1.0f / temps[0],
                           .inverse2 = 1.0f / temps[1],
                           .lse1 = stats[IT_STAT_LSE],
                           .lse2 = stats[IT_STAT_LSE2],
                           .h = stats[IT_STAT_ENTROPY],
                           .share = 1.0f / (float)n};
        s.logprob = known ? coefs[IT_STAT_LOGPROB] * s.inverse1 : 0.0f;
        s.entropy = coefs[IT_STAT_ENTROPY] * s.inverse2;
        s.certainty = coefs[IT_STAT_CERTAINTY] * s.inverse2;
        slope_row(&s, (const void *)row_at(logits, r), v, n, targets[r], row_of(to, r),
                  is_narrow(to));
    }
}

static enum it_status token_stats_bwd(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 5)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[1].shape[0], 24 * args->t[1].shape[1], slope_rows, args);
    return IT_OK;
}
