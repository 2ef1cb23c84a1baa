/* SPDX-License-Identifier: MIT */
/* matmul of few rows, for GPUs: b is read once for ROWS of them. A work group makes ROWS x COLUMNS
 * of y; neighbours read neighbours along k, four at a time where they may. Zeros stand behind the
 * end of k up to a multiple of 16, as in matmul.comp: so equal that even a sum of -0 is. */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef IT_KERNEL_matmul_few_to_f32
#    define IT_TO_F32
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/product.glsl"

#define ROWS 16
#define COLUMNS 16
#define STEP 64
#define LINE (STEP + 1)
#define ITEMS 128
#define DOWN (ROWS * COLUMNS / ITEMS)

layout(local_size_x = ITEMS) in;
shared float a_tile[ROWS * LINE], b_tile[COLUMNS * LINE];

vec4 left_four(int i, int l)
{
    if (p.trans_a == 0 && p.a_aligned != 0 && i < p.m && l + 4 <= p.k) {
        return get_four(p.a, i * p.a_row + l);
    }
    return vec4(left(i, l), left(i, l + 1), left(i, l + 2), left(i, l + 3));
}

vec4 right_four(int l, int j)
{
    if (p.trans_b != 0 && p.b_aligned != 0 && j < p.n && l + 4 <= p.k) {
        return get_four(p.b, j * p.b_row + l);
    }
    return vec4(right(l, j), right(l + 1, j), right(l + 2, j), right(l + 3, j));
}

void load_tiles(int i0, int j0, int k0, int rows)
{
    for (int e = int(gl_LocalInvocationID.x); e < rows * STEP / 4; e += ITEMS) {
        int i = e / (STEP / 4), l = e % (STEP / 4) * 4;
        vec4 four = left_four(i0 + i, k0 + l);
        for (int x = 0; x < 4; x++) { a_tile[i * LINE + l + x] = four[x]; }
    }
    for (int e = int(gl_LocalInvocationID.x); e < COLUMNS * STEP / 4; e += ITEMS) {
        /* neighbours along the lines of b */
        int j = p.trans_b != 0 ? e / (STEP / 4) : e % COLUMNS;
        int l = (p.trans_b != 0 ? e % (STEP / 4) : e / COLUMNS) * 4;
        vec4 four = right_four(k0 + l, j0 + j);
        for (int x = 0; x < 4; x++) { b_tile[j * LINE + l + x] = four[x]; }
    }
}

void main()
{
    int i0 = int(gl_WorkGroupID.y) * ROWS, j0 = int(gl_WorkGroupID.x) * COLUMNS;
    int me = int(gl_LocalInvocationID.x), r = me / COLUMNS, j = me % COLUMNS;
    int rows = min(ROWS, p.m - i0);
    precise float sum[DOWN];
    for (int d = 0; d < DOWN; d++) { sum[d] = 0.0; }
    for (int k0 = 0; k0 < p.k; k0 += STEP) {
        int steps = min(STEP, (p.k - k0 + 15) / 16 * 16);
        load_tiles(i0, j0, k0, rows);
        barrier();
        for (int d = 0; d < DOWN; d++) {
            int i = r + d * (ROWS / DOWN);
            for (int l = 0; l < steps && i < rows; l++) {
                sum[d] = fma(a_tile[i * LINE + l], b_tile[j * LINE + l], sum[d]);
            }
        }
        barrier();
    }
    for (int d = 0; d < DOWN; d++) { put_element(i0 + r + d * (ROWS / DOWN), j0 + j, sum[d]); }
}
