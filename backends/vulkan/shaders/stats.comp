/* SPDX-License-Identifier: MIT */
/* token_stats; the formulas are those of core/tensor/ref_stats.c. A group walks each tile of a row
 * twice: for the largest logit, then for the sums. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { statistics p; };

#define NONE (-k_float(0x7f800000u))

/* Over n logits of a row at one temperature: the largest, the second, then s = sum exp(z - m),
 * a = sum (z - m), b = sum exp(z - m) (z - m), g = sum exp(2 (z - m)). */
struct vocabulary {
    float most, second, s, a, b, g;
    int n;
};

vocabulary sum_tile(int from, int n, float inverse)
{
    int me = int(gl_LocalInvocationID.x);
    vocabulary sums;
    float most = NONE, second = NONE;
    for (int j = me; j < n; j += GROUP) {
        float x = get_f32(p.logits, from + j) * inverse;
        second = x > most ? most : max(second, x);
        most = max(most, x);
    }
    sums.most = group_max(most);
    /* the second: the largest of the others, or the most again where two hold it */
    float holders = group_sum(most == sums.most ? 1.0 : 0.0);
    float other = group_max(most == sums.most ? second : most);
    sums.second = holders > 1.0 ? sums.most : other;
    /* no logit has a weight where the largest is minus infinity */
    float base = sums.most > LOWEST ? sums.most : 0.0;
    float s = 0.0, a = 0.0, b = 0.0, g = 0.0;
    for (int j = me; j < n; j += GROUP) {
        float x = get_f32(p.logits, from + j) * inverse - base, e = k_exp(x);
        s += e;
        a += x;
        b += e > 0.0 ? e * x : 0.0;
        g += e * e;
    }
    sums.s = group_sum(s);
    sums.a = group_sum(a);
    sums.b = group_sum(b);
    sums.g = group_sum(g);
    sums.n = n;
    return sums;
}

/* The same sums relative to a larger most. */
void lower(inout vocabulary x, float most)
{
    if (x.most == most) { return; }
    float d = x.most - most, e = k_exp(d);
    x.a += float(x.n) * d;
    x.b = e > 0.0 ? e * (x.b + d * x.s) : 0.0;
    x.s *= e;
    x.g *= e * e;
    x.most = most;
}

void add_tile(inout vocabulary x, vocabulary y)
{
    if (x.n == 0) {
        x = y;
        return;
    }
    float low = min(x.most, y.most), most = max(x.most, y.most);
    lower(x, most);
    lower(y, most);
    x.second = max(low, max(x.second, y.second));
    x.s += y.s;
    x.a += y.a;
    x.b += y.b;
    x.g += y.g;
    x.n += y.n;
}

/* ---- the state; its columns: enum it_stat_state of core/tensor/ops.h ---- */

float get_sum(int at)
{
    return get_f32(p.state, at) + get_f32(p.state, at + 1);
}

void get_state(int r, out float target, out vocabulary all, out vocabulary some)
{
    int at = r * p.state_row;
    target = 0.0;
    all = some = vocabulary(NONE, NONE, 0.0, 0.0, 0.0, 0.0, 0);
    if (p.first == 0) { return; }
    target = get_f32(p.state, at);
    all.most = get_f32(p.state, at + 1);
    all.s = get_sum(at + 2);
    all.n = p.first;
    some = vocabulary(get_f32(p.state, at + 4), get_f32(p.state, at + 5), get_sum(at + 6),
                      get_sum(at + 8), get_sum(at + 10), get_sum(at + 12), min(p.first, p.some));
}

void put_sum(int at, float sum)
{
    put_f32(p.state, at, sum);
    put_f32(p.state, at + 1, 0.0);
}

void put_state(int r, float target, vocabulary all, vocabulary some)
{
    int to = r * p.state_row;
    put_f32(p.state, to, target);
    put_f32(p.state, to + 1, all.most);
    put_sum(to + 2, all.s);
    put_f32(p.state, to + 4, some.most);
    put_f32(p.state, to + 5, some.second);
    put_sum(to + 6, some.s);
    put_sum(to + 8, some.a);
    put_sum(to + 10, some.b);
    put_sum(to + 12, some.g);
}

/* columns of stats: enum it_stat of core/tensor/ops.h */
void put_stats(int r, bool known, float target, vocabulary all, vocabulary some)
{
    int to = r * p.stats_row;
    float lse = all.most + k_log(all.s), log_s = k_log(some.s), n = float(some.n);
    float second = some.second > LOWEST ? k_exp(some.second - some.most) : 0.0;
    put_f32(p.stats, to + 0, known ? target - lse : 0.0);
    put_f32(p.stats, to + 1, log_s - some.b / some.s);
    put_f32(p.stats, to + 2, log_s - some.a / n - k_log(n));
    put_f32(p.stats, to + 3, some.g / (some.s * some.s));
    put_f32(p.stats, to + 4, (1.0 - second) / some.s);
    put_f32(p.stats, to + 5, lse);
    put_f32(p.stats, to + 6, some.most + log_s);
    put_f32(p.stats, to + 7, 1.0 / some.s);
}

/* Every invocation keeps the sums; the first writes them. */
void row(int r, float inverse1, float inverse2)
{
    float target;
    vocabulary all, some;
    get_state(r, target, all, some);
    for (int j = 0; j < p.columns; j += p.tile) {
        int n = min(p.tile, p.columns - j), counted = clamp(p.some - p.first - j, 0, n);
        add_tile(all, sum_tile(r * p.logits_row + j, n, inverse1));
        if (counted > 0) { add_tile(some, sum_tile(r * p.logits_row + j, counted, inverse2)); }
    }
    if (gl_LocalInvocationID.x != 0) { return; }
    int id = get_int(p.targets, r), at = id - p.first;
    if (at >= 0 && at < p.columns) { target = get_f32(p.logits, r * p.logits_row + at) * inverse1; }
    if (p.first + p.columns < p.vocabulary) {
        put_state(r, target, all, some);
    } else {
        put_stats(r, id >= 0 && id < p.vocabulary, target, all, some);
    }
}

void main()
{
    float inverse1 = 1.0 / get_f32(p.temps, 0), inverse2 = 1.0 / get_f32(p.temps, 1);
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) {
        row(r, inverse1, inverse2);
    }
}
