/* SPDX-License-Identifier: MIT */
/* token_stats and its backward; the formulas are those of core/tensor/ref_stats.c. A group of WIDE
 * items walks a row twice: for the largest logit, then for the sums. */

/* columns of stats: enum it_stat of core/tensor/ops.h */
enum { LOGPROB, ENTROPY, CERTAINTY, SUM_P2, MARGIN, LSE, LSE2, TOP, STATS };

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
    for (long first = 0; first < whole; first += CPU_BLOCK) {
        float16 s1 = zero, a1 = zero, b1 = zero, g1 = zero;
        for (long j = first; j < min(first + CPU_BLOCK, whole); j += 16) {
            float16 x = vload16(0, z + j) * inverse - m, p = exp(x);
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
        float x = z[j] * inverse - m, p = exp(x);
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
    float s = 0.0f, a = 0.0f, b = 0.0f, g = 0.0f;
    for (long j = me; j < n; j += WIDE) {
        float x = z[j] * inverse - m, p = exp(x);
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

kernel void token_stats(global float *stats, global const float *logits, global const int *targets,
                        global const float *temps, local float *room,
                        const struct statistics p)
{
    local float *shared = room, *all = room + WIDE, *some = all + SUMS;
    long r = get_group_id(0);
    global const float *z = logits + p.logits.at + r * p.logits.row;
    float inverse1 = 1.0f / temps[p.temps.at], inverse2 = 1.0f / temps[p.temps.at + 1];
    sum_vocabulary(z, p.columns, inverse1, shared, all);
    sum_vocabulary(z, p.some, inverse2, shared, some);
    if (get_local_id(0) == 0) {
        float lse = all[MOST] + log(all[SUM_S]), n = (float)p.some;
        float s = some[SUM_S], log_s = log(s);
        int target = targets[p.targets.at + r];
        bool known = target >= 0 && target < p.columns;
        global float *y = stats + p.stats.at + r * p.stats.row;
        float second = some[SECOND] > -INFINITY ? exp(some[SECOND] - some[MOST]) : 0.0f;
        y[LOGPROB] = known ? z[target] * inverse1 - lse : 0.0f;
        y[ENTROPY] = log_s - some[SUM_B] / s;
        y[CERTAINTY] = log_s - some[SUM_A] / n - log(n);
        y[SUM_P2] = some[SUM_G] / (s * s);
        y[MARGIN] = (1.0f - second) / s;
        y[LSE] = lse;
        y[LSE2] = some[MOST] + log_s;
        y[TOP] = 1.0f / s;
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
        int target = targets[p.targets.at + r];
        bool known = target >= 0 && target < p.columns;
        float c_logprob = known ? c[LOGPROB] * inverse1 : 0.0f;
        float c_entropy = c[ENTROPY] * inverse2, c_certainty = c[CERTAINTY] * inverse2;
        float lse = y[LSE], lse2 = y[LSE2], entropy = y[ENTROPY], each = 1.0f / (float)p.some;
        EACH_COLUMN (j, p.columns) {
            float d = c_logprob * ((j == target ? 1.0f : 0.0f) - exp(z[j] * inverse1 - lse));
            if (j < p.some) {
                float log_p = z[j] * inverse2 - lse2, prob = exp(log_p);
                if (prob > 0.0f) { d -= c_entropy * prob * (log_p + entropy); }
                d += c_certainty * (prob - each);
            }
            put(dlogits, p.dlogits.at + r * p.dlogits.row + j, d);
        }
    }
}
