/* SPDX-License-Identifier: MIT */
/* Kernels that move rows or treat each element alone: fill, copy, scale_add, gather_rows,
 * scatter_add_rows, kv_write, rope. */

/* Elements of up to three matrices of one shape, cut into pieces of a row. Matrices without gaps
 * are one long row. */
struct grid {
    const struct it_args *args;
    int64_t columns, width, pieces; /* of a row; elements of a piece; pieces of a row */
    bool flat;
};
enum { PIECE = 16384 };

static struct grid grid_of(const struct it_args *args, int operands, int64_t *count_out)
{
    struct grid g = {.args = args, .flat = true};
    int64_t rows = args->t[0].shape[0];
    g.columns = args->t[0].shape[1];
    for (int k = 0; k < operands; k++) {
        g.flat = g.flat && (args->t[k].stride[0] == g.columns || rows == 1);
    }
    if (g.flat) {
        g.columns *= rows;
        rows = 1;
    }
    g.width = g.columns < PIECE ? g.columns : PIECE;
    g.pieces = g.width > 0 ? (g.columns - 1) / g.width + 1 : 0;
    *count_out = rows * g.pieces;
    return g;
}

static void run_grid(struct it_device *device, struct grid *g, int64_t count, it_pool_work *work)
{
    int64_t grain = g->width > 0 ? PIECE / g->width : 1;
    it_pool_run(device->pool, count, grain > 0 ? grain : 1, work, g);
}

/* The start of piece i of operand k, and its length. */
static char *piece(const struct grid *g, int k, int64_t i, int64_t *n_out)
{
    const struct it_tensor *t = &g->args->t[k];
    int64_t row = i / g->pieces, first = i % g->pieces * g->width;
    *n_out = g->columns - first < g->width ? g->columns - first : g->width;
    return row_of(t, row) + first * (is_narrow(t) ? 2 : 4);
}

static void fill_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct grid *g = context;
    bool narrow = is_narrow(&g->args->t[0]);
    vf value = v_set((float)g->args->f[0]);
    for (int64_t i = begin; i < end; i++) {
        int64_t n;
        char *y = piece(g, 0, i, &n);
        for (int64_t j = 0; j < n; j += VW) { put_n(y, j, value, at_most(n - j, VW), narrow); }
    }
}

static enum it_status fill(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 0)) { return IT_UNSUPPORTED; }
    int64_t count;
    struct grid g = grid_of(args, 1, &count);
    run_grid(device, &g, count, fill_pieces);
    return IT_OK;
}

static void copy_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct grid *g = context;
    bool to = is_narrow(&g->args->t[0]), from = is_narrow(&g->args->t[1]);
    for (int64_t i = begin; i < end; i++) {
        int64_t n;
        char *y = piece(g, 0, i, &n), *x = piece(g, 1, i, &n);
        if (to == from) {
            memcpy(y, x, (size_t)n * (to ? 2 : 4));
            continue;
        }
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            put_n(y, j, get_n(x, j, c, from), c, to);
        }
    }
}

static enum it_status copy(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    int64_t count;
    struct grid g = grid_of(args, 2, &count);
    run_grid(device, &g, count, copy_pieces);
    return IT_OK;
}

static void scale_add_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct grid *g = context;
    bool narrow = is_narrow(&g->args->t[0]);
    vf alpha = v_set((float)g->args->f[0]), beta = v_set((float)g->args->f[1]);
    for (int64_t i = begin; i < end; i++) {
        int64_t n;
        char *y = piece(g, 0, i, &n), *a = piece(g, 1, i, &n), *b = piece(g, 2, i, &n);
        for (int64_t j = 0; j < n; j += VW) {
            int c = at_most(n - j, VW);
            put_n(y, j, alpha * get_n(a, j, c, narrow) + beta * get_n(b, j, c, narrow), c, narrow);
        }
    }
}

static enum it_status scale_add(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 2)) { return IT_UNSUPPORTED; }
    int64_t count;
    struct grid g = grid_of(args, 3, &count);
    run_grid(device, &g, count, scale_add_pieces);
    return IT_OK;
}

/* ---- rows named by ids ---- */

static void gather_some(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *y = &args->t[0], *w = &args->t[1];
    const int32_t *ids = it_view_host(&args->t[2]);
    size_t bytes = (size_t)y->shape[1] * it_dtype_size(y->dtype);
    for (int64_t r = begin; r < end; r++) {
        if (ids[r] >= 0 && ids[r] < w->shape[0]) {
            memcpy(row_of(y, r), row_at(w, ids[r]), bytes);
        } else {
            memset(row_of(y, r), 0, bytes);
        }
    }
}

