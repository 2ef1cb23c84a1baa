/* SPDX-License-Identifier: MIT */
/* token_stats; the formulas are those of core/tensor/ref_stats.c. A group walks a row twice: for
 * the largest logit, then for the sums. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { statistics p; };

/* Over the first logits of a row at one temperature: the largest, the second, then s = sum
 * exp(z - m), a = sum (z - m), b = sum exp(z - m) (z - m), g = sum exp(2 (z - m)). */
struct vocabulary {
    float most, second, s, a, b, g;
};

vocabulary sum_vocabulary(int from, int n, float inverse)
{
    const float none = -k_float(0x7f800000u);
    int me = int(gl_LocalInvocationID.x);
    vocabulary sums;
    float most = none, second = none;
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
    float s = 0.0, a = 0.0, b = 0.0, g = 0.0;
    for (int j = me; j < n; j += GROUP) {
        float x = get_f32(p.logits, from + j) * inverse - sums.most, e = k_exp(x);
        s += e;
        a += x;
        b += e > 0.0 ? e * x : 0.0;
        g += e * e;
    }
    sums.s = group_sum(s);
    sums.a = group_sum(a);
    sums.b = group_sum(b);
    sums.g = group_sum(g);
    return sums;
}

/* columns of stats: enum it_stat of core/tensor/ops.h */
void put_stats(int r, float inverse, vocabulary all, vocabulary some)
{
    int target = get_int(p.targets, r), to = r * p.stats_row;
    bool known = target >= 0 && target < p.columns;
    float lse = all.most + k_log(all.s), log_s = k_log(some.s), n = float(p.some);
    float second = some.second > LOWEST ? k_exp(some.second - some.most) : 0.0;
    float z = get_f32(p.logits, r * p.logits_row + (known ? target : 0));
    put_f32(p.stats, to + 0, known ? z * inverse - lse : 0.0);
    put_f32(p.stats, to + 1, log_s - some.b / some.s);
    put_f32(p.stats, to + 2, log_s - some.a / n - k_log(n));
    put_f32(p.stats, to + 3, some.g / (some.s * some.s));
    put_f32(p.stats, to + 4, (1.0 - second) / some.s);
    put_f32(p.stats, to + 5, lse);
    put_f32(p.stats, to + 6, some.most + log_s);
    put_f32(p.stats, to + 7, 1.0 / some.s);
}

void main()
{
    float inverse1 = 1.0 / get_f32(p.temps, 0), inverse2 = 1.0 / get_f32(p.temps, 1);
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) {
        vocabulary all = sum_vocabulary(r * p.logits_row, p.columns, inverse1);
        vocabulary some = sum_vocabulary(r * p.logits_row, p.some, inverse2);
        if (gl_LocalInvocationID.x == 0) { put_stats(r, inverse1, all, some); }
    }
}
