/* SPDX-License-Identifier: MIT */
/* x86-64 with AMX tiles for products of bf16; everything else as in the set for AVX-512.
 *
 * A tile instruction adds to 16 x 16 sums the products over 32 of k. Of its two operands, one holds
 * 16 rows along k (64 bytes a row), the other 16 columns as words of two consecutive k. For
 * y = a op(b), m rows of a are held, packed, in the second cache, and b is walked past them in
 * panels of 32, the next panel fetched meanwhile:
 *
 *     b stored [n, k] (forward)    panels are rows of b as they lie; a is turned; the tiles come out
 *                                  as y transposed and are turned on their way to y
 *     b stored [k, n] (backward)   panels are pairs of rows of b interleaved; a's rows are copied, or
 *                                  for weights' gradients (a stored [k, m]) interleaved and turned
 *
 * With up to 64 rows of a (decoding) b is read where it lies, 16 rows at once: 16 streams of
 * sequential reads, which is also what memory is fastest at. So weights need no layout of their own.
 *
 * Every sum is one chain of tile instructions over k in ascending order from a multiple of 32 on,
 * whatever else is computed beside it: all ways through this file give the same bits. */
#include <cpuid.h>
#include <math.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/simd_avx512.h"
#include "core/tensor/kmath.h"

#include "backends/cpu/vector.inc.c"

enum {
    STEP = 32,                 /* k of a tile instruction */
    PANEL = 32,                /* rows or columns of a panel: two tiles */
    TILE = 1024,               /* bytes of 16 rows of 64 */
    PAIR = 2 * TILE,           /* one step of a panel */
    BLOCK = PANEL * PANEL * 4, /* bytes of 32 x 32 sums */
    LINE = 64,                 /* bytes of a line of the caches, and of a tile's row */
    MOST_K = 1024,             /* a stretch of k */
    HELD_BYTES = 1 << 20,      /* packed rows of a: half of the second cache */
    WALKED_BYTES = PANEL * MOST_K * 2,
    SUMS_BYTES = 4 << 20, /* of a task, between stretches of k */
    FEW_ROWS = 64,        /* of a, beside which b is read where it lies */
    FEW_AHEAD = 1024      /* bytes that streams of b are fetched ahead */
};
enum { SCRATCH = SUMS_BYTES + BLOCK + WALKED_BYTES + HELD_BYTES };

