/* SPDX-License-Identifier: MIT */
/* sample: a group of WIDE items a row; each item owns a stretch of ids. Every filter is a lower
 * bound on the logit, found by bisection over the ordered bit patterns of floats, as in
 * core/tensor/ref_sample.c. Sums are pairs of floats (Knuth's two-sum): doubles are optional here,
 * and a draw should not hang on the rounding of a long sum. */

struct draw {
    global const float *z;
    long n, first, last; /* the item's stretch */
    float most, inverse;
    local float2 *mass;  /* [WIDE] */
};

static inline float2 add_to(float2 sum, float2 x)
{
    float s = sum.x + x.x, part = s - sum.x;
    float lost = (sum.x - (s - part)) + (x.x - part) + sum.y + x.y;
    float high = s + lost;
    return (float2)(high, lost - (high - s));
}

static inline bool at_least(float2 a, float2 b)
{
    return a.x > b.x || (a.x == b.x && a.y >= b.y);
}

static inline uint order_of(float x)
{
    uint bits = k_bits(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static inline float float_of(uint order)
{
    return k_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

static inline float mass_of(const struct draw *d, long j, float bound, float least, bool weighted)
{
    float z = d->z[j];
    if (!(z >= bound)) { return 0.0f; }
    if (!weighted) { return 1.0f; }
    float w = exp((z - d->most) * d->inverse);
    return w >= least ? w : 0.0f;
}

/* mass[item] for each stretch; returns their sum in the order of ids. Where it is not `wanted`
 * there is no work, but the barriers are met: some compilers want them outside of conditions. */
static float2 mass_from(const struct draw *d, bool wanted, float bound, float least, bool weighted)
{
    float2 sum = (float2)(0.0f, 0.0f);
    for (long j = wanted ? d->first : d->last; j < d->last; j++) {
        sum = add_to(sum, (float2)(mass_of(d, j, bound, least, weighted), 0.0f));
    }
    sync();
    d->mass[get_local_id(0)] = sum;
    sync();
    sum = (float2)(0.0f, 0.0f);
    for (int i = 0; i < WIDE; i++) { sum = add_to(sum, d->mass[i]); }
    return sum;
}

/* The highest bound in [low, most] from which at least `enough` remains; `low` where not wanted. */
static float highest_bound(const struct draw *d, bool wanted, float low, float2 enough,
                           bool weighted)
{
    uint from = order_of(low), to = order_of(d->most);
    for (int bit = 0; bit < 32; bit++) { /* a fixed count: there are barriers inside */
        uint middle = from < to ? from + (to - from) / 2 + 1 : from;
        float2 mass = mass_from(d, wanted, float_of(middle), 0.0f, weighted);
        bool remains = at_least(mass, enough);
        from = remains ? middle : from;
        to = remains || middle == from ? to : middle - 1;
    }
    return wanted ? float_of(from) : low;
}

/* a * (b.x + b.y) as a pair */
static inline float2 times(float a, float2 b)
{
    float high = a * b.x;
    return add_to((float2)(high, 0.0f), (float2)(fma(a, b.x, -high) + a * b.y, 0.0f));
}

/* The first id where the sum of those kept passes `goal`; mass holds the stretches' sums. */
static long invert(const struct draw *d, float bound, float least, float2 goal, long fallback)
{
    long size = (d->n + WIDE - 1) / WIDE, last = fallback;
    float2 sum = (float2)(0.0f, 0.0f);
    int i = 0;
    for (; i < WIDE && at_least(goal, add_to(sum, d->mass[i])); i++) {
        sum = add_to(sum, d->mass[i]);
    }
    for (long j = i * size; j < min((i + 1) * size, d->n); j++) {
        float w = mass_of(d, j, bound, least, true);
        if (w <= 0.0f) { continue; }
        sum = add_to(sum, (float2)(w, 0.0f));
        last = j;
        if (!at_least(goal, sum)) { return j; }
    }
    return last;
}

/* The first word of Philox for a row of keys. */
static uint first_word(global const uint *keys)
{
    return philox(keys[0], keys[1], (uint4)(keys[2], keys[3], keys[4], keys[5])).s0;
}

kernel void sample(global int *ids, global const float *logits, global const float *params,
                   global const uint *keys, local float *room, const struct draws p)
{
    local float2 *mass = (local float2 *)room;
    local float *shared = room + 2 * WIDE;
    local int *place = (local int *)(room + 3 * WIDE);
    long r = get_group_id(0), size = (p.columns + WIDE - 1) / WIDE, me = get_local_id(0);
    struct draw d = {logits + p.logits.at + r * p.logits.row, p.columns, me * size,
                     min((me + 1) * size, (long)p.columns), 0.0f, 0.0f, mass};
    global const float *how = params + p.params.at + r * p.params.row;
    float most = -INFINITY;
    long at = p.columns;
    for (long j = d.first; j < d.last; j++) {
        if (d.z[j] > most) {
            most = d.z[j];
            at = j;
        }
    }
    d.most = most_over(most, shared, WIDE);
    place[me] = (int)(most == d.most ? at : p.columns);
    sync();
    long greedy = p.columns;
    for (int i = 0; i < WIDE; i++) { greedy = min(greedy, (long)place[i]); }
    if (greedy == p.columns) { greedy = 0; }
    bool drawn = how[0] > 0.0f && isfinite(d.most);
    d.inverse = 1.0f / how[0];
    float bound = highest_bound(&d, drawn && how[1] >= 1.0f && how[1] < (float)p.columns, -INFINITY,
                                (float2)(floor(how[1]), 0.0f), false);
    bool nucleus = drawn && how[2] < 1.0f;
    float2 enough = times(how[2], mass_from(&d, nucleus, bound, 0.0f, true));
    bound = highest_bound(&d, nucleus, bound, enough, true);
    float2 total = mass_from(&d, drawn, bound, how[3], true);
    if (me != 0) { return; }
    /* u = (word + 1/2) / 2^32 as a pair: the high and the low 16 bits */
    uint word = first_word(keys + p.keys.at + r * p.keys.row);
    float2 goal = add_to(times((float)(word >> 16) * 0x1p-16f, total),
                         times(((float)(word & 0xffffu) + 0.5f) * 0x1p-32f, total));
    ids[p.ids.at + r] = (int)(drawn ? invert(&d, bound, how[3], goal, greedy) : greedy);
}
