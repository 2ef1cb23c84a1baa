/* SPDX-License-Identifier: MIT */
/* matmul: y is cut into tiles, each made by one thread from packed panels of a and b.
 *
 * A tile keeps packed rows of a in the second cache and meets the columns of b panel by panel, each
 * packed into the first cache just before its use: what turns the weights around (trans_b) then
 * costs a walk at memory speed when there are few rows, and little when there are many. */

enum {
    A_FLOATS = 1 << 17, /* packed rows of a */
    C_FLOATS = 1 << 17, /* sums, where y cannot hold them */
    B_FLOATS = KC * NR, /* one panel of b */
    TILE_ROWS = 256,
    TILE_COLUMNS = 512,
    SMALL = 1 << 20 /* multiply-adds: below, one thread is as fast as two */
};
_Static_assert(A_FLOATS + C_FLOATS + B_FLOATS + 3 * SLACK <= IT_CPU_SCRATCH, "scratch");
_Static_assert(TILE_ROWS *KC <= A_FLOATS && TILE_ROWS * TILE_COLUMNS <= C_FLOATS, "tiles");

struct product {
    struct it_device *device;
    const struct it_tensor *y, *a, *b, *bias; /* bias NULL: none */
    int64_t m, n, k;
    bool trans_a, trans_b, onto;
    bool direct; /* sums go to y itself: it is F32 and nothing is added at the end */
    bool whole;  /* all k of a tile's rows fit the scratch: each panel of b goes through all k */
    int64_t tile_rows, tile_columns, tiles_down, tiles_across;
};

/* One tile. */
struct tile {
    const struct product *p;
    int64_t row, column, rows, columns;
    struct panels panels;
    float *a, *b, *c; /* scratch */
    int64_t ldc;      /* of c */
};

static const char *element(const struct it_tensor *t, int64_t row, int64_t column)
{
    return row_at(t, row) + column * (is_narrow(t) ? 2 : 4);
}

/* Stretch [k0, k0 + kc) of the tile's rows of a. */
static void pack_a(const struct tile *t, float *to, int64_t k0, int64_t kc)
{
    const struct it_tensor *a = t->p->a;
    for (int64_t p = 0; p < t->panels.count; p++) {
        int64_t first = panel_start(t->panels, p), mr = panel_start(t->panels, p + 1) - first;
        if (t->p->trans_a) {
            pack_along(to + first * kc, mr, element(a, k0, t->row + first),
                       row_at(a, 1) - row_at(a, 0), kc, mr, is_narrow(a));
            continue;
        }
        const void *rows[MR];
        for (int i = 0; i < MR; i++) { rows[i] = row_at(a, t->row + first + (i < mr ? i : 0)); }
        pack_panel(to + first * kc, mr, rows, k0, kc, is_narrow(a));
    }
}

/* Stretch [k0, k0 + kc) of columns [column, column + cols) of b. */
static void pack_b(const struct tile *t, int64_t column, int64_t cols, int64_t k0, int64_t kc)
{
    const struct it_tensor *b = t->p->b;
    int64_t width = packed_width(cols);
    if (!t->p->trans_b) {
        pack_along(t->b, width, element(b, k0, column), row_at(b, 1) - row_at(b, 0), kc, cols,
                   is_narrow(b));
        return;
    }
    /* With few rows the time goes by waiting for b: ask for the stretch that follows, of these
     * columns or of the next. */
    int64_t ahead = 0;
    if (t->rows <= FEW * 8 && t->p->whole && column + NR < t->p->n) {
        ahead = k0 + kc < t->p->k ? kc * (is_narrow(b) ? 2 : 4) : row_at(b, NR) - element(b, 0, k0);
    }
    for (int64_t v = 0; v < width; v += VW) {
        const void *lanes[VW];
        for (int i = 0; i < VW; i++) { lanes[i] = row_at(b, column + (v + i < cols ? v + i : 0)); }
        pack_across(t->b + v, width, lanes, k0, kc, is_narrow(b), ahead);
    }
}

/* Where the sums of a panel of columns live; j counts from the tile's first column. */
static float *sums_of(const struct tile *t, int64_t j)
{
    return t->p->whole && !t->p->direct ? t->c : t->c + j;
}

