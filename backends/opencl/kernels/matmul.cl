/* SPDX-License-Identifier: MIT */
/* matmul: each element is one sum over k in ascending order, whatever the tile it falls into: a row
 * does not depend on how many rows there are.
 *
 * GPU: a group makes a tile of TILE x TILE through local memory, an item EACH x EACH of it.
 * Processor: both matrices are packed into panels of f32 (rows of a in panels of PACK_ROWS, columns
 * of b in panels of 2 LANES), and an item makes tiles of one panel each in vector registers.
 *
 * Of few rows, as in decoding, b is read once for all of them: by a group for FEW_COLUMNS columns,
 * by a processor's item for 2 LANES, a block of k at a time. */

#define load_f32(p, i) (p)[i]
#define store_f32(p, i, x) (p)[i] = (x)

#ifdef IT_CPU

#    define JOIN(a, b) a##b
#    define NAMED(a, b) JOIN(a, b)
#    define LANES IT_LANES
#    define PANEL (2 * LANES)
#    define PACK_ROWS CPU_ROWS(LANES)
#    define load_lanes NAMED(vload, LANES)
#    define store_lanes NAMED(vstore, LANES)
typedef NAMED(float, LANES) lanes;

/* panels[panel][l][i] for one panel and PACK_K of l; groups along y are the l */
kernel void pack(global float *panels, global const T *m, const struct packing p)
{
    long i0 = (long)get_group_id(0) * p.width, l0 = (long)get_group_id(1) * PACK_K;
    long l1 = min(l0 + PACK_K, (long)p.k);
    int n = (int)min((long)p.width, p.count - i0);
    panels += p.to + i0 * p.k;
    for (long l = l0; l < l1 && p.across; l++) {
        long row = p.m.at + l * p.m.row + i0;
        for (int i = 0; i < n; i++) { panels[l * p.width + i] = get(m, row + i); }
    }
    for (int i = 0; i < n && !p.across; i++) {
        long row = p.m.at + (i0 + i) * p.m.row;
        for (long l = l0; l < l1; l++) { panels[l * p.width + i] = get(m, row + l); }
    }
    for (long l = l0; l < l1; l++) {
        for (int i = n; i < p.width; i++) { panels[l * p.width + i] = 0.0f; }
    }
}

/* ROWS rows' sums onto left and right: k steps of a's panel, ROWS wide, and of b's, in SPACE */
#    define MULTIPLY(name, SPACE, ROWS)                                                            \
        static inline void name(global const float *a, SPACE const float *b, long k, lanes *left,  \
                                lanes *right)                                                      \
        {                                                                                          \
            lanes s0[ROWS], s1[ROWS];                                                              \
            for (int i = 0; i < ROWS; i++) { s0[i] = left[i], s1[i] = right[i]; }                  \
            for (long l = 0; l < k; l++, a += ROWS, b += PANEL) {                                  \
                lanes b0 = load_lanes(0, b), b1 = load_lanes(1, b);                                \
                _Pragma("unroll") for (int i = 0; i < ROWS; i++)                                   \
                {                                                                                  \
                    s0[i] = fma((lanes)(a[i]), b0, s0[i]);                                         \
                    s1[i] = fma((lanes)(a[i]), b1, s1[i]);                                         \
                }                                                                                  \
            }                                                                                      \
            for (int i = 0; i < ROWS; i++) { left[i] = s0[i], right[i] = s1[i]; }                  \
        }

MULTIPLY(multiply, global, PACK_ROWS)
MULTIPLY(multiply_few, private, PACK_ROWS)
MULTIPLY(multiply_one, private, 1)

/* The sums of `rows` rows from i on, of the panel's columns from j0 on, to y. */
#    define PUT_ROWS(name, Y, LOAD, STORE)                                                         \
        static inline void name(global Y *y, global const T *bias, const struct product p, long i, \
                                long j0, int rows, const lanes *left, const lanes *right)          \
        {                                                                                          \
            int n = (int)min((long)PANEL, p.n - j0);                                               \
            for (int r = 0; r < rows; r++) {                                                       \
                long at = p.y.at + (i + r) * p.y.row + j0;                                         \
                float sum[PANEL];                                                                  \
                store_lanes(left[r], 0, sum);                                                      \
                store_lanes(right[r], 1, sum);                                                     \
                for (int j = 0; j < n; j++) {                                                      \
                    float x = sum[j];                                                              \
                    if (p.biased) { x += get(bias, p.bias.at + j0 + j); }                          \
                    if (p.accumulate) { x += LOAD(y, at + j); }                                    \
                    STORE(y, at + j, x);                                                           \
                }                                                                                  \
            }                                                                                      \
        }

