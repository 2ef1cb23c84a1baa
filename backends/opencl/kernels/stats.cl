/* SPDX-License-Identifier: MIT */
/* token_stats and its backward; the formulas are those of core/tensor/ref_stats.c. A group of WIDE
 * items walks each tile of a row twice: for the largest logit, then for the sums. */

/* columns of stats and state: enum it_stat and it_stat_state of core/tensor/ops.h */
enum { LOGPROB, ENTROPY, CERTAINTY, SUM_P2, MARGIN, LSE, LSE2, TOP, STATS };
enum { TARGET, MOST1, S1, S1_REST, MOST2, SECOND2, S2, S2_REST, A2, A2_REST, B2, B2_REST, G2,
       G2_REST };

/* What the sums are relative to: no logit has a weight where the largest is minus infinity. */
static inline float base_of(float most)
{
    return most > -INFINITY ? most : 0.0f;
}

/* Over the first n logits at one temperature, into local memory: m the largest, the second, then
 * s = sum exp(z - m), a = sum (z - m), b = sum exp(z - m) (z - m), g = sum exp(2 (z - m)). */
enum { MOST, SECOND, SUM_S, SUM_A, SUM_B, SUM_G, SUMS };

#ifdef IT_CPU

/* Two largest of what was seen and of (most, second). */
static inline void see(float most, float second, float *m, float *other)
{
    *other = fmax(fmax(*other, fmin(*m, most)), second);
    *m = fmax(*m, most);
}

