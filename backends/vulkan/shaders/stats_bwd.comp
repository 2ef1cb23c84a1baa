/* SPDX-License-Identifier: MIT */
/* token_stats_bwd: an invocation a column, groups along y walk the rows; the formulas are those of
 * core/tensor/ref_stats.c. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { statistics p; };

void row(int r, float inverse1, float inverse2)
{
    int id = get_int(p.targets, r), stats = r * p.stats_row, coefs = r * p.coefs_row;
    int target = id - p.first, counted = p.some - p.first;
    bool known = id >= 0 && id < p.vocabulary;
    float entropy = get_f32(p.stats, stats + 1), lse = get_f32(p.stats, stats + 5);
    float lse2 = get_f32(p.stats, stats + 6), each = 1.0 / float(p.some);
    float c_logprob = known ? get_f32(p.coefs, coefs) * inverse1 : 0.0;
    float c_entropy = get_f32(p.coefs, coefs + 1) * inverse2;
    float c_certainty = get_f32(p.coefs, coefs + 2) * inverse2;
    int across = int(gl_NumWorkGroups.x) * GROUP;
    for (int j = int(gl_GlobalInvocationID.x); j < p.columns; j += across) {
        float z = get_f32(p.logits, r * p.logits_row + j);
        float d = c_logprob * ((j == target ? 1.0 : 0.0) - k_exp(z * inverse1 - lse));
        if (j < counted) {
            float log_p = z * inverse2 - lse2, prob = k_exp(log_p);
            if (prob > 0.0) { d -= c_entropy * prob * (log_p + entropy); }
            d += c_certainty * (prob - each);
        }
        put(p.dlogits, r * p.dlogits_row + j, d);
    }
}

void main()
{
    float inverse1 = 1.0 / get_f32(p.temps, 0), inverse2 = 1.0 / get_f32(p.temps, 1);
    for (int r = int(gl_WorkGroupID.y); r < p.rows; r += int(gl_NumWorkGroups.y)) {
        row(r, inverse1, inverse2);
    }
}
