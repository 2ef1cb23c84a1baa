/* SPDX-License-Identifier: MIT */
/* token_stats and token_stats_bwd. Sums over the vocabulary are made of tiles of IT_STATS_TILE,
 * each read twice while it is in the first cache: floats in runs of a constant length, double from
 * run to run and from tile to tile, so that a mean over 150,000 entries keeps its digits and the
 * order is that of the vocabulary alone. Merging is that of core/tensor/ref_stats.c. */

enum { STATS_RUN = 1024 };

/* Over some logits at one temperature, with x = z * inverse - most: sums of e^x, x, x e^x, e^2x */
struct vocabulary_sums {
    float most, second;
    double s, a, b, g;
    int64_t n;
};

/* e^x to the last bit or two, at half the price of v_exp: for x of at most 88, which weights are
 * far below, and 0 from about -87.7 down, where e^x would be a denormal number. The polynomial is
 * that of k_exp, in steps of one rounding; 2^n is made in one. A NaN stays one. */
static inline vf weight_of(vf x)
{
    vf held = v_max(v_set(-88.02f), v_min(v_set(88.0f), x));
    vf t = v_fma(held, v_set(1.44269504f), v_set(12582912.0f)), n = t - v_set(12582912.0f);
    vf r = v_fma(n, v_set(-0.693359375f), held);
    r = v_fma(n, v_set(2.12194440e-4f), r);
    vf p = v_fma(v_set(1.9875691500e-4f), r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, r * r, r) + v_set(1.0f);
    /* t's low bits are n, what stands above them leaves to the left; n + 127 = 0 makes a zero */
    return p * v_float((v_bits(t) + 127) << 23);
}

/* Logits [j, j + c) with none from c on, c <= VW. */
static inline vf load_logits(const float *z, int64_t j, int c)
{
    return c == VW ? v_load(z + j) : v_select(v_first(c), v_load_n(z + j, c), v_set(-INFINITY));
}

/* Of the first n logits, times `inverse`: the largest two. */
static void top_two_of(struct vocabulary_sums *sums, const float *z, int64_t n, float inverse)
{
    vf most = v_set(-INFINITY), second = most;
    for (int64_t j = 0; j < n; j += VW) {
        vf x = load_logits(z, j, at_most(n - j, VW));
        second = v_max(v_min(x, most), second);
        most = v_max(x, most);
    }
    float a[VW], b[VW];
    v_store(a, most);
    v_store(b, second);
    sums->most = a[0];
    sums->second = b[0];
    for (int i = 1; i < VW; i++) {
        float low = a[i] < sums->most ? a[i] : sums->most;
        sums->most = a[i] > sums->most ? a[i] : sums->most;
        sums->second = k_max(sums->second, k_max(low, b[i]));
    }
    sums->most *= inverse;
    sums->second *= inverse;
}

/* What x is relative to: no logit has a weight where the largest is minus infinity. */
static inline float base_of(float most)
{
    return most > -INFINITY ? most : 0.0f;
}