struct product {
    struct it_device *device;
    const struct it_tensor *y, *a, *b, *bias; /* bias NULL: none */
    int64_t m, n, k;
    bool trans_a, trans_b, onto;
    bool direct;           /* sums go to y itself */
    int64_t stretch;       /* of k, a multiple of STEP */
    int64_t rows, columns; /* of a task */
    int64_t down;          /* tasks over m */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static int64_t parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

static const char *element(const struct it_tensor *t, int64_t row, int64_t column)
{
    return row_at(t, row) + column * (is_narrow(t) ? 2 : 4);
}

/* ---- tiles ---- */

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

/* Lines still to be fetched into the second cache: `lines` of each row, `left` in all. */
struct fetch {
    const char *row;
    int64_t stride, left;
    int lines, line;
};
static inline void fetch_some(struct fetch *f, int64_t n)
{
    if (n > f->left) { n = f->left; }
    f->left -= n;
    for (; n > 0; n--) {
        _mm_prefetch(f->row + f->line * LINE, _MM_HINT_T1);
        if (++f->line == f->lines) {
            f->line = 0;
            f->row += f->stride;
        }
    }
}

/* 16 lt x 16 rt sums at c (rows `stride` bytes apart) (+)= left right over `steps` steps. Operands
 * are panels of two tiles a step. */
static inline __attribute__((always_inline)) void
micro(int lt, int rt, const char *left, const char *right, int64_t steps, char *c, size_t stride,
      bool onto, struct fetch *operand, int64_t operand_lines, struct fetch *sums,
      int64_t sums_lines)
{
    char *below = c + 16 * stride;
    if (onto) {
        _tile_loadd(0, c, stride);
        if (rt > 1) { _tile_loadd(1, c + LINE, stride); }
        if (lt > 1) { _tile_loadd(2, below, stride); }
        if (lt > 1 && rt > 1) { _tile_loadd(3, below + LINE, stride); }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t s = 0; s < steps; s++, left += PAIR, right += PAIR) {
        _tile_loadd(4, left, LINE);
        _tile_loadd(6, right, LINE);
        _tile_dpbf16ps(0, 4, 6);
        if (rt > 1) {
            _tile_loadd(7, right + TILE, LINE);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (lt > 1) {
            _tile_loadd(5, left + TILE, LINE);
            _tile_dpbf16ps(2, 5, 6);
            if (rt > 1) { _tile_dpbf16ps(3, 5, 7); }
        }
        fetch_some(operand, operand_lines);
        fetch_some(sums, sums_lines);
    }
    _tile_stored(0, c, stride);
    if (rt > 1) { _tile_stored(1, c + LINE, stride); }
    if (lt > 1) { _tile_stored(2, below, stride); }
    if (lt > 1 && rt > 1) { _tile_stored(3, below + LINE, stride); }
}

/* ---- packing: panels of 32, a step of 32 k after another, two tiles a step ---- */

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

/* Rows along k, `count` of them from `row` on, k in [k0, k0 + kc). `turned`: as the right operand,
 * words of two k in rows of 16 columns; else as the left one, rows as they are. Missing rows and
 * the k up to a whole step are zero. */
static void pack_rows(char *to, const struct it_tensor *t, int64_t row, int64_t count, int64_t k0,
                      int64_t kc, bool turned)
{
    for (int half = 0; half < 2; half++, to += TILE) {
        int n = count > 16 * half ? at_most(count - 16 * half, 16) : 0;
        const char *from[16];
        for (int i = 0; i < 16; i++) {
            from[i] = element(t, row + 16 * half + (i < n ? i : 0), k0);
        }
        if (n == 0) {
            for (int i = 0; i < 16; i++) { from[i] = element(t, row, k0); }
        }
        for (int64_t k = 0; k < kc; k += STEP) {
            __mmask32 whole = kc - k >= STEP ? ~0u : (1u << (kc - k)) - 1u;
            char *tile = to + k / STEP * PAIR;
            vf line[16];
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) {
                __mmask32 mask = i < n ? whole : 0;
                line[i] = (vf)_mm512_maskz_loadu_epi16(mask, from[i] + 2 * k);
            }
            if (turned) { v_transpose(line); }
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) { v_store((float *)(void *)(tile + i * LINE), line[i]); }
        }
    }
}

