/* SPDX-License-Identifier: MIT */
/* What kernels on AMX tiles share: the configuration of the tiles, and the packing of rows of bf16
 * into operands. To be included after simd_avx512.h and vector.inc.c.
 *
 * Operands are panels of 32 rows or columns: steps of 32 of k one after another, two tiles a step.
 * A left tile holds 16 rows along k; a right one 16 columns as words of two consecutive k. */
#ifndef IT_CPU_TILES_AMX_H
#define IT_CPU_TILES_AMX_H

#include <stdint.h>

enum {
    STEP = 32,       /* k of a tile instruction */
    PANEL = 32,      /* rows or columns of a panel: two tiles */
    TILE = 1024,     /* bytes of 16 rows of 64 */
    PAIR = 2 * TILE, /* one step of a panel */
    LINE = 64        /* bytes of a line of the caches, and of a tile's row */
};

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}
static inline int64_t rounded(int64_t n, int64_t unit)
{
    return parts(n, unit) * unit;
}

static inline const char *element(const struct it_tensor *t, int64_t row, int64_t column)
{
    return row_at(t, row) + column * (is_narrow(t) ? 2 : 4);
}

/* Eight tiles of 16 rows of 64 bytes: 0 to 3 are sums, 4 and 5 left, 6 and 7 right operands. In
 * memory: the compiler does not know how much of it the instruction reads. */
static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} eight_tiles = {
    .palette = 1,
    .row_bytes = {LINE, LINE, LINE, LINE, LINE, LINE, LINE, LINE},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};
_Static_assert(sizeof eight_tiles == LINE, "the layout of LDTILECFG");

/* 16 pairs of rows along columns (k goes down) become words of two k: out[i] holds columns
 * 16 half .. of rows 2i and 2i + 1. */
static inline __m512i interleave(__m512i even, __m512i odd, int half)
{
    static const uint16_t order[2][32] = {
        {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
         8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47},
        {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
         24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}};
    return _mm512_permutex2var_epi16(even, _mm512_loadu_si512(order[half]), odd);
}

/* A row of up to 32 numbers, or zeros where there is none. */
static inline __m512i load_words(bool all, bool there, __mmask32 mask, const char *from)
{
    return all ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi16(there ? mask : 0, from);
}

static inline __attribute__((always_inline)) void pack_lines(char *to, bool all,
                                                             const char *const rows[PANEL], int n,
                                                             int64_t k, __mmask32 whole,
                                                             bool turned)
{
    for (int half = 0; half < 2; half++, to += TILE, rows += 16, n -= 16) {
        vf line[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            line[i] = (vf)load_words(all, i < n, whole, rows[i] + 2 * k);
        }
        if (turned) { v_transpose(line); }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) { v_store((float *)(void *)(to + i * LINE), line[i]); }
    }
}

/* A step of a panel: 32 of k, from k on, of the first n of 32 rows, two tiles at `to`. `turned`: as
 * the right operand; else as the left one, rows as they are. Other rows, which still need an
 * address, and k beyond `whole` are zero. */
static inline void pack_step(char *to, const char *const rows[PANEL], int n, int64_t k,
                             __mmask32 whole, bool turned)
{
    if (n >= PANEL && whole == ~0u) {
        pack_lines(to, true, rows, n, k, whole, turned);
    } else {
        pack_lines(to, false, rows, n, k, whole, turned);
    }
}

/* Where rows go along the panel, 32 of them are a step of k. They become */
enum across {
    ACROSS_RIGHT, /* a right operand, */
    ACROSS_LEFT,  /* a left one, */
    ACROSS_AWAY,  /* the same, written past the caches (a fence follows), */
    ACROSS_MIXED  /* or, faster, a right one whose columns v_unmix puts right in the sums */
};

/* What unpacking even and odd rows makes of a panel's columns: tile t, column i is this one. */
static inline int mixed_column(int t, int i)
{
    return i / 4 * 8 + i % 4 + 4 * t;
}
static inline void v_unmix(vf *low_io, vf *high_io)
{
    static const int32_t order[2][16] = {
        {0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23},
        {8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31}};
    vf low = *low_io, high = *high_io;
    *low_io = _mm512_permutex2var_ps(low, _mm512_loadu_si512(order[0]), high);
    *high_io = _mm512_permutex2var_ps(low, _mm512_loadu_si512(order[1]), high);
}

static inline __attribute__((always_inline)) __m512i
pack_lines_across(char *to, bool all, const char *const rows[STEP], int n, int64_t column,
                  __mmask32 across, enum across how)
{
    __m512i most = _mm512_setzero_si512(), size = _mm512_set1_epi16(0x7fff);
    vf half[2][16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        __m512i even = load_words(all, 2 * i < n, across, rows[2 * i] + 2 * column);
        __m512i odd = load_words(all, 2 * i + 1 < n, across, rows[2 * i + 1] + 2 * column);
        most = _mm512_max_epu16(most, _mm512_and_si512(even, size));
        most = _mm512_max_epu16(most, _mm512_and_si512(odd, size));
        half[0][i] =
            (vf)(how == ACROSS_RIGHT ? interleave(even, odd, 0) : _mm512_unpacklo_epi16(even, odd));
        half[1][i] =
            (vf)(how == ACROSS_RIGHT ? interleave(even, odd, 1) : _mm512_unpackhi_epi16(even, odd));
    }
    for (int t = 0; t < 2; t++) {
        bool left = how == ACROSS_LEFT || how == ACROSS_AWAY;
        if (left) { v_transpose(half[t]); }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            float *line = (float *)(void *)(to + (left ? mixed_column(t, i) : 16 * t + i) * LINE);
            if (how == ACROSS_AWAY) {
                _mm512_stream_ps(line, half[t][i]);
            } else {
                v_store(line, half[t][i]);
            }
        }
    }
    return most;
}

/* A step of a panel from rows that go along it: its columns are those in `across`, from `column`
 * on; only the first n rows are there. Returns the largest bits of all numbers but for their signs,
 * a word for each place. */
static inline __attribute__((always_inline)) __m512i
pack_step_across(char *to, const char *const rows[STEP], int n, int64_t column, __mmask32 across,
                 enum across how)
{
    return n >= STEP && across == ~0u ? pack_lines_across(to, true, rows, n, column, across, how)
                                      : pack_lines_across(to, false, rows, n, column, across, how);
}

#endif
