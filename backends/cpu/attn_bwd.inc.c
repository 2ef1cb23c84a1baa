/* SPDX-License-Identifier: MIT */
/* attn_bwd. With p = exp(scale q.k - lse), dp = dy . v, D = dy . y and ds = scale p (dp - D):
 *     dq = sum over keys of ds k     dk = sum over rows of ds q     dv = sum over rows of p dy
 * Two passes, so that no two threads add into one place: the first owns queries, the second owns
 * rows of keys and walks all segments that use them, in their order. Each computes p and ds anew,
 * in the chains of the forward pass. */

enum { KEYS = 64 /* rows of keys that a task of the second pass owns; a multiple of NR */ };
_Static_assert(KEYS % NR == 0 && (int)ROWS <= (int)KC, "blocks");

struct backward {
    struct attention a;
    const struct it_tensor *dq, *dk, *dv, *dy, *y, *lse, *segs;
};

/* Scratch, in floats. */
struct back_room {
    float *panel;            /* [KC, NR] */
    float *queries, *slopes; /* packed rows of q and dy [ROWS, width] */
    float *p, *ds;           /* [ROWS, KC] scores, then weights; dy.v, then ds */
    float *packed;           /* one of them packed [ROWS, KC] */
    float *first, *second;   /* sums [ROWS or KEYS, width]: dq; or dk and dv */
    float *keys, *values;    /* packed panels [KEYS, width] */
};
enum { SUMS = ((int)ROWS > (int)KEYS ? (int)ROWS : (int)KEYS) * HEAD };
_Static_assert(KC *NR + 2 * ROWS * HEAD + 3 * ROWS * KC + 2 * SUMS + 2 * KEYS * HEAD + 6 * SLACK <=
                   IT_CPU_SCRATCH,
               "scratch");

static struct back_room back_room_of(float *scratch)
{
    struct back_room room;
    room.panel = scratch;
    room.queries = room.panel + KC * NR;
    room.slopes = room.queries + ROWS * HEAD + SLACK;
    room.p = room.slopes + ROWS * HEAD + SLACK;
    room.ds = room.p + ROWS * KC;
    room.packed = room.ds + ROWS * KC;
    room.first = room.packed + ROWS * KC + SLACK;
    room.second = room.first + SUMS;
    room.keys = room.second + SUMS;
    room.values = room.keys + KEYS * HEAD + SLACK;
    return room;
}

/* What a block of rows needs whichever keys it meets. */
struct back_rows {
    struct queries q;
    struct panels panels;
    float lse[ROWS], d[ROWS];
};

static const char *row_in(const struct backward *b, const struct queries *q,
                          const struct it_tensor *t, int64_t r)
{
    return element(t, q->first + r / q->heads, (q->head + r % q->heads) * b->a.width);
}

static float dot_rows(const char *x, const char *y, int64_t n, bool narrow)
{
    vf sum = v_set(0);
    for (int64_t c = 0; c < n; c += VW) {
        int left = at_most(n - c, VW);
        sum = v_fma(get_n(x, c, left, narrow), get_n(y, c, left, narrow), sum);
    }
    return v_sum(sum);
}

static void prepare_rows(const struct backward *b, struct back_rows *rows,
                         const struct back_room *room)
{
    const struct queries *q = &rows->q;
    const void *q_rows[ROWS], *dy_rows[ROWS];
    for (int64_t r = 0; r < q->rows; r++) {
        q_rows[r] = row_in(b, q, b->a.q, r);
        dy_rows[r] = row_in(b, q, b->dy, r);
        const float *lse = (const void *)row_at(b->lse, q->first + r / q->heads);
        rows->lse[r] = lse[q->head + r % q->heads];
        rows->d[r] = dot_rows(dy_rows[r], row_in(b, q, b->y, r), b->a.width, b->a.narrow);
    }
    rows->panels = panels_of(q->rows);
    pack_panels(room->queries, rows->panels, q_rows, 0, b->a.width, b->a.narrow);
    pack_panels(room->slopes, rows->panels, dy_rows, 0, b->a.width, b->a.narrow);
}