/* The same from a matrix whose rows go along the panel: k goes down. */
static void pack_columns(char *to, const struct it_tensor *t, int64_t column, int64_t count,
                         int64_t k0, int64_t kc, bool turned)
{
    __mmask32 columns = count >= PANEL ? ~0u : (1u << count) - 1u;
    int64_t stride = t->stride[0] * 2;
    const char *from = element(t, k0, column);
    for (int64_t k = 0; k < kc; k += STEP, to += PAIR) {
        vf half[2][16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m512i even = _mm512_setzero_si512(), odd = even;
            if (k + 2 * i < kc) { even = _mm512_maskz_loadu_epi16(columns, from); }
            if (k + 2 * i + 1 < kc) { odd = _mm512_maskz_loadu_epi16(columns, from + stride); }
            half[0][i] = (vf)interleave(even, odd, 0);
            half[1][i] = (vf)interleave(even, odd, 1);
            from += 2 * stride;
        }
        if (turned) {
            v_transpose(half[0]);
            v_transpose(half[1]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            v_store((float *)(void *)(to + i * LINE), half[0][i]);
            v_store((float *)(void *)(to + TILE + i * LINE), half[1][i]);
        }
    }
}

/* Rows [row, row + count) of op(a) as panels, one after another. */
static void pack_a(const struct product *p, char *to, int64_t row, int64_t count, int64_t k0,
                   int64_t kc)
{
    int64_t panel_bytes = parts(kc, STEP) * PAIR;
    for (int64_t i = 0; i < count; i += PANEL, to += panel_bytes) {
        if (p->trans_a) {
            pack_columns(to, p->a, row + i, least(PANEL, count - i), k0, kc, true);
        } else {
            pack_rows(to, p->a, row + i, least(PANEL, count - i), k0, kc, p->trans_b);
        }
    }
}

/* A panel of b. */
static void pack_b(const struct product *p, char *to, int64_t column, int64_t count, int64_t k0,
                   int64_t kc)
{
    if (p->trans_b) {
        pack_rows(to, p->b, column, count, k0, kc, false);
    } else {
        pack_columns(to, p->b, column, count, k0, kc, false);
    }
}

/* The lines of b that pack_b will read. */
static struct fetch lines_of_b(const struct product *p, int64_t column, int64_t k0, int64_t kc)
{
    struct fetch f = {.stride = p->b->stride[0] * 2};
    f.lines = (int)(p->trans_b ? parts(kc * 2, LINE) : 1);
    f.left = p->trans_b ? least(PANEL, p->n - column) * f.lines : kc;
    f.row = p->trans_b ? element(p->b, column, k0) : element(p->b, k0, column);
    return f;
}

/* ---- from sums to y ---- */

/* A row of at most 32 sums, with bias and what y held, rounded once into y. */
static inline void put_row(const struct product *p, int64_t row, int64_t column, int count, vf low,
                           vf high)
{
    const struct it_tensor *y = p->y, *bias = p->bias;
    char *to = row_of(y, row);
    for (int half = 0; half < 2 && count > 16 * half; half++) {
        int n = at_most(count - 16 * half, 16);
        int64_t at = column + 16 * half;
        vf sum = half ? high : low;
        if (bias) { sum = sum + get_n(it_view_host(bias), at, n, is_narrow(bias)); }
        if (p->onto) { sum = sum + get_n(to, at, n, is_narrow(y)); }
        put_n(to, at, sum, n, is_narrow(y));
    }
}

/* Rows [row, row + rows) of y, 32 columns of it in BF16, from sums with columns going down: those of
 * two columns make words, and words are turned. */
static void put_narrow(const struct product *p, const float *c, int64_t row, int rows,
                       int64_t column)
{
    static const uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i side_by_side = _mm512_loadu_si512(order);
    float bias[PANEL] = {0};
    for (int i = 0; p->bias && i < PANEL; i++) {
        bias[i] = get_one(it_view_host(p->bias), column + i, is_narrow(p->bias));
    }
    for (int half = 0; half < rows; half += 16) {
        vf words[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            vf even = v_load(c + 2 * i * PANEL + half) + v_set(bias[2 * i]);
            vf odd = v_load(c + (2 * i + 1) * PANEL + half) + v_set(bias[2 * i + 1]);
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
            words[i] = (vf)_mm512_permutexvar_epi16(side_by_side, both);
        }
        v_transpose(words);
        int n = at_most(rows - half, 16);
        for (int i = 0; i < n; i++) {
            v_store((float *)(void *)(row_of(p->y, row + half + i) + column * 2), words[i]);
        }
    }
}

/* A block of sums, `rows` x `columns` of y; of rows of b they lie with columns going down. */
static void put_block(const struct product *p, const char *block, int64_t row, int rows,
                      int64_t column, int columns)
{
    const float *c = (const float *)(const void *)block;
    if (!p->trans_b) {
        for (int i = 0; i < rows; i++) {
            put_row(p, row + i, column, columns, v_load(c + i * PANEL), v_load(c + i * PANEL + 16));
        }
        return;
    }
    if (columns == PANEL && is_narrow(p->y) && !p->onto) {
        put_narrow(p, c, row, rows, column);
        return;
    }
    for (int half = 0; half < rows; half += 16) {
        vf low[16], high[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            low[i] = v_load(c + i * PANEL + half);
            high[i] = v_load(c + (16 + i) * PANEL + half);
        }
        v_transpose(low);
        v_transpose(high);
        int n = at_most(rows - half, 16);
        for (int i = 0; i < n; i++) {
            put_row(p, row + half + i, column, columns, low[i], high[i]);
        }
    }
}

/* ---- many rows ---- */

/* One panel of b against the held rows of a. */
static inline void meet(const struct product *p, const char *held, const char *walked, int64_t kc,
                        int rows, int columns, char *c, size_t stride, bool onto,
                        struct fetch *operand, int64_t operand_lines, struct fetch *sums)
{
    int64_t steps = parts(kc, STEP);
    const char *left = p->trans_b ? walked : held, *right = p->trans_b ? held : walked;
    int lt = (p->trans_b ? columns : rows) > 16, rt = (p->trans_b ? rows : columns) > 16;
    int64_t sums_lines = parts(sums->left, steps);
    switch (2 * lt + rt) {
    case 0:
        micro(1, 1, left, right, steps, c, stride, onto, operand, operand_lines, sums, sums_lines);
        break;
    case 1:
        micro(1, 2, left, right, steps, c, stride, onto, operand, operand_lines, sums, sums_lines);
        break;
    case 2:
        micro(2, 1, left, right, steps, c, stride, onto, operand, operand_lines, sums, sums_lines);
        break;
    default:
        micro(2, 2, left, right, steps, c, stride, onto, operand, operand_lines, sums, sums_lines);
    }
}

/* A task's rows and columns of y. */
struct task {
    const struct product *p;
    int64_t row, column, rows, columns;
    char *held, *walked, *sums; /* scratch */
};

/* Where the sums of panel j, rows i.. of the task live between stretches of k. */
static char *sums_at(const struct task *t, int64_t i, int64_t j)
{
    const struct product *p = t->p;
    if (p->direct) { return row_of(p->y, t->row + i) + (t->column + j) * (int64_t)sizeof(float); }
    if (p->stretch >= p->k) { return t->sums; }
    return t->sums + (j / PANEL * parts(t->rows, PANEL) + i / PANEL) * BLOCK;
}

static void walk_panel(const struct task *t, int64_t j, int64_t k0, int64_t kc, struct fetch *next)
{
    const struct product *p = t->p;
    int64_t panels = parts(t->rows, PANEL), steps = parts(kc, STEP);
    int64_t lines = parts(next->left, panels * steps);
    int columns = at_most(t->columns - j, PANEL);
    size_t stride = p->direct ? (size_t)p->y->stride[0] * sizeof(float) : 2 * LINE;
    pack_b(p, t->walked, t->column + j, columns, k0, kc);
    for (int64_t i = 0; i < t->rows; i += PANEL) {
        int rows = at_most(t->rows - i, PANEL);
        char *c = sums_at(t, i, j);
        struct fetch sums = {.stride = (int64_t)stride, .lines = 2};
        if (p->direct && i + PANEL < t->rows) {
            sums.row = sums_at(t, i + PANEL, j);
            sums.left = 2 * PANEL;
        } else if (!p->direct && k0 > 0) {
            sums.row = c + BLOCK;
            sums.left = 2 * PANEL;
        }
        meet(p, t->held + i / PANEL * steps * PAIR, t->walked, kc, rows, columns, c, stride,
             k0 > 0 || p->direct, next, lines, &sums);
        if (k0 + kc == p->k && !p->direct) {
            put_block(p, c, t->row + i, rows, t->column + j, columns);
        }
    }
}

static void make_task(const struct task *t)
{
    const struct product *p = t->p;
    for (int64_t k0 = 0; k0 < p->k; k0 += p->stretch) {
        int64_t kc = least(p->stretch, p->k - k0);
        pack_a(p, t->held, t->row, t->rows, k0, kc);
        for (int64_t j = 0; j < t->columns; j += PANEL) {
            struct fetch next = {0};
            if (j + PANEL < t->columns) { next = lines_of_b(p, t->column + j + PANEL, k0, kc); }
            walk_panel(t, j, k0, kc, &next);
        }
    }
}

static void make_tasks(void *context, int64_t begin, int64_t end, int thread)
{
    const struct product *p = context;
    char *scratch = (char *)it_cpu_scratch(p->device, thread);
    _tile_loadconfig(&eight_tiles);
    for (int64_t i = begin; i < end; i++) {
        struct task t = {.p = p, .sums = scratch};
        t.walked = t.sums + SUMS_BYTES + BLOCK;
        t.held = t.walked + WALKED_BYTES;
        t.row = i % p->down * p->rows;
        t.column = i / p->down * p->columns;
        t.rows = least(p->rows, p->m - t.row);
        t.columns = least(p->columns, p->n - t.column);
        make_task(&t);
    }
    _tile_release();
}

static int64_t rounded(int64_t n, int64_t unit)
{
    return parts(n, unit) * unit;
}

/* Tasks as large as the scratch allows, a multiple of the threads of them where there is enough. */
static void cut(struct product *p, int threads)
{
    p->stretch = rounded(parts(p->k, parts(p->k, MOST_K)), STEP);
    int64_t most_rows = HELD_BYTES / (2 * p->stretch) / PANEL * PANEL;
    p->down = parts(p->m, most_rows);
    p->rows = rounded(parts(p->m, p->down), PANEL);
    p->down = parts(p->m, p->rows);
    int64_t most_columns = SUMS_BYTES / (4 * p->rows) / PANEL * PANEL;
    int64_t across = parts(p->n, p->direct ? p->n : most_columns);
    while (p->down * across < threads && parts(p->n, across) > PANEL) { across++; }
    if (threads > 1 && p->down * across % threads && parts(p->n, across) > 4 * PANEL) {
        across = rounded(across, threads);
    }
    p->columns = rounded(parts(p->n, across), PANEL);
}

/* ---- few rows ---- */

/* 16 rows of b from `row` on, as they lie, against rt tiles of rows of a, two a panel. */
static inline __attribute__((always_inline)) void stream(int rt, const struct product *p,
                                                         const char *held, int64_t row, char *block)
{
    size_t stride = (size_t)p->b->stride[0] * 2;
    const char *left = element(p->b, row, 0), *more = held + p->k / STEP * PAIR;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < p->k; k += STEP, left += LINE, held += PAIR, more += PAIR) {
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            _mm_prefetch(left + i * stride + FEW_AHEAD, _MM_HINT_T0);
        }
        _tile_loadd(4, left, stride);
        _tile_loadd(5, held, LINE);
        _tile_dpbf16ps(0, 4, 5);
        if (rt > 1) {
            _tile_loadd(6, held + TILE, LINE);
            _tile_dpbf16ps(1, 4, 6);
        }
        if (rt > 2) {
            _tile_loadd(7, more, LINE);
            _tile_dpbf16ps(2, 4, 7);
        }
        if (rt > 3) {
            _tile_loadd(5, more + TILE, LINE);
            _tile_dpbf16ps(3, 4, 5);
        }
    }
    _tile_stored(0, block, 2 * LINE);
    if (rt > 1) { _tile_stored(1, block + LINE, 2 * LINE); }
    if (rt > 2) { _tile_stored(2, block + BLOCK, 2 * LINE); }
    if (rt > 3) { _tile_stored(3, block + BLOCK + LINE, 2 * LINE); }
}