/* Sixteen sums side by side, and those over blocks: a long sum in f32 would lose digits. */
static inline void sum_vocabulary(global const float *z, long n, float inverse,
                                  local float *shared, local float *sums)
{
    long whole = n / 16 * 16;
    float16 most = (float16)(-INFINITY), second = most, zero = (float16)(0.0f);
    float m = -INFINITY, other = -INFINITY, lanes[2][16];
    for (long j = 0; j < whole; j += 16) {
        float16 x = vload16(0, z + j) * inverse;
        second = fmax(second, fmin(most, x));
        most = fmax(most, x);
    }
    vstore16(most, 0, lanes[0]);
    vstore16(second, 0, lanes[1]);
    for (int i = 0; i < 16; i++) { see(lanes[0][i], lanes[1][i], &m, &other); }
    for (long j = whole; j < n; j++) { see(z[j] * inverse, -INFINITY, &m, &other); }
    float16 s = zero, a = zero, b = zero, g = zero;
    float base = base_of(m);
    for (long first = 0; first < whole; first += CPU_BLOCK) {
        float16 s1 = zero, a1 = zero, b1 = zero, g1 = zero;
        for (long j = first; j < min(first + CPU_BLOCK, whole); j += 16) {
            float16 x = vload16(0, z + j) * inverse - base, p = exp(x);
            s1 += p;
            a1 += x;
            b1 += select(zero, p * x, p > zero);
            g1 += p * p;
        }
        s += s1;
        a += a1;
        b += b1;
        g += g1;
    }
    float rest[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (long j = whole; j < n; j++) {
        float x = z[j] * inverse - base, p = exp(x);
        rest[0] += p;
        rest[1] += x;
        rest[2] += p > 0.0f ? p * x : 0.0f;
        rest[3] += p * p;
    }
    sums[MOST] = m;
    sums[SECOND] = other;
    sums[SUM_S] = across16(s) + rest[0];
    sums[SUM_A] = across16(a) + rest[1];
    sums[SUM_B] = across16(b) + rest[2];
    sums[SUM_G] = across16(g) + rest[3];
}

#else

static inline void sum_vocabulary(global const float *z, long n, float inverse,
                                  local float *shared, local float *sums)
{
    int me = get_local_id(0);
    float most = -INFINITY, second = -INFINITY;
    for (long j = me; j < n; j += WIDE) {
        float x = z[j] * inverse;
        second = x > most ? most : fmax(second, x);
        most = fmax(most, x);
    }
    float m = most_over(most, shared, WIDE);
    /* the second: the largest of the others, or the most again where two items have it */
    float holders = sum_over(most == m ? 1.0f : 0.0f, shared, WIDE);
    float other = most_over(most == m ? second : most, shared, WIDE);
    float s = 0.0f, a = 0.0f, b = 0.0f, g = 0.0f, base = base_of(m);
    for (long j = me; j < n; j += WIDE) {
        float x = z[j] * inverse - base, p = exp(x);
        s += p;
        a += x;
        b += p > 0.0f ? p * x : 0.0f;
        g += p * p;
    }
    s = sum_over(s, shared, WIDE);
    a = sum_over(a, shared, WIDE);
    b = sum_over(b, shared, WIDE);
    g = sum_over(g, shared, WIDE);
    if (me == 0) {
        sums[MOST] = m;
        sums[SECOND] = holders > 1.0f ? m : other;
        sums[SUM_S] = s;
        sums[SUM_A] = a;
        sums[SUM_B] = b;
        sums[SUM_G] = g;
    }
    sync();
}
#endif

/* A row so far, at one temperature. */
struct vocabulary {
    float most, second, s, a, b, g;
    long n;
};

/* The same sums relative to a larger most. */
static inline void lower(struct vocabulary *x, float most)
{
    if (x->most == most) { return; }
    float d = x->most - most, e = exp(d);
    x->a += (float)x->n * d;
    x->b = e > 0.0f ? e * (x->b + d * x->s) : 0.0f;
    x->s *= e;
    x->g *= e * e;
    x->most = most;
}

/* The sums of a tile's n logits; every item does the same. */
static inline void add_tile(struct vocabulary *x, local const float *sums, long n)
{
    struct vocabulary y = {sums[MOST], sums[SECOND], sums[SUM_S], sums[SUM_A], sums[SUM_B],
                           sums[SUM_G], n};
    if (n == 0) { return; }
    if (x->n == 0) {
        *x = y;
        return;
    }
    float low = fmin(x->most, y.most), most = fmax(x->most, y.most);
    lower(x, most);
    lower(&y, most);
    x->second = fmax(low, fmax(x->second, y.second));
    x->s += y.s;
    x->a += y.a;
    x->b += y.b;
    x->g += y.g;
    x->n += n;
}

static inline void put_state(global float *state, float target, const struct vocabulary *all,
                             const struct vocabulary *some)
{
    state[TARGET] = target;
    state[MOST1] = all->most;
    state[S1] = all->s;
    state[MOST2] = some->most;
    state[SECOND2] = some->second;
    state[S2] = some->s;
    state[A2] = some->a;
    state[B2] = some->b;
    state[G2] = some->g;
    state[S1_REST] = state[S2_REST] = state[A2_REST] = state[B2_REST] = state[G2_REST] = 0.0f;
}

static inline void put_stats(global float *y, float target, bool known,
                             const struct vocabulary *all, const struct vocabulary *some)
{
    float lse = all->most + log(all->s), s = some->s, log_s = log(s), n = (float)some->n;
    float second = some->second > -INFINITY ? exp(some->second - some->most) : 0.0f;
    y[LOGPROB] = known ? target - lse : 0.0f;
    y[ENTROPY] = log_s - some->b / s;
    y[CERTAINTY] = log_s - some->a / n - log(n);
    y[SUM_P2] = some->g / (s * s);
    y[MARGIN] = (1.0f - second) / s;
    y[LSE] = lse;
    y[LSE2] = some->most + log_s;
    y[TOP] = 1.0f / s;
}

kernel void token_stats(global float *stats, global float *states, global const float *logits,
                        global const int *targets, global const float *temps, local float *room,
                        const struct statistics p)
{
    local float *shared = room, *sums = room + WIDE;
    long r = get_group_id(0);
    global const float *z = logits + p.logits.at + r * p.logits.row;
    global float *state = states + p.state.at + r * p.state.row;
    float inverse1 = 1.0f / temps[p.temps.at], inverse2 = 1.0f / temps[p.temps.at + 1];
    struct vocabulary all = {0}, some = {0};
    float target = 0.0f;
    if (p.first > 0) {
        target = state[TARGET];
        all = (struct vocabulary){state[MOST1], -INFINITY, state[S1] + state[S1_REST],
                                  0.0f, 0.0f, 0.0f, p.first};
        some = (struct vocabulary){state[MOST2], state[SECOND2], state[S2] + state[S2_REST],
                                   state[A2] + state[A2_REST], state[B2] + state[B2_REST],
                                   state[G2] + state[G2_REST], min(p.first, p.some)};
    }
    for (long j = 0; j < p.columns; j += p.tile) {
        long n = min(p.tile, p.columns - j), counted = clamp(p.some - p.first - j, 0L, n);
        sum_vocabulary(z + j, n, inverse1, shared, sums);
        add_tile(&all, sums, n);
        if (counted == 0) { continue; }
        sum_vocabulary(z + j, counted, inverse2, shared, sums);
        add_tile(&some, sums, counted);
    }
    if (get_local_id(0) != 0) { return; }
    long id = targets[p.targets.at + r], at = id - p.first;
    if (at >= 0 && at < p.columns) { target = z[at] * inverse1; }
    if (p.first + p.columns < p.vocabulary) {
        put_state(state, target, &all, &some);
    } else {
        put_stats(stats + p.stats.at + r * p.stats.row, target, id >= 0 && id < p.vocabulary, &all,
                  &some);
    }
}

kernel void token_stats_bwd(global T *dlogits, global const float *logits,
                            global const int *targets, global const float *stats,
                            global const float *coefs, global const float *temps,
                            const struct statistics p)
{
    float inverse1 = 1.0f / temps[p.temps.at], inverse2 = 1.0f / temps[p.temps.at + 1];
    EACH_ROW (r, p.rows) {
        global const float *z = logits + p.logits.at + r * p.logits.row;
        global const float *y = stats + p.stats.at + r * p.stats.row;
        global const float *c = coefs + p.coefs.at + r * p.coefs.row;
        int id = targets[p.targets.at + r];
        long target = id - p.first, counted = p.some - p.first;
        bool known = id >= 0 && id < p.vocabulary;
        float c_logprob = known ? c[LOGPROB] * inverse1 : 0.0f;
        float c_entropy = c[ENTROPY] * inverse2, c_certainty = c[CERTAINTY] * inverse2;
        float lse = y[LSE], lse2 = y[LSE2], entropy = y[ENTROPY], each = 1.0f / (float)p.some;
        EACH_COLUMN (j, p.columns) {
            float d = c_logprob * ((j == target ? 1.0f : 0.0f) - exp(z[j] * inverse1 - lse));
            if (j < counted) {
                float log_p = z[j] * inverse2 - lse2, prob = exp(log_p);
                if (prob > 0.0f) { d -= c_entropy * prob * (log_p + entropy); }
                d += c_certainty * (prob - each);
            }
            put(dlogits, p.dlogits.at + r * p.dlogits.row + j, d);
        }
    }
}