PUT_ROWS(put_rows, T, get, put)
PUT_ROWS(put_rows_to_f32, float, load_f32, store_f32)

#    define MATMUL_PACKED(name, Y, PUT)                                                            \
        kernel void name(global Y *y, global const float *panels, global const T *bias,            \
                         const struct product p)                                                   \
        {                                                                                          \
            long j0 = (long)get_group_id(0) * PANEL, i0 = (long)get_group_id(1) * PACK_BLOCK;      \
            global const float *b = panels + p.b.at + j0 * p.k;                                    \
            for (long i = i0; i < min(i0 + PACK_BLOCK, (long)p.m); i += PACK_ROWS) {               \
                lanes left[PACK_ROWS], right[PACK_ROWS];                                           \
                for (int r = 0; r < PACK_ROWS; r++) { left[r] = right[r] = (lanes)(0.0f); }        \
                multiply(panels + p.a.at + i * p.k, b, p.k, left, right);                          \
                PUT(y, bias, p, i, j0, (int)min((long)PACK_ROWS, p.m - i), left, right);           \
            }                                                                                      \
        }

MATMUL_PACKED(matmul_packed, T, put_rows)
MATMUL_PACKED(matmul_packed_to_f32, float, put_rows_to_f32)

/* ---- few rows ---- */

#    ifdef IT_BF16
#        define get_lanes(p, i)                                                                    \
            NAMED(as_float, LANES)(NAMED(convert_uint, LANES)(load_lanes(0, (p) + (i))) << 16)
#    else
#        define get_lanes(p, i) load_lanes(0, (p) + (i))
#    endif

/* The lower or upper halves of both, in turns. */
static inline lanes zip_low(lanes a, lanes b)
{
    lanes both;
    both.even = a.lo;
    both.odd = b.lo;
    return both;
}

static inline lanes zip_high(lanes a, lanes b)
{
    lanes both;
    both.even = a.hi;
    both.odd = b.hi;
    return both;
}

/* Transposes LANES x LANES: a round moves the highest bit of an element's row to the end of its
 * column and that of its column to the end of its row: log2(LANES) rounds exchange the two. */
static inline void transpose(lanes *v)
{
    lanes w[LANES];
#    pragma unroll
    for (int round = 1; round < LANES; round *= 2) {
#    pragma unroll
        for (int i = 0; i < LANES / 2; i++) {
            w[2 * i] = zip_low(v[i], v[i + LANES / 2]);
            w[2 * i + 1] = zip_high(v[i], v[i + LANES / 2]);
        }
#    pragma unroll
        for (int i = 0; i < LANES; i++) { v[i] = w[i]; }
    }
}

/* panel[l][j] of n <= PANEL columns from j0 on and `count` <= PACK_K of k from l0 on */
static inline void block_of(global const T *b, const struct product p, long j0, long l0, int n,
                            int count, float *panel)
{
    long step_l = p.trans_b ? 1 : p.b.row, step_j = p.trans_b ? p.b.row : 1;
    long first = p.b.at + l0 * step_l + j0 * step_j;
    int whole = n < PANEL ? 0 : p.trans_b ? count / LANES * LANES : count;
    for (int l = 0; l < whole && !p.trans_b; l++) {
        store_lanes(get_lanes(b, first + l * step_l), 0, panel + l * PANEL);
        store_lanes(get_lanes(b, first + l * step_l + LANES), 1, panel + l * PANEL);
    }
    for (int l = 0; l < whole && p.trans_b; l += LANES) {
        for (int side = 0; side < 2; side++) {
            lanes v[LANES];
#    pragma unroll
            for (int j = 0; j < LANES; j++) {
                v[j] = get_lanes(b, first + (side * LANES + j) * step_j + l);
            }
            transpose(v);
#    pragma unroll
            for (int i = 0; i < LANES; i++) { store_lanes(v[i], side, panel + (l + i) * PANEL); }
        }
    }
    for (int l = whole; l < count; l++) {
        for (int j = 0; j < PANEL; j++) {
            panel[l * PANEL + j] = j < n ? get(b, first + l * step_l + j * step_j) : 0.0f;
        }
    }
}

