/* SPDX-License-Identifier: MIT */
/* Reference kernels: attn, attn_bwd, attn_decode.
 *
 * Keys are walked in the order of the sequence, whichever rows they lie in, and each query alone:
 * attn_decode is thereby equal to the last row of attn to the bit, and a shared prefix to one that
 * is not. Scores are computed again in each pass, because ops never allocate. */
#include "core/base/log.h"
#include "core/tensor/ref_internal.h"

enum { HEAD_COLUMNS = 128 }; /* of a head at once */

/* The keys that one query sees. */
struct keys {
    int64_t count;
    int64_t prefix_start, prefix, own;  /* attn: rows of k */
    const struct it_tensor *table;      /* attn_decode: pages of row `slot` */
    int64_t slot, page;
};

/* One head of one query. */
struct query {
    const struct it_tensor *q, *k, *v;
    int64_t row, column;  /* in q */
    int64_t kv_column;    /* in k and v */
    int64_t width;
    real scale;
};

/* The five columns of a row of segs. */
struct segment {
    int64_t query, length, prefix_start, prefix, own;
};

static int64_t key_row(const struct keys *keys, int64_t j)
{
    if (keys->table) {
        return ref_int(keys->table, keys->slot, j / keys->page) * keys->page + j % keys->page;
    }
    return j < keys->prefix ? keys->prefix_start + j : keys->own + j - keys->prefix;
}

static real dot(const struct it_tensor *a, int64_t a_row, int64_t a_column,
                const struct it_tensor *b, int64_t b_row, int64_t b_column, int64_t n)
{
    real sum = 0;
    for (int64_t j = 0; j < n; ++j) {
        sum += ref_at(a, a_row, a_column + j) * ref_at(b, b_row, b_column + j);
    }
    return sum;
}

static real score(const struct query *query, int64_t key)
{
    return query->scale * dot(query->q, query->row, query->column, query->k, key,
                              query->kv_column, query->width);
}

/* y[query] = softmax(scores) v; returns the logsumexp of the scores */
static real attend(const struct query *query, const struct keys *keys, const struct it_tensor *y)
{
    real most = -INFINITY;
    for (int64_t j = 0; j < keys->count; ++j) {
        real s = score(query, key_row(keys, j));
        most = s > most ? s : most;
    }
    real total = 0;
    for (int64_t c0 = 0; c0 < query->width; c0 += HEAD_COLUMNS) {
        int64_t width = query->width - c0 < HEAD_COLUMNS ? query->width - c0 : HEAD_COLUMNS;
        real sum[HEAD_COLUMNS] = {0};
        total = 0;
        for (int64_t j = 0; j < keys->count; ++j) {
            int64_t key = key_row(keys, j);
            real p = ref_exp(score(query, key) - most);
            total += p;
            for (int64_t c = 0; c < width; ++c) {
                sum[c] += p * ref_at(query->v, key, query->kv_column + c0 + c);
            }
        }
        for (int64_t c = 0; c < width; ++c) {
            ref_put(y, query->row, query->column + c0 + c, sum[c] / total);
        }
    }
    return most + ref_log(total);
}

static struct segment segment_at(const struct it_tensor *segs, int64_t s)
{
    return (struct segment){ref_int(segs, s, 0), ref_int(segs, s, 1), ref_int(segs, s, 2),
                            ref_int(segs, s, 3), ref_int(segs, s, 4)};
}

static bool range_fits(int64_t start, int64_t length, int64_t rows)
{
    return length == 0 || (start >= 0 && length > 0 && start + length <= rows);
}

static enum it_status check_segments(const struct it_tensor *segs, int64_t queries, int64_t keys)
{
    for (int64_t s = 0; s < segs->shape[0]; ++s) {
        struct segment g = segment_at(segs, s);
        if (!range_fits(g.query, g.length, queries) ||
            !range_fits(g.prefix_start, g.prefix, keys) || !range_fits(g.own, g.length, keys)) {
            return it_fail(IT_INVALID,
                           "op attn: segment %lld {%lld, %lld, %lld, %lld, %lld} leaves the %lld "
                           "queries or the %lld keys",
                           (long long)s, (long long)g.query, (long long)g.length,
                           (long long)g.prefix_start, (long long)g.prefix, (long long)g.own,
                           (long long)queries, (long long)keys);
        }
    }
    return IT_OK;
}