static void stream_panels(void *context, int64_t begin, int64_t end, int thread)
{
    const struct product *p = context;
    char *block = (char *)it_cpu_scratch(p->device, thread), *held = block + 2 * BLOCK;
    pack_a(p, held, 0, p->m, 0, p->k);
    _tile_loadconfig(&eight_tiles);
    for (int64_t j = begin * PANEL; j < end * PANEL && j < p->n; j += PANEL) {
        int columns = at_most(p->n - j, PANEL);
        for (int half = 0; half < columns; half += 16) {
            char *to = block + half * 2 * LINE;
            switch (parts(p->m, 16)) {
            case 1: stream(1, p, held, j + half, to); break;
            case 2: stream(2, p, held, j + half, to); break;
            case 3: stream(3, p, held, j + half, to); break;
            default: stream(4, p, held, j + half, to);
            }
        }
        for (int64_t i = 0; i < p->m; i += PANEL) {
            put_block(p, block + i / PANEL * BLOCK, i, at_most(p->m - i, PANEL), j, columns);
        }
    }
    _tile_release();
}

/* b must consist of whole tiles, and the packed rows fit. */
static bool streams(const struct product *p)
{
    return p->trans_b && !p->direct && p->m <= FEW_ROWS && p->n % 16 == 0 && p->k % STEP == 0 &&
           2 * BLOCK + 2 * p->k / STEP * PAIR <= SCRATCH;
}

