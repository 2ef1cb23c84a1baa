/* SPDX-License-Identifier: MIT */
/* rmsnorm and its backward. A row is a group's; dw is summed in chunks of rows, a column an
 * invocation's. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { norm p; };

#if defined(IT_KERNEL_rmsnorm)
void row(int r)
{
    int from = r * p.x_row, to = r * p.y_row, me = int(gl_LocalInvocationID.x);
    float sum = 0.0;
    for (int c = me; c < p.columns; c += GROUP) {
        float value = get(p.x, from + c);
        sum = fma(value, value, sum);
    }
    float scale = 1.0 / sqrt(group_sum(sum) / float(p.columns) + p.eps);
    if (me == 0) { put_f32(p.rstd, r, scale); }
    for (int c = me; c < p.columns; c += GROUP) {
        put(p.y, to + c, get(p.x, from + c) * scale * get(p.w, c));
    }
}
#elif defined(IT_KERNEL_rmsnorm_dx)
/* dx = rstd (g - z mean(g z)), with z = x rstd and g = dy w */
void row(int r)
{
    int in_x = r * p.x_row, in_dy = r * p.dy_row, me = int(gl_LocalInvocationID.x);
    float scale = get_f32(p.rstd, r), sum = 0.0;
    for (int c = me; c < p.columns; c += GROUP) {
        sum += get(p.dy, in_dy + c) * get(p.w, c) * (get(p.x, in_x + c) * scale);
    }
    float mean = group_sum(sum) / float(p.columns);
    for (int c = me; c < p.columns; c += GROUP) {
        float g = get(p.dy, in_dy + c) * get(p.w, c), z = get(p.x, in_x + c) * scale;
        put(p.y, r * p.y_row + c, scale * (g - z * mean));
    }
}
#endif

#ifdef IT_KERNEL_rmsnorm_dw
/* partial[chunk][c]; groups along y are chunks */
void main()
{
    int c = int(gl_GlobalInvocationID.x), chunk = int(gl_WorkGroupID.y);
    int first = chunk * p.chunk, last = min(first + p.chunk, p.rows), to = chunk * p.columns + c;
    if (c >= p.columns) { return; }
    precise float sum = p.onto != 0 ? get_f32(p.partial, to) : 0.0;
    for (int r = first; r < last; r++) {
        precise float z = get(p.x, r * p.x_row + c) * get_f32(p.rstd, r);
        precise float dz = get(p.dy, r * p.dy_row + c) * z;
        sum = sum + dz;
    }
    put_f32(p.partial, to, sum);
}
#else
void main()
{
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) { row(r); }
}
#endif