enum it_status REF(attn)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *lse = &args->t[1], *q = &args->t[2],
                           *k = &args->t[3], *v = &args->t[4], *segs = &args->t[5];
    int64_t heads = args->i[0], group = heads / args->i[1], width = q->shape[1] / heads;
    IT_TRY(check_segments(segs, q->shape[0], k->shape[0]));
    for (int64_t s = 0; s < segs->shape[0]; ++s) {
        struct segment g = segment_at(segs, s);
        for (int64_t i = 0; i < g.length; ++i) {
            struct keys keys = {.count = g.prefix + i + 1, .prefix_start = g.prefix_start,
                                .prefix = g.prefix, .own = g.own};
            for (int64_t h = 0; h < heads; ++h) {
                struct query query = {q, k, v, g.query + i, h * width, h / group * width, width,
                                      (real)args->f[0]};
                ref_put(lse, query.row, h, attend(&query, &keys, y));
            }
        }
    }
    return IT_OK;
}

enum it_status REF(attn_decode)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *y = &args->t[0], *q = &args->t[1], *kc = &args->t[2],
                           *vc = &args->t[3], *table = &args->t[4], *length = &args->t[5];
    int64_t heads = args->i[0], group = heads / args->i[1], width = q->shape[1] / heads;
    for (int64_t r = 0; r < q->shape[0]; ++r) {
        struct keys keys = {.count = ref_id(length, r), .table = table, .slot = r,
                            .page = args->i[2]};
        if (keys.count > table->shape[1] * keys.page) {
            return it_fail(IT_INVALID, "op attn_decode: slot %lld has length %lld on %lld pages",
                           (long long)r, (long long)keys.count, (long long)table->shape[1]);
        }
        for (int64_t j = 0; j < keys.count; ++j) {
            int64_t row = key_row(&keys, j);
            if (row < 0 || row >= kc->shape[0]) {
                return it_fail(IT_INVALID, "op attn_decode: slot %lld, key %lld: no row %lld",
                               (long long)r, (long long)j, (long long)row);
            }
        }
        for (int64_t c = 0; keys.count <= 0 && c < q->shape[1]; ++c) { ref_put(y, r, c, 0); }
        for (int64_t h = 0; keys.count > 0 && h < heads; ++h) {
            struct query query = {q, kc, vc, r, h * width, h / group * width, width,
                                  (real)args->f[0]};
            attend(&query, &keys, y);
        }
    }
    return IT_OK;
}

/* ---- backward ---- */

/* With p = exp(score - lse), dp = dy . v, D = dy . y:  ds = p (dp - D). Then dv += p dy,
 * dk += scale ds q, dq += scale ds k. */
struct back {
    const struct it_tensor *dy, *y, *lse;
};

struct pair {
    real p, ds;
};

static struct pair pair_of(const struct query *query, const struct back *back, int64_t key,
                           int64_t head)
{
    real p = ref_exp(score(query, key) - ref_at(back->lse, query->row, head));
    real dp = dot(back->dy, query->row, query->column, query->v, key, query->kv_column,
                  query->width);
    real d = dot(back->dy, query->row, query->column, back->y, query->row, query->column,
                 query->width);
    return (struct pair){p, p * (dp - d)};
}

static void back_query(const struct query *query, const struct back *back, int64_t head,
                       const struct keys *keys, const struct it_tensor *dq)
{
    for (int64_t c0 = 0; c0 < query->width; c0 += HEAD_COLUMNS) {
        int64_t width = query->width - c0 < HEAD_COLUMNS ? query->width - c0 : HEAD_COLUMNS;
        real sum[HEAD_COLUMNS] = {0};
        for (int64_t j = 0; j < keys->count; ++j) {
            int64_t key = key_row(keys, j);
            real ds = query->scale * pair_of(query, back, key, head).ds;
            for (int64_t c = 0; c < width; ++c) {
                sum[c] += ds * ref_at(query->k, key, query->kv_column + c0 + c);
            }
        }
        for (int64_t c = 0; c < width; ++c) {
            ref_put(dq, query->row, query->column + c0 + c, sum[c]);
        }
    }
}

/* Sums of one key row and key head over columns [c0, c0 + width) of the head. */
struct key_sums {
    int64_t key, kv_head, group, c0, width;
    real dk[HEAD_COLUMNS], dv[HEAD_COLUMNS];
};

