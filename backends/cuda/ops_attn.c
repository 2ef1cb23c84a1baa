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
    bool counted = groups <= IT_CUDA_COUNTERS - IT_CUDA_QUEUE; /* else who is last? */
    while (split < most && (!counted || it_cuda_blocks(most, split) > room)) { split *= 2; }
    p->split = (int)split;
    p->splits = (int)it_cuda_blocks(most, split);
}

static void set_pages(struct it_cuda_attn *p, const struct it_tensor *table,
                      const struct it_tensor *length, int64_t page)
{
    p->table = it_cuda_view(table);
    p->pages = (int)table->shape[1];
    p->length = it_cuda_at(length);
    p->page = (int)page;
}

/* The kernel and the grid of a decode step's attention: tensor cores where they may, by the one of
 * 64 columns, else a warp a head. */
static struct it_cuda_grid decode_grid(struct it_cuda *cuda, struct it_cuda_attn *p,
                                       enum it_dtype dtype, enum it_cuda_kernel of_64,
                                       enum it_cuda_kernel *kernel)
{
    enum it_cuda_kernel mma;
    int64_t most = (int64_t)p->pages * p->page;
    if (!pick_mma(cuda, p, dtype, of_64, &mma) || p->heads / p->kv_heads > MMA_HEADS ||
        !it_cuda_wide(&p->k) || !it_cuda_wide(&p->v) || most <= 0 || most >= 1 << 30) {
        return (struct it_cuda_grid){it_cuda_blocks(p->rows * p->heads, WARPS), 1, 32 * WARPS};
    }
    *kernel = mma;
    set_splits(cuda, p);
    p->delta = cuda->scratch;
    p->done = cuda->counters + IT_CUDA_QUEUE;
    return (struct it_cuda_grid){p->rows * p->kv_heads * p->splits, 1, MMA_THREADS};
}

enum it_status it_cuda_attn_decode(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *q = &args->t[1];
    struct it_cuda_attn p = shape(args, q, &args->t[2]);
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(q->dtype, IT_CUDA_attn_decode_f32, &kernel) || p.width > MOST_WIDTH) {
        return IT_UNSUPPORTED;
    }
    p.y = it_cuda_view(&args->t[0]);
    p.v = it_cuda_view(&args->t[3]);
    set_pages(&p, &args->t[4], &args->t[5], args->i[2]);
    struct it_cuda *cuda = it_cuda_of(device);
    struct it_cuda_grid grid = decode_grid(cuda, &p, q->dtype, IT_CUDA_attn_split_64, &kernel);
    return cuda->launch(cuda, kernel, grid, &p, sizeof p);
}

/* Both are by the thousands only where nothing would be gained by more. */
static bool in_a_queue(struct it_cuda_grid *grid, struct it_cuda_attn_step *p)
{
    int64_t products = p->out.b.at ? it_cuda_blocks(p->out.n, IT_CUDA_STEP_COLUMNS) : 0;
    if (grid->x + products > INT32_MAX) { return false; }
    p->attn_blocks = (unsigned)grid->x;
    grid->x += products;
    p->blocks = (unsigned)grid->x;
    return true;
}

enum it_status it_cuda_attn_step(struct it_device *device, const struct it_args *args)
{
    struct it_cuda *cuda = it_cuda_of(device);
    const struct it_tensor *y = &args->t[0], *out = &args->t[3], *qnorm = &args->t[5],
                           *angles = &args->t[7];
    struct it_cuda_attn_step step = {.attn = shape(args, y, &args->t[1]),
                                     .queue = cuda->counters};
    struct it_cuda_attn *p = &step.attn;
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(y->dtype, IT_CUDA_attn_step_f32, &kernel) || p->width > MOST_WIDTH ||
        angles->dtype != IT_F32 || p->rows > IT_CUDA_FEW_ROWS) {
        return IT_UNSUPPORTED;
    }
    p->y = it_cuda_view(y);
    p->q = it_cuda_view(&args->t[4]);
    p->v = it_cuda_view(&args->t[2]);
    p->qnorm = it_cuda_at(qnorm);
    p->knorm = it_cuda_at(&args->t[6]);
    p->norm_all = p->qnorm && qnorm->shape[0] != p->width;
    p->eps = (float)args->f[1];
    p->angles = it_cuda_view(angles);
    p->angle_rows = angles->shape[0];
    p->positions = it_cuda_at(&args->t[8]);
    p->written = it_cuda_at(&args->t[9]);
    set_pages(p, &args->t[10], &args->t[11], args->i[2]);
    if (out->dtype != IT_NONE) {
        step.out = (struct it_cuda_product){.y = it_cuda_view(out), .a = p->y,
                                            .b = it_cuda_view(&args->t[12]),
                                            .residual = it_cuda_view(&args->t[13]),
                                            .m = p->rows, .n = out->shape[1], .k = y->shape[1]};
    }
    struct it_cuda_grid grid = decode_grid(cuda, p, y->dtype, IT_CUDA_attn_step_64, &kernel);
    if (!in_a_queue(&grid, &step)) { return IT_UNSUPPORTED; }
    return cuda->launch(cuda, kernel, grid, &step, sizeof step);
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
