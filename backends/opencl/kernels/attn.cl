/* SPDX-License-Identifier: MIT */
/* attn, attn_decode and the backward: a group a query (or key) and head. Keys are walked in blocks
 * of KEYS from the start of the sequence, whichever rows they lie in: a decode step is equal to
 * the bit to the last row of a long one, and a shared prefix to one that is not. */

/* A head's columns are kept by the items of the group: sum[i] is column c. */
#ifdef IT_CPU
#    define EACH_MINE(i, c, width) for (int i = 0, c = 0; c < (width); i++, c++)
#else /* a constant count, for registers */
#    define EACH_MINE(i, c, width)                                                                 \
        for (int i = 0, c = get_local_id(0); i < MOST_WIDTH / GROUP; i++, c += GROUP)              \
            if (c < (width))
#endif
#define EACH_KEY(j, n) for (int j = get_local_id(0); j < (n); j += GROUP)

struct segment {
    long query, length, prefix_start, prefix, own;
};

static inline struct segment segment_at(global const int *segs, const struct attention *p, int s)
{
    long at = p->segs.at + s * p->segs.row;
    struct segment g = {segs[at], segs[at + 1], segs[at + 2], segs[at + 3], segs[at + 4]};
    return g;
}

/* What leaves the tensors is left out: no kernel touches memory that is not its own. */
static inline bool segment_fits(const struct attention *p, const struct segment *g)
{
    return g->length > 0 && g->query >= 0 && g->query + g->length <= p->rows && g->own >= 0 &&
           g->own + g->length <= p->key_rows && g->prefix >= 0 &&
           (g->prefix == 0 ||
            (g->prefix_start >= 0 && g->prefix_start + g->prefix <= p->key_rows));
}

/* The keys of one query: the first `prefix` of `count` from `prefix_start` on, the rest from `own`
 * on; or, where `page` is not 0, pages of the row of the table that starts at `own`. */
struct keys {
    long count, prefix_start, prefix, own;
    int page;
};

static inline long key_row(const struct keys *keys, global const int *table, long j, long rows)
{
    if (keys->page == 0) {
        return j < keys->prefix ? keys->prefix_start + j : keys->own + j - keys->prefix;
    }
    long r = (long)table[keys->own + j / keys->page] * keys->page + j % keys->page;
    return r >= 0 && r < rows ? r : 0;
}

static inline struct keys keys_of(global const int *segs, const struct attention *p, long r)
{
    struct keys keys = {0, 0, 0, 0, 0};
    for (int s = 0; s < p->segments; s++) {
        struct segment g = segment_at(segs, p, s);
        if (segment_fits(p, &g) && r >= g.query && r < g.query + g.length) {
            keys.count = g.prefix + r - g.query + 1;
            keys.prefix_start = g.prefix_start;
            keys.prefix = g.prefix;
            keys.own = g.own;
            break;
        }
    }
    return keys;
}

static inline float dot_row(local const float *q, global const T *k, long at, int width)
{
    float sum = 0.0f;
    int c = 0;
#ifdef IT_CPU
    float16 sums = (float16)(0.0f);
    for (; c + 16 <= width; c += 16) { sums = fma(vload16(0, q + c), get16(k, at + c), sums); }
    sum = across16(sums);
#endif
    for (; c < width; c++) { sum = fma(q[c], get(k, at + c), sum); }
    return sum;
}

/* How a kernel uses its room; numbers of four bytes */
struct attended {
    local float *query, *weight, *shared; /* [MOST_WIDTH], [KEYS], [GROUP] */
    local int *row;                       /* [KEYS] */
};

static inline struct attended attended_of(local float *room)
{
    struct attended a = {room, room + MOST_WIDTH, room + MOST_WIDTH + KEYS,
                         (local int *)(room + MOST_WIDTH + KEYS + GROUP)};
    return a;
}

