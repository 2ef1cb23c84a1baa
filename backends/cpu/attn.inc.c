/* SPDX-License-Identifier: MIT */
/* attn and attn_decode. Both go through attend(): some query rows of one key head against the keys
 * of one sequence. For a row, whatever rows are beside it:
 *   scores  s_j = scale * (q . k_j), the dot product one chain over the head's width
 *   weights p_j = exp(s_j - max), summed in lanes by position, from the start of the sequence
 *   output  one chain of p_j v_j over j ascending, times 1 / sum
 * so that a decode step gives the bits that the whole sequence gives. The scores of a row are kept
 * whole: a second look at them costs less than rescaling sums, and has no blocks to depend on. */

enum {
    SCORES = 3 << 16,                /* floats */
    HEAD = KC,                       /* the widest head */
    ROWS = 8 * MR,                   /* query rows at a time, at most */
    LONGEST = SCORES - ROWS - 2 * VW /* keys of a sequence */
};

/* Keys and values of one sequence, by position. */
struct keys {
    const struct it_tensor *k, *v;
    int64_t column;                          /* of the key head */
    int64_t prefix, prefix_start, own_start; /* a segment of packed rows, */
    const int32_t *pages;                    /* or, when not NULL, pages of the cache */
    int64_t page;
};

static inline int64_t key_row(const struct keys *s, int64_t j)
{
    if (s->pages) { return s->pages[j / s->page] * s->page + j % s->page; }
    return j < s->prefix ? s->prefix_start + j : s->own_start + j - s->prefix;
}

/* Query rows: row r is query first + r / heads, head r % heads of those that share the key head. */
struct queries {
    const struct it_tensor *q, *y, *lse; /* lse NULL: not wanted */
    int64_t first, head, heads;
    int64_t rows;
    int64_t length, step; /* query i sees length + i * step keys */
};

static inline int64_t length_of(const struct queries *s, int64_t r)
{
    return s->length + r / s->heads * s->step;
}

struct attention {
    struct it_device *device;
    const struct it_args *args;
    const struct it_tensor *q, *k, *v;
    int64_t heads, kv_heads, group, width; /* of a head */
    float scale;
    bool narrow;
    int64_t grain; /* queries of a segment that one task takes */
};

static struct attention attention_of(struct it_device *device, const struct it_args *args,
                                     const struct it_tensor *q, const struct it_tensor *k,
                                     const struct it_tensor *v)
{
    return (struct attention){
        .device = device,
        .args = args,
        .q = q,
        .k = k,
        .v = v,
        .heads = args->i[0],
        .kv_heads = args->i[1],
        .group = args->i[0] / args->i[1],
        .width = q->shape[1] / args->i[0],
        .scale = (float)args->f[0],
        .narrow = is_narrow(q),
    };
}

/* Scratch of attend(), in floats. */
struct room {
    float *queries; /* packed rows of q [ROWS, width] */
    float *panel;   /* of keys or values [KC, NR] */
    float *weights; /* packed weights of a stretch of keys [ROWS, KC] */
    float *sums;    /* [ROWS, width] */
    float *scores;  /* [rows, longest] */
};
_Static_assert(KC *NR + 2 * (ROWS * HEAD + SLACK) + ROWS * KC + SLACK + SCORES <= IT_CPU_SCRATCH,
               "scratch");

static struct room room_of(float *scratch)
{
    struct room room;
    room.panel = scratch;
    room.queries = room.panel + KC * NR;
    room.sums = room.queries + ROWS * HEAD + SLACK;
    room.weights = room.sums + ROWS * HEAD + SLACK;
    room.scores = room.weights + ROWS * KC + SLACK;
    return room;
}

