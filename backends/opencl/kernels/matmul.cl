/* SPDX-License-Identifier: MIT */
/* matmul: each element is one sum over k in ascending order, whatever the tile it falls into: a row
 * does not depend on how many rows there are.
 *
 * GPU: a group makes a tile of TILE x TILE through local memory, an item EACH x EACH of it.
 * Processor: both matrices are packed into panels of f32 (rows of a in panels of PACK_ROWS, columns
 * of b in panels of 2 LANES), and an item makes tiles of one panel each in vector registers. */

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

static inline void multiply(global const float *a, global const float *b, long k, lanes *left,
                            lanes *right)
{
    for (long l = 0; l < k; l++, a += PACK_ROWS, b += PANEL) {
        lanes b0 = load_lanes(0, b), b1 = load_lanes(1, b);
#    pragma unroll
        for (int i = 0; i < PACK_ROWS; i++) {
            left[i] = fma((lanes)(a[i]), b0, left[i]);
            right[i] = fma((lanes)(a[i]), b1, right[i]);
        }
    }
}

#    define MATMUL_PACKED(name, Y, LOAD, STORE)                                                    \
        kernel void name(global Y *y, global const float *panels, global const T *bias,            \
                         const struct product p)                                                   \
        {                                                                                          \
            long j0 = (long)get_group_id(0) * PANEL, i0 = (long)get_group_id(1) * PACK_BLOCK;      \
            global const float *b = panels + p.b.at + j0 * p.k;                                    \
            int n = (int)min((long)PANEL, p.n - j0);                                               \
            for (long i = i0; i < min(i0 + PACK_BLOCK, (long)p.m); i += PACK_ROWS) {               \
                lanes left[PACK_ROWS], right[PACK_ROWS];                                           \
                float sum[PACK_ROWS * PANEL];                                                      \
                for (int r = 0; r < PACK_ROWS; r++) { left[r] = right[r] = (lanes)(0.0f); }        \
                multiply(panels + p.a.at + i * p.k, b, p.k, left, right);                          \
                for (int r = 0; r < PACK_ROWS; r++) {                                              \
                    store_lanes(left[r], 2 * r, sum);                                              \
                    store_lanes(right[r], 2 * r + 1, sum);                                         \
                }                                                                                  \
                for (int r = 0; r < min((long)PACK_ROWS, p.m - i); r++) {                          \
                    long at = p.y.at + (i + r) * p.y.row + j0;                                     \
                    for (int j = 0; j < n; j++) {                                                  \
                        float x = sum[r * PANEL + j];                                              \
                        if (p.biased) { x += get(bias, p.bias.at + j0 + j); }                      \
                        if (p.accumulate) { x += LOAD(y, at + j); }                                \
                        STORE(y, at + j, x);                                                       \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
        }

MATMUL_PACKED(matmul_packed, T, get, put)
MATMUL_PACKED(matmul_packed_to_f32, float, load_f32, store_f32)

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
#endif
