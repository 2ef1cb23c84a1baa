/* SPDX-License-Identifier: MIT */
/* Reference kernels: token_stats and its backward. Formulas, with z the logits over a temperature:
 *
 *     lse = m + ln s           m = max z, s = sum exp(z - m)
 *     log-prob = z_y - lse     certainty = lse - mean z - ln V      entropy = ln s - b / s
 *     sum p^2 = g / s^2        b = sum exp(z - m) (z - m), g = sum exp(2 (z - m))
 *
 * The mean is that of z - m, so that nothing large is added up (KL(U||p) of arXiv 2505.19590). Sums
 * are those of tiles, relative to the tile's own m; with d = m' - m and e = exp(d) the same sums
 * relative to a larger m are e s', a' + n d, e (b' + d s') and e^2 g'. */
#include "core/tensor/ref_internal.h"

/* Sums over some logits of a row at one temperature. */
struct vocabulary_sums {
    real most, second; /* of z; second is -inf where n is 1 */
    real s, a, b, g;   /* a = sum (z - m) */
    int64_t n;
};

static void find_top_two(const struct it_tensor *logits, int64_t row, int64_t begin, int64_t end,
                         real inverse, struct vocabulary_sums *sums)
{
    sums->most = sums->second = -INFINITY;
    for (int64_t j = begin; j < end; ++j) {
        real z = ref_at(logits, row, j) * inverse;
        if (z > sums->most) {
            sums->second = sums->most;
            sums->most = z;
        } else if (z > sums->second) {
            sums->second = z;
        }
    }
}

/* Of a tile, columns [begin, end) of the logits. */
static struct vocabulary_sums sum_tile(const struct it_tensor *logits, int64_t row, int64_t begin,
                                       int64_t end, real inverse)
{
    struct vocabulary_sums sums = {.n = end - begin};
    find_top_two(logits, row, begin, end, inverse, &sums);
    real most = sums.most > -INFINITY ? sums.most : 0; /* none has a weight then: exp(-inf) is 0 */
    for (int64_t start = begin; start < end; start += REF_TILE) {
        int64_t stop = start + REF_TILE < end ? start + REF_TILE : end;
        real s = 0, a = 0, b = 0, g = 0;
        for (int64_t j = start; j < stop; ++j) {
            real x = ref_at(logits, row, j) * inverse - most, p = ref_exp(x);
            s += p;
            a += x;
            b += p > 0 ? p * x : 0; /* a logit of minus infinity has no weight */
            g += p * p;
        }
        sums.s += s;
        sums.a += a;
        sums.b += b;
        sums.g += g;
    }
    return sums;
}

/* The same sums relative to a larger most. */
static void lower(struct vocabulary_sums *sums, real most)
{
    if (sums->most == most) { return; }
    real d = sums->most - most, e = ref_exp(d);
    sums->a += (real)sums->n * d;
    sums->b = e > 0 ? e * (sums->b + d * sums->s) : 0;
    sums->s *= e;
    sums->g *= e * e;
    sums->most = most;
}

static void merge(struct vocabulary_sums *sums, struct vocabulary_sums tile)
{
    if (tile.n == 0) { return; }
    if (sums->n == 0) {
        *sums = tile;
        return;
    }
    real low = tile.most < sums->most ? tile.most : sums->most;
    real most = tile.most > sums->most ? tile.most : sums->most;
    lower(sums, most);
    lower(&tile, most);
    if (tile.second > sums->second) { sums->second = tile.second; }
    if (low > sums->second) { sums->second = low; }
    sums->s += tile.s;
    sums->a += tile.a;
    sums->b += tile.b;
    sums->g += tile.g;
    sums->n += tile.n;
}

/* A row between its parts: at the two temperatures, and z of the target. */
struct row_state {
    struct vocabulary_sums all, some;
    real target;
};

static real get_sum(const struct it_tensor *state, int64_t row, int column)
{
    return ref_at(state, row, column) + ref_at(state, row, column + 1);
}

static void put_sum(const struct it_tensor *state, int64_t row, int column, real sum)
{
    ref_put(state, row, column, sum);
    real rest = sum - ref_at(state, row, column);
    ref_put(state, row, column + 1, rest - rest == 0 ? rest : 0); /* an infinity has none */
}

static struct row_state get_state(const struct it_tensor *state, int64_t row)
{
    return (struct row_state){
        .all = {.most = ref_at(state, row, IT_STATE_MOST),
                .second = -INFINITY,
                .s = get_sum(state, row, IT_STATE_S)},
        .some = {.most = ref_at(state, row, IT_STATE_MOST2),
                 .second = ref_at(state, row, IT_STATE_SECOND2),
                 .s = get_sum(state, row, IT_STATE_S2),
                 .a = get_sum(state, row, IT_STATE_A2),
                 .b = get_sum(state, row, IT_STATE_B2),
                 .g = get_sum(state, row, IT_STATE_G2)},
        .target = ref_at(state, row, IT_STATE_TARGET),
    };
}