/* y, where it is added to, becomes the start of the sums. */
static void begin_panel(const struct tile *t, int64_t j, int cols)
{
    const struct it_tensor *y = t->p->y;
    for (int64_t r = 0; r < t->rows; r++) {
        const char *from = element(y, t->row + r, t->column + j);
        for (int i = 0; i < cols; i += VW) {
            int n = at_most(cols - i, VW);
            v_store_n(sums_of(t, j) + r * t->ldc + i, get_n(from, i, n, is_narrow(y)), n);
        }
    }
}

/* The sums, and the bias, rounded once into y. */
static void end_panel(const struct tile *t, int64_t j, int cols)
{
    const struct it_tensor *y = t->p->y, *bias = t->p->bias;
    for (int64_t r = 0; r < t->rows; r++) {
        char *to = row_of(y, t->row + r);
        for (int i = 0; i < cols; i += VW) {
            int n = at_most(cols - i, VW);
            int64_t at = t->column + j + i;
            vf sum = v_load_n(sums_of(t, j) + r * t->ldc + i, n);
            if (bias) { sum = sum + get_n(it_view_host(bias), at, n, is_narrow(bias)); }
            put_n(to, at, sum, n, is_narrow(y));
        }
    }
}

/* One panel of columns, one stretch of k; a is the packed stretch. */
static void multiply_panel(const struct tile *t, int64_t j, const float *a, int64_t k0, int64_t kc)
{
    const struct product *p = t->p;
    int cols = at_most(t->columns - j, NR);
    if (k0 == 0 && p->onto && !p->direct) { begin_panel(t, j, cols); }
    pack_b(t, t->column + j, cols, k0, kc);
    for (int64_t i = 0; i < t->panels.count; i++) {
        int64_t first = panel_start(t->panels, i), mr = panel_start(t->panels, i + 1) - first;
        multiply((int)mr, kc, a + first * kc, mr, t->b, sums_of(t, j) + first * t->ldc, t->ldc,
                 cols, k0 > 0 || p->onto);
    }
    if (k0 + kc == p->k && !p->direct) { end_panel(t, j, cols); }
}

/* VW columns of a tile of few rows, all of k. What is asked for ahead of time are the rows of b
 * that follow. */
static void stream_columns(const struct tile *t, int64_t j)
{
    const struct product *p = t->p;
    int cols = at_most(t->columns - j, VW);
    const void *rows[VW];
    for (int i = 0; i < VW; i++) { rows[i] = row_at(p->b, t->column + j + (i < cols ? i : 0)); }
    bool more = t->column + j + 2 * VW <= p->n && p->b->stride[0] == p->k;
    if (p->onto && !p->direct) { begin_panel(t, j, cols); }
    multiply_few((int)t->rows, p->k, t->a, rows, sums_of(t, j), t->ldc, cols, p->onto,
                 is_narrow(p->b), row_at(p->b, t->column + j + (more ? VW : 0)));
    if (!p->direct) { end_panel(t, j, cols); }
}

static void make_tile(struct tile *t)
{
    const struct product *p = t->p;
    if (p->whole && p->trans_b && t->rows <= FEW) {
        for (int64_t k0 = 0; k0 < p->k; k0 += KC) {
            pack_a(t, t->a + t->rows * k0, k0, p->k - k0 < KC ? p->k - k0 : KC);
        }
        for (int64_t j = 0; j < t->columns; j += VW) { stream_columns(t, j); }
        return;
    }
    if (p->whole) {
        for (int64_t k0 = 0; k0 < p->k; k0 += KC) {
            pack_a(t, t->a + t->rows * k0, k0, p->k - k0 < KC ? p->k - k0 : KC);
        }
        for (int64_t j = 0; j < t->columns; j += NR) {
            for (int64_t k0 = 0; k0 < p->k; k0 += KC) {
                int64_t kc = p->k - k0 < KC ? p->k - k0 : KC;
                multiply_panel(t, j, t->a + t->rows * k0, k0, kc);
            }
        }
        return;
    }
    for (int64_t k0 = 0; k0 < p->k; k0 += KC) {
        int64_t kc = p->k - k0 < KC ? p->k - k0 : KC;
        pack_a(t, t->a, k0, kc);
        for (int64_t j = 0; j < t->columns; j += NR) { multiply_panel(t, j, t->a, k0, kc); }
    }
}

