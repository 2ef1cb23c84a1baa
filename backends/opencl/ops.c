/* SPDX-License-Identifier: MIT */
/* Every op: which kernel, which buffers, how many groups. */
#include "backends/opencl/launch.h"

_Static_assert((int)MOMENT_BLOCK == (int)IT_MOMENT_BLOCK, "one block");

enum { MOST_GROUPS = 65535, MOST_CPU_GROUPS = 256, CHUNK_ROWS = 256 };

/* ---- element by element ---- */

static size_t at_most(int64_t value, int64_t most)
{
    return (size_t)(value < most ? value : most);
}

/* Work groups for so many columns or rows; with more than these each walks on by their number. */
static size_t by_columns(struct it_device *device, int64_t columns)
{
    return at_most(it_opencl_column_groups(device, columns), MOST_GROUPS);
}

static size_t by_rows(struct it_device *device, int64_t rows)
{
    return at_most(rows, it_opencl_of(device)->is_cpu ? MOST_CPU_GROUPS : MOST_GROUPS);
}

static enum it_status fill(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0];
    enum it_opencl_type type;
    if (!pick(y->dtype, &type)) { return IT_UNSUPPORTED; }
    struct elements p = {.y = place_of(y), .rows = y->shape[0], .columns = y->shape[1],
                         .alpha = (float)args->f[0]};
    return LAUNCH(device, type, fill, by_columns(device, p.columns), by_rows(device, p.rows), p,
                  memory(y));
}

static enum it_status copy(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    enum it_opencl_type type, from;
    if (!pick(y->dtype, &type) || !pick(x->dtype, &from)) { return IT_UNSUPPORTED; }
    struct elements p = {.y = place_of(y), .a = place_of(x), .rows = y->shape[0],
                         .columns = y->shape[1]};
    size_t across = by_columns(device, p.columns), down = by_rows(device, p.rows);
    if (from == IT_OPENCL_F32) {
        return LAUNCH(device, type, copy_from_f32, across, down, p, memory(y), memory(x));
    }
    return LAUNCH(device, type, copy_from_bf16, across, down, p, memory(y), memory(x));
}

static enum it_status scale_add(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2];
    enum it_opencl_type type;
    if (!pick(y->dtype, &type)) { return IT_UNSUPPORTED; }
    struct elements p = {.y = place_of(y), .a = place_of(a), .b = place_of(b),
                         .rows = y->shape[0], .columns = y->shape[1],
                         .alpha = (float)args->f[0], .beta = (float)args->f[1]};
    return LAUNCH(device, type, scale_add, by_columns(device, p.columns),
                  by_rows(device, p.rows), p,
                  memory(y), memory(a), memory(b));
}

static enum it_status swiglu(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *h = &args->t[0], *gu = &args->t[1];
    enum it_opencl_type type;
    if (!pick(h->dtype, &type)) { return IT_UNSUPPORTED; }
    struct gated p = {.y = place_of(h), .gu = place_of(gu), .rows = h->shape[0],
                      .columns = h->shape[1]};
    return LAUNCH(device, type, swiglu, by_columns(device, p.columns), by_rows(device, p.rows), p,
                  memory(h), memory(gu));
}

static enum it_status swiglu_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dgu = &args->t[0], *dh = &args->t[1], *gu = &args->t[2];
    enum it_opencl_type type;
    if (!pick(dh->dtype, &type)) { return IT_UNSUPPORTED; }
    struct gated p = {.y = place_of(dgu), .dh = place_of(dh), .gu = place_of(gu),
                      .rows = dh->shape[0], .columns = dh->shape[1]};
    return LAUNCH(device, type, swiglu_bwd, by_columns(device, p.columns),
                  by_rows(device, p.rows), p,
                  memory(dgu), memory(dh), memory(gu));
}

