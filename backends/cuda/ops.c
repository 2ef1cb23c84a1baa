/* SPDX-License-Identifier: MIT */
/* The ops whose work is walking over memory: parameters, grids, launches. */
#include "backends/cuda/cuda.h"

enum { THREADS = 256, GRID_Y = 65535, ROW_BLOCKS = 1 << 20, CHUNK_ROWS = 512 };

const char *const it_cuda_kernel_names[IT_CUDA_KERNELS] = {
#define KERNEL(name, params) #name,
#define TYPED(name, params) #name "_f32", #name "_bf16",
#include "backends/cuda/kernels.def"
#undef KERNEL
#undef TYPED
};

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

#define LAUNCH(device, kernel, grid, params)                                                       \
    it_cuda_of(device)->launch(it_cuda_of(device), kernel, grid, &(params), sizeof(params))

/* ---- element by element ---- */

static struct it_cuda_grid elements_grid(int64_t rows, int64_t columns)
{
    enum { EACH = 8 }; /* columns a thread */
    return (struct it_cuda_grid){it_cuda_blocks(columns, EACH * THREADS), at_most(rows, GRID_Y),
                                 THREADS};
}

static enum it_status fill(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(y->dtype, IT_CUDA_fill_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_elements p = {.y = it_cuda_view(y), .rows = y->shape[0],
                                 .columns = y->shape[1], .alpha = (float)args->f[0]};
    return LAUNCH(device, kernel, elements_grid(p.rows, p.columns), p);
}

static enum it_status copy(struct it_device *device, const struct it_args *args)
{
    static const enum it_cuda_kernel kernels[2][2] = {
        {IT_CUDA_copy_f32_f32, IT_CUDA_copy_f32_bf16},
        {IT_CUDA_copy_bf16_f32, IT_CUDA_copy_bf16_bf16},
    };
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    const unsigned known = 1u << IT_F32 | 1u << IT_BF16;
    if (!(1u << y->dtype & known) || !(1u << x->dtype & known)) { return IT_UNSUPPORTED; }
    struct it_cuda_elements p = {.y = it_cuda_view(y), .a = it_cuda_view(x), .rows = y->shape[0],
                                 .columns = y->shape[1]};
    return LAUNCH(device, kernels[y->dtype == IT_BF16][x->dtype == IT_BF16],
                  elements_grid(p.rows, p.columns), p);
}

static enum it_status scale_add(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(y->dtype, IT_CUDA_scale_add_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_elements p = {.y = it_cuda_view(y), .a = it_cuda_view(&args->t[1]),
                                 .b = it_cuda_view(&args->t[2]), .rows = y->shape[0],
                                 .columns = y->shape[1], .alpha = (float)args->f[0],
                                 .beta = (float)args->f[1]};
    return LAUNCH(device, kernel, elements_grid(p.rows, p.columns), p);
}

static enum it_status swiglu(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *h = &args->t[0];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(h->dtype, IT_CUDA_swiglu_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_swiglu p = {.y = it_cuda_view(h), .gu = it_cuda_view(&args->t[1]),
                               .rows = h->shape[0], .columns = h->shape[1]};
    return LAUNCH(device, kernel, elements_grid(p.rows, p.columns), p);
}

static enum it_status swiglu_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dh = &args->t[1];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(dh->dtype, IT_CUDA_swiglu_bwd_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_swiglu p = {.y = it_cuda_view(&args->t[0]), .dh = it_cuda_view(dh),
                               .gu = it_cuda_view(&args->t[2]), .rows = dh->shape[0],
                               .columns = dh->shape[1]};
    return LAUNCH(device, kernel, elements_grid(p.rows, p.columns), p);
}

static enum it_status adamw(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *w = &args->t[0], *m = &args->t[1];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(w->dtype, IT_CUDA_adamw_f32, &kernel) || m->dtype != IT_F32) {
        return IT_UNSUPPORTED;
    }
    struct it_cuda_adamw p = {.w = it_cuda_at(w), .m = it_cuda_at(m), .v = it_cuda_at(&args->t[2]),
                              .lo = it_cuda_at(&args->t[3]), .grad = it_cuda_at(&args->t[4]),
                              .scalars = it_cuda_at(&args->t[5]), .keys = it_cuda_at(&args->t[6]),
                              .count = w->shape[0]};
    enum { EACH = 4 }; /* elements a thread */
    int64_t blocks = it_cuda_blocks(p.count, EACH * THREADS);
    struct it_cuda_grid grid = {at_most(blocks, ROW_BLOCKS), 1, THREADS};
    return LAUNCH(device, kernel, grid, p);
}

static enum it_status adamw8(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *w = &args->t[0], *ms = &args->t[3];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(w->dtype, IT_CUDA_adamw8_f32, &kernel) || ms->dtype != IT_F32) {
        return IT_UNSUPPORTED;
    }
    struct it_cuda_adamw p = {.w = it_cuda_at(w), .m = it_cuda_at(&args->t[1]),
                              .v = it_cuda_at(&args->t[2]), .ms = it_cuda_at(ms),
                              .vs = it_cuda_at(&args->t[4]), .lo = it_cuda_at(&args->t[5]),
                              .grad = it_cuda_at(&args->t[6]), .scalars = it_cuda_at(&args->t[7]),
                              .keys = it_cuda_at(&args->t[8]), .count = w->shape[0]};
    int64_t blocks = it_cuda_blocks(p.count, IT_MOMENT_BLOCK * (THREADS / 32)); /* a warp each */
    struct it_cuda_grid grid = {at_most(blocks, ROW_BLOCKS), 1, THREADS};
    return LAUNCH(device, kernel, grid, p);
}

/* ---- row by row ---- */

static struct it_cuda_grid rows_grid(int64_t rows)
{
    return (struct it_cuda_grid){at_most(rows, ROW_BLOCKS), 1, THREADS};
}

static enum it_status gather_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *w = &args->t[1];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(y->dtype, IT_CUDA_gather_rows_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_move p = {.y = it_cuda_view(y), .x = it_cuda_view(w),
                             .ids = it_cuda_at(&args->t[2]), .rows = y->shape[0],
                             .columns = y->shape[1], .limit = w->shape[0]};
    return LAUNCH(device, kernel, rows_grid(p.rows), p);
}

static enum it_status scatter_add_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dw = &args->t[0], *dy = &args->t[1];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(dy->dtype, IT_CUDA_scatter_add_rows_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_move p = {.y = it_cuda_view(dw), .x = it_cuda_view(dy),
                             .ids = it_cuda_at(&args->t[2]), .rows = dy->shape[0],
                             .columns = dy->shape[1], .limit = dw->shape[0]};
    return LAUNCH(device, kernel, rows_grid(p.rows), p);
}

static enum it_status kv_write(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *kc = &args->t[0], *k = &args->t[2];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(k->dtype, IT_CUDA_kv_write_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_move p = {.y = it_cuda_view(kc), .y2 = it_cuda_view(&args->t[1]),
                             .x = it_cuda_view(k), .x2 = it_cuda_view(&args->t[3]),
                             .ids = it_cuda_at(&args->t[4]), .rows = k->shape[0],
                             .columns = k->shape[1], .limit = kc->shape[0]};
    return LAUNCH(device, kernel, rows_grid(p.rows), p);
}

static enum it_status rope(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *x = &args->t[0], *table = &args->t[1];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(x->dtype, IT_CUDA_rope_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_rope p = {.x = it_cuda_view(x), .table = it_cuda_view(table),
                             .positions = it_cuda_at(&args->t[2]), .rows = x->shape[0],
                             .columns = x->shape[1], .width = table->shape[1],
                             .table_rows = table->shape[0], .sign = (float)args->i[0]};
    return LAUNCH(device, kernel, rows_grid(p.rows), p);
}

static enum it_status rmsnorm(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[2];
    enum it_cuda_kernel kernel;
    if (!it_cuda_pick(y->dtype, IT_CUDA_rmsnorm_f32, &kernel)) { return IT_UNSUPPORTED; }
    struct it_cuda_norm p = {.y = it_cuda_view(y), .x = it_cuda_view(x),
                             .w = it_cuda_at(&args->t[3]), .rstd = it_cuda_at(&args->t[1]),
                             .rows = x->shape[0], .columns = x->shape[1],
                             .eps = (float)args->f[0]};
    return LAUNCH(device, kernel, rows_grid(p.rows), p);
}

/* ---- sums over rows ---- */

/* Rows a chunk, so that the partial sums of all chunks fit the scratch. Exact sums have one chunk,
 * which begins with what is there: a matrix summed in two calls then gives what one gives. */
static int64_t chunk_rows(const struct it_cuda *cuda, int64_t rows, int64_t columns)
{
    if (cuda->exact) { return rows ? rows : 1; }
    int64_t fits = (int64_t)(cuda->scratch_bytes / sizeof(float)) / (columns ? columns : 1);
    int64_t chunk = CHUNK_ROWS;
    while (it_cuda_blocks(rows, chunk) > at_most(fits, GRID_Y) && chunk < rows) { chunk *= 2; }
    return chunk;
}

static enum it_status add_partials(struct it_device *device, float *y, int64_t chunks,
                                   int64_t columns)
{
    struct it_cuda_sum p = {.y = y, .partial = it_cuda_of(device)->scratch, .rows = chunks,
                            .columns = columns};
    struct it_cuda_grid grid = {it_cuda_blocks(columns, THREADS), 1, THREADS};
    return LAUNCH(device, IT_CUDA_add_partials, grid, p);
}

static enum it_status rmsnorm_bwd(struct it_device *device, const struct it_args *args)
{
    struct it_cuda *cuda = it_cuda_of(device);
    const struct it_tensor *x = &args->t[3];
    enum it_cuda_kernel dx, dw;
    int64_t rows = x->shape[0], columns = x->shape[1], chunk = chunk_rows(cuda, rows, columns);
    int64_t chunks = it_cuda_blocks(rows, chunk);
    float *sums = it_cuda_at(&args->t[1]);
    if (!it_cuda_pick(x->dtype, IT_CUDA_rmsnorm_dx_f32, &dx) ||
        (size_t)columns * sizeof(float) > cuda->scratch_bytes) {
        return IT_UNSUPPORTED;
    }
    it_cuda_pick(x->dtype, IT_CUDA_rmsnorm_dw_f32, &dw);
    struct it_cuda_norm p = {.y = it_cuda_view(&args->t[0]), .x = it_cuda_view(x),
                             .dy = it_cuda_view(&args->t[2]), .w = it_cuda_at(&args->t[4]),
                             .rstd = it_cuda_at(&args->t[5]),
                             .partial = cuda->exact ? sums : cuda->scratch, .rows = rows,
                             .columns = columns, .chunk = chunk, .onto = cuda->exact};
    struct it_cuda_grid grid = {it_cuda_blocks(columns, THREADS), chunks, THREADS};
    IT_TRY(LAUNCH(device, dx, rows_grid(rows), p));
    IT_TRY(LAUNCH(device, dw, grid, p));
    return cuda->exact ? IT_OK : add_partials(device, sums, chunks, columns);
}

static enum it_status sum_rows(struct it_device *device, const struct it_args *args)
{
    struct it_cuda *cuda = it_cuda_of(device);
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    enum it_cuda_kernel kernel;
    int64_t rows = x->shape[0], columns = x->shape[1], chunk = chunk_rows(cuda, rows, columns);
    int64_t chunks = it_cuda_blocks(rows, chunk);
    if (!it_cuda_pick(x->dtype, IT_CUDA_sum_rows_f32, &kernel) || y->dtype != IT_F32 ||
        (size_t)columns * sizeof(float) > cuda->scratch_bytes) {
        return IT_UNSUPPORTED;
    }
    float *sums = it_cuda_at(y);
    struct it_cuda_sum p = {.x = it_cuda_view(x), .partial = cuda->exact ? sums : cuda->scratch,
                            .rows = rows, .columns = columns, .chunk = chunk,
                            .onto = cuda->exact};
    struct it_cuda_grid grid = {it_cuda_blocks(columns, THREADS), chunks, THREADS};
    IT_TRY(LAUNCH(device, kernel, grid, p));
    return cuda->exact ? IT_OK : add_partials(device, sums, chunks, columns);
}

static enum it_status sumsq(struct it_device *device, const struct it_args *args)
{
    enum { EACH = 1 << 16, MOST = 1 << 20 };
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    int64_t n = x->shape[0], chunk = EACH;
    if (x->dtype != IT_F32) { return IT_UNSUPPORTED; }
    while (it_cuda_blocks(n, chunk) > MOST) { chunk *= 2; }
    struct it_cuda_sum p = {.x = it_cuda_view(x), .partial = it_cuda_of(device)->scratch,
                            .columns = n, .chunk = chunk};
    struct it_cuda_grid grid = {it_cuda_blocks(n, chunk), 1, THREADS};
    IT_TRY(LAUNCH(device, IT_CUDA_sumsq, grid, p));
    return add_partials(device, it_cuda_at(y), grid.x, 1);
}

/* ---- over the vocabulary ---- */

/* What both directions are given. */
static struct it_cuda_stats stats_params(const struct it_args *args, const struct it_tensor *logits)
{
    int64_t v = logits->shape[1], all = args->i[2] ? args->i[2] : v;
    return (struct it_cuda_stats){.logits = it_cuda_view(logits),
                                  .rows = logits->shape[0], .columns = v, .first = args->i[1],
                                  .vocabulary = all, .some = args->i[0] ? args->i[0] : all,
                                  .tile = IT_STATS_TILE};
}

static enum it_status token_stats(struct it_device *device, const struct it_args *args)
{
    enum { MOST_WARPS = 16 };
    const struct it_tensor *logits = &args->t[2];
    if (logits->dtype != IT_F32) { return IT_UNSUPPORTED; }
    struct it_cuda_stats p = stats_params(args, logits);
    p.stats = it_cuda_view(&args->t[0]);
    p.state = it_cuda_view(&args->t[1]);
    p.targets = it_cuda_at(&args->t[3]);
    p.temps = it_cuda_at(&args->t[4]);
    int64_t warps = at_most(it_cuda_blocks(p.columns, IT_STATS_TILE), MOST_WARPS);
    struct it_cuda_grid grid = {p.rows, 1, 32 * (unsigned)warps};
    return LAUNCH(device, IT_CUDA_token_stats, grid, p);
}

static enum it_status token_stats_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dlogits = &args->t[0], *logits = &args->t[1];
    enum it_cuda_kernel kernel;
    if (logits->dtype != IT_F32 ||
        !it_cuda_pick(dlogits->dtype, IT_CUDA_token_stats_bwd_f32, &kernel)) {
        return IT_UNSUPPORTED;
    }
    struct it_cuda_stats p = stats_params(args, logits);
    p.stats = it_cuda_view(&args->t[3]);
    p.coefs = it_cuda_view(&args->t[4]);
    p.dlogits = it_cuda_view(dlogits);
    p.targets = it_cuda_at(&args->t[2]);
    p.temps = it_cuda_at(&args->t[5]);
    struct it_cuda_grid grid = {at_most(it_cuda_blocks(p.columns, 4 * THREADS), 1024),
                                at_most(p.rows, GRID_Y), THREADS};
    return LAUNCH(device, kernel, grid, p);
}

static enum it_status sample(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *logits = &args->t[1];
    if (logits->dtype != IT_F32 || logits->shape[1] > 1 << 20) { return IT_UNSUPPORTED; }
    struct it_cuda_sample p = {.logits = it_cuda_view(logits), .params = it_cuda_view(&args->t[2]),
                               .keys = it_cuda_view(&args->t[3]), .ids = it_cuda_at(&args->t[0]),
                               .rows = logits->shape[0], .columns = logits->shape[1]};
    struct it_cuda_grid grid = {p.rows, 1, 1024};
    return LAUNCH(device, IT_CUDA_sample, grid, p);
}

void it_cuda_fill_table(struct it_device *device)
{
    static it_kernel *const rows[IT_OP_COUNT] = {
        [IT_OP_FILL] = fill,
        [IT_OP_COPY] = copy,
        [IT_OP_SCALE_ADD] = scale_add,
        [IT_OP_GATHER_ROWS] = gather_rows,
        [IT_OP_SCATTER_ADD_ROWS] = scatter_add_rows,
        [IT_OP_RMSNORM] = rmsnorm,
        [IT_OP_RMSNORM_BWD] = rmsnorm_bwd,
        [IT_OP_MATMUL] = it_cuda_matmul,
        [IT_OP_PROJECT] = it_cuda_project,
        [IT_OP_ROPE] = rope,
        [IT_OP_ATTN] = it_cuda_attn,
        [IT_OP_ATTN_BWD] = it_cuda_attn_bwd,
        [IT_OP_KV_WRITE] = kv_write,
        [IT_OP_ATTN_DECODE] = it_cuda_attn_decode,
        [IT_OP_ATTN_STEP] = it_cuda_attn_step,
        [IT_OP_SWIGLU] = swiglu,
        [IT_OP_SWIGLU_BWD] = swiglu_bwd,
        [IT_OP_TOKEN_STATS] = token_stats,
        [IT_OP_TOKEN_STATS_BWD] = token_stats_bwd,
        [IT_OP_SAMPLE] = sample,
        [IT_OP_SUM_ROWS] = sum_rows,
        [IT_OP_SUMSQ] = sumsq,
        [IT_OP_ADAMW] = adamw,
        [IT_OP_ADAMW8] = adamw8,
    };
    it_device_set_kernels(device, rows);
    device->info.fused_rows = IT_CUDA_FEW_ROWS;
}
