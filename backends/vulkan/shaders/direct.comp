/* SPDX-License-Identifier: MIT */
/* matmul for processors, where shared memory and barriers cost more than they save: an invocation
 * makes DOWN x ALONG of y from registers. */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef IT_KERNEL_matmul_direct_to_f32
#    define IT_TO_F32
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/product.glsl"

#define DOWN 4
#define ALONG 4

layout(local_size_x = 8) in;

void main()
{
    int j0 = int(gl_GlobalInvocationID.x) * ALONG, i0 = int(gl_WorkGroupID.y) * DOWN;
    if (j0 >= p.n) { return; }
    precise vec4 sum[DOWN];
    for (int i = 0; i < DOWN; i++) { sum[i] = vec4(0.0); }
    for (int l = 0; l < p.k; l++) {
        vec4 b = vec4(right(l, j0), right(l, j0 + 1), right(l, j0 + 2), right(l, j0 + 3));
        for (int i = 0; i < DOWN; i++) { sum[i] = fma(vec4(left(i0 + i, l)), b, sum[i]); }
    }
    for (int i = 0; i < DOWN; i++) {
        for (int j = 0; j < ALONG; j++) { put_element(i0 + i, j0 + j, sum[i][j]); }
    }
}