static enum it_status adamw(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *w = &args->t[0], *m = &args->t[1], *v = &args->t[2], *lo = &args->t[3],
                           *grad = &args->t[4], *scalars = &args->t[5], *keys = &args->t[6];
    enum it_opencl_type type;
    if (!pick(w->dtype, &type) || m->dtype != IT_F32) { return IT_UNSUPPORTED; }
    struct adam p = {.w = place_of(w), .m = place_of(m), .v = place_of(v), .lo = place_of(lo),
                     .grad = place_of(grad), .scalars = place_of(scalars), .keys = place_of(keys),
                     .count = w->shape[0], .split = lo->dtype != IT_NONE,
                     .random = keys->dtype != IT_NONE};
    return LAUNCH(device, type, adamw, by_columns(device, p.count), 1, p, memory(w), memory(m),
                  memory(v), memory(lo), memory(grad), memory(scalars), memory(keys));
}

static enum it_status adamw8(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *w = &args->t[0], *m = &args->t[1], *v = &args->t[2], *ms = &args->t[3],
                           *vs = &args->t[4], *lo = &args->t[5], *grad = &args->t[6],
                           *scalars = &args->t[7], *keys = &args->t[8];
    enum it_opencl_type type;
    if (!pick(w->dtype, &type) || ms->dtype != IT_F32) { return IT_UNSUPPORTED; }
    struct adam p = {.w = place_of(w), .m = place_of(m), .v = place_of(v), .ms = place_of(ms),
                     .vs = place_of(vs), .lo = place_of(lo), .grad = place_of(grad),
                     .scalars = place_of(scalars), .keys = place_of(keys), .count = w->shape[0],
                     .split = lo->dtype != IT_NONE, .random = keys->dtype != IT_NONE};
    return LAUNCH(device, type, adamw8, by_rows(device, ms->shape[0]), 1, p, memory(w), memory(m),
                  memory(v), memory(ms), memory(vs), memory(lo), memory(grad), memory(scalars),
                  memory(keys));
}

/* ---- row by row ---- */

static enum it_status gather_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *w = &args->t[1], *ids = &args->t[2];
    enum it_opencl_type type;
    if (!pick(y->dtype, &type)) { return IT_UNSUPPORTED; }
    struct move p = {.y = place_of(y), .x = place_of(w), .ids = place_of(ids),
                     .rows = y->shape[0], .columns = y->shape[1], .limit = w->shape[0]};
    return LAUNCH(device, type, gather_rows, by_rows(device, p.rows), 1, p, memory(y), memory(w),
                  memory(ids));
}

static enum it_status scatter_add_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dw = &args->t[0], *dy = &args->t[1], *ids = &args->t[2];
    enum it_opencl_type type;
    if (!pick(dy->dtype, &type) || dw->dtype != IT_F32) { return IT_UNSUPPORTED; }
    struct move p = {.y = place_of(dw), .x = place_of(dy), .ids = place_of(ids),
                     .rows = dy->shape[0], .columns = dy->shape[1], .limit = dw->shape[0]};
    return LAUNCH(device, type, scatter_add_rows, by_columns(device, p.columns), 1, p, memory(dw),
                  memory(dy), memory(ids));
}

static enum it_status kv_write(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *kc = &args->t[0], *vc = &args->t[1], *k = &args->t[2], *v = &args->t[3],
                           *rows = &args->t[4];
    enum it_opencl_type type;
    if (!pick(k->dtype, &type)) { return IT_UNSUPPORTED; }
    struct move p = {.y = place_of(kc), .y2 = place_of(vc), .x = place_of(k), .x2 = place_of(v),
                     .ids = place_of(rows), .rows = k->shape[0], .columns = k->shape[1],
                     .limit = kc->shape[0]};
    return LAUNCH(device, type, kv_write, by_rows(device, p.rows), 1, p, memory(kc), memory(vc),
                  memory(k), memory(v), memory(rows));
}

static enum it_status rope(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *x = &args->t[0], *table = &args->t[1], *positions = &args->t[2];
    enum it_opencl_type type;
    if (!pick(x->dtype, &type)) { return IT_UNSUPPORTED; }
    struct turn p = {.x = place_of(x), .table = place_of(table), .positions = place_of(positions),
                     .rows = x->shape[0], .columns = x->shape[1], .width = table->shape[1],
                     .table_rows = table->shape[0], .sign = (float)args->i[0]};
    return LAUNCH(device, type, rope, by_rows(device, p.rows), 1, p, memory(x), memory(table),
                  memory(positions));
}

