/* SPDX-License-Identifier: MIT */
/* fill, copy, scale_add: an invocation a column, groups along y walk the rows. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { elements p; };

float value_at(int r, int c)
{
#if defined(IT_KERNEL_fill)
    return p.alpha;
#elif defined(IT_KERNEL_copy_from_f32)
    return get_f32(p.a, r * p.a_row + c);
#elif defined(IT_KERNEL_copy_from_bf16)
    return get_bf16(p.a, r * p.a_row + c);
#else
    precise float x = p.alpha * get(p.a, r * p.a_row + c);
    precise float y = p.beta * get(p.b, r * p.b_row + c);
    precise float sum = x + y;
    return sum;
#endif
}

void main()
{
    int across = int(gl_NumWorkGroups.x) * GROUP, down = int(gl_NumWorkGroups.y);
    for (int r = int(gl_WorkGroupID.y); r < p.rows; r += down) {
        for (int c = int(gl_GlobalInvocationID.x); c < p.columns; c += across) {
            put(p.y, r * p.y_row + c, value_at(r, c));
        }
    }
}