static enum it_status gather_rows(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[0].shape[0], 4 * args->t[0].shape[1], gather_some, args);
    return IT_OK;
}

/* Each thread owns columns and walks all rows: the order of r, whoever does it. */
enum { STRIPE = 64 };

static void scatter_stripes(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *dw = &args->t[0], *dy = &args->t[1];
    const int32_t *ids = it_view_host(&args->t[2]);
    bool narrow = is_narrow(dy);
    int64_t first = begin * STRIPE, last = end * STRIPE;
    if (last > dw->shape[1]) { last = dw->shape[1]; }
    for (int64_t r = 0; r < dy->shape[0]; r++) {
        if (ids[r] < 0 || ids[r] >= dw->shape[0]) { continue; }
        char *to = row_of(dw, ids[r]);
        const char *from = row_at(dy, r);
        for (int64_t j = first; j < last; j += VW) {
            int c = at_most(last - j, VW);
            put_n(to, j, get_n(to, j, c, false) + get_n(from, j, c, narrow), c, false);
        }
    }
}

/* Stripes of columns for column sums: `rows` long, at least CHUNK_BYTES of work each. */
static void run_stripes(struct it_device *device, int64_t columns, int64_t rows, it_pool_work *work,
                        const void *context)
{
    int64_t grain = rows > 0 ? CHUNK_BYTES / (rows * STRIPE * 4) : 1;
    it_pool_run(device->pool, (columns + STRIPE - 1) / STRIPE, grain > 0 ? grain : 1, work,
                (void *)(uintptr_t)context);
}

static enum it_status scatter_add_rows(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    run_stripes(device, args->t[0].shape[1], args->t[1].shape[0], scatter_stripes, args);
    return IT_OK;
}

static void kv_write_some(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *kc = &args->t[0], *vc = &args->t[1];
    const int32_t *rows = it_view_host(&args->t[4]);
    size_t bytes = (size_t)kc->shape[1] * it_dtype_size(kc->dtype);
    for (int64_t r = begin; r < end; r++) {
        if (rows[r] < 0 || rows[r] >= kc->shape[0]) { continue; }
        memcpy(row_of(kc, rows[r]), row_at(&args->t[2], r), bytes);
        memcpy(row_of(vc, rows[r]), row_at(&args->t[3], r), bytes);
    }
}

static enum it_status kv_write(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 3)) { return IT_UNSUPPORTED; }
    for_rows(device, args->t[2].shape[0], 8 * args->t[2].shape[1], kv_write_some, args);
    return IT_OK;
}

/* ---- rope ---- */

/* One head: pairs (j, j + half) turned by the angle of the table's row. */
static void turn(char *x, int64_t first, int64_t half, const float *table, vf sign, bool narrow)
{
    for (int64_t j = 0; j < half; j += VW) {
        int n = at_most(half - j, VW);
        vf c = v_load_n(table + j, n), s = v_load_n(table + half + j, n) * sign;
        vf u = get_n(x, first + j, n, narrow), v = get_n(x, first + half + j, n, narrow);
        put_n(x, first + j, u * c - v * s, n, narrow);
        put_n(x, first + half + j, v * c + u * s, n, narrow);
    }
}

static void rope_some(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_args *args = context;
    const struct it_tensor *x = &args->t[0], *table = &args->t[1];
    const int32_t *positions = it_view_host(&args->t[2]);
    int64_t width = table->shape[1];
    vf sign = v_set((float)args->i[0]);
    for (int64_t r = begin; r < end; r++) {
        const void *angles = row_at(table, positions[r]);
        for (int64_t head = 0; head < x->shape[1]; head += width) {
            turn(row_of(x, r), head, width / 2, angles, sign, is_narrow(x));
        }
    }
}

static enum it_status rope(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 1)) { return IT_UNSUPPORTED; }
    const int32_t *positions = it_view_host(&args->t[2]);
    int64_t rows = args->t[0].shape[0], known = args->t[1].shape[0];
    for (int64_t r = 0; r < rows; r++) {
        if (positions[r] < 0 || positions[r] >= known) {
            return it_fail(IT_INVALID, "op rope: position %d of row %lld is outside [0, %lld)",
                           positions[r], (long long)r, (long long)known);
        }
    }
    for_rows(device, rows, 8 * args->t[0].shape[1], rope_some, args);
    return IT_OK;
}
