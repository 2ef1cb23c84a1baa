/* SPDX-License-Identifier: MIT */
/* Every op but products and attention: which kernel, which operands, how many groups. */
#include "backends/vulkan/vulkan.h"
#include "core/base/log.h"

_Static_assert(sizeof(struct it_vulkan_attention_keys) <= IT_VULKAN_PUSH, "push constants");
_Static_assert(sizeof(struct it_vulkan_attention) <= IT_VULKAN_PUSH, "push constants");
_Static_assert(sizeof(struct it_vulkan_paged) <= IT_VULKAN_PUSH, "push constants");
_Static_assert(4 * IT_VULKAN_GROUP == IT_MOMENT_BLOCK, "adamw8: four codes an invocation");

enum {
    GROUP = IT_VULKAN_GROUP,
    CHUNK_ROWS = 256,
    MOST_ELEMENTS = 0x7f800000 /* of a view: kernels count them in an int, a stride ahead */
};

/* Elements from the first to the last; a huge number where that overflows. */
static int64_t span_of(const struct it_tensor *t)
{
    int64_t span = 1;
    for (int axis = 0; axis < t->rank; axis++) {
        int64_t step;
        if (t->shape[axis] == 0) { return 0; }
        if (__builtin_mul_overflow(t->shape[axis] - 1, t->stride[axis], &step) ||
            __builtin_add_overflow(span, step, &span)) {
            return INT64_MAX;
        }
    }
    return span;
}

bool it_vulkan_pick(struct it_device *device, const struct it_args *args, enum it_dtype dtype,
                    enum it_vulkan_type *type_out)
{
    static bool told;
    for (int k = 0; k < IT_MAX_OPERANDS; k++) {
        const struct it_tensor *t = &args->t[k];
        if (t->dtype == IT_NONE || span_of(t) <= MOST_ELEMENTS) { continue; }
        if (!told) {
            it_warn("device %s: a tensor spans more than %d elements, the most a kernel counts",
                    device->info.name, MOST_ELEMENTS);
        }
        told = true;
        return false;
    }
    *type_out = dtype == IT_F32                        ? IT_VULKAN_F32
                : it_vulkan_of(device)->has_16bit ? IT_VULKAN_BF16
                                                       : IT_VULKAN_BF16_WORDS;
    return dtype == IT_F32 || dtype == IT_BF16;
}

/* ---- element by element ---- */

static int64_t columns_groups(int64_t columns)
{
    return it_vulkan_groups(it_vulkan_blocks(columns, GROUP));
}

static enum it_status run_elements(struct it_device *device, enum it_vulkan_type type,
                                   enum it_vulkan_kernel kernel, const struct it_args *args,
                                   const struct it_tensor *a, const struct it_tensor *b)
{
    const struct it_tensor *y = &args->t[0];
    const struct it_vulkan_elements p = {
        .y = it_vulkan_at(y), .a = it_vulkan_at(a), .b = it_vulkan_at(b),
        .y_row = it_vulkan_row(y), .a_row = it_vulkan_row(a), .b_row = it_vulkan_row(b),
        .rows = (int)y->shape[0], .columns = (int)y->shape[1], .alpha = (float)args->f[0],
        .beta = (float)args->f[1]};
    return IT_VULKAN_LAUNCH(device, type, kernel, columns_groups(p.columns),
                            it_vulkan_groups(p.rows), p);
}

static enum it_status fill(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor none = {0};
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, args->t[0].dtype, &type)) { return IT_UNSUPPORTED; }
    return run_elements(device, type, IT_VULKAN_fill, args, &none, &none);
}

static enum it_status copy(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor none = {0}, *y = &args->t[0], *x = &args->t[1];
    enum it_vulkan_type type, from;
    if (!it_vulkan_pick(device, args, y->dtype, &type) ||
        !it_vulkan_pick(device, args, x->dtype, &from)) {
        return IT_UNSUPPORTED;
    }
    enum it_vulkan_kernel kernel =
        x->dtype == IT_F32 ? IT_VULKAN_copy_from_f32 : IT_VULKAN_copy_from_bf16;
    return run_elements(device, type, kernel, args, x, &none);
}

