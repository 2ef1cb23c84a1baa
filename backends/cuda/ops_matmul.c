/* SPDX-License-Identifier: MIT */
/* matmul: the vendor's library where it is open and exactness is not asked for, else our kernels,
 * in which a row never depends on how many rows there are. project: ours. */
#include "backends/cuda/cuda.h"

/* Products of few rows; the fewer columns, the narrower a block, so that there are more of them. */
static enum it_status launch_product(struct it_cuda *cuda, const struct it_cuda_product *p,
                                     bool half_y, bool half)
{
    static const enum it_cuda_kernel narrowest[2][2] = {
        {IT_CUDA_product_f32_f32_8, IT_CUDA_product_f32_bf16_8},
        {IT_CUDA_product_f32_f32_8, IT_CUDA_product_bf16_bf16_8},
    };
    int64_t columns = p->n * (1 + p->gated);
    unsigned step = columns >= 8192 ? 2 : columns >= 4096 ? 1 : 0;
    struct it_cuda_grid grid = {it_cuda_blocks(columns, 8 << step), p->m > 0, 32u << step};
    return cuda->launch(cuda, narrowest[half_y][half] + step, grid, p, sizeof *p);
}

enum it_status it_cuda_project(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    bool half = x->dtype == IT_BF16;
    if ((!half && x->dtype != IT_F32) || x->shape[0] > IT_CUDA_FEW_ROWS) { return IT_UNSUPPORTED; }
    struct it_cuda_product p = {.y = it_cuda_view(y), .a = it_cuda_view(x),
                                .b = it_cuda_view(&args->t[3]),
                                .residual = it_cuda_view(&args->t[5]),
                                .bias = it_cuda_at(&args->t[4]), .gain = it_cuda_at(&args->t[2]),
                                .m = x->shape[0], .n = y->shape[1], .k = x->shape[1],
                                .eps = (float)args->f[0], .gated = (int)args->i[0]};
    return launch_product(it_cuda_of(device), &p, half, half);
}

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
    if (p.m <= IT_CUDA_FEW_ROWS && !p.trans_a && p.trans_b) {
        struct it_cuda_product few = {.y = p.y, .a = p.a, .b = p.b, .bias = p.bias, .m = p.m,
                                      .n = p.n, .k = p.k, .accumulate = p.accumulate};
        return launch_product(cuda, &few, half_y, half);
    }
    if (!half) {
        grid = (struct it_cuda_grid){it_cuda_blocks(p.n, 64), it_cuda_blocks(p.m, 64), 256};
        kernel = IT_CUDA_gemm_f32_f32;
    } else if (p.m <= IT_CUDA_FEW_ROWS) {
        grid = (struct it_cuda_grid){it_cuda_blocks(p.n, 32), 1, 128};
        kernel = half_y ? IT_CUDA_gemm_mma_few_bf16 : IT_CUDA_gemm_mma_few_f32;
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