static void put_state(const struct it_tensor *state, int64_t row, const struct row_state *r)
{
    ref_put(state, row, IT_STATE_TARGET, r->target);
    ref_put(state, row, IT_STATE_MOST, r->all.most);
    put_sum(state, row, IT_STATE_S, r->all.s);
    ref_put(state, row, IT_STATE_MOST2, r->some.most);
    ref_put(state, row, IT_STATE_SECOND2, r->some.second);
    put_sum(state, row, IT_STATE_S2, r->some.s);
    put_sum(state, row, IT_STATE_A2, r->some.a);
    put_sum(state, row, IT_STATE_B2, r->some.b);
    put_sum(state, row, IT_STATE_G2, r->some.g);
}

static void put_stats(const struct it_tensor *stats, int64_t row, const struct row_state *r,
                      bool known)
{
    const struct vocabulary_sums *all = &r->all, *some = &r->some;
    real lse = all->most + ref_log(all->s), log_s = ref_log(some->s), n = (real)some->n;
    real second = some->second > -INFINITY ? ref_exp(some->second - some->most) : 0;
    ref_put(stats, row, IT_STAT_LOGPROB, known ? r->target - lse : 0);
    ref_put(stats, row, IT_STAT_ENTROPY, log_s - some->b / some->s);
    ref_put(stats, row, IT_STAT_CERTAINTY, log_s - some->a / n - ref_log(n));
    ref_put(stats, row, IT_STAT_SUM_P2, some->g / (some->s * some->s));
    ref_put(stats, row, IT_STAT_MARGIN, (1 - second) / some->s);
    ref_put(stats, row, IT_STAT_LSE, lse);
    ref_put(stats, row, IT_STAT_LSE2, some->most + log_s);
    ref_put(stats, row, IT_STAT_TOP, 1 / some->s);
}

/* A part of the vocabulary: columns [first, first + v) of `all`, statistics over `some`. */
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

static int64_t within(int64_t n, int64_t most)
{
    return n < 0 ? 0 : n < most ? n : most;
}

enum it_status REF(token_stats)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *stats = &args->t[0], *state = &args->t[1], *logits = &args->t[2],
                           *targets = &args->t[3], *temps = &args->t[4];
    struct part part = part_of(args, logits);
    real inverse1 = 1 / ref_get(temps, 0), inverse2 = 1 / ref_get(temps, 1);
    for (int64_t i = 0; i < logits->shape[0]; ++i) {
        struct row_state row = {0};
        if (part.first > 0) { row = get_state(state, i); }
        row.all.n = part.first;
        row.some.n = within(part.first, part.some);
        for (int64_t begin = 0; begin < part.v; begin += IT_STATS_TILE) {
            int64_t end = begin + within(part.v - begin, IT_STATS_TILE);
            int64_t some = begin + within(part.some - part.first - begin, end - begin);
            merge(&row.all, sum_tile(logits, i, begin, end, inverse1));
            merge(&row.some, sum_tile(logits, i, begin, some, inverse2));
        }
        int64_t target = ref_id(targets, i), at = target - part.first;
        if (at >= 0 && at < part.v) { row.target = ref_at(logits, i, at) * inverse1; }
        if (part.first + part.v < part.all) {
            put_state(state, i, &row);
        } else {
            put_stats(stats, i, &row, target >= 0 && target < part.all);
        }
    }
    return IT_OK;
}

/* d log-prob / dz_j = (1[j = y] - p_j) / T1; at T2, over its vocabulary of V:
 * d entropy / dz_j = -p_j (ln p_j + H) / T2, d certainty / dz_j = (p_j - 1/V) / T2. */
enum it_status REF(token_stats_bwd)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *dlogits = &args->t[0], *logits = &args->t[1], *targets = &args->t[2],
                           *stats = &args->t[3], *coefs = &args->t[4], *temps = &args->t[5];
    struct part part = part_of(args, logits);
    real inverse1 = 1 / ref_get(temps, 0), inverse2 = 1 / ref_get(temps, 1);
    for (int64_t i = 0; i < logits->shape[0]; ++i) {
        int64_t target = ref_id(targets, i);
        bool known = target >= 0 && target < part.all;
        real c_logprob = known ? ref_at(coefs, i, IT_STAT_LOGPROB) * inverse1 : 0;
        real c_entropy = ref_at(coefs, i, IT_STAT_ENTROPY) * inverse2;
        real c_certainty = ref_at(coefs, i, IT_STAT_CERTAINTY) * inverse2;
        real lse = ref_at(stats, i, IT_STAT_LSE), lse2 = ref_at(stats, i, IT_STAT_LSE2);
        real entropy = ref_at(stats, i, IT_STAT_ENTROPY);
        for (int64_t j = 0; j < part.v; ++j) {
            int64_t id = part.first + j;
            real z = ref_at(logits, i, j);
            real d = c_logprob * ((id == target ? 1 : 0) - ref_exp(z * inverse1 - lse));
            if (id < part.some) {
                real log_p = z * inverse2 - lse2, p = ref_exp(log_p);
                if (p > 0) { d -= c_entropy * p * (log_p + entropy); }
                d += c_certainty * (p - 1 / (real)part.some);
            }
            ref_put(dlogits, i, j, d);
        }
    }
    return IT_OK;
}