/* A panel of NR keys, turned: [width][packed_width(cols)] */
static void pack_keys(float *to, const struct keys *s, const struct it_tensor *t, int64_t j0,
                      int64_t cols, int64_t width, bool narrow)
{
    int64_t across = packed_width(cols);
    for (int64_t v = 0; v < across; v += VW) {
        const void *lanes[VW];
        for (int i = 0; i < VW; i++) {
            int64_t j = j0 + (v + i < cols ? v + i : 0);
            lanes[i] = element(t, key_row(s, j), s->column);
        }
        pack_across(to + v, across, lanes, 0, width, narrow, 0);
    }
}

/* Columns [c0, c0 + cols) of keys j0.. as they lie: [kc][packed_width(cols)] */
static void pack_values(float *to, const struct keys *s, const struct it_tensor *t, int64_t j0,
                        int64_t kc, int64_t c0, int64_t cols, bool narrow)
{
    int64_t across = packed_width(cols);
    for (int64_t j = 0; j < kc; j++) {
        pack_along(to + j * across, across, element(t, key_row(s, j0 + j), s->column + c0), 0, 1,
                   cols, narrow);
    }
}

/* scores[r][j] = q_r . k_j for the keys that any row of r's panel sees */
static void make_scores(const struct attention *a, const struct queries *q, const struct keys *s,
                        const struct room *room, int64_t lds)
{
    const void *rows[ROWS];
    for (int64_t r = 0; r < q->rows; r++) {
        rows[r] = element(q->q, q->first + r / q->heads, (q->head + r % q->heads) * a->width);
    }
    struct panels panels = panels_of(q->rows);
    pack_panels(room->queries, panels, rows, 0, a->width, a->narrow);
    int64_t longest = length_of(q, q->rows - 1);
    for (int64_t j = 0; j < longest; j += NR) {
        int cols = at_most(longest - j, NR);
        pack_keys(room->panel, s, s->k, j, cols, a->width, a->narrow);
        for (int64_t p = 0; p < panels.count; p++) {
            int64_t first = panel_start(panels, p), end = panel_start(panels, p + 1);
            if (length_of(q, end - 1) <= j) { continue; }
            multiply((int)(end - first), a->width, room->queries + first * a->width, end - first,
                     room->panel, room->scores + first * lds + j, lds, cols, false);
        }
    }
}

/* Scores to weights, in place; returns their sum and the largest scaled score. */
static float softmax(float *x, int64_t n, float scale, float *largest_out)
{
    vf factor = v_set(scale), most = v_set(-INFINITY), sum = v_set(0), none = v_set(-INFINITY);
    int64_t j = 0;
    for (; j + VW <= n; j += VW) { most = v_max(most, v_load(x + j) * factor); }
    if (j < n) {
        int c = (int)(n - j);
        most = v_max(most, v_select(v_first(c), v_load_n(x + j, c) * factor, none));
    }
    float largest = v_largest(most);
    vf top = v_set(largest);
    for (j = 0; j + VW <= n; j += VW) {
        vf p = v_exp(v_load(x + j) * factor - top);
        v_store(x + j, p);
        sum = sum + p;
    }
    if (j < n) {
        int c = (int)(n - j);
        vf p = v_select(v_first(c), v_exp(v_load_n(x + j, c) * factor - top), v_set(0));
        v_store_n(x + j, p, c);
        sum = sum + p;
    }
    *largest_out = largest;
    return v_sum(sum);
}

/* Adds a stretch of keys to one panel of rows. Rows of one panel may differ in length: what all
 * see goes at once, and each further key to the rows that see it, which stand last. */
static void add_values(const struct queries *q, int64_t first, int64_t end, int64_t j0, int64_t kc,
                       const float *weights, const float *panel, float *sums, int64_t ldc, int cols)
{
    int64_t mr = end - first, common = length_of(q, first) - j0;
    if (common > kc) { common = kc; }
    if (common > 0) { multiply((int)mr, common, weights, mr, panel, sums, ldc, cols, true); }
    int64_t across = packed_width(cols);
    for (int64_t j = common > 0 ? common : 0, r = 0; j < kc; j++) {
        while (r < mr && length_of(q, first + r) <= j0 + j) { r++; }
        if (r == mr) { break; }
        multiply((int)(mr - r), 1, weights + j * mr + r, mr, panel + j * across, sums + r * ldc,
                 ldc, cols, true);
    }
}