static enum it_status rmsnorm(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *rstd = &args->t[1], *x = &args->t[2],
                           *w = &args->t[3];
    enum it_opencl_type type;
    if (!pick(y->dtype, &type)) { return IT_UNSUPPORTED; }
    struct norm p = {.y = place_of(y), .x = place_of(x), .w = place_of(w), .rstd = place_of(rstd),
                     .rows = x->shape[0], .columns = x->shape[1], .eps = (float)args->f[0]};
    return LAUNCH(device, type, rmsnorm, by_rows(device, p.rows), 1, p, memory(y), memory(rstd),
                  memory(x), memory(w));
}

/* ---- sums over rows, through the scratch ---- */

/* Exact sums have one chunk, which begins with what is there: a matrix summed in two calls then
 * gives what one gives. */
static int64_t chunk_rows(const struct it_device *device, int64_t rows, int64_t columns)
{
    if (device->options.exact) { return rows ? rows : 1; }
    int64_t fits = IT_OPENCL_SCRATCH / (int64_t)sizeof(float) / (columns ? columns : 1);
    int64_t chunk = CHUNK_ROWS;
    while (blocks(rows, chunk) > fits && chunk < rows) { chunk *= 2; }
    return chunk;
}

static bool fits_scratch(int64_t floats)
{
    return floats <= IT_OPENCL_SCRATCH / (int64_t)sizeof(float);
}

static enum it_status add_partials(struct it_device *device, const struct it_tensor *y,
                                   int64_t chunks, int64_t columns)
{
    struct sums p = {.y = place_of(y), .rows = chunks, .columns = columns};
    return LAUNCH(device, IT_OPENCL_F32, add_partials, by_columns(device, columns), 1, p,
                  memory(y), it_opencl_of(device)->scratch);
}

static enum it_status rmsnorm_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dx = &args->t[0], *dw = &args->t[1], *dy = &args->t[2],
                           *x = &args->t[3], *w = &args->t[4], *rstd = &args->t[5];
    enum it_opencl_type type;
    int64_t rows = x->shape[0], columns = x->shape[1], chunk = chunk_rows(device, rows, columns);
    bool exact = device->options.exact;
    if (!pick(x->dtype, &type) || !fits_scratch(columns)) { return IT_UNSUPPORTED; }
    struct norm p = {.y = place_of(dx), .x = place_of(x), .dy = place_of(dy), .w = place_of(w),
                     .rstd = place_of(rstd), .rows = rows, .columns = columns, .chunk = chunk,
                     .partial = exact ? place_of(dw).at : 0, .onto = exact};
    int64_t chunks = blocks(rows, chunk);
    IT_TRY(LAUNCH(device, type, rmsnorm_dx, by_rows(device, rows), 1, p, memory(dx), memory(dy),
                  memory(x), memory(w), memory(rstd)));
    IT_TRY(LAUNCH(device, type, rmsnorm_dw, (size_t)it_opencl_column_groups(device, columns),
                  (size_t)chunks, p,
                  exact ? memory(dw) : it_opencl_of(device)->scratch, memory(dy), memory(x),
                  memory(rstd)));
    return exact ? IT_OK : add_partials(device, dw, chunks, columns);
}

static enum it_status sum_rows(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    enum it_opencl_type type;
    int64_t rows = x->shape[0], columns = x->shape[1], chunk = chunk_rows(device, rows, columns);
    if (!pick(x->dtype, &type) || y->dtype != IT_F32 || !fits_scratch(columns)) {
        return IT_UNSUPPORTED;
    }
    bool exact = device->options.exact;
    struct sums p = {.x = place_of(x), .rows = rows, .columns = columns, .chunk = chunk,
                     .partial = exact ? place_of(y).at : 0, .onto = exact};
    int64_t chunks = blocks(rows, chunk);
    IT_TRY(LAUNCH(device, type, sum_rows, (size_t)it_opencl_column_groups(device, columns),
                  (size_t)chunks, p,
                  exact ? memory(y) : it_opencl_of(device)->scratch, memory(x)));
    return exact ? IT_OK : add_partials(device, y, chunks, columns);
}