static void make_tiles(void *context, int64_t begin, int64_t end, int thread)
{
    const struct product *p = context;
    float *scratch = it_cpu_scratch(p->device, thread);
    for (int64_t i = begin; i < end; i++) {
        struct tile t = {.p = p};
        t.row = i % p->tiles_down * p->tile_rows;
        t.column = i / p->tiles_down * p->tile_columns;
        t.rows = p->m - t.row < p->tile_rows ? p->m - t.row : p->tile_rows;
        t.columns = p->n - t.column < p->tile_columns ? p->n - t.column : p->tile_columns;
        t.panels = panels_of(t.rows);
        t.b = scratch;
        t.a = t.b + B_FLOATS;
        t.c = t.a + A_FLOATS + SLACK;
        t.ldc = p->whole ? NR : TILE_COLUMNS;
        if (p->direct) {
            t.c = (float *)(void *)row_of(p->y, t.row) + t.column;
            t.ldc = p->y->stride[0];
        }
        make_tile(&t);
    }
}

static int64_t parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

/* The largest tiles that fit the scratch, then smaller ones until every thread has some: in any
 * case the bits are the same. */
static void cut(struct product *p, int threads)
{
    int64_t rows = p->k > 0 ? A_FLOATS / p->k : p->m;
    if (rows > C_FLOATS / NR) { rows = C_FLOATS / NR; }
    p->whole = rows >= p->m || rows >= TILE_ROWS / 2;
    if (!p->whole) { rows = TILE_ROWS; }
    if (rows > 2 * TILE_ROWS) { rows = 2 * TILE_ROWS; }
    int64_t columns = TILE_COLUMNS;
    int64_t down = parts(p->m, rows), across = parts(p->n, columns);
    int64_t want = threads > 1 && p->m * p->n * p->k >= SMALL ? 4 * threads : 1;
    while (down * across < want) {
        int64_t high = parts(p->m, down), wide = parts(p->n, across);
        if (wide >= 2 * NR && (wide >= high || high < 2 * MR)) {
            across *= 2;
        } else if (high >= 2 * MR) {
            down *= 2;
        } else {
            break;
        }
    }
    int64_t panels = parts(p->n, NR) / across;
    p->tile_rows = parts(p->m, down);
    p->tile_columns = (panels > 1 ? panels : 1) * NR;
    p->tiles_down = parts(p->m, p->tile_rows);
    p->tiles_across = parts(p->n, p->tile_columns);
}

/* No terms at all: y = bias (+ y). */
static void no_terms(const struct product *p)
{
    for (int64_t r = 0; r < p->m; r++) {
        char *to = row_of(p->y, r);
        for (int64_t j = 0; j < p->n; j += VW) {
            int n = at_most(p->n - j, VW);
            vf sum = p->onto ? get_n(to, j, n, is_narrow(p->y)) : v_set(0);
            if (p->bias) { sum = sum + get_n(it_view_host(p->bias), j, n, is_narrow(p->bias)); }
            put_n(to, j, sum, n, is_narrow(p->y));
        }
    }
}

static enum it_status matmul(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 3)) { return IT_UNSUPPORTED; }
    const struct it_tensor *y = &args->t[0], *a = &args->t[1];
    struct product p = {
        .device = device,
        .y = y,
        .a = a,
        .b = &args->t[2],
        .bias = args->t[3].dtype == IT_NONE ? NULL : &args->t[3],
        .m = y->shape[0],
        .n = y->shape[1],
        .k = a->shape[args->i[0] ? 0 : 1],
        .trans_a = args->i[0] != 0,
        .trans_b = args->i[1] != 0,
        .onto = args->f[0] != 0,
    };
    p.direct = y->dtype == IT_F32 && !p.bias;
    if (p.m == 0 || p.n == 0) { return IT_OK; }
    if (p.k == 0) {
        no_terms(&p);
        return IT_OK;
    }
    cut(&p, it_pool_threads(device->pool));
    int64_t tiles = p.tiles_down * p.tiles_across;
    bool small = p.m * p.n * p.k < SMALL;
    it_pool_run(device->pool, tiles, small ? tiles : 1, make_tiles, &p);
    return IT_OK;
}
