/* SPDX-License-Identifier: MIT */
/* sample: a group a row; each invocation owns a stretch of ids. Every filter is a lower bound on
 * the logit, found by bisection over the ordered bit patterns of floats, as in
 * core/tensor/ref_sample.c. Sums are pairs of floats (Knuth's two-sum): doubles are optional here,
 * and a draw should not hang on the rounding of a long sum. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"
#include "backends/vulkan/shaders/philox.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { draws p; };

shared vec2 mass[GROUP]; /* of each stretch */
shared int place[GROUP];

struct draw {
    int row, first, last; /* where the logits begin; this invocation's stretch */
    float most, inverse;
};

vec2 add_to(vec2 sum, vec2 x)
{
    precise float s = sum.x + x.x;
    precise float part = s - sum.x;
    precise float lost = (sum.x - (s - part)) + (x.x - part) + sum.y + x.y;
    precise float high = s + lost;
    precise float low = lost - (high - s);
    return vec2(high, low);
}

/* a * (b.x + b.y) as a pair; the error of the first product by Dekker's splitting, for a fused
 * multiplication is not promised */
vec2 times(float a, vec2 b)
{
    float a1 = k_float(k_bits(a) & 0xfffff000u), b1 = k_float(k_bits(b.x) & 0xfffff000u);
    precise float a2 = a - a1, b2 = b.x - b1;
    precise float high = a * b.x;
    precise float lost = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2 + a * b.y;
    return add_to(vec2(high, 0.0), vec2(lost, 0.0));
}

bool at_least(vec2 a, vec2 b)
{
    return a.x > b.x || (a.x == b.x && a.y >= b.y);
}

uint order_of(float x)
{
    uint bits = k_bits(x);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

float float_of(uint order)
{
    return k_float((order & 0x80000000u) != 0 ? order & 0x7fffffffu : ~order);
}

float mass_of(draw d, int j, float bound, float least, bool weighted)
{
    float z = get_f32(p.logits, d.row + j);
    if (!(z >= bound)) { return 0.0; }
    if (!weighted) { return 1.0; }
    precise float w = k_exp((z - d.most) * d.inverse);
    return w >= least ? w : 0.0;
}

/* mass[i] for each stretch; returns their sum in the order of ids. Where it is not `wanted` there
 * is no work, but the barriers are met. */
vec2 mass_from(draw d, bool wanted, float bound, float least, bool weighted)
{
    vec2 sum = vec2(0.0);
    for (int j = wanted ? d.first : d.last; j < d.last; j++) {
        sum = add_to(sum, vec2(mass_of(d, j, bound, least, weighted), 0.0));
    }
    barrier();
    mass[gl_LocalInvocationID.x] = sum;
    barrier();
    sum = vec2(0.0);
    for (int i = 0; i < GROUP; i++) { sum = add_to(sum, mass[i]); }
    return sum;
}

/* The highest bound in [low, most] from which at least `enough` remains; `low` where not wanted. */
float highest_bound(draw d, bool wanted, float low, vec2 enough, bool weighted)
{
    uint from = order_of(low), to = order_of(d.most);
    for (int bit = 0; bit < 32; bit++) { /* a fixed count: there are barriers inside */
        uint middle = from < to ? from + (to - from) / 2 + 1 : from;
        bool open = wanted && from < to;
        bool remains = at_least(mass_from(d, open, float_of(middle), 0.0, weighted), enough);
        if (open) {
            from = remains ? middle : from;
            to = remains ? to : middle - 1;
        }
    }
    return wanted ? float_of(from) : low;
}

/* The first id where the sum of those kept passes `goal`; mass holds the stretches' sums. */
int invert(draw d, float bound, float least, vec2 goal, int otherwise)
{
    int size = (p.columns + GROUP - 1) / GROUP, last = otherwise, i = 0;
    vec2 sum = vec2(0.0);
    for (; i < GROUP && at_least(goal, add_to(sum, mass[i])); i++) { sum = add_to(sum, mass[i]); }
    for (int j = i * size; j < min((i + 1) * size, p.columns); j++) {
        float w = mass_of(d, j, bound, least, true);
        if (w <= 0.0) { continue; }
        sum = add_to(sum, vec2(w, 0.0));
        last = j;
        if (!at_least(goal, sum)) { return j; }
    }
    return last;
}

/* The first word of Philox for a row of keys. */
uint first_word(int keys)
{
    Words words = Words(p.keys);
    return philox(words.at[keys], words.at[keys + 1],
                  uvec4(words.at[keys + 2], words.at[keys + 3], words.at[keys + 4],
                        words.at[keys + 5])).x;
}

/* The first largest logit; not-a-number never wins. */
int find_most(inout draw d)
{
    int me = int(gl_LocalInvocationID.x), at = p.columns, best = p.columns;
    float most = -k_float(0x7f800000u);
    for (int j = d.first; j < d.last; j++) {
        float z = get_f32(p.logits, d.row + j);
        if (z > most) {
            most = z;
            at = j;
        }
    }
    d.most = group_max(most);
    place[me] = most == d.most ? at : p.columns;
    barrier();
    for (int i = 0; i < GROUP; i++) { best = min(best, place[i]); }
    barrier();
    return best == p.columns ? 0 : best;
}

void row(int r)
{
    int size = (p.columns + GROUP - 1) / GROUP, me = int(gl_LocalInvocationID.x);
    int how = r * p.params_row;
    float temperature = get_f32(p.params, how), top_k = get_f32(p.params, how + 1);
    float top_p = get_f32(p.params, how + 2), min_p = get_f32(p.params, how + 3);
    float none = -k_float(0x7f800000u);
    draw d = draw(r * p.logits_row, min(me * size, p.columns), min((me + 1) * size, p.columns), 0.0,
                  1.0 / temperature);
    int greedy = find_most(d);
    bool drawn = temperature > 0.0 && abs(d.most) < k_float(0x7f800000u);
    bool counted = drawn && top_k >= 1.0 && top_k < float(p.columns);
    float bound = highest_bound(d, counted, none, vec2(floor(top_k), 0.0), false);
    bool nucleus = drawn && top_p < 1.0;
    vec2 enough = times(top_p, mass_from(d, nucleus, bound, 0.0, true));
    bound = highest_bound(d, nucleus, bound, enough, true);
    vec2 total = mass_from(d, drawn, bound, min_p, true);
    if (me == 0) {
        /* u = (word + 1/2) / 2^32 as a pair: the high and the low 16 bits */
        uint word = first_word(r * p.keys_row);
        vec2 high = times(float(word >> 16) / 65536.0, total);
        vec2 low = times((float(word & 0xffffu) + 0.5) / 65536.0 / 65536.0, total);
        int id = drawn ? invert(d, bound, min_p, add_to(high, low), greedy) : greedy;
        Ints(p.ids).at[r] = id;
    }
    barrier();
}

void main()
{
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) { row(r); }
}
