/* SPDX-License-Identifier: MIT */
/* What the files of this backend share. The ops know a launcher and nothing of the driver, so that
 * the tests can run the very same code on the host. */
#ifndef IT_CUDA_CUDA_H
#define IT_CUDA_CUDA_H

#include "backends/cuda/params.h"
#include "core/tensor/backend.h"

enum it_cuda_kernel {
#define KERNEL(name, params) IT_CUDA_##name,
#define TYPED(name, params) IT_CUDA_##name##_f32, IT_CUDA_##name##_bf16,
#include "backends/cuda/kernels.def"
#undef KERNEL
#undef TYPED
    IT_CUDA_KERNELS
};

extern const char *const it_cuda_kernel_names[IT_CUDA_KERNELS];

/* Blocks, threads a block. */
struct it_cuda_grid {
    int64_t x, y;
    unsigned threads;
};

struct it_cuda {
    /* Queue a kernel; `params` is copied. */
    enum it_status (*launch)(struct it_cuda *cuda, enum it_cuda_kernel kernel,
                             struct it_cuda_grid grid, const void *params, size_t size);
    /* A vendor's matrix product; IT_UNSUPPORTED where it does not do a case. NULL: none. */
    enum it_status (*library_matmul)(struct it_cuda *cuda, const struct it_args *args);
    float *scratch; /* device memory for partial sums, used within one op */
    size_t scratch_bytes;
    unsigned *counters; /* device memory, zeros between kernels */
    bool exact;
};

enum {
    IT_CUDA_SCRATCH = 32 << 20, /* bytes, the counters at their end */
    IT_CUDA_COUNTERS = 1 << 16, /* words, zeroed when the device is opened */
    IT_CUDA_QUEUE = 32,         /* of these, for the blocks of a kernel that wait for each other */
    IT_CUDA_FEW_ROWS = 16       /* of a product that streams its weights; of fused ops */
};

/* Put this backend's rows into the kernel table. */
void it_cuda_fill_table(struct it_device *device);

/* ---- for the files of ops ---- */

static inline struct it_cuda *it_cuda_of(struct it_device *device)
{
    return device->data;
}

static inline void *it_cuda_at(const struct it_tensor *t)
{
    return t->dtype == IT_NONE ? NULL : (char *)t->buffer->handle + t->offset;
}

/* A matrix, or a vector as one row. */
static inline struct it_cuda_view it_cuda_view(const struct it_tensor *t)
{
    return (struct it_cuda_view){it_cuda_at(t), t->rank > 1 ? t->stride[0] : 0};
}

/* May rows of bf16 be read 16 bytes at a time? */
static inline bool it_cuda_wide(const struct it_cuda_view *v)
{
    return v->row % 8 == 0 && (uintptr_t)v->at % 16 == 0;
}

static inline int64_t it_cuda_blocks(int64_t count, int64_t each)
{
    return (count + each - 1) / each;
}

/* The kernel of a pair from TYPED for this type; false for types without kernels. */
static inline bool it_cuda_pick(enum it_dtype dtype, enum it_cuda_kernel f32,
                                enum it_cuda_kernel *kernel_out)
{
    *kernel_out = dtype == IT_BF16 ? f32 + 1 : f32;
    return dtype == IT_F32 || dtype == IT_BF16;
}

it_kernel it_cuda_matmul, it_cuda_project, it_cuda_attn, it_cuda_attn_bwd, it_cuda_attn_decode,
    it_cuda_attn_step;

#endif