/* y = softmax(q . k) v for one query and head; returns the logsumexp. */
static float attend(global T *y, long to, global const T *q, long from, global const T *k,
                    global const T *v, global const int *table, const struct keys *keys,
                    long kv_column, const struct attention *p, local float *room)
{
    struct attended a = attended_of(room);
    int width = p->width;
    float most = -INFINITY, total = 0.0f, sum[MOST_WIDTH / GROUP];
    for (int i = 0; i < MOST_WIDTH / GROUP; i++) { sum[i] = 0.0f; }
    EACH_MINE (i, c, width) { a.query[c] = get(q, from + c); }
    sync();
    for (long first = 0; first < keys->count; first += KEYS) {
        int n = (int)min((long)KEYS, keys->count - first);
        float mine = -INFINITY, part = 0.0f;
        EACH_KEY (j, n) {
            long row = key_row(keys, table, first + j, p->key_rows);
            float score =
                p->scale * dot_row(a.query, k, p->k.at + row * p->k.row + kv_column, width);
            a.row[j] = (int)row;
            a.weight[j] = score;
            mine = fmax(mine, score);
        }
        float before = most;
        most = fmax(most, most_over(mine, a.shared, GROUP));
        float shrink = exp(before - most);
        EACH_KEY (j, n) {
            float w = exp(a.weight[j] - most);
            a.weight[j] = w;
            part += w;
        }
        total = total * shrink + sum_over(part, a.shared, GROUP);
        EACH_MINE (i, c, width) { sum[i] *= shrink; }
        for (int j = 0; j < n; j++) {
            long at = p->v.at + a.row[j] * p->v.row + kv_column;
            float w = a.weight[j];
            EACH_MINE (i, c, width) { sum[i] = fma(w, get(v, at + c), sum[i]); }
        }
        sync();
    }
    EACH_MINE (i, c, width) { put(y, to + c, keys->count > 0 ? sum[i] / total : 0.0f); }
    return most + log(total);
}

kernel void attn(global T *y, global float *lse, global const T *q, global const T *k,
                 global const T *v, global const int *segs, local float *room,
                 const struct attention p)
{
    long r = get_group_id(0);
    int head = get_group_id(1);
    struct keys keys = keys_of(segs, &p, r);
    if (keys.count == 0) { return; }
    long column = (long)head * p.width;
    long kv_column = (long)(head / (p.heads / p.kv_heads)) * p.width;
    float l = attend(y, p.y.at + r * p.y.row + column, q, p.q.at + r * p.q.row + column, k, v, segs,
                     &keys, kv_column, &p, room);
    if (get_local_id(0) == 0) { lse[p.lse.at + r * p.lse.row + head] = l; }
}

kernel void attn_decode(global T *y, global const T *q, global const T *kc, global const T *vc,
                        global const int *table, global const int *length,
                        local float *room, const struct attention p)
{
    long r = get_group_id(0);
    int head = get_group_id(1);
    long count = max(0L, min((long)length[p.length.at + r], (long)p.pages * p.page));
    struct keys keys = {count, 0, 0, p.table.at + r * p.table.row, p.page};
    long column = (long)head * p.width;
    long kv_column = (long)(head / (p.heads / p.kv_heads)) * p.width;
    attend(y, p.y.at + r * p.y.row + column, q, p.q.at + r * p.q.row + column, kc, vc, table, &keys,
           kv_column, &p, room);
}

/* ---- backward ---- */

/* delta[r][head] = dy . y: an item a row and head */
kernel void attn_delta(global float *delta, global const T *dy, global const T *y,
                       const struct attention p)
{
    long i = get_global_id(0), r = i / p.heads, column = i % p.heads * p.width;
    if (r >= p.rows) { return; }
    float sum = 0.0f;
    for (int c = 0; c < p.width; c++) {
        sum = fma(get(dy, p.dy.at + r * p.dy.row + column + c),
                  get(y, p.y.at + r * p.y.row + column + c), sum);
    }
    delta[i] = sum;
}