static enum it_status scale_add(struct it_device *device, const struct it_args *args)
{
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, args->t[0].dtype, &type)) { return IT_UNSUPPORTED; }
    return run_elements(device, type, IT_VULKAN_scale_add, args, &args->t[1], &args->t[2]);
}

static enum it_status run_gated(struct it_device *device, enum it_vulkan_kernel kernel,
                                const struct it_args *args, const struct it_tensor *dh,
                                const struct it_tensor *gu, const int64_t shape[2])
{
    const struct it_tensor *y = &args->t[0];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, y->dtype, &type)) { return IT_UNSUPPORTED; }
    const struct it_vulkan_gated p = {
        .y = it_vulkan_at(y), .dh = it_vulkan_at(dh), .gu = it_vulkan_at(gu),
        .y_row = it_vulkan_row(y), .dh_row = it_vulkan_row(dh), .gu_row = it_vulkan_row(gu),
        .rows = (int)shape[0], .columns = (int)shape[1]};
    return IT_VULKAN_LAUNCH(device, type, kernel, columns_groups(p.columns),
                            it_vulkan_groups(p.rows), p);
}

static enum it_status swiglu(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor none = {0};
    return run_gated(device, IT_VULKAN_swiglu, args, &none, &args->t[1], args->t[0].shape);
}

static enum it_status swiglu_bwd(struct it_device *device, const struct it_args *args)
{
    return run_gated(device, IT_VULKAN_swiglu_bwd, args, &args->t[1], &args->t[2],
                     args->t[1].shape);
}

static enum it_status adamw(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *w = &args->t[0], *m = &args->t[1], *v = &args->t[2], *lo = &args->t[3],
                           *grad = &args->t[4], *scalars = &args->t[5], *keys = &args->t[6];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, w->dtype, &type) || m->dtype != IT_F32) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_adam p = {
        .w = it_vulkan_at(w), .m = it_vulkan_at(m), .v = it_vulkan_at(v), .lo = it_vulkan_at(lo),
        .grad = it_vulkan_at(grad), .scalars = it_vulkan_at(scalars), .keys = it_vulkan_at(keys),
        .count = (int)w->shape[0], .split = lo->dtype != IT_NONE, .random = keys->dtype != IT_NONE};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_adamw, columns_groups(p.count), 1, p);
}

/* Codes are read and written four at once: views of them begin at such a place. */
static enum it_status adamw8(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *w = &args->t[0], *m = &args->t[1], *v = &args->t[2], *ms = &args->t[3],
                           *lo = &args->t[5], *keys = &args->t[8];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, w->dtype, &type) || ms->dtype != IT_F32 || m->offset % 4 ||
        v->offset % 4) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_adam p = {
        .w = it_vulkan_at(w), .m = it_vulkan_at(m), .v = it_vulkan_at(v), .ms = it_vulkan_at(ms),
        .vs = it_vulkan_at(&args->t[4]), .lo = it_vulkan_at(lo), .grad = it_vulkan_at(&args->t[6]),
        .scalars = it_vulkan_at(&args->t[7]), .keys = it_vulkan_at(keys),
        .count = (int)w->shape[0], .split = lo->dtype != IT_NONE, .random = keys->dtype != IT_NONE};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_adamw8, it_vulkan_groups(ms->shape[0]), 1, p);
}

/* ---- row by row ---- */

static enum it_status gather_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *w = &args->t[1], *ids = &args->t[2];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, y->dtype, &type)) { return IT_UNSUPPORTED; }
    const struct it_vulkan_move p = {
        .y = it_vulkan_at(y), .x = it_vulkan_at(w), .ids = it_vulkan_at(ids),
        .y_row = it_vulkan_row(y), .x_row = it_vulkan_row(w), .rows = (int)y->shape[0],
        .columns = (int)y->shape[1], .limit = (int)w->shape[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_gather_rows, it_vulkan_groups(p.rows), 1, p);
}

