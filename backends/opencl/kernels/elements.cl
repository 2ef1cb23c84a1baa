/* SPDX-License-Identifier: MIT */
/* fill, copy, scale_add, swiglu: columns along x, rows along y. */

kernel void fill(global T *y, const struct elements p)
{
    EACH_ROW (r, p.rows) {
        EACH_COLUMN (c, p.columns) {
            put(y, p.y.at + r * p.y.row + c, p.alpha);
        }
    }
}

kernel void copy_from_f32(global T *y, global const float *x, const struct elements p)
{
    EACH_ROW (r, p.rows) {
        EACH_COLUMN (c, p.columns) {
            put(y, p.y.at + r * p.y.row + c, x[p.a.at + r * p.a.row + c]);
        }
    }
}

kernel void copy_from_bf16(global T *y, global const ushort *x, const struct elements p)
{
    EACH_ROW (r, p.rows) {
        EACH_COLUMN (c, p.columns) {
            put(y, p.y.at + r * p.y.row + c, k_bf16_load(x[p.a.at + r * p.a.row + c]));
        }
    }
}

kernel void scale_add(global T *y, global const T *a, global const T *b, const struct elements p)
{
    EACH_ROW (r, p.rows) {
        EACH_COLUMN (c, p.columns) {
            float x = p.alpha * get(a, p.a.at + r * p.a.row + c) +
                      p.beta * get(b, p.b.at + r * p.b.row + c);
            put(y, p.y.at + r * p.y.row + c, x);
        }
    }
}

kernel void swiglu(global T *h, global const T *gu, const struct gated p)
{
    EACH_ROW (r, p.rows) {
        EACH_COLUMN (c, p.columns) {
            long at = p.gu.at + r * p.gu.row + c;
            put(h, p.y.at + r * p.y.row + c, k_silu(get(gu, at)) * get(gu, at + p.columns));
        }
    }
}

kernel void swiglu_bwd(global T *dgu, global const T *dh, global const T *gu, const struct gated p)
{
    EACH_ROW (r, p.rows) {
        EACH_COLUMN (c, p.columns) {
            long at = p.gu.at + r * p.gu.row + c, to = p.y.at + r * p.y.row + c;
            float gate = get(gu, at), up = get(gu, at + p.columns);
            float d = get(dh, p.dh.at + r * p.dh.row + c);
            put(dgu, to, d * up * k_silu_grad(gate));
            put(dgu, to + p.columns, d * k_silu(gate));
        }
    }
}