/* dq = scale sum_j p_j (dy . v_j - delta) k_j; rows in no segment get zeros */
kernel void attn_dq(global T *dq, global const T *dy, global const T *q, global const T *k,
                    global const T *v, global const float *lse, global const int *segs,
                    global const float *delta, local float *room, const struct attention p)
{
    local float *query = room, *grad = query + MOST_WIDTH, *ds = grad + MOST_WIDTH;
    local int *row = (local int *)(ds + KEYS);
    int head = get_group_id(1), width = p.width;
    long r = get_group_id(0), column = (long)head * width;
    long kv_column = (long)(head / (p.heads / p.kv_heads)) * width;
    struct keys keys = keys_of(segs, &p, r);
    float sum[MOST_WIDTH / GROUP];
    for (int i = 0; i < MOST_WIDTH / GROUP; i++) { sum[i] = 0.0f; }
    EACH_MINE (i, c, width) {
        query[c] = get(q, p.q.at + r * p.q.row + column + c);
        grad[c] = get(dy, p.dy.at + r * p.dy.row + column + c);
    }
    sync();
    float l = keys.count ? lse[p.lse.at + r * p.lse.row + head] : 0.0f;
    float d = delta[r * p.heads + head];
    for (long first = 0; first < keys.count; first += KEYS) {
        int n = (int)min((long)KEYS, keys.count - first);
        EACH_KEY (j, n) {
            long key = key_row(&keys, segs, first + j, p.key_rows);
            float s = p.scale * dot_row(query, k, p.k.at + key * p.k.row + kv_column, width);
            float dp = dot_row(grad, v, p.v.at + key * p.v.row + kv_column, width);
            row[j] = (int)key;
            ds[j] = p.scale * exp(s - l) * (dp - d);
        }
        sync();
        for (int j = 0; j < n; j++) {
            long at = p.k.at + row[j] * p.k.row + kv_column;
            float x = ds[j];
            EACH_MINE (i, c, width) { sum[i] = fma(x, get(k, at + c), sum[i]); }
        }
        sync();
    }
    EACH_MINE (i, c, width) { put(dq, p.dq.at + r * p.dq.row + column + c, sum[i]); }
}

/* dk and dv of one key and key head: queries in the order of segments, heads, rows */
kernel void attn_dkv(global T *dk, global T *dv, global const T *dy, global const T *q,
                     global const T *k, global const T *v, global const float *lse,
                     global const int *segs, global const float *delta, local float *room,
                     const struct attention p)
{
    local float *key = room, *value = key + MOST_WIDTH, *weight = value + MOST_WIDTH;
    local float *ds = weight + KEYS;
    int kv_head = get_group_id(1), width = p.width, group = p.heads / p.kv_heads;
    long u = get_group_id(0), kv_column = (long)kv_head * width;
    float sum_k[MOST_WIDTH / GROUP], sum_v[MOST_WIDTH / GROUP];
    for (int i = 0; i < MOST_WIDTH / GROUP; i++) { sum_k[i] = sum_v[i] = 0.0f; }
    EACH_MINE (i, c, width) {
        key[c] = get(k, p.k.at + u * p.k.row + kv_column + c);
        value[c] = get(v, p.v.at + u * p.v.row + kv_column + c);
    }
    sync();
    for (int s = 0; s < p.segments; s++) {
        struct segment g = segment_at(segs, &p, s);
        long in_prefix = u - g.prefix_start, in_own = u - g.own, skip = 0;
        if (!segment_fits(&p, &g)) { continue; }
        if (!(in_prefix >= 0 && in_prefix < g.prefix)) {
            if (in_own < 0 || in_own >= g.length) { continue; }
            skip = in_own;
        }
        for (int head = kv_head * group; head < (kv_head + 1) * group; head++) {
            long column = (long)head * width;
            for (long first = g.query + skip; first < g.query + g.length; first += KEYS) {
                int n = (int)min((long)KEYS, g.query + g.length - first);
                EACH_KEY (j, n) {
                    long r = first + j;
                    float score = p.scale * dot_row(key, q, p.q.at + r * p.q.row + column, width);
                    float dp = dot_row(value, dy, p.dy.at + r * p.dy.row + column, width);
                    float w = exp(score - lse[p.lse.at + r * p.lse.row + head]);
                    weight[j] = w;
                    ds[j] = p.scale * w * (dp - delta[r * p.heads + head]);
                }
                sync();
                for (int j = 0; j < n; j++) {
                    long in_q = p.q.at + (first + j) * p.q.row + column;
                    long in_dy = p.dy.at + (first + j) * p.dy.row + column;
                    float x = ds[j], w = weight[j];
                    EACH_MINE (i, c, width) {
                        sum_k[i] = fma(x, get(q, in_q + c), sum_k[i]);
                        sum_v[i] = fma(w, get(dy, in_dy + c), sum_v[i]);
                    }
                }
                sync();
            }
        }
    }
    EACH_MINE (i, c, width) {
        put(dk, p.dk.at + u * p.dk.row + kv_column + c, sum_k[i]);
        put(dv, p.dv.at + u * p.dv.row + kv_column + c, sum_v[i]);
    }
}