/* `panels`: a's, PACK_ROWS wide, or 1 where there is one row; groups along x take columns */
#    define MATMUL_STRIP(name, Y, PUT)                                                             \
        kernel void name(global Y *y, global const float *panels, global const T *b,               \
                         global const T *bias, const struct product p)                             \
        {                                                                                          \
            long j0 = (long)get_group_id(0) * PANEL;                                               \
            int n = (int)min((long)PANEL, p.n - j0);                                               \
            lanes left[FEW_ROWS], right[FEW_ROWS];                                                 \
            float panel[PACK_K * PANEL];                                                           \
            for (int i = 0; i < FEW_ROWS; i++) { left[i] = right[i] = (lanes)(0.0f); }             \
            for (long l0 = 0; l0 < p.k; l0 += PACK_K) {                                            \
                int count = (int)min((long)PACK_K, p.k - l0);                                      \
                block_of(b, p, j0, l0, n, count, panel);                                           \
                if (p.m == 1) { multiply_one(panels + l0, panel, count, left, right); }            \
                for (int i = 0; i < p.m && p.m > 1; i += PACK_ROWS) {                              \
                    multiply_few(panels + i * p.k + l0 * PACK_ROWS, panel, count, left + i,        \
                                 right + i);                                                       \
                }                                                                                  \
            }                                                                                      \
            PUT(y, bias, p, 0, j0, (int)p.m, left, right);                                         \
        }

MATMUL_STRIP(matmul_strip, T, put_rows)
MATMUL_STRIP(matmul_strip_to_f32, float, put_rows_to_f32)

#else

#    define EACH 4
#    define SIDE (IT_WIDE == 256 ? 16 : 8) /* items along a side of the tile */
#    define TILE (EACH * SIDE)

static inline float element(global const T *m, struct place place, int across, long i, long l,
                            long n, long k)
{
    if (i >= n || l >= k) { return 0.0f; }
    return get(m, place.at + (across ? l * place.row + i : i * place.row + l));
}

#    define MATMUL(name, Y, LOAD, STORE)                                                           \
        kernel void name(global Y *y, global const T *a, global const T *b, global const T *bias,  \
                         local float *room, const struct product p)                                \
        {                                                                                          \
            local float *ta = room, *tb = room + TILE_K * TILE; /* [TILE_K][TILE] */               \
            long i0 = (long)get_group_id(1) * TILE, j0 = (long)get_group_id(0) * TILE;             \
            int me = get_local_id(0), ti = me / SIDE * EACH, tj = me % SIDE * EACH;                \
            float4 sum[EACH];                                                                      \
            for (int i = 0; i < EACH; i++) { sum[i] = (float4)(0.0f); }                            \
            for (long k0 = 0; k0 < p.k; k0 += TILE_K) {                                            \
                for (int e = me; e < TILE * TILE_K; e += WIDE) {                                   \
                    int l = p.trans_a ? e / TILE : e % TILE_K;                                     \
                    int i = p.trans_a ? e % TILE : e / TILE_K;                                     \
                    ta[l * TILE + i] = element(a, p.a, p.trans_a, i0 + i, k0 + l, p.m, p.k);       \
                }                                                                                  \
                for (int e = me; e < TILE * TILE_K; e += WIDE) {                                   \
                    int l = p.trans_b ? e % TILE_K : e / TILE;                                     \
                    int j = p.trans_b ? e / TILE_K : e % TILE;                                     \
                    tb[l * TILE + j] = element(b, p.b, !p.trans_b, j0 + j, k0 + l, p.n, p.k);      \
                }                                                                                  \
                sync();                                                                            \
                for (int l = 0; l < TILE_K; l++) {                                                 \
                    float4 four = vload4(0, ta + l * TILE + ti);                                   \
                    float4 right = vload4(0, tb + l * TILE + tj);                                  \
                    sum[0] = fma((float4)(four.x), right, sum[0]);                                 \
                    sum[1] = fma((float4)(four.y), right, sum[1]);                                 \
                    sum[2] = fma((float4)(four.z), right, sum[2]);                                 \
                    sum[3] = fma((float4)(four.w), right, sum[3]);                                 \
                }                                                                                  \
                sync();                                                                            \
            }                                                                                      \
            for (int i = 0; i < EACH; i++) {                                                       \
                float four[EACH];                                                                  \
                vstore4(sum[i], 0, four);                                                          \
                for (int j = 0; j < EACH; j++) {                                                   \
                    long row = i0 + ti + i, column = j0 + tj + j;                                  \
                    long at = p.y.at + row * p.y.row + column;                                     \
                    if (row >= p.m || column >= p.n) { continue; }                                 \
                    float x = four[j];                                                             \
                    if (p.biased) { x += get(bias, p.bias.at + column); }                          \
                    if (p.accumulate) { x += LOAD(y, at); }                                        \
                    STORE(y, at, x);                                                               \
                }                                                                                  \
            }                                                                                      \
        }

