/* SPDX-License-Identifier: MIT */
/* attn, attn_bwd, attn_decode: on tensor cores where the types and sizes allow it and exactness is
 * not asked for; else a warp a query (or key) and head, where decoding is equal to the bit. */
#include "backends/cuda/cuda.h"

enum { WARPS = 4, MOST_WIDTH = 256 };

static struct it_cuda_attn shape(const struct it_args *args, const struct it_tensor *q,
                                 const struct it_tensor *k)
{
    return (struct it_cuda_attn){.q = it_cuda_view(q), .k = it_cuda_view(k), .rows = q->shape[0],
                                 .key_rows = k->shape[0], .heads = (int)args->i[0],
                                 .kv_heads = (int)args->i[1],
                                 .width = (int)(q->shape[1] / args->i[0]),
                                 .scale = (float)args->f[0]};
}

static void set_segments(struct it_cuda_attn *p, const struct it_tensor *segs)
{
    p->segs = it_cuda_view(segs);
    p->segments = (int)segs->shape[0];
}

static enum it_status launch(struct it_device *device, enum it_cuda_kernel kernel,
                             const struct it_cuda_attn *p, int64_t warps)
{
    struct it_cuda *cuda = it_cuda_of(device);
    struct it_cuda_grid grid = {it_cuda_blocks(warps, WARPS), 1, 32 * WARPS};
    return cuda->launch(cuda, kernel, grid, p, sizeof *p);
}

/* ---- tensor cores ---- */

enum { MMA_ROWS = 64, MMA_THREADS = 128, MMA_HEADS = 16 };

/* The kernel for this width of a head, of two that follow each other in kernels.def. */
static bool pick_mma(const struct it_cuda *cuda, const struct it_cuda_attn *p,
                     enum it_dtype dtype, enum it_cuda_kernel of_64,
                     enum it_cuda_kernel *kernel_out)
{
    *kernel_out = p->width == 64 ? of_64 : of_64 + 1;
    return !cuda->exact && dtype == IT_BF16 && (p->width == 64 || p->width == 128);
}

/* A segment's last block of queries may be short: there are at most this many blocks. */
static struct it_cuda_grid query_grid(const struct it_cuda_attn *p)
{
    return (struct it_cuda_grid){it_cuda_blocks(p->rows, MMA_ROWS) + p->segments, p->heads,
                                 MMA_THREADS};
}

enum it_status it_cuda_attn(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *q = &args->t[2];
    struct it_cuda_attn p = shape(args, q, &args->t[3]);
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(q->dtype, IT_CUDA_attn_f32, &kernel) || p.width > MOST_WIDTH) {
        return IT_UNSUPPORTED;
    }
    p.y = it_cuda_view(&args->t[0]);
    p.lse = it_cuda_view(&args->t[1]);
    p.v = it_cuda_view(&args->t[4]);
    set_segments(&p, &args->t[5]);
    enum it_cuda_kernel mma;
    if (pick_mma(it_cuda_of(device), &p, q->dtype, IT_CUDA_attn_mma_64, &mma)) {
        struct it_cuda *cuda = it_cuda_of(device);
        return cuda->launch(cuda, mma, query_grid(&p), &p, sizeof p);
    }
    return launch(device, kernel, &p, p.rows * p.heads);
}

/* A row's keys in splits: enough blocks to fill a device, as few as the scratch holds sums of. The
 * length that counts is the table's, which is known when the step is recorded. */
static void set_splits(const struct it_cuda *cuda, struct it_cuda_attn *p)
{
    enum { SMALLEST = 64, USUAL = 256, BLOCKS = 512 };
    int64_t most = (int64_t)p->pages * p->page, groups = p->rows * p->kv_heads;
    int64_t room = (int64_t)(cuda->scratch_bytes / sizeof(float)) /
                   (p->rows * p->heads * (p->width + 2) + 1);
    int64_t split = groups * it_cuda_blocks(most, USUAL) < BLOCKS ? SMALLEST : USUAL;
    while (split < most && it_cuda_blocks(most, split) > room) { split *= 2; }
    p->split = (int)split;
    p->splits = (int)it_cuda_blocks(most, split);
}

