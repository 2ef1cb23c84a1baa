/* SPDX-License-Identifier: MIT */
/* gather_rows, kv_write: a group a row. scatter_add_rows: an invocation owns a column, so that rows
 * are added in their order. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { move p; };

#ifdef IT_KERNEL_scatter_add_rows
void main()
{
    int across = int(gl_NumWorkGroups.x) * GROUP;
    for (int c = int(gl_GlobalInvocationID.x); c < p.columns; c += across) {
        for (int r = 0; r < p.rows; r++) {
            int id = get_int(p.ids, r);
            if (id < 0 || id >= p.limit) { continue; }
            int at = id * p.y_row + c;
            put_f32(p.y, at, get_f32(p.y, at) + get(p.x, r * p.x_row + c));
        }
    }
}
#else
void one(int r, int id, int c)
{
    bool known = id >= 0 && id < p.limit;
#ifdef IT_KERNEL_gather_rows
    put(p.y, r * p.y_row + c, known ? get(p.x, id * p.x_row + c) : 0.0);
#else
    if (!known) { return; }
    put(p.y, id * p.y_row + c, get(p.x, r * p.x_row + c));
    put(p.y2, id * p.y2_row + c, get(p.x2, r * p.x2_row + c));
#endif
}

void main()
{
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) {
        int id = get_int(p.ids, r);
        for (int c = int(gl_LocalInvocationID.x); c < p.columns; c += GROUP) { one(r, id, c); }
    }
}
#endif