/* Scores and dy.v of all rows with one panel of keys, packed in `keys` and `values`. */
static void meet_panel(const struct backward *b, const struct back_rows *rows,
                       const struct back_room *room, const float *keys, const float *values,
                       int64_t column, int64_t lds, int cols)
{
    int64_t width = b->a.width;
    for (int64_t i = 0; i < rows->panels.count; i++) {
        int64_t first = panel_start(rows->panels, i);
        int mr = (int)(panel_start(rows->panels, i + 1) - first);
        if (keys) {
            multiply(mr, width, room->queries + first * width, mr, keys,
                     room->p + first * lds + column, lds, cols, false);
        }
        if (values) {
            multiply(mr, width, room->slopes + first * width, mr, values,
                     room->ds + first * lds + column, lds, cols, false);
        }
    }
}

/* Scores to p and dy.v to ds, in place: n keys of row r from position j on, of which those beyond
 * its length count for nothing. */
static void weigh_row(const struct backward *b, const struct back_rows *rows, int64_t r, int64_t j,
                      int64_t n, float *p, float *ds)
{
    int64_t seen = length_of(&rows->q, r) - j;
    if (seen > n) { seen = n; }
    vf scale = v_set(b->a.scale), lse = v_set(rows->lse[r]), d = v_set(rows->d[r]);
    for (int64_t c = 0; c < n; c += VW) {
        int left = at_most(n - c, VW);
        if (c >= seen) {
            v_store_n(p + c, v_set(0), left);
            v_store_n(ds + c, v_set(0), left);
            continue;
        }
        vm keep = v_first(at_most(seen - c, VW));
        vf weight = v_exp(v_load_n(p + c, left) * scale - lse);
        vf slope = weight * (v_load_n(ds + c, left) - d) * scale;
        v_store_n(p + c, v_select(keep, weight, v_set(0)), left);
        v_store_n(ds + c, v_select(keep, slope, v_set(0)), left);
    }
}

/* ---- the first pass: dq ---- */

static void back_queries(const struct backward *b, struct back_rows *rows, const struct keys *s,
                         const struct back_room *room)
{
    const struct attention *a = &b->a;
    const struct queries *q = &rows->q;
    const void *ds_rows[ROWS];
    prepare_rows(b, rows, room);
    memset(room->first, 0, (size_t)(q->rows * a->width) * sizeof(float));
    for (int64_t r = 0; r < q->rows; r++) { ds_rows[r] = room->ds + r * KC; }
    int64_t longest = length_of(q, q->rows - 1);
    for (int64_t j = 0; j < longest; j += KC) {
        int64_t kc = longest - j < KC ? longest - j : KC;
        for (int64_t i = 0; i < kc; i += NR) {
            int cols = at_most(kc - i, NR);
            pack_keys(room->panel, s, s->k, j + i, cols, a->width, a->narrow);
            meet_panel(b, rows, room, room->panel, NULL, i, KC, cols);
            pack_keys(room->panel, s, s->v, j + i, cols, a->width, a->narrow);
            meet_panel(b, rows, room, NULL, room->panel, i, KC, cols);
        }
        for (int64_t r = 0; r < q->rows; r++) {
            weigh_row(b, rows, r, j, kc, room->p + r * KC, room->ds + r * KC);
        }
        pack_panels(room->packed, rows->panels, ds_rows, 0, kc, false);
        for (int64_t c = 0; c < a->width; c += NR) {
            int cols = at_most(a->width - c, NR);
            pack_values(room->panel, s, s->k, j, kc, c, cols, a->narrow);
            for (int64_t i = 0; i < rows->panels.count; i++) {
                int64_t first = panel_start(rows->panels, i);
                add_values(q, first, panel_start(rows->panels, i + 1), j, kc,
                           room->packed + first * kc, room->panel,
                           room->first + first * a->width + c, a->width, cols);
            }
        }
    }
}

