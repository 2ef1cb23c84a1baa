/* SPDX-License-Identifier: MIT */
/* fill, copy, scale_add, swiglu, adamw: columns along x, rows along y. */

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

/* The split master is that of core/tensor/ref_adamw.c. */
kernel void adamw(global T *w, global float *m, global float *v, global short *lo,
                  global const float *grad, global const float *scalars, const struct adam p)
{
    global const float *s = scalars + p.scalars.at;
    float lr = s[0], beta1 = s[1], beta2 = s[2], eps = s[3], decay = s[4];
    float correct1 = s[5], correct2 = s[6], scale = s[7];
    EACH_COLUMN (i, p.count) {
        float g = grad[p.grad.at + i] * scale;
        float first = beta1 * m[p.m.at + i] + (1.0f - beta1) * g;
        float second = beta2 * v[p.v.at + i] + (1.0f - beta2) * g * g;
#ifdef IT_BF16
        uint high = (uint)w[p.w.at + i] << 16;
        float old = k_float(p.split ? high + (uint)(int)lo[p.lo.at + i] : high);
#else
        float old = w[p.w.at + i];
#endif
        float step = first / correct1 / (sqrt(second / correct2) + eps);
        float now = old - lr * (step + decay * old);
        m[p.m.at + i] = first;
        v[p.v.at + i] = second;
#ifdef IT_BF16
        if (p.split) {
            uint bits = k_bits(now);
            if (now != now) { bits = (bits & 0x80000000u) | 0x7fc00000u; }
            uint rounded = (bits + 0x8000u) >> 16;
            w[p.w.at + i] = (ushort)rounded;
            lo[p.lo.at + i] = (short)(int)(bits - (rounded << 16));
            continue;
        }
#endif
        put(w, p.w.at + i, now);
    }
}