static struct vocabulary_sums sum_tile(const float *z, int64_t n, float inverse)
{
    struct vocabulary_sums sums = {.n = n};
    if (n == 0) { return sums; }
    top_two_of(&sums, z, n, inverse);
    vf factor = v_set(inverse), top = v_set(-base_of(sums.most)), least = v_set(-3e38f);
    for (int64_t i = 0; i < n; i += STATS_RUN) {
        int64_t end = i + STATS_RUN < n ? i + STATS_RUN : n;
        vf s = v_set(0), a = s, b = s, g = s;
        for (int64_t j = i; j < end; j += VW) {
            int c = at_most(end - j, VW);
            vf x = v_fma(load_logits(z, j, c), factor, top), p = weight_of(x);
            a = a + (c == VW ? x : v_select(v_first(c), x, v_set(0)));
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

/* The sum of e^x alone over logits [from, n), runs counted from `from`. */
static double sum_weights(const float *z, int64_t from, int64_t n, float inverse, float most)
{
    double sum = 0;
    vf factor = v_set(inverse), top = v_set(-base_of(most));
    for (int64_t i = from; i < n; i += STATS_RUN) {
        int64_t end = i + STATS_RUN < n ? i + STATS_RUN : n;
        vf s = v_set(0);
        for (int64_t j = i; j < end; j += VW) {
            s = s + weight_of(v_fma(load_logits(z, j, at_most(end - j, VW)), factor, top));
        }
        sum += (double)v_sum(s);
    }
    return sum;
}

/* The same sums relative to a larger most. */
static void lower_sums(struct vocabulary_sums *sums, float most)
{
    if (sums->most == most) { return; }
    float d = sums->most - most;
    double e = (double)k_exp(d);
    sums->a += (double)sums->n * (double)d;
    sums->b = e > 0 ? e * (sums->b + (double)d * sums->s) : 0;
    sums->s *= e;
    sums->g *= e * e;
    sums->most = most;
}

static void merge_sums(struct vocabulary_sums *sums, struct vocabulary_sums tile)
{
    if (tile.n == 0) { return; }
    if (sums->n == 0) {
        *sums = tile;
        return;
    }
    float low = tile.most < sums->most ? tile.most : sums->most;
    float most = tile.most > sums->most ? tile.most : sums->most;
    lower_sums(sums, most);
    lower_sums(&tile, most);
    sums->second = k_max(low, k_max(tile.second, sums->second));
    sums->s += tile.s;
    sums->a += tile.a;
    sums->b += tile.b;
    sums->g += tile.g;
    sums->n += tile.n;
}

/* ---- the state: doubles are two floats ---- */

static inline double get_sum(const float *pair)
{
    return (double)pair[0] + (double)pair[1];
}

static inline void put_sum(float *pair, double sum)
{
    pair[0] = (float)sum;
    double rest = sum - (double)pair[0];
    pair[1] = rest - rest == 0 ? (float)rest : 0.0f; /* an infinity has none */
}

/* Where the logits stand in the vocabulary: columns [first, first + v) of `all`; the statistics are
 * over the first `some`. */
struct part {
    int64_t first, v, all, some;
};

static struct part part_of(const struct it_args *args, const struct it_tensor *logits)
{
    struct part part = {.first = args->i[1], .v = logits->shape[1]};
    part.all = args->i[2] ? args->i[2] : part.v;
    part.some = args->i[0] ? args->i[0] : part.all;
    return part;
}

static inline int64_t within(int64_t n, int64_t most)
{
    return n < 0 ? 0 : n < most ? n : most;
}

/* One tile, columns [first, first + n) of the vocabulary, into the state. Whole rows go through the
 * state as well: what it rounds, it rounds there too. */
static void stats_tile(const float *z, int64_t first, int64_t n, int64_t counted,
                       const float *inverse, float *state)
{
    struct vocabulary_sums all = {.most = state[IT_STATE_MOST],
                                  .second = -INFINITY,
                                  .s = get_sum(state + IT_STATE_S),
                                  .n = first};
    struct vocabulary_sums some = {.most = state[IT_STATE_MOST2],
                                   .second = state[IT_STATE_SECOND2],
                                   .s = get_sum(state + IT_STATE_S2),
                                   .a = get_sum(state + IT_STATE_A2),
                                   .b = get_sum(state + IT_STATE_B2),
                                   .g = get_sum(state + IT_STATE_G2),
                                   .n = within(counted, first)};
    int64_t few = within(counted - first, n);
    struct vocabulary_sums tile2 = sum_tile(z, few, inverse[1]), tile = tile2;
    /* One temperature, and counted logits that hold the largest: what was summed is a part. */
    if (inverse[0] != inverse[1] || few < n) { top_two_of(&tile, z, n, inverse[0]); }
    bool shared = few > 0 && inverse[0] == inverse[1] && tile.most == tile2.most;
    tile.s = shared ? tile2.s + sum_weights(z, few, n, inverse[0], tile.most)
                    : sum_weights(z, 0, n, inverse[0], tile.most);
    tile.n = n;
    merge_sums(&all, tile);
    merge_sums(&some, tile2);
    state[IT_STATE_MOST] = all.most;
    put_sum(state + IT_STATE_S, all.s);
    state[IT_STATE_MOST2] = some.most;
    state[IT_STATE_SECOND2] = some.second;
    put_sum(state + IT_STATE_S2, some.s);
    put_sum(state + IT_STATE_A2, some.a);
    put_sum(state + IT_STATE_B2, some.b);
    put_sum(state + IT_STATE_G2, some.g);
}

static void put_stats(const float *state, int64_t counted, bool known, float *stats)
{
    double s2 = get_sum(state + IT_STATE_S2);
    float most = state[IT_STATE_MOST], log_all = k_log((float)get_sum(state + IT_STATE_S));
    float most2 = state[IT_STATE_MOST2], s = (float)s2, log_s = k_log(s);
    float second = state[IT_STATE_SECOND2];
    second = second > -INFINITY ? k_exp(second - most2) : 0.0f;
    stats[IT_STAT_LOGPROB] = known ? state[IT_STATE_TARGET] - most - log_all : 0.0f;
    stats[IT_STAT_ENTROPY] = log_s - (float)(get_sum(state + IT_STATE_B2) / s2);
    stats[IT_STAT_CERTAINTY] =
        log_s - (float)(get_sum(state + IT_STATE_A2) / (double)counted) - k_log((float)counted);
    stats[IT_STAT_SUM_P2] = (float)(get_sum(state + IT_STATE_G2) / (s2 * s2));
    stats[IT_STAT_MARGIN] = (1.0f - second) / s;
    stats[IT_STAT_LSE] = most + log_all;
    stats[IT_STAT_LSE2] = most2 + log_s;
    stats[IT_STAT_TOP] = 1.0f / s;
}

static void stats_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *kept = &args->t[1], *logits = &args->t[2];
    const int32_t *targets = it_view_host(&args->t[3]);
    const float *temps = it_view_host(&args->t[4]);
    const float inverse[2] = {1.0f / temps[0], 1.0f / temps[1]};
    struct part part = part_of(args, logits);
    bool last = part.first + part.v == part.all;
    for (int64_t r = begin; r < end; r++) {
        const float *z = (const void *)row_at(logits, r);
        float state[IT_STATE_COUNT] = {0};
        if (part.first > 0) { memcpy(state, row_at(kept, r), sizeof state); }
        int64_t target = targets[r], at = target - part.first;
        if (at >= 0 && at < part.v) { state[IT_STATE_TARGET] = z[at] * inverse[0]; }
        for (int64_t j = 0; j < part.v; j += IT_STATS_TILE) {
            stats_tile(z + j, part.first + j, within(part.v - j, IT_STATS_TILE), part.some, inverse,
                       state);
        }
        if (last) {
            put_stats(state, part.some, target >= 0 && target < part.all,
                      (float *)(void *)row_of(&args->t[0], r));
        } else {
            memcpy(row_of(kept, r), state, sizeof state);
        }
    }
}

static enum it_status token_stats(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 4)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[2].shape[0], 24 * args->t[2].shape[1], stats_rows, args);
    return IT_OK;
}