static void put_rows(const struct it_tensor *to, int64_t row, int64_t column, const float *from,
                     int64_t width, bool narrow)
{
    for (int64_t c = 0; c < width; c += VW) {
        int n = at_most(width - c, VW);
        put_n(row_of(to, row), column + c, v_load_n(from + c, n), n, narrow);
    }
}

static void query_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct backward *b = context;
    const struct attention *a = &b->a;
    struct back_room room = back_room_of(it_cpu_scratch(a->device, thread));
    int64_t base = 0;
    for (int64_t i = 0; i < b->segs->shape[0] && base < end; i++) {
        struct segment g = segment_at(b->segs, i);
        int64_t tasks = tasks_of(a, &g);
        for (int64_t task = begin > base ? begin - base : 0; task < tasks && base + task < end;
             task++) {
            int64_t kv = task % a->kv_heads, start = task / a->kv_heads * a->grain;
            int64_t count = g.queries - start < a->grain ? g.queries - start : a->grain;
            struct keys s = keys_of(a, &g, kv);
            struct back_rows rows = {.q = queries_of(a, &g, kv, start, count)};
            back_queries(b, &rows, &s, &room);
            for (int64_t r = 0; r < rows.q.rows; r++) {
                put_rows(b->dq, rows.q.first + r / a->group,
                         (rows.q.head + r % a->group) * a->width, room.first + r * a->width,
                         a->width, a->narrow);
            }
        }
        base += tasks;
    }
}

/* ---- the second pass: dk and dv ---- */

/* sums[key] (+)= weights[row][key] * row of t, rows in ascending order */
static void add_rows(const struct backward *b, const struct back_rows *rows,
                     const struct back_room *room, const float *weights, const struct it_tensor *t,
                     int64_t keys, float *sums)
{
    const struct queries *q = &rows->q;
    struct panels panels = panels_of(keys);
    int64_t width = b->a.width;
    for (int64_t i = 0; i < panels.count; i++) {
        int64_t first = panel_start(panels, i), mr = panel_start(panels, i + 1) - first;
        pack_along(room->packed + first * q->rows, mr, (const void *)(weights + first),
                   KEYS * (int64_t)sizeof(float), q->rows, mr, false);
    }
    for (int64_t c = 0; c < width; c += NR) {
        int cols = at_most(width - c, NR);
        int64_t across = packed_width(cols);
        for (int64_t r = 0; r < q->rows; r++) {
            pack_along(room->panel + r * across, across,
                       row_in(b, q, t, r) + c * (b->a.narrow ? 2 : 4), 0, 1, cols, b->a.narrow);
        }
        for (int64_t i = 0; i < panels.count; i++) {
            int64_t first = panel_start(panels, i), mr = panel_start(panels, i + 1) - first;
            multiply((int)mr, q->rows, room->packed + first * q->rows, mr, room->panel,
                     sums + first * width + c, width, cols, true);
        }
    }
}

/* What queries [from, g->queries) of a segment give to its positions [j, j + n), which are sums
 * `at`.. of the task. */
static void back_keys(const struct backward *b, const struct segment *g, const struct keys *s,
                      int64_t from, int64_t j, int64_t n, int64_t at, const struct back_room *room)
{
    const struct attention *a = &b->a;
    for (int64_t i = 0; i < n; i += NR) {
        int cols = at_most(n - i, NR);
        pack_keys(room->keys + i * a->width, s, s->k, j + i, cols, a->width, a->narrow);
        pack_keys(room->values + i * a->width, s, s->v, j + i, cols, a->width, a->narrow);
    }
    for (int64_t start = from; start < g->queries; start += a->grain) {
        int64_t count = g->queries - start < a->grain ? g->queries - start : a->grain;
        struct back_rows rows = {.q = queries_of(a, g, s->column / a->width, start, count)};
        prepare_rows(b, &rows, room);
        for (int64_t i = 0; i < n; i += NR) {
            meet_panel(b, &rows, room, room->keys + i * a->width, room->values + i * a->width, i,
                       KEYS, at_most(n - i, NR));
        }
        for (int64_t r = 0; r < rows.q.rows; r++) {
            weigh_row(b, &rows, r, j, n, room->p + r * KEYS, room->ds + r * KEYS);
        }
        add_rows(b, &rows, room, room->ds, a->q, n, room->first + at * a->width);
        add_rows(b, &rows, room, room->p, b->dy, n, room->second + at * a->width);
    }
}

