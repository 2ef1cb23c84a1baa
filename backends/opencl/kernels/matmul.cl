/* SPDX-License-Identifier: MIT */
/* matmul: each element is one sum over k in ascending order, whatever the tile it falls into: a row
 * does not depend on how many rows there are. A group of GROUP items makes a tile of TILE x TILE,
 * an item TILE x TILE / GROUP of it. */

#define TILE 32
#define TILE_K 16
#define EACH 4

static inline float element(global const T *m, struct place place, int across, long i, long l,
                            long n, long k)
{
    if (i >= n || l >= k) { return 0.0f; }
    return get(m, place.at + (across ? l * place.row + i : i * place.row + l));
}

#define MATMUL(name, Y, LOAD, STORE)                                                               \
    kernel void name(global Y *y, global const T *a, global const T *b, global const T *bias,      \
                     const struct product p)                                                       \
    {                                                                                              \
        local float ta[TILE_K][TILE], tb[TILE_K][TILE];                                            \
        long i0 = (long)get_group_id(1) * TILE, j0 = (long)get_group_id(0) * TILE;                 \
        int me = get_local_id(0), ti = me / (TILE / EACH) * EACH, tj = me % (TILE / EACH) * EACH;  \
        float4 sum[EACH];                                                                          \
        for (int i = 0; i < EACH; i++) { sum[i] = (float4)(0.0f); }                                \
        for (long k0 = 0; k0 < p.k; k0 += TILE_K) {                                                \
            for (int e = me; e < TILE * TILE_K; e += GROUP) {                                      \
                int l = p.trans_a ? e / TILE : e % TILE_K, i = p.trans_a ? e % TILE : e / TILE_K;  \
                ta[l][i] = element(a, p.a, p.trans_a, i0 + i, k0 + l, p.m, p.k);                   \
            }                                                                                      \
            for (int e = me; e < TILE * TILE_K; e += GROUP) {                                      \
                int l = p.trans_b ? e % TILE_K : e / TILE, j = p.trans_b ? e / TILE_K : e % TILE;  \
                tb[l][j] = element(b, p.b, !p.trans_b, j0 + j, k0 + l, p.n, p.k);                  \
            }                                                                                      \
            barrier(CLK_LOCAL_MEM_FENCE);                                                          \
            for (int l = 0; l < TILE_K; l++) {                                                     \
                float4 right = vload4(0, &tb[l][tj]);                                              \
                for (int i = 0; i < EACH; i++) { sum[i] = fma(ta[l][ti + i], right, sum[i]); }     \
            }                                                                                      \
            barrier(CLK_LOCAL_MEM_FENCE);                                                          \
        }                                                                                          \
        for (int i = 0; i < EACH; i++) {                                                           \
            float four[EACH];                                                                      \
            vstore4(sum[i], 0, four);                                                              \
            for (int j = 0; j < EACH; j++) {                                                       \
                long row = i0 + ti + i, column = j0 + tj + j;                                      \
                long at = p.y.at + row * p.y.row + column;                                         \
                if (row >= p.m || column >= p.n) { continue; }                                     \
                float x = four[j];                                                                 \
                if (p.biased) { x += get(bias, p.bias.at + column); }                              \
                if (p.accumulate) { x += LOAD(y, at); }                                            \
                STORE(y, at, x);                                                                   \
            }                                                                                      \
        }                                                                                          \
    }

#define load_f32(p, i) (p)[i]
#define store_f32(p, i, x) (p)[i] = (x)
MATMUL(matmul, T, get, put)
MATMUL(matmul_to_f32, float, load_f32, store_f32)