/* sums[r] = sum over j of weights[r][j] v_j */
static void sum_values(const struct attention *a, const struct queries *q, const struct keys *s,
                       const struct room *room, int64_t lds)
{
    struct panels panels = panels_of(q->rows);
    const void *rows[ROWS];
    for (int64_t r = 0; r < q->rows; r++) { rows[r] = room->scores + r * lds; }
    memset(room->sums, 0, (size_t)(q->rows * a->width) * sizeof(float));
    int64_t longest = length_of(q, q->rows - 1);
    for (int64_t j = 0; j < longest; j += KC) {
        int64_t kc = longest - j < KC ? longest - j : KC;
        pack_panels(room->weights, panels, rows, j, kc, false);
        for (int64_t c = 0; c < a->width; c += NR) {
            int cols = at_most(a->width - c, NR);
            pack_values(room->panel, s, s->v, j, kc, c, cols, a->narrow);
            for (int64_t p = 0; p < panels.count; p++) {
                int64_t first = panel_start(panels, p), end = panel_start(panels, p + 1);
                add_values(q, first, end, j, kc, room->weights + first * kc, room->panel,
                           room->sums + first * a->width + c, a->width, cols);
            }
        }
    }
}

static void attend(const struct attention *a, const struct queries *q, const struct keys *s,
                   float *scratch)
{
    struct room room = room_of(scratch);
    int64_t longest = length_of(q, q->rows - 1);
    int64_t lds = ((longest + VW - 1) / VW | 1) * VW; /* odd: rows do not meet in one cache set */
    float inverse[ROWS];
    make_scores(a, q, s, &room, lds);
    for (int64_t r = 0; r < q->rows; r++) {
        float largest, sum = softmax(room.scores + r * lds, length_of(q, r), a->scale, &largest);
        inverse[r] = 1.0f / sum;
        if (q->lse) {
            float *lse = (float *)(void *)row_of(q->lse, q->first + r / q->heads);
            lse[q->head + r % q->heads] = largest + k_log(sum);
        }
    }
    sum_values(a, q, s, &room, lds);
    for (int64_t r = 0; r < q->rows; r++) {
        char *y = row_of(q->y, q->first + r / q->heads);
        int64_t column = (q->head + r % q->heads) * a->width;
        for (int64_t c = 0; c < a->width; c += VW) {
            int n = at_most(a->width - c, VW);
            vf value = v_load_n(room.sums + r * a->width + c, n) * v_set(inverse[r]);
            put_n(y, column + c, value, n, a->narrow);
        }
    }
}

/* All rows of the queries, as many at a time as the scratch holds: whole queries, or some heads of
 * one when the sequence is very long. */
static void attend_all(const struct attention *a, struct queries q, const struct keys *s,
                       int64_t count, float *scratch)
{
    int64_t first = q.first, head = q.head, heads = q.heads, length = q.length;
    for (int64_t i = 0; i < count;) {
        int64_t fit = SCORES / (length + (i + ROWS) * q.step + 2 * VW); /* rows */
        if (fit > ROWS) { fit = ROWS; }
        int64_t queries = fit / heads;
        if (queries > count - i) { queries = count - i; }
        if (queries < 1) { queries = 1; }
        int64_t some = heads < fit ? heads : fit > 0 ? fit : 1;
        for (int64_t h = 0; h < heads; h += some) {
            q.first = first + i;
            q.length = length + i * q.step;
            q.head = head + h;
            q.heads = heads - h < some ? heads - h : some;
            q.rows = queries * q.heads;
            attend(a, &q, s, scratch);
        }
        i += queries;
    }
}

/* ---- attn ---- */

/* Row `index` of segs [s, 5] */
struct segment {
    int64_t query, queries, prefix_start, prefix, own;
};
static struct segment segment_at(const struct it_tensor *segs, int64_t index)
{
    const int32_t *row = (const void *)row_at(segs, index);
    return (struct segment){row[0], row[1], row[2], row[3], row[4]};
}

