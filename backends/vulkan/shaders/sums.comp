/* SPDX-License-Identifier: MIT */
/* sum_rows and sumsq, in chunks, then chunk after chunk. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { sums p; };

#if defined(IT_KERNEL_sum_rows)
/* partial[chunk][c]; groups along y are chunks */
void main()
{
    int c = int(gl_GlobalInvocationID.x), chunk = int(gl_WorkGroupID.y);
    int first = chunk * p.chunk, last = min(first + p.chunk, p.rows), to = chunk * p.columns + c;
    if (c >= p.columns) { return; }
    precise float sum = p.onto != 0 ? get_f32(p.partial, to) : 0.0;
    for (int r = first; r < last; r++) { sum = sum + get(p.x, r * p.x_row + c); }
    put_f32(p.partial, to, sum);
}
#elif defined(IT_KERNEL_add_partials)
/* y[c] += partial[0][c] + partial[1][c] + ...; `rows` counts the chunks */
void main()
{
    int c = int(gl_GlobalInvocationID.x);
    if (c >= p.columns) { return; }
    float sum = get_f32(p.y, c);
    for (int r = 0; r < p.rows; r++) { sum += get_f32(p.partial, r * p.columns + c); }
    put_f32(p.y, c, sum);
}
#else
/* partial[group] = sum of squares of the group's chunk; `rows` counts the chunks */
void main()
{
    for (int chunk = int(gl_WorkGroupID.x); chunk < p.rows; chunk += int(gl_NumWorkGroups.x)) {
        int first = chunk * p.chunk, last = first + min(p.chunk, p.columns - first);
        float sum = 0.0;
        for (int i = first + int(gl_LocalInvocationID.x); i < last; i += GROUP) {
            float value = get_f32(p.x, i);
            sum = fma(value, value, sum);
        }
        sum = group_sum(sum);
        if (gl_LocalInvocationID.x == 0) { put_f32(p.partial, chunk, sum); }
    }
}
#endif
