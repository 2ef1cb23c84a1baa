/* SPDX-License-Identifier: MIT */
/* What the attention kernels share: which rows a query sees. `p` has segs, segs_row, segments, rows
 * and key_rows. */
#define MOST_WIDTH 256

struct segment {
    int query, count, prefix_start, prefix, own;
};

segment segment_at(int s)
{
    int at = s * p.segs_row;
    return segment(get_int(p.segs, at), get_int(p.segs, at + 1), get_int(p.segs, at + 2),
                   get_int(p.segs, at + 3), get_int(p.segs, at + 4));
}

/* What leaves the tensors is left out: no kernel touches memory that is not its own. */
bool segment_fits(segment g)
{
    return g.count > 0 && g.query >= 0 && g.query <= p.rows - g.count && g.own >= 0 &&
           g.count <= p.rows && g.count <= p.key_rows && g.own <= p.key_rows - g.count &&
           g.prefix >= 0 && g.prefix <= p.key_rows &&
           (g.prefix == 0 ||
            (g.prefix_start >= 0 && g.prefix_start <= p.key_rows - g.prefix));
}

/* The keys of one query: the first `prefix` of `count` from `prefix_start` on, the rest from `own`
 * on. */
struct keys {
    int count, prefix_start, prefix, own;
};

keys keys_of(int r)
{
    for (int s = 0; s < p.segments; s++) {
        segment g = segment_at(s);
        if (segment_fits(g) && r >= g.query && r - g.query < g.count) {
            return keys(g.prefix + r - g.query + 1, g.prefix_start, g.prefix, g.own);
        }
    }
    return keys(0, 0, 0, 0);
}

int key_row(keys seen, int j)
{
    return j < seen.prefix ? seen.prefix_start + j : seen.own + j - seen.prefix;
}
