/* SPDX-License-Identifier: MIT */
/* For products in f16 fragments: a power of two for each row of op(a), then for each column of
 * op(b), that brings its largest number to 2^13 .. 2^14. What is not finite is left out: it stays
 * so whatever it is multiplied by. Groups along y: 0 for a, 1 for b. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/product.glsl"

layout(local_size_x = GROUP) in;
shared uint largest[GROUP];

uint magnitude(uvec2 m, int at)
{
    uint x = get_half(m, at) & 0x7fffu;
    return x < 0x7f80u ? x : 0u;
}

/* of a bf16's bits; 2^126 at most, so that its inverse is a normal number too */
float scale_of(uint most)
{
    int exponent = 127 + 13 + 127 - int(most >> 7);
    return most == 0u ? 1.0 : uintBitsToFloat(uint(min(exponent, 253)) << 23);
}

/* Vectors that lie along the lines: a group each. */
void along(uvec2 m, int row, int count, int first)
{
    int me = int(gl_LocalInvocationID.x);
    for (int i = int(gl_WorkGroupID.x); i < count; i += int(gl_NumWorkGroups.x)) {
        uint most = 0u;
        for (int l = me; l < p.k; l += GROUP) { most = max(most, magnitude(m, i * row + l)); }
        largest[me] = most;
        barrier();
        for (int step = GROUP / 2; step > 0; step /= 2) {
            if (me < step) { largest[me] = max(largest[me], largest[me + step]); }
            barrier();
        }
        if (me == 0) { put_f32(p.scales, first + i, scale_of(largest[0])); }
        barrier();
    }
}

/* Vectors that lie across: an invocation each, so that neighbours read neighbours. */
void across(uvec2 m, int row, int count, int first)
{
    int step = int(gl_NumWorkGroups.x) * GROUP;
    for (int i = int(gl_GlobalInvocationID.x); i < count; i += step) {
        uint most = 0u;
        for (int l = 0; l < p.k; l++) { most = max(most, magnitude(m, l * row + i)); }
        put_f32(p.scales, first + i, scale_of(most));
    }
}

void main()
{
    if (gl_WorkGroupID.y == 0) {
        if (p.trans_a != 0) { across(p.a, p.a_row, p.m, 0); } else { along(p.a, p.a_row, p.m, 0); }
    } else if (p.trans_b != 0) {
        along(p.b, p.b_row, p.n, p.m);
    } else {
        across(p.b, p.b_row, p.n, p.m);
    }
}