static enum it_status scatter_add_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dw = &args->t[0], *dy = &args->t[1], *ids = &args->t[2];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, dy->dtype, &type) || dw->dtype != IT_F32) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_move p = {
        .y = it_vulkan_at(dw), .x = it_vulkan_at(dy), .ids = it_vulkan_at(ids),
        .y_row = it_vulkan_row(dw), .x_row = it_vulkan_row(dy), .rows = (int)dy->shape[0],
        .columns = (int)dy->shape[1], .limit = (int)dw->shape[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_scatter_add_rows, columns_groups(p.columns), 1,
                            p);
}

static enum it_status kv_write(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *kc = &args->t[0], *vc = &args->t[1], *k = &args->t[2], *v = &args->t[3],
                           *rows = &args->t[4];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, k->dtype, &type)) { return IT_UNSUPPORTED; }
    const struct it_vulkan_move p = {
        .y = it_vulkan_at(kc), .y2 = it_vulkan_at(vc), .x = it_vulkan_at(k), .x2 = it_vulkan_at(v),
        .ids = it_vulkan_at(rows), .y_row = it_vulkan_row(kc), .y2_row = it_vulkan_row(vc),
        .x_row = it_vulkan_row(k), .x2_row = it_vulkan_row(v), .rows = (int)k->shape[0],
        .columns = (int)k->shape[1], .limit = (int)kc->shape[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_kv_write, it_vulkan_groups(p.rows), 1, p);
}

static enum it_status rope(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *x = &args->t[0], *table = &args->t[1], *positions = &args->t[2];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, x->dtype, &type)) { return IT_UNSUPPORTED; }
    const struct it_vulkan_turn p = {
        .x = it_vulkan_at(x), .table = it_vulkan_at(table), .positions = it_vulkan_at(positions),
        .x_row = it_vulkan_row(x), .table_row = it_vulkan_row(table), .rows = (int)x->shape[0],
        .columns = (int)x->shape[1], .width = (int)table->shape[1],
        .table_rows = (int)table->shape[0], .sign = (float)args->i[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_rope, it_vulkan_groups(p.rows), 1, p);
}