/* ---- the row of the table ---- */

static enum it_status matmul(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2];
    struct product p = {
        .device = device,
        .y = y,
        .a = a,
        .b = b,
        .bias = args->t[3].dtype == IT_NONE ? NULL : &args->t[3],
        .m = y->shape[0],
        .n = y->shape[1],
        .k = a->shape[args->i[0] ? 0 : 1],
        .trans_a = args->i[0] != 0,
        .trans_b = args->i[1] != 0,
        .onto = args->f[0] != 0,
    };
    bool tiles = a->dtype == IT_BF16 && b->dtype == IT_BF16 && !(p.trans_a && p.trans_b) &&
                 (y->dtype == IT_BF16 || y->dtype == IT_F32) && p.k > 0;
    if (!tiles) { return it_cpu_kernels_avx512.kernel[IT_OP_MATMUL](device, args); }
    if (p.m == 0 || p.n == 0) { return IT_OK; }
    int threads = it_pool_threads(device->pool);
    if (streams(&p)) {
        int64_t panels = parts(p.n, PANEL);
        it_pool_run(device->pool, panels, parts(panels, 4 * (int64_t)threads), stream_panels, &p);
        return IT_OK;
    }
    p.direct = p.trans_a && y->dtype == IT_F32 && !p.bias && p.onto && p.m % PANEL == 0 &&
               p.n % PANEL == 0;
    cut(&p, threads);
    it_pool_run(device->pool, p.down * parts(p.n, p.columns), 1, make_tasks, &p);
    return IT_OK;
}

/* The system gives tiles to a process that asks. */
bool it_cpu_has_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };           /* of the kernel's arch_prctl */
    enum { FEATURES = 7, HAS_BF16 = 1 << 22, HAS_TILES = 1 << 24, ROUNDS = 1 << 5 }; /* CPUID */
    unsigned a, b, c, d;
    if (!__get_cpuid_count(FEATURES, 1, &a, &b, &c, &d) || !(a & ROUNDS)) { return false; }
    return __get_cpuid_count(FEATURES, 0, &a, &b, &c, &d) && (d & HAS_BF16) && (d & HAS_TILES) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

const struct it_cpu_kernels it_cpu_kernels_amx = {
    .name = "amx",
    .base = &it_cpu_kernels_avx512,
    .scratch = SCRATCH / sizeof(float),
    .kernel = {[IT_OP_MATMUL] = matmul},
};