static bool range_fits(int64_t start, int64_t length, int64_t rows)
{
    return length == 0 || (start >= 0 && length > 0 && start + length <= rows);
}

/* Ranges that stand inside the tensors, and sequences that fit the scratch. */
static enum it_status check_segments(const char *op, const struct it_tensor *segs, int64_t queries,
                                     int64_t keys)
{
    for (int64_t i = 0; i < segs->shape[0]; i++) {
        struct segment g = segment_at(segs, i);
        bool inside = range_fits(g.query, g.queries, queries) &&
                      range_fits(g.prefix_start, g.prefix, keys) &&
                      range_fits(g.own, g.queries, keys);
        if (!inside) {
            return it_fail(IT_INVALID, "op %s: segment %lld is outside of its tensors", op,
                           (long long)i);
        }
        if (g.prefix + g.queries > LONGEST) { return IT_UNSUPPORTED; }
    }
    return IT_OK;
}

/* Its keys for key head kv. */
static struct keys keys_of(const struct attention *a, const struct segment *g, int64_t kv)
{
    return (struct keys){
        .k = a->k,
        .v = a->v,
        .column = kv * a->width,
        .prefix = g->prefix,
        .prefix_start = g->prefix_start,
        .own_start = g->own,
    };
}

/* Its queries start.. for the heads of key head kv. */
static struct queries queries_of(const struct attention *a, const struct segment *g, int64_t kv,
                                 int64_t start, int64_t count)
{
    return (struct queries){
        .q = a->q,
        .first = g->query + start,
        .head = kv * a->group,
        .heads = a->group,
        .rows = count * a->group,
        .length = g->prefix + start + 1,
        .step = 1,
    };
}

static int64_t tasks_of(const struct attention *a, const struct segment *g)
{
    return (g->queries + a->grain - 1) / a->grain * a->kv_heads;
}

/* Tasks are (segment, block of queries, key head), the last fastest: neighbours share keys. */
static void attn_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct attention *a = context;
    const struct it_tensor *segs = &a->args->t[5];
    float *scratch = it_cpu_scratch(a->device, thread);
    int64_t base = 0;
    for (int64_t i = 0; i < segs->shape[0] && base < end; i++) {
        struct segment g = segment_at(segs, i);
        int64_t tasks = tasks_of(a, &g);
        int64_t from = begin > base ? begin - base : 0;
        for (int64_t task = from; task < tasks && base + task < end; task++) {
            int64_t kv = task % a->kv_heads, start = task / a->kv_heads * a->grain;
            int64_t count = g.queries - start < a->grain ? g.queries - start : a->grain;
            struct keys s = keys_of(a, &g, kv);
            struct queries q = queries_of(a, &g, kv, start, count);
            q.y = &a->args->t[0];
            q.lse = &a->args->t[1];
            attend_all(a, q, &s, count, scratch);
        }
        base += tasks;
    }
}

/* Queries a task: enough rows to share each packed key. */
static int64_t query_grain(const struct attention *a)
{
    int64_t grain = ROWS / a->group;
    return grain > 0 ? grain : 1;
}

static int64_t count_tasks(const struct attention *a, const struct it_tensor *segs)
{
    int64_t count = 0;
    for (int64_t i = 0; i < segs->shape[0]; i++) {
        struct segment g = segment_at(segs, i);
        count += tasks_of(a, &g);
    }
    return count;
}

/* Multiply-adds of a pass, roughly. */
static int64_t work_of(const struct attention *a, const struct it_tensor *segs)
{
    int64_t pairs = 0;
    for (int64_t i = 0; i < segs->shape[0]; i++) {
        struct segment g = segment_at(segs, i);
        pairs += g.queries * (g.prefix + g.queries / 2 + 1);
    }
    return 2 * pairs * a->q->shape[1];
}

/* Chunks: each looks for its place among the segments once, so not too many; one when there is
 * little to do. */