/* ---- backward ---- */

/* Which exponentials a row's gradient is made of. */
enum slope_kind {
    SLOPE_NONE,    /* no coefficient */
    SLOPE_LOGPROB, /* that of the log-prob alone */
    SLOPE_SHARED,  /* one distribution: one exponential serves both */
    SLOPE_BOTH
};

/* What one row's gradient is made of; at the temperatures 1 and 2. */
struct slopes {
    float inverse1, inverse2, lse1, lse2;
    float logprob, entropy, certainty; /* coefficients over their temperature */
    float h;                           /* the entropy */
    float share;                       /* 1 / the statistics' vocabulary */
};

/* d log-prob / dz_j = (1[j = y] - p_j) / T1; at T2, over its vocabulary of V:
 * d entropy / dz_j = -p_j (ln p_j + H) / T2, d certainty / dz_j = (p_j - 1/V) / T2. */
static inline __attribute__((always_inline)) vf slope_at(const struct slopes *s, vf z, vf target,
                                                         enum slope_kind kind)
{
    if (kind == SLOPE_NONE) { return v_set(0); }
    vf p = weight_of(v_fma(z, v_set(s->inverse1), v_set(-s->lse1)));
    vf d = v_set(s->logprob) * (target - p);
    if (kind == SLOPE_LOGPROB) { return d; }
    vf log_p = v_max(v_set(-3e38f), v_fma(z, v_set(s->inverse2), v_set(-s->lse2)));
    if (kind == SLOPE_BOTH) { p = weight_of(log_p); }
    d = d - v_set(s->entropy) * p * (log_p + v_set(s->h));
    return d + v_set(s->certainty) * (p - v_set(s->share));
}