/* What the queries [first, g->length) of a segment add to a key that all of them see. */
static void add_queries(struct key_sums *sums, struct query query, const struct back *back,
                        const struct segment *g, int64_t first)
{
    for (int64_t i = first; i < g->length; ++i) {
        query.row = g->query + i;
        for (int64_t h = sums->kv_head * sums->group; h < (sums->kv_head + 1) * sums->group; ++h) {
            query.column = h * query.width;
            struct pair pair = pair_of(&query, back, sums->key, h);
            for (int64_t c = 0; c < sums->width; ++c) {
                int64_t column = query.column + sums->c0 + c;
                sums->dv[c] += pair.p * ref_at(back->dy, query.row, column);
                sums->dk[c] += query.scale * pair.ds * ref_at(query.q, query.row, column);
            }
        }
    }
}

static void back_key(struct query query, const struct back *back, const struct it_tensor *segs,
                     struct key_sums *sums, const struct it_tensor *dk, const struct it_tensor *dv)
{
    query.kv_column = sums->kv_head * query.width;
    for (sums->c0 = 0; sums->c0 < query.width; sums->c0 += HEAD_COLUMNS) {
        int64_t left = query.width - sums->c0;
        sums->width = left < HEAD_COLUMNS ? left : HEAD_COLUMNS;
        for (int64_t c = 0; c < sums->width; ++c) { sums->dk[c] = sums->dv[c] = 0; }
        for (int64_t s = 0; s < segs->shape[0]; ++s) {
            struct segment g = segment_at(segs, s);
            int64_t in_prefix = sums->key - g.prefix_start, in_own = sums->key - g.own;
            if (in_prefix >= 0 && in_prefix < g.prefix) {
                add_queries(sums, query, back, &g, 0);
            }
            if (in_own >= 0 && in_own < g.length) { add_queries(sums, query, back, &g, in_own); }
        }
        for (int64_t c = 0; c < sums->width; ++c) {
            int64_t column = query.kv_column + sums->c0 + c;
            ref_put(dk, sums->key, column, sums->dk[c]);
            ref_put(dv, sums->key, column, sums->dv[c]);
        }
    }
}

static void back_queries(const struct it_args *args, const struct back *back)
{
    const struct it_tensor *dq = &args->t[0], *q = &args->t[4], *segs = &args->t[9];
    int64_t heads = args->i[0], group = heads / args->i[1], width = q->shape[1] / heads;
    for (int64_t i = 0; i < q->shape[0]; ++i) {
        for (int64_t c = 0; c < q->shape[1]; ++c) { ref_put(dq, i, c, 0); }
    }
    for (int64_t s = 0; s < segs->shape[0]; ++s) {
        struct segment g = segment_at(segs, s);
        for (int64_t i = 0; i < g.length; ++i) {
            struct keys keys = {.count = g.prefix + i + 1, .prefix_start = g.prefix_start,
                                .prefix = g.prefix, .own = g.own};
            for (int64_t h = 0; h < heads; ++h) {
                struct query query = {q, &args->t[5], &args->t[6], g.query + i, h * width,
                                      h / group * width, width, (real)args->f[0]};
                back_query(&query, back, h, &keys, dq);
            }
        }
    }
}

enum it_status REF(attn_bwd)(struct it_device *device, const struct it_args *args)
{
    (void)device;
    const struct it_tensor *dk = &args->t[1], *dv = &args->t[2], *q = &args->t[4],
                           *k = &args->t[5], *v = &args->t[6], *segs = &args->t[9];
    struct back back = {&args->t[3], &args->t[7], &args->t[8]};
    IT_TRY(check_segments(segs, q->shape[0], k->shape[0]));
    back_queries(args, &back);
    int64_t heads = args->i[0], kv_heads = args->i[1];
    struct query query = {.q = q, .k = k, .v = v, .width = q->shape[1] / heads,
                          .scale = (real)args->f[0]};
    struct key_sums sums = {.group = heads / kv_heads};
    for (sums.key = 0; sums.key < k->shape[0]; ++sums.key) {
        for (sums.kv_head = 0; sums.kv_head < kv_heads; ++sums.kv_head) {
            back_key(query, &back, segs, &sums, dk, dv);
        }
    }
    return IT_OK;
}
