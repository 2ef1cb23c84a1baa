/* SPDX-License-Identifier: MIT */
/* rope: a group a row, an invocation a pair. A position outside the table leaves NaN: wrong, and
 * seen to be. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { turn p; };

void turn_pair(int r, int i, int row, bool known)
{
    int half_width = p.width / 2, j = i % half_width;
    int u = r * p.x_row + i / half_width * p.width + j, v = u + half_width;
    float c = known ? get_f32(p.table, row + j) : k_float(0x7fc00000u);
    float s = get_f32(p.table, row + half_width + j) * p.sign;
    float a = get(p.x, u), b = get(p.x, v);
    precise float ac = a * c, bs = b * s, bc = b * c, as = a * s;
    precise float first = ac - bs, second = bc + as;
    put(p.x, u, first);
    put(p.x, v, second);
}

void main()
{
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) {
        int position = get_int(p.positions, r);
        bool known = position >= 0 && position < p.table_rows;
        int row = (known ? position : 0) * p.table_row;
        for (int i = int(gl_LocalInvocationID.x); i < p.columns / 2; i += GROUP) {
            turn_pair(r, i, row, known);
        }
    }
}