static enum it_status rmsnorm(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *rstd = &args->t[1], *x = &args->t[2],
                           *w = &args->t[3];
    enum it_vulkan_type type;
    if (!it_vulkan_pick(device, args, y->dtype, &type)) { return IT_UNSUPPORTED; }
    const struct it_vulkan_norm p = {
        .y = it_vulkan_at(y), .x = it_vulkan_at(x), .w = it_vulkan_at(w),
        .rstd = it_vulkan_at(rstd), .y_row = it_vulkan_row(y), .x_row = it_vulkan_row(x),
        .rows = (int)x->shape[0], .columns = (int)x->shape[1], .eps = (float)args->f[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_rmsnorm, it_vulkan_groups(p.rows), 1, p);
}

/* ---- sums over rows, through the scratch ---- */

static bool fits_scratch(int64_t floats)
{
    return floats <= IT_VULKAN_SCRATCH / (int64_t)sizeof(float);
}

/* Exact sums have one chunk, which begins with what is there: a matrix summed in two calls then
 * gives what one gives. */
static int64_t chunk_rows(const struct it_vulkan *v, int64_t rows, int64_t columns)
{
    int64_t chunk = CHUNK_ROWS;
    if (v->exact) { return rows ? rows : 1; }
    while (chunk < rows && (!fits_scratch(it_vulkan_blocks(rows, chunk) * columns) ||
                            it_vulkan_blocks(rows, chunk) > IT_VULKAN_MOST_GROUPS)) {
        chunk *= 2;
    }
    return chunk < INT32_MAX ? chunk : INT32_MAX;
}

static enum it_status add_partials(struct it_device *device, const struct it_tensor *y,
                                   int64_t chunks, int64_t columns)
{
    const struct it_vulkan_sums p = {.y = it_vulkan_at(y),
                                     .partial = it_vulkan_of(device)->scratch.address,
                                     .rows = (int)chunks, .columns = (int)columns};
    return IT_VULKAN_LAUNCH(device, IT_VULKAN_F32, IT_VULKAN_add_partials,
                            it_vulkan_blocks(columns, GROUP), 1, p);
}

static enum it_status rmsnorm_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dx = &args->t[0], *dw = &args->t[1], *dy = &args->t[2],
                           *x = &args->t[3], *w = &args->t[4], *rstd = &args->t[5];
    const struct it_vulkan *v = it_vulkan_of(device);
    enum it_vulkan_type type;
    int64_t rows = x->shape[0], columns = x->shape[1], chunk = chunk_rows(v, rows, columns);
    if (!it_vulkan_pick(device, args, x->dtype, &type) || !fits_scratch(columns)) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_norm p = {
        .y = it_vulkan_at(dx), .x = it_vulkan_at(x), .dy = it_vulkan_at(dy), .w = it_vulkan_at(w),
        .rstd = it_vulkan_at(rstd), .partial = v->exact ? it_vulkan_at(dw) : v->scratch.address,
        .y_row = it_vulkan_row(dx), .x_row = it_vulkan_row(x), .dy_row = it_vulkan_row(dy),
        .rows = (int)rows, .columns = (int)columns, .chunk = (int)chunk, .onto = v->exact};
    int64_t chunks = it_vulkan_blocks(rows, chunk);
    IT_TRY(IT_VULKAN_LAUNCH(device, type, IT_VULKAN_rmsnorm_dx, it_vulkan_groups(rows), 1, p));
    IT_TRY(IT_VULKAN_LAUNCH(device, type, IT_VULKAN_rmsnorm_dw, it_vulkan_blocks(columns, GROUP),
                            chunks, p));
    return v->exact ? IT_OK : add_partials(device, dw, chunks, columns);
}

static enum it_status sum_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    const struct it_vulkan *v = it_vulkan_of(device);
    enum it_vulkan_type type;
    int64_t rows = x->shape[0], columns = x->shape[1], chunk = chunk_rows(v, rows, columns);
    if (!it_vulkan_pick(device, args, x->dtype, &type) || y->dtype != IT_F32 ||
        !fits_scratch(columns)) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_sums p = {
        .x = it_vulkan_at(x), .partial = v->exact ? it_vulkan_at(y) : v->scratch.address,
        .x_row = it_vulkan_row(x), .rows = (int)rows, .columns = (int)columns,
        .chunk = (int)chunk, .onto = v->exact};
    int64_t chunks = it_vulkan_blocks(rows, chunk);
    IT_TRY(IT_VULKAN_LAUNCH(device, type, IT_VULKAN_sum_rows, it_vulkan_blocks(columns, GROUP),
                            chunks, p));
    return v->exact ? IT_OK : add_partials(device, y, chunks, columns);
}

static enum it_status sumsq(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    enum it_vulkan_type type;
    int64_t n = x->shape[0], chunk = 1 << 14;
    if (x->dtype != IT_F32 || !it_vulkan_pick(device, args, x->dtype, &type)) {
        return IT_UNSUPPORTED;
    }
    while (it_vulkan_blocks(n, chunk) > IT_VULKAN_MOST_GROUPS) { chunk *= 2; }
    int64_t chunks = it_vulkan_blocks(n, chunk);
    const struct it_vulkan_sums p = {
        .x = it_vulkan_at(x), .partial = it_vulkan_of(device)->scratch.address,
        .rows = (int)chunks, .columns = (int)n, .chunk = (int)chunk};
    IT_TRY(IT_VULKAN_LAUNCH(device, type, IT_VULKAN_sumsq, chunks, 1, p));
    return add_partials(device, y, chunks, 1);
}

/* ---- over the vocabulary ---- */

