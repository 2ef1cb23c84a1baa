/* SPDX-License-Identifier: MIT */
/* The microkernel, and the packing that feeds it. Whatever multiplies matrices goes through here:
 * matmul, the scores of attention, the sums over its keys, their gradients.
 *
 * Each element of the result is one chain of multiply-adds over k in ascending order, from 0 or
 * from what was there. How rows, columns and stretches of k are cut changes no bit: a row of a
 * large product is equal to the product of that row alone. */

enum {
    NR = NV * VW, /* columns of a panel of B */
    KC = 256,     /* a stretch of k: a panel of B then stays in the first cache (32 KiB at NR 32) */
    SLACK = VW    /* packed panels are written in whole vectors, up to this much beyond their end */
};

/* c [mr, cols] (row stride ldc) (+)= a b. a is packed [kc][lda], mr of each lda in use; b is packed
 * [kc][nv * VW]. All loops over r and v have constant bounds once inlined, and the accumulators
 * stand in registers. */
static inline __attribute__((always_inline)) void micro(int mr, int nv, int64_t kc, const float *a,
                                                        int64_t lda, const float *b, float *c,
                                                        int64_t ldc, int cols, bool onto)
{
    vf sum[MR][NV];
    int tail = cols - (nv - 1) * VW;
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) {
            const float *from = c + r * ldc + v * VW;
            sum[r][v] = !onto ? v_set(0) : v < nv - 1 ? v_load(from) : v_load_n(from, tail);
        }
    }
    for (int64_t k = 0; k < kc; k++) {
        vf column[NV];
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) { column[v] = v_load(b + v * VW); }
#pragma GCC unroll 16
        for (int r = 0; r < mr; r++) {
            vf row = v_set(a[r]);
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++) { sum[r][v] = v_fma(row, column[v], sum[r][v]); }
        }
        a += lda;
        b += nv * VW;
    }
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) {
            float *to = c + r * ldc + v * VW;
            if (v < nv - 1) {
                v_store(to, sum[r][v]);
            } else {
                v_store_n(to, sum[r][v], tail);
            }
        }
    }
}

/* A panel of columns [1, NR] wide against mr rows: picks the instance. */
static void multiply(int mr, int64_t kc, const float *a, int64_t lda, const float *b, float *c,
                     int64_t ldc, int cols, bool onto)
{
#define CASE(r)                                                        \
    case 2 * r: micro(r, 1, kc, a, lda, b, c, ldc, cols, onto); break; \
    case 2 * r + 1: micro(r, 2, kc, a, lda, b, c, ldc, cols, onto); break;
    switch (2 * mr + (cols > VW)) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if IT_CPU_ROWS > 4
        CASE(5)
        CASE(6)
#endif
#if IT_CPU_ROWS > 6
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
        CASE(13)
        CASE(14)
#endif
    }
#undef CASE
}

/* The width a panel of `cols` columns is packed to. */
static inline int64_t packed_width(int64_t cols)
{
    return cols > VW ? NR : VW;
}

/* ---- packing ---- */

/* What will be read later, fetched line by line in the order of memory: `lines` of each row,
 * `ahead` bytes further on. */
struct fetch {
    const void *const *rows;
    int64_t ahead, lines, line;
};
static inline void fetch_some(struct fetch *f)
{
    if (f->ahead == 0) { return; }
    for (int i = 0; i < VW; i++) {
        __builtin_prefetch((const char *)*f->rows + f->ahead + f->line * (int)sizeof(vf), 0, 2);
        if (++f->line == f->lines) {
            f->line = 0;
            f->rows++;
        }
    }
}

/* to[k * step + i] = rows[i][k0 + k] for VW rows: VW columns of a panel out of a matrix whose rows
 * run along k. All VW pointers must be readable: a panel's missing rows repeat a present one. What
 * lies `ahead` bytes further on is fetched, unless that is 0. */
static void pack_across(float *to, int64_t step, const void *const rows[VW], int64_t k0, int64_t kc,
                        bool narrow, int64_t ahead)
{
    vf t[VW];
    int64_t k = 0, square = narrow ? 2 * VW : VW;
    struct fetch fetch = {rows, 0, kc / square, 0};
    if (ahead && kc >= square) { fetch.ahead = ahead + k0 * (narrow ? 2 : 4); }
    if (narrow) { /* pairs of bf16 are turned as one word: half the shuffles */
        for (; k + 2 * VW <= kc; k += 2 * VW) {
            fetch_some(&fetch);
#pragma GCC unroll 16
            for (int i = 0; i < VW; i++) {
                t[i] = v_load((const void *)((const uint16_t *)rows[i] + k0 + k));
            }
            v_transpose(t);
#pragma GCC unroll 16
            for (int i = 0; i < VW; i++) {
                vu pair = (vu)t[i];
                v_store(to + (k + 2 * i) * step, (vf)(pair << 16));
                v_store(to + (k + 2 * i + 1) * step, (vf)(pair & 0xffff0000u));
            }
        }
    }
    for (; k < kc; k += VW) {
        int n = at_most(kc - k, VW);
        if (!narrow && n == VW) { fetch_some(&fetch); }
        for (int i = 0; i < VW; i++) { t[i] = get_n(rows[i], k0 + k, n, narrow); }
        v_transpose(t);
        for (int i = 0; i < n; i++) { v_store(to + (k + i) * step, t[i]); }
    }
}

/* to[k * step + j] = row k's elements j < width, for rows `stride` bytes apart that run along the
 * panel: whole vectors are written, zero beyond `width`. */