/* Logits [begin, end) of a row; `target` is one of them or outside. */
static inline __attribute__((always_inline)) void slope_span(const struct slopes *s, const float *z,
                                                             int64_t begin, int64_t end,
                                                             int64_t target, char *to, bool narrow,
                                                             enum slope_kind kind)
{
    for (int64_t j = begin; j < end; j += VW) {
        int c = at_most(end - j, VW);
        vf x = c == VW ? v_load(z + j) : v_load_n(z + j, c), hit = v_set(0);
        if (target >= j && target < j + c) {
            float one[VW] = {0};
            one[target - j] = 1;
            hit = v_load(one);
        }
        vf d = slope_at(s, x, hit, kind);
        if (c < VW) {
            put_n(to, j, d, c, narrow);
        } else if (narrow) {
            v_store_bf16((uint16_t *)(void *)to + j, d);
        } else {
            v_store((float *)(void *)to + j, d);
        }
    }
}

static void slope_part(const struct slopes *s, const float *z, int64_t begin, int64_t end,
                       int64_t target, char *to, bool narrow, enum slope_kind kind)
{
    switch (kind) {
    case SLOPE_NONE: slope_span(s, z, begin, end, target, to, narrow, SLOPE_NONE); break;
    case SLOPE_LOGPROB: slope_span(s, z, begin, end, target, to, narrow, SLOPE_LOGPROB); break;
    case SLOPE_SHARED: slope_span(s, z, begin, end, target, to, narrow, SLOPE_SHARED); break;
    default: slope_span(s, z, begin, end, target, to, narrow, SLOPE_BOTH);
    }
}

static void slope_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *to = &args->t[0], *logits = &args->t[1];
    const int32_t *targets = it_view_host(&args->t[2]);
    const float *temps = it_view_host(&args->t[5]);
    struct part part = part_of(args, logits);
    for (int64_t r = begin; r < end; r++) {
        const float *stats = (const void *)row_at(&args->t[3], r);
        const float *coefs = (const void *)row_at(&args->t[4], r);
        bool known = targets[r] >= 0 && targets[r] < part.all;
        struct slopes s = {.inverse1 = 1.0f / temps[0],
                           .inverse2 = 1.0f / temps[1],
                           .lse1 = stats[IT_STAT_LSE],
                           .lse2 = stats[IT_STAT_LSE2],
                           .h = stats[IT_STAT_ENTROPY],
                           .share = 1.0f / (float)part.some};
        s.logprob = known ? coefs[IT_STAT_LOGPROB] * s.inverse1 : 0.0f;
        s.entropy = coefs[IT_STAT_ENTROPY] * s.inverse2;
        s.certainty = coefs[IT_STAT_CERTAINTY] * s.inverse2;
        enum slope_kind rest = s.logprob != 0 ? SLOPE_LOGPROB : SLOPE_NONE, kind = rest;
        if (s.entropy != 0 || s.certainty != 0) {
            kind = s.inverse1 == s.inverse2 && s.lse1 == s.lse2 ? SLOPE_SHARED : SLOPE_BOTH;
        }
        const float *z = (const void *)row_at(logits, r);
        int64_t target = targets[r] - part.first, few = within(part.some - part.first, part.v);
        slope_part(&s, z, 0, few, target, row_of(to, r), is_narrow(to), kind);
        slope_part(&s, z, few, part.v, target, row_of(to, r), is_narrow(to), rest);
    }
}

static enum it_status token_stats_bwd(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 5)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[1].shape[0], 24 * args->t[1].shape[1], slope_rows, args);
    return IT_OK;
}