static enum it_status decode_split(struct it_cuda *cuda, struct it_cuda_attn *p,
                                   enum it_cuda_kernel kernel)
{
    set_splits(cuda, p);
    p->delta = cuda->scratch;
    struct it_cuda_grid grid = {p->rows * p->kv_heads * p->splits, 1, MMA_THREADS};
    IT_TRY(cuda->launch(cuda, kernel, grid, p, sizeof *p));
    if (p->splits == 1) { return IT_OK; }
    grid = (struct it_cuda_grid){p->rows * p->heads, 1, (unsigned)p->width};
    return cuda->launch(cuda, IT_CUDA_attn_join, grid, p, sizeof *p);
}

enum it_status it_cuda_attn_decode(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *q = &args->t[1], *table = &args->t[4];
    struct it_cuda_attn p = shape(args, q, &args->t[2]);
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(q->dtype, IT_CUDA_attn_decode_f32, &kernel) || p.width > MOST_WIDTH) {
        return IT_UNSUPPORTED;
    }
    p.y = it_cuda_view(&args->t[0]);
    p.v = it_cuda_view(&args->t[3]);
    p.table = it_cuda_view(table);
    p.pages = (int)table->shape[1];
    p.length = it_cuda_at(&args->t[5]);
    p.page = (int)args->i[2];
    enum it_cuda_kernel mma;
    int64_t most = (int64_t)p.pages * p.page;
    if (pick_mma(it_cuda_of(device), &p, q->dtype, IT_CUDA_attn_split_64, &mma) &&
        p.heads / p.kv_heads <= MMA_HEADS && it_cuda_wide(&p.k) && it_cuda_wide(&p.v) &&
        most > 0 && most < 1 << 30) {
        return decode_split(it_cuda_of(device), &p, mma);
    }
    return launch(device, kernel, &p, p.rows * p.heads);
}

enum it_status it_cuda_attn_bwd(struct it_device *device, const struct it_args *args)
{
    struct it_cuda *cuda = it_cuda_of(device);
    const struct it_tensor *q = &args->t[4];
    struct it_cuda_attn p = shape(args, q, &args->t[5]);
    enum it_cuda_kernel delta, dq, dkv;
    if (!it_cuda_pick(q->dtype, IT_CUDA_attn_delta_f32, &delta) || p.width > MOST_WIDTH ||
        (size_t)p.rows * (size_t)p.heads * sizeof(float) > cuda->scratch_bytes) {
        return IT_UNSUPPORTED;
    }
    it_cuda_pick(q->dtype, IT_CUDA_attn_dq_f32, &dq);
    it_cuda_pick(q->dtype, IT_CUDA_attn_dkv_f32, &dkv);
    p.dq = it_cuda_view(&args->t[0]);
    p.dk = it_cuda_view(&args->t[1]);
    p.dv = it_cuda_view(&args->t[2]);
    p.dy = it_cuda_view(&args->t[3]);
    p.v = it_cuda_view(&args->t[6]);
    p.y = it_cuda_view(&args->t[7]);
    p.lse = it_cuda_view(&args->t[8]);
    set_segments(&p, &args->t[9]);
    p.delta = cuda->scratch;
    IT_TRY(launch(device, delta, &p, p.rows * p.heads));
    enum it_cuda_kernel mma_dq, mma_dkv;
    if (pick_mma(cuda, &p, q->dtype, IT_CUDA_attn_mma_dq_64, &mma_dq)) {
        pick_mma(cuda, &p, q->dtype, IT_CUDA_attn_mma_dkv_64, &mma_dkv);
        struct it_cuda_grid keys = {it_cuda_blocks(p.key_rows, MMA_ROWS), p.kv_heads, MMA_THREADS};
        IT_TRY(device->kernel[IT_OP_FILL](device, &(struct it_args){.t = {args->t[0]}}));
        IT_TRY(cuda->launch(cuda, mma_dq, query_grid(&p), &p, sizeof p));
        return cuda->launch(cuda, mma_dkv, keys, &p, sizeof p);
    }
    IT_TRY(launch(device, dq, &p, p.rows * p.heads));
    return launch(device, dkv, &p, p.key_rows * p.kv_heads);
}