static int64_t task_grain(const struct attention *a, const struct it_tensor *segs, int64_t tasks)
{
    if (work_of(a, segs) < SMALL / 2) { return tasks; }
    int64_t grain = tasks / (32 * (int64_t)it_pool_threads(a->device->pool));
    return grain > 0 ? grain : 1;
}

static enum it_status attn(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 4)) { return IT_UNSUPPORTED; }
    struct attention a = attention_of(device, args, &args->t[2], &args->t[3], &args->t[4]);
    if (a.width > HEAD) { return IT_UNSUPPORTED; }
    IT_TRY(check_segments("attn", &args->t[5], a.q->shape[0], a.k->shape[0]));
    a.grain = query_grain(&a);
    int64_t tasks = count_tasks(&a, &args->t[5]);
    it_pool_run(device->pool, tasks, task_grain(&a, &args->t[5], tasks), attn_tasks, &a);
    return IT_OK;
}

/* ---- attn_decode ---- */

static void decode_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct attention *a = context;
    const struct it_args *args = a->args;
    const int32_t *lengths = it_view_host(&args->t[5]);
    float *scratch = it_cpu_scratch(a->device, thread);
    for (int64_t i = begin; i < end; i++) {
        int64_t slot = i / a->kv_heads, kv = i % a->kv_heads;
        if (lengths[slot] <= 0) {
            size_t bytes = (size_t)(a->group * a->width) * it_dtype_size(a->q->dtype);
            memset(row_of(&args->t[0], slot) + (size_t)kv * bytes, 0, bytes);
            continue;
        }
        struct keys s = {
            .k = a->k,
            .v = a->v,
            .column = kv * a->width,
            .pages = (const void *)row_at(&args->t[4], slot),
            .page = args->i[2],
        };
        struct queries q = {
            .q = a->q,
            .y = &args->t[0],
            .first = slot,
            .head = kv * a->group,
            .heads = a->group,
            .length = lengths[slot],
        };
        attend_all(a, q, &s, 1, scratch);
    }
}

/* Every page that a slot's length reaches lies in the cache. */
static enum it_status check_pages(const struct it_args *args)
{
    const struct it_tensor *table = &args->t[4];
    const int32_t *lengths = it_view_host(&args->t[5]);
    int64_t page = args->i[2], rows = args->t[2].shape[0];
    for (int64_t slot = 0; slot < table->shape[0]; slot++) {
        const int32_t *pages = (const void *)row_at(table, slot);
        int64_t length = lengths[slot];
        if (length > LONGEST) { return IT_UNSUPPORTED; }
        if (length > table->shape[1] * page) {
            return it_fail(IT_INVALID, "op attn_decode: slot %lld: %lld keys, room for %lld",
                           (long long)slot, (long long)length, (long long)(table->shape[1] * page));
        }
        for (int64_t j = 0; j < length; j += page) {
            int64_t last = length - j < page ? length - j : page;
            if (pages[j / page] < 0 || pages[j / page] * page + last > rows) {
                return it_fail(IT_INVALID, "op attn_decode: page %d of slot %lld leaves the cache",
                               pages[j / page], (long long)slot);
            }
        }
    }
    return IT_OK;
}

static enum it_status attn_decode(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 3)) { return IT_UNSUPPORTED; }
    struct attention a = attention_of(device, args, &args->t[1], &args->t[2], &args->t[3]);
    if (a.width > HEAD) { return IT_UNSUPPORTED; }
    IT_TRY(check_pages(args));
    const int32_t *lengths = it_view_host(&args->t[5]);
    int64_t keys = 0, tasks = a.q->shape[0] * a.kv_heads;
    for (int64_t slot = 0; slot < a.q->shape[0]; slot++) { keys += lengths[slot]; }
    bool small = 2 * keys * a.q->shape[1] < SMALL / 2;
    it_pool_run(device->pool, tasks, small ? tasks : 1, decode_tasks, &a);
    return IT_OK;
}