/* Rows [first, last) of k, as far as they belong to `length` rows from `start` on, which are
 * positions `position`.. of the segment; the queries that see them begin at the row's own place. */
static void back_range(const struct backward *b, const struct segment *g, int64_t kv, int64_t first,
                       int64_t last, int64_t start, int64_t length, int64_t position,
                       const struct back_room *room)
{
    int64_t low = first > start ? first : start;
    int64_t high = last < start + length ? last : start + length;
    if (low >= high) { return; }
    struct keys s = keys_of(&b->a, g, kv);
    int64_t j = position + low - start;
    back_keys(b, g, &s, j > g->prefix ? j - g->prefix : 0, j, high - low, low - first, room);
}

static void key_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct backward *b = context;
    const struct attention *a = &b->a;
    struct back_room room = back_room_of(it_cpu_scratch(a->device, thread));
    size_t bytes = (size_t)(KEYS * a->width) * sizeof(float);
    for (int64_t task = begin; task < end; task++) {
        int64_t kv = task % a->kv_heads, first = task / a->kv_heads * KEYS;
        int64_t last = first + KEYS < a->k->shape[0] ? first + KEYS : a->k->shape[0];
        memset(room.first, 0, bytes);
        memset(room.second, 0, bytes);
        for (int64_t i = 0; i < b->segs->shape[0]; i++) {
            struct segment g = segment_at(b->segs, i);
            if (g.queries == 0) { continue; }
            back_range(b, &g, kv, first, last, g.prefix_start, g.prefix, 0, &room);
            back_range(b, &g, kv, first, last, g.own, g.queries, g.prefix, &room);
        }
        for (int64_t r = first; r < last; r++) {
            int64_t at = (r - first) * a->width, column = kv * a->width;
            put_rows(b->dk, r, column, room.first + at, a->width, a->narrow);
            put_rows(b->dv, r, column, room.second + at, a->width, a->narrow);
        }
    }
}

static void clear_rows(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct it_tensor *t = context;
    size_t bytes = (size_t)t->shape[1] * it_dtype_size(t->dtype);
    for (int64_t r = begin; r < end; r++) { memset(row_of(t, r), 0, bytes); }
}

static enum it_status attn_bwd(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 8)) { return IT_UNSUPPORTED; }
    const struct it_tensor *t = args->t;
    struct backward b = {
        .a = attention_of(device, args, &t[4], &t[5], &t[6]),
        .dq = &t[0],
        .dk = &t[1],
        .dv = &t[2],
        .dy = &t[3],
        .y = &t[7],
        .lse = &t[8],
        .segs = &t[9],
    };
    if (b.a.width > HEAD || b.a.group > ROWS) { return IT_UNSUPPORTED; }
    IT_TRY(check_segments("attn_bwd", b.segs, b.a.q->shape[0], b.a.k->shape[0]));
    b.a.grain = query_grain(&b.a);
    for_rows(device, t[0].shape[0], 4 * t[0].shape[1], clear_rows, b.dq);
    int64_t tasks = count_tasks(&b.a, b.segs);
    it_pool_run(device->pool, tasks, task_grain(&b.a, b.segs, tasks), query_tasks, &b);
    int64_t blocks = (b.a.k->shape[0] + KEYS - 1) / KEYS;
    it_pool_run(device->pool, blocks * b.a.kv_heads, 1, key_tasks, &b);
    return IT_OK;
}
