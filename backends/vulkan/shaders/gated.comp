/* SPDX-License-Identifier: MIT */
/* swiglu and its backward: an invocation a column, groups along y walk the rows. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { gated p; };

void one(int r, int c)
{
    int at = r * p.gu_row + c, to = r * p.y_row + c;
    float gate = get(p.gu, at), up = get(p.gu, at + p.columns);
#ifdef IT_KERNEL_swiglu
    put(p.y, to, k_silu(gate) * up);
#else
    float d = get(p.dh, r * p.dh_row + c);
    put(p.y, to, d * up * k_silu_grad(gate));
    put(p.y, to + p.columns, d * k_silu(gate));
#endif
}

void main()
{
    int across = int(gl_NumWorkGroups.x) * GROUP, down = int(gl_NumWorkGroups.y);
    for (int r = int(gl_WorkGroupID.y); r < p.rows; r += down) {
        for (int c = int(gl_GlobalInvocationID.x); c < p.columns; c += across) { one(r, c); }
    }
}