static void pack_along(float *to, int64_t step, const char *from, int64_t stride, int64_t kc,
                       int64_t width, bool narrow)
{
    for (int64_t k = 0; k < kc; k++) {
        for (int64_t j = 0; j < width; j += VW) {
            v_store(to + k * step + j, get_n(from + k * stride, j, at_most(width - j, VW), narrow));
        }
    }
}

/* ---- few rows ---- */

/* sum[r] += x[r] * one column of a turned square; of pairs of bf16, two columns. */
static inline __attribute__((always_inline)) void add_column(int mr, bool narrow, vf column,
                                                             const float *x, vf *sum)
{
    vu pair = (vu)column;
    vf first = narrow ? (vf)(pair << 16) : column, second = (vf)(pair & 0xffff0000u);
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++) { sum[r] = v_fma(v_set(x[r]), first, sum[r]); }
#pragma GCC unroll 16
    for (int r = 0; narrow && r < mr; r++) { sum[r] = v_fma(v_set(x[mr + r]), second, sum[r]); }
}

/* c [mr, cols] (+)= a b', b's VW rows lying along k and read once from memory: while one square of
 * them is used, the next is turned. The same chains as micro(). For each line read, one is fetched
 * at `next`, what will be wanted later, in the order of memory: that is a third faster than in the
 * order of use. */
static inline __attribute__((always_inline)) void stream(int mr, bool narrow, int64_t kc,
                                                         const float *a, const void *const rows[VW],
                                                         float *c, int64_t ldc, int cols, bool onto,
                                                         const char *next)
{
    vf sum[FEW], t[VW], u[VW], turned[2][VW];
    int64_t step = narrow ? 2 * VW : VW, squares = kc / step;
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++) { sum[r] = onto ? v_load_n(c + r * ldc, cols) : v_set(0); }
    for (int i = 0; squares > 0 && i < VW; i++) { turned[0][i] = v_load(rows[i]); }
    if (squares > 0) { v_transpose(turned[0]); }
    for (int64_t s = 0; s < squares; s++, a += step * mr, next += sizeof(t)) {
        int64_t ahead = s + 1 < squares ? s + 1 : s; /* the last is turned twice */
        const vf *now = turned[s & 1];
        vf *then = turned[~s & 1];
#pragma GCC unroll 16
        for (int part = 0; part < VW; part++) {
            for (int j = 0; part < 4 && j < VW / 4; j++) {
                int i = part * (VW / 4) + j;
                __builtin_prefetch(next + i * (int)sizeof(t[0]), 0, 2);
                t[i] = v_load((const void *)((const char *)rows[i] + ahead * (int)sizeof(t[0])));
            }
            v_transpose_part(t, u, then, part);
            add_column(mr, narrow, now[part], a + (narrow ? 2 : 1) * part * mr, sum);
        }
    }
    for (int64_t k = squares * step; k < kc; k += VW) {
        int n = at_most(kc - k, VW);
        for (int i = 0; i < VW; i++) { t[i] = get_n(rows[i], k, n, narrow); }
        v_transpose(t);
        memcpy(turned[0], t, sizeof(t));
        for (int i = 0; i < n; i++, a += mr) { add_column(mr, false, turned[0][i], a, sum); }
    }
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++) { v_store_n(c + r * ldc, sum[r], cols); }
}

/* At most VW columns against mr <= FEW rows, packed [kc][mr]: picks the instance. */
static void multiply_few(int mr, int64_t kc, const float *a, const void *const rows[VW], float *c,
                         int64_t ldc, int cols, bool onto, bool narrow, const char *next)
{
#define CASE(r)                                                                 \
    case 2 * r: stream(r, false, kc, a, rows, c, ldc, cols, onto, next); break; \
    case 2 * r + 1: stream(r, true, kc, a, rows, c, ldc, cols, onto, next); break;
    switch (2 * mr + narrow) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if IT_CPU_ROWS > 6
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
#endif
    }
#undef CASE
}

/* ---- panels of rows ---- */

/* Rows are shared out evenly: panels of at most MR rows that differ by one at most. */
struct panels {
    int64_t rows, count;
};
static inline struct panels panels_of(int64_t rows)
{
    return (struct panels){rows, (rows + MR - 1) / MR};
}
/* The first row of panel p; p = count gives the number of rows. */
static inline int64_t panel_start(struct panels s, int64_t p)
{
    int64_t base = s.rows / s.count, more = s.rows % s.count;
    return p * base + (p < more ? p : more);
}

/* mr rows as a panel of a. The last lanes come first: what they write beyond mr belongs to the
 * first ones. */
static void pack_panel(float *to, int64_t mr, const void *const *rows, int64_t k0, int64_t kc,
                       bool narrow)
{
    for (int64_t lane = (mr - 1) / VW * VW; lane >= 0; lane -= VW) {
        const void *lanes[VW];
        for (int64_t i = 0; i < VW; i++) { lanes[i] = rows[lane + i < mr ? lane + i : 0]; }
        pack_across(to + lane, mr, lanes, k0, kc, narrow, 0);
    }
}

/* Rows of pointers as A panels: panel p starts at to + start * kc. `rows` has `s.rows` entries. */
static void pack_panels(float *to, struct panels s, const void *const *rows, int64_t k0, int64_t kc,
                        bool narrow)
{
    for (int64_t p = 0; p < s.count; p++) {
        int64_t first = panel_start(s, p), mr = panel_start(s, p + 1) - first;
        pack_panel(to + first * kc, mr, rows + first, k0, kc, narrow);
    }
}
