/* SPDX-License-Identifier: MIT */
/* matmul through shared memory, for GPUs: a work group makes ROWS x COLUMNS of y, an invocation
 * DOWN x ALONG of it. */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef IT_KERNEL_matmul_to_f32
#    define IT_TO_F32
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/product.glsl"

#define ROWS 64
#define DOWN 8
#define COLUMNS 64
#define ALONG 4
#define STEP 16
#define ITEMS 128

layout(local_size_x = ITEMS) in;
shared float a_tile[STEP][ROWS + 1], b_tile[STEP][COLUMNS + 4];

/* Neighbours read neighbours, whichever way the matrix lies. */
void load_tiles(int i0, int j0, int k0)
{
    for (int e = int(gl_LocalInvocationID.x); e < ROWS * STEP; e += ITEMS) {
        int l = p.trans_a != 0 ? e / ROWS : e % STEP, i = p.trans_a != 0 ? e % ROWS : e / STEP;
        a_tile[l][i] = left(i0 + i, k0 + l);
    }
    for (int e = int(gl_LocalInvocationID.x); e < COLUMNS * STEP; e += ITEMS) {
        int l = p.trans_b != 0 ? e % STEP : e / COLUMNS;
        int j = p.trans_b != 0 ? e / STEP : e % COLUMNS;
        b_tile[l][j] = right(k0 + l, j0 + j);
    }
}

void main()
{
    int i0 = int(gl_WorkGroupID.y) * ROWS, j0 = int(gl_WorkGroupID.x) * COLUMNS;
    int me = int(gl_LocalInvocationID.x), ti = me / (COLUMNS / ALONG) * DOWN;
    int tj = me % (COLUMNS / ALONG) * ALONG;
    precise vec4 sum[DOWN];
    for (int i = 0; i < DOWN; i++) { sum[i] = vec4(0.0); }
    for (int k0 = 0; k0 < p.k; k0 += STEP) {
        load_tiles(i0, j0, k0);
        barrier();
        for (int l = 0; l < STEP; l++) {
            vec4 b = vec4(b_tile[l][tj], b_tile[l][tj + 1], b_tile[l][tj + 2], b_tile[l][tj + 3]);
            for (int i = 0; i < DOWN; i++) { sum[i] = fma(vec4(a_tile[l][ti + i]), b, sum[i]); }
        }
        barrier();
    }
    for (int i = 0; i < DOWN; i++) {
        for (int j = 0; j < ALONG; j++) { put_element(i0 + ti + i, j0 + tj + j, sum[i][j]); }
    }
}