static enum it_status sumsq(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *x = &args->t[1];
    if (x->dtype != IT_F32) { return IT_UNSUPPORTED; }
    int64_t chunk = 1 << 14;
    while (!fits_scratch(blocks(x->shape[0], chunk))) { chunk *= 2; }
    struct sums p = {.x = place_of(x), .columns = x->shape[0], .chunk = chunk};
    int64_t chunks = blocks(x->shape[0], chunk);
    IT_TRY(LAUNCH(device, IT_OPENCL_F32, sumsq, (size_t)chunks, 1, p,
                  it_opencl_of(device)->scratch, memory(x)));
    return add_partials(device, y, chunks, 1);
}

/* ---- attention ---- */

static struct attention attention_of(const struct it_args *args, const struct it_tensor *q,
                                     const struct it_tensor *k, const struct it_tensor *v)
{
    return (struct attention){.q = place_of(q), .k = place_of(k), .v = place_of(v),
                              .rows = q->shape[0], .key_rows = k->shape[0],
                              .heads = (int)args->i[0], .kv_heads = (int)args->i[1],
                              .width = (int)(q->shape[1] / args->i[0]),
                              .scale = (float)args->f[0]};
}

static enum it_status attn(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *lse = &args->t[1], *q = &args->t[2],
                           *k = &args->t[3], *v = &args->t[4], *segs = &args->t[5];
    enum it_opencl_type type;
    struct attention p = attention_of(args, q, k, v);
    if (!pick(q->dtype, &type) || p.width > MOST_WIDTH) { return IT_UNSUPPORTED; }
    p.y = place_of(y);
    p.lse = place_of(lse);
    p.segs = place_of(segs);
    p.segments = (int)segs->shape[0];
    return LAUNCH(device, type, attn, (size_t)p.rows, (size_t)p.heads, p, memory(y), memory(lse),
                  memory(q), memory(k), memory(v), memory(segs));
}

static enum it_status attn_decode(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *q = &args->t[1], *kc = &args->t[2], *vc = &args->t[3],
                           *table = &args->t[4], *length = &args->t[5];
    enum it_opencl_type type;
    struct attention p = attention_of(args, q, kc, vc);
    if (!pick(q->dtype, &type) || p.width > MOST_WIDTH) { return IT_UNSUPPORTED; }
    p.y = place_of(y);
    p.table = place_of(table);
    p.length = place_of(length);
    p.page = (int)args->i[2];
    p.pages = (int)table->shape[1];
    return LAUNCH(device, type, attn_decode, (size_t)p.rows, (size_t)p.heads, p, memory(y),
                  memory(q), memory(kc), memory(vc), memory(table), memory(length));
}

static enum it_status attn_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dq = &args->t[0], *dk = &args->t[1], *dv = &args->t[2],
                           *dy = &args->t[3], *q = &args->t[4], *k = &args->t[5], *v = &args->t[6],
                           *y = &args->t[7], *lse = &args->t[8], *segs = &args->t[9];
    enum it_opencl_type type;
    struct attention p = attention_of(args, q, k, v);
    cl_mem delta = it_opencl_of(device)->scratch;
    if (!pick(q->dtype, &type) || p.width > MOST_WIDTH || !fits_scratch(p.rows * p.heads)) {
        return IT_UNSUPPORTED;
    }
    p.dq = place_of(dq);
    p.dk = place_of(dk);
    p.dv = place_of(dv);
    p.dy = place_of(dy);
    p.y = place_of(y);
    p.lse = place_of(lse);
    p.segs = place_of(segs);
    p.segments = (int)segs->shape[0];
    IT_TRY(LAUNCH(device, type, attn_delta, (size_t)it_opencl_item_groups(device, p.rows * p.heads),
                  1, p, delta,
                  memory(dy), memory(y)));
    IT_TRY(LAUNCH(device, type, attn_dq, (size_t)p.rows, (size_t)p.heads, p, memory(dq),
                  memory(dy), memory(q), memory(k), memory(v), memory(lse), memory(segs), delta));
    return LAUNCH(device, type, attn_dkv, (size_t)p.key_rows, (size_t)p.kv_heads, p, memory(dk),
                  memory(dv), memory(dy), memory(q), memory(k), memory(v), memory(lse),
                  memory(segs), delta);
}