MATMUL(matmul, T, get, put)
MATMUL(matmul_to_f32, float, load_f32, store_f32)

/* Neighbours read neighbours along k, and an item sums every WIDE-th element of the tile,
 * [FEW_ROWS][FEW_COLUMNS]. Behind the end of k are zeros up to a multiple of TILE_K, as in the
 * larger tiles: so equal that even a sum of -0 is. */
#    define LINE (FEW_K + 1) /* of the tiles in local memory: columns begin in different banks */
#    define MATMUL_FEW(name, Y, LOAD, STORE)                                                       \
        kernel void name(global Y *y, global const T *a, global const T *b, global const T *bias,  \
                         local float *room, const struct product p)                                \
        {                                                                                          \
            local float *ta = room, *tb = room + FEW_ROWS * LINE;                                  \
            long j0 = (long)get_group_id(0) * FEW_COLUMNS;                                         \
            int me = get_local_id(0);                                                              \
            float sum[FEW_ROWS * FEW_COLUMNS / WIDE];                                              \
            for (int e = 0; e < FEW_ROWS * FEW_COLUMNS / WIDE; e++) { sum[e] = 0.0f; }             \
            for (long k0 = 0; k0 < p.k; k0 += FEW_K) {                                             \
                int steps = (int)min((long)FEW_K, (p.k - k0 + TILE_K - 1) / TILE_K * TILE_K);      \
                for (int e = me; e < p.m * FEW_K; e += WIDE) {                                     \
                    ta[e / FEW_K * LINE + e % FEW_K] =                                             \
                        element(a, p.a, p.trans_a, e / FEW_K, k0 + e % FEW_K, p.m, p.k);           \
                }                                                                                  \
                for (int e = me; e < FEW_COLUMNS * FEW_K; e += WIDE) {                             \
                    int l = p.trans_b ? e % FEW_K : e / FEW_COLUMNS;                               \
                    int j = p.trans_b ? e / FEW_K : e % FEW_COLUMNS;                               \
                    tb[j * LINE + l] = element(b, p.b, !p.trans_b, j0 + j, k0 + l, p.n, p.k);      \
                }                                                                                  \
                sync();                                                                            \
                for (int e = 0; e * WIDE + me < p.m * FEW_COLUMNS; e++) {                          \
                    int i = (e * WIDE + me) / FEW_COLUMNS, j = me % FEW_COLUMNS;                   \
                    for (int l = 0; l < steps; l++) {                                              \
                        sum[e] = fma(ta[i * LINE + l], tb[j * LINE + l], sum[e]);                  \
                    }                                                                              \
                }                                                                                  \
                sync();                                                                            \
            }                                                                                      \
            for (int e = 0; e * WIDE + me < p.m * FEW_COLUMNS; e++) {                              \
                long row = (e * WIDE + me) / FEW_COLUMNS, column = j0 + me % FEW_COLUMNS;          \
                long at = p.y.at + row * p.y.row + column;                                         \
                if (column >= p.n) { continue; }                                                   \
                float x = sum[e];                                                                  \
                if (p.biased) { x += get(bias, p.bias.at + column); }                              \
                if (p.accumulate) { x += LOAD(y, at); }                                            \
                STORE(y, at, x);                                                                   \
            }                                                                                      \
        }

MATMUL_FEW(matmul_few, T, get, put)
MATMUL_FEW(matmul_few_to_f32, float, load_f32, store_f32)
#endif
