/* SPDX-License-Identifier: MIT */
/* gather_rows, scatter_add_rows, kv_write, rope: a group of items a row. */

kernel void gather_rows(global T *y, global const T *w, global const int *ids, const struct move p)
{
    for (long r = get_group_id(0); r < p.rows; r += get_num_groups(0)) {
        int id = ids[p.ids.at + r];
        bool known = id >= 0 && id < p.limit;
        EACH_IN_GROUP (c, p.columns) {
            put(y, p.y.at + r * p.y.row + c,
                known ? get(w, p.x.at + id * p.x.row + c) : 0.0f);
        }
    }
}

/* An item owns its columns: rows are added in their order. */
kernel void scatter_add_rows(global float *dw, global const T *dy, global const int *ids,
                             const struct move p)
{
    for (long r = 0; r < p.rows; r++) {
        int id = ids[p.ids.at + r];
        if (id < 0 || id >= p.limit) { continue; }
        EACH_COLUMN (c, p.columns) {
            dw[p.y.at + id * p.y.row + c] += get(dy, p.x.at + r * p.x.row + c);
        }
    }
}

kernel void kv_write(global T *kc, global T *vc, global const T *k, global const T *v,
                     global const int *rows, const struct move p)
{
    for (long r = get_group_id(0); r < p.rows; r += get_num_groups(0)) {
        int to = rows[p.ids.at + r];
        if (to < 0 || to >= p.limit) { continue; }
        EACH_IN_GROUP (c, p.columns) {
            kc[p.y.at + to * p.y.row + c] = k[p.x.at + r * p.x.row + c];
            vc[p.y2.at + to * p.y2.row + c] = v[p.x2.at + r * p.x2.row + c];
        }
    }
}

/* A position outside the table leaves NaN: wrong, and seen to be. */
kernel void rope(global T *x, global const float *table, global const int *positions,
                 const struct turn p)
{
    uint width = p.width, half_width = width / 2, pairs = p.columns / 2;
    for (long r = get_group_id(0); r < p.rows; r += get_num_groups(0)) {
        int position = positions[p.positions.at + r];
        bool known = position >= 0 && position < p.table_rows;
        long row = p.table.at + (known ? position : 0) * p.table.row;
        EACH_IN_GROUP (i, pairs) {
            uint j = (uint)i % half_width;
            long u = p.x.at + r * p.x.row + (uint)i / half_width * width + j;
            float c = known ? table[row + j] : k_float(0x7fc00000u);
            float s = table[row + half_width + j] * p.sign;
            float a = get(x, u), b = get(x, u + half_width);
            put(x, u, a * c - b * s);
            put(x, u + half_width, b * c + a * s);
        }
    }
}