/* ---- over the vocabulary ---- */

/* What both directions are given. */
static struct statistics statistics_of(const struct it_args *args, const struct it_tensor *logits)
{
    int64_t v = logits->shape[1], all = args->i[2] ? args->i[2] : v;
    return (struct statistics){.logits = place_of(logits),
                               .rows = logits->shape[0], .columns = v, .first = args->i[1],
                               .vocabulary = all, .some = args->i[0] ? args->i[0] : all,
                               .tile = IT_STATS_TILE};
}

static enum it_status token_stats(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *stats = &args->t[0], *logits = &args->t[2], *targets = &args->t[3],
                           *temps = &args->t[4];
    const struct it_tensor *state = args->t[1].dtype == IT_NONE ? stats : &args->t[1];
    if (logits->dtype != IT_F32) { return IT_UNSUPPORTED; }
    struct statistics p = statistics_of(args, logits);
    p.stats = place_of(stats);
    p.state = place_of(state); /* whole rows touch none */
    p.targets = place_of(targets);
    p.temps = place_of(temps);
    return LAUNCH(device, IT_OPENCL_F32, token_stats, (size_t)p.rows, 1, p, memory(stats),
                  memory(state), memory(logits), memory(targets), memory(temps));
}

static enum it_status token_stats_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dlogits = &args->t[0], *logits = &args->t[1], *targets = &args->t[2],
                           *stats = &args->t[3], *coefs = &args->t[4], *temps = &args->t[5];
    enum it_opencl_type type;
    if (logits->dtype != IT_F32 || !pick(dlogits->dtype, &type)) { return IT_UNSUPPORTED; }
    struct statistics p = statistics_of(args, logits);
    p.stats = place_of(stats);
    p.targets = place_of(targets);
    p.temps = place_of(temps);
    p.coefs = place_of(coefs);
    p.dlogits = place_of(dlogits);
    return LAUNCH(device, type, token_stats_bwd, by_columns(device, p.columns),
                  by_rows(device, p.rows), p, memory(dlogits), memory(logits), memory(targets),
                  memory(stats), memory(coefs), memory(temps));
}

static enum it_status sample(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *ids = &args->t[0], *logits = &args->t[1], *params = &args->t[2],
                           *keys = &args->t[3];
    if (logits->dtype != IT_F32) { return IT_UNSUPPORTED; }
    struct draws p = {.ids = place_of(ids), .logits = place_of(logits),
                      .params = place_of(params), .keys = place_of(keys),
                      .rows = logits->shape[0], .columns = logits->shape[1]};
    return LAUNCH(device, IT_OPENCL_F32, sample, (size_t)p.rows, 1, p, memory(ids), memory(logits),
                  memory(params), memory(keys));
}

void it_opencl_fill_table(struct it_device *device)
{
    static it_kernel *const rows[IT_OP_COUNT] = {
        [IT_OP_FILL] = fill,
        [IT_OP_COPY] = copy,
        [IT_OP_SCALE_ADD] = scale_add,
        [IT_OP_GATHER_ROWS] = gather_rows,
        [IT_OP_SCATTER_ADD_ROWS] = scatter_add_rows,
        [IT_OP_RMSNORM] = rmsnorm,
        [IT_OP_RMSNORM_BWD] = rmsnorm_bwd,
        [IT_OP_MATMUL] = it_opencl_matmul,
        [IT_OP_ROPE] = rope,
        [IT_OP_ATTN] = attn,
        [IT_OP_ATTN_BWD] = attn_bwd,
        [IT_OP_KV_WRITE] = kv_write,
        [IT_OP_ATTN_DECODE] = attn_decode,
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