/* What both directions are given. */
static struct it_vulkan_statistics statistics_of(const struct it_args *args,
                                                 const struct it_tensor *logits)
{
    int64_t v = logits->shape[1], all = args->i[2] ? args->i[2] : v;
    return (struct it_vulkan_statistics){
        .logits = it_vulkan_at(logits), .logits_row = it_vulkan_row(logits),
        .rows = (int)logits->shape[0], .columns = (int)v, .first = (int)args->i[1],
        .vocabulary = (int)all, .some = (int)(args->i[0] ? args->i[0] : all),
        .tile = IT_STATS_TILE};
}

static enum it_status token_stats(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *stats = &args->t[0], *state = &args->t[1], *logits = &args->t[2];
    enum it_vulkan_type type;
    if (logits->dtype != IT_F32 || args->i[2] > INT32_MAX / 2 ||
        !it_vulkan_pick(device, args, logits->dtype, &type)) {
        return IT_UNSUPPORTED;
    }
    struct it_vulkan_statistics p = statistics_of(args, logits);
    p.stats = it_vulkan_at(stats);
    p.stats_row = it_vulkan_row(stats);
    p.state = it_vulkan_at(state);
    p.state_row = it_vulkan_row(state);
    p.targets = it_vulkan_at(&args->t[3]);
    p.temps = it_vulkan_at(&args->t[4]);
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_token_stats, it_vulkan_groups(p.rows), 1, p);
}

static enum it_status token_stats_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dlogits = &args->t[0], *logits = &args->t[1], *stats = &args->t[3],
                           *coefs = &args->t[4];
    enum it_vulkan_type type;
    if (logits->dtype != IT_F32 || args->i[2] > INT32_MAX / 2 ||
        !it_vulkan_pick(device, args, dlogits->dtype, &type)) {
        return IT_UNSUPPORTED;
    }
    struct it_vulkan_statistics p = statistics_of(args, logits);
    p.stats = it_vulkan_at(stats);
    p.stats_row = it_vulkan_row(stats);
    p.coefs = it_vulkan_at(coefs);
    p.coefs_row = it_vulkan_row(coefs);
    p.dlogits = it_vulkan_at(dlogits);
    p.dlogits_row = it_vulkan_row(dlogits);
    p.targets = it_vulkan_at(&args->t[2]);
    p.temps = it_vulkan_at(&args->t[5]);
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_token_stats_bwd, columns_groups(p.columns),
                            it_vulkan_groups(p.rows), p);
}

static enum it_status sample(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *ids = &args->t[0], *logits = &args->t[1], *params = &args->t[2],
                           *keys = &args->t[3];
    enum it_vulkan_type type;
    if (logits->dtype != IT_F32 || !it_vulkan_pick(device, args, logits->dtype, &type)) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_draws p = {
        .ids = it_vulkan_at(ids), .logits = it_vulkan_at(logits),
        .params = it_vulkan_at(params), .keys = it_vulkan_at(keys),
        .logits_row = it_vulkan_row(logits), .params_row = it_vulkan_row(params),
        .keys_row = it_vulkan_row(keys), .rows = (int)logits->shape[0],
        .columns = (int)logits->shape[1]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_sample, it_vulkan_groups(p.rows), 1, p);
}

void it_vulkan_fill_table(struct it_device *device)
{
    static it_kernel *const rows[IT_OP_COUNT] = {
        [IT_OP_FILL] = fill,
        [IT_OP_COPY] = copy,
        [IT_OP_SCALE_ADD] = scale_add,
        [IT_OP_GATHER_ROWS] = gather_rows,
        [IT_OP_SCATTER_ADD_ROWS] = scatter_add_rows,
        [IT_OP_RMSNORM] = rmsnorm,
        [IT_OP_RMSNORM_BWD] = rmsnorm_bwd,
        [IT_OP_MATMUL] = it_vulkan_matmul,
        [IT_OP_ROPE] = rope,
        [IT_OP_ATTN] = it_vulkan_attn,
        [IT_OP_ATTN_BWD] = it_vulkan_attn_bwd,
        [IT_OP_KV_WRITE] = kv_write,
        [IT_OP_ATTN_DECODE] = it_vulkan_attn_decode,
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
}
