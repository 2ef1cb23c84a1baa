/* SPDX-License-Identifier: MIT */
/* matmul: the vendor's library where it is open and exactness is not asked for, else our kernels,
 * in which a row never depends on how many rows there are. */
#include "backends/cuda/cuda.h"

enum { FEW_ROWS = 16 };

static enum it_status own_matmul(struct it_cuda *cuda, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2],
                           *bias = &args->t[3];
    bool half = a->dtype == IT_BF16, half_y = y->dtype == IT_BF16;
    if (a->dtype != b->dtype || (bias->dtype != IT_NONE && bias->dtype != a->dtype) ||
        (!half && (a->dtype != IT_F32 || y->dtype != IT_F32)) ||
        (half && !half_y && y->dtype != IT_F32)) {
        return IT_UNSUPPORTED;
    }
    struct it_cuda_matmul p = {.y = it_cuda_view(y), .a = it_cuda_view(a), .b = it_cuda_view(b),
                               .bias = it_cuda_at(bias), .m = y->shape[0], .n = y->shape[1],
                               .k = a->shape[args->i[0] ? 0 : 1], .trans_a = (int)args->i[0],
                               .trans_b = (int)args->i[1], .accumulate = args->f[0] != 0.0};
    struct it_cuda_grid grid = {it_cuda_blocks(p.n, 128), it_cuda_blocks(p.m, 128), 256};
    enum it_cuda_kernel kernel = half_y ? IT_CUDA_gemm_mma_bf16 : IT_CUDA_gemm_mma_f32;
    if (!half) {
        grid = (struct it_cuda_grid){it_cuda_blocks(p.n, 64), it_cuda_blocks(p.m, 64), 256};
        kernel = IT_CUDA_gemm_f32_f32;
    } else if (p.m <= FEW_ROWS) {
        grid = (struct it_cuda_grid){it_cuda_blocks(p.n, 32), 1, 128};
        kernel = half_y ? IT_CUDA_gemm_mma_few_bf16 : IT_CUDA_gemm_mma_few_f32;
        if (!p.trans_a && p.trans_b && p.k % 8 == 0 && it_cuda_wide(&p.a) && it_cuda_wide(&p.b)) {
            unsigned warps = p.n >= 8192 ? 4 : p.n >= 4096 ? 2 : 1; /* narrow: more blocks */
            grid = (struct it_cuda_grid){it_cuda_blocks(p.n, 8 * warps), 1, 32 * warps};
            kernel = half_y ? IT_CUDA_gemm_stream_bf16 : IT_CUDA_gemm_stream_f32;
        }
    }
    return cuda->launch(cuda, kernel, grid, &p, sizeof p);
}

enum it_status it_cuda_matmul(struct it_device *device, const struct it_args *args)
{
    struct it_cuda *cuda = it_cuda_of(device);
    if (cuda->library_matmul && !cuda->exact) {
        enum it_status status = cuda->library_matmul(cuda, args);
        if (status != IT_UNSUPPORTED) { return status; }
    }
    return own_matmul(cuda, args);
}
