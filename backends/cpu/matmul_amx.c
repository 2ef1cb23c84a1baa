/* SPDX-License-Identifier: MIT */
/* Products of bf16 on AMX tiles.
 *
 * A tile instruction adds to 16 x 16 sums the products over 32 of k. Its left operand holds 16 rows
 * along k (64 bytes a row), its right one 16 columns as words of two consecutive k. Of y = a op(b)
 * one side is held, packed as right operands, in the second cache, and the other one walked past it
 * as left operands, in panels of 32, the next panel fetched meanwhile:
 *
 *                                   held                walked
 *     b stored [n, k] (forward)     a turned            b as it lies: y comes turned
 *     b stored [k, n] (backward)    b interleaved       a as it lies
 *     a stored [k, m] too           b interleaved       a turned, packed once for all tasks
 *     (gradients of weights)
 *
 * A panel meets all that is held over a chunk of k before the next chunk, so that this much of it
 * stays in the first cache, by which the held side passes.
 *
 * With up to 64 rows of a (decoding) a is held whole and b is read 16 rows at once: 16 streams of
 * sequential reads, which is also what memory is fastest at. Weights need no layout of their own.
 *
 * Every sum is one chain of tile instructions over k in ascending order, whatever else is computed
 * beside it; between chunks and stretches of k it rests in memory as it is, in f32. All ways give
 * the same bits. */
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels_amx.h"
#include "backends/cpu/simd_avx512.h"
#include "core/tensor/kmath.h"

#include "backends/cpu/vector.inc.c"

#include "backends/cpu/tiles_amx.h"

enum {
    BLOCK = PANEL * PANEL * 4, /* bytes of 32 x 32 sums */
    CHUNK = 16,                /* steps of a panel that stay in the first cache: 32 KiB of 48 */
    MOST_K = 2048,             /* a stretch of k, over which a side is held */
    HELD_BYTES = 1 << 20,      /* half of the second cache */
    WALKED_BYTES = PANEL * MOST_K * 2,
    SUMS_BYTES = 3 << 19,  /* of a task, between stretches of k */
    SAME_SETS = 1024,      /* rows that far apart share too few sets of the first cache */
    LARGE_BYTES = 1 << 22, /* of y: more than will be found in a cache again */
    FEW_ROWS = 64,         /* of a, beside which b is read where it lies */
    FEW_AHEAD = 1024,      /* bytes that streams of b are fetched ahead */
    SCRATCH = SUMS_BYTES + 2 * BLOCK + WALKED_BYTES + HELD_BYTES
};
_Static_assert((int)SCRATCH <= (int)IT_AMX_SCRATCH, "scratch");

/* Rows of a or columns of b; `down`: k goes down the matrix, else along its rows. */
struct side {
    const struct it_tensor *t;
    int64_t count;
    bool down;
};

struct product {
    struct it_device *device;
    const struct it_tensor *y, *bias; /* bias NULL: none */
    struct side held, walked;
    int64_t k;
    bool onto;
    bool turned;                    /* the walked side is b: tiles are of y transposed */
    bool past_caches;               /* whole lines of y are written to memory at once */
    bool in_place;                  /* the walked side is read where it lies */
    char *packed;                   /* or from here, all of it in panels; NULL: tasks pack it */
    int64_t stretch;                /* of k, a multiple of STEP */
    int64_t held_part, walked_part; /* of a task */
    int64_t down;                   /* tasks over the held side */
};

/* ---- tiles ---- */

/* Lines still to be fetched: `lines` of each row, `left` in all. */
struct fetch {
    const char *row;
    int64_t stride, left;
    int lines, line;
};
static inline __attribute__((always_inline)) void fetch_some(struct fetch *f, int64_t n,
                                                             bool to_write)
{
    if (n > f->left) { n = f->left; }
    f->left -= n;
    for (; n > 0; n--) {
        const char *line = f->row + f->line * LINE;
        if (to_write) {
            __builtin_prefetch(line, 1, 2);
        } else {
            __builtin_prefetch(line, 0, 2);
        }
        if (++f->line == f->lines) {
            f->line = 0;
            f->row += f->stride;
        }
    }
}

/* Two tiles a step: where the first row of the first is, and how far it is to the next row, to the
 * second tile and to the next step. A panel, or a matrix where it lies. */
struct operand {
    const char *at;
    size_t row;
    int64_t second, step;
};
static inline struct operand panel_at(const char *at)
{
    return (struct operand){at, LINE, TILE, PAIR};
}

/* 16 lt x 16 rt sums at c, 32 in a row, (+)= left right over `steps` steps. All loads of a step go
 * before its products; right operands, the held ones, leave the first cache to left ones. */
static inline __attribute__((always_inline)) void micro(int lt, int rt, struct operand l,
                                                        const char *right, int64_t steps, char *c,
                                                        bool onto, struct fetch *read,
                                                        struct fetch *written, int64_t reads)
{
    enum { ROW = PANEL * 4 };
    char *below = c + 16 * ROW;
    const char *left = l.at;
    int64_t writes = parts(written->left, steps);
    if (onto) {
        _tile_loadd(0, c, ROW);
        if (rt > 1) { _tile_loadd(1, c + LINE, ROW); }
        if (lt > 1) { _tile_loadd(2, below, ROW); }
        if (lt > 1 && rt > 1) { _tile_loadd(3, below + LINE, ROW); }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t s = 0; s < steps; s++, left += l.step, right += PAIR) {
        _tile_stream_loadd(6, right, LINE);
        if (rt > 1) { _tile_stream_loadd(7, right + TILE, LINE); }
        _tile_loadd(4, left, l.row);
        if (lt > 1) { _tile_loadd(5, left + l.second, l.row); }
        _tile_dpbf16ps(0, 4, 6);
        if (rt > 1) { _tile_dpbf16ps(1, 4, 7); }
        if (lt > 1) { _tile_dpbf16ps(2, 5, 6); }
        if (lt > 1 && rt > 1) { _tile_dpbf16ps(3, 5, 7); }
        fetch_some(read, reads, false);
        fetch_some(written, writes, true);
    }
    _tile_stored(0, c, ROW);
    if (rt > 1) { _tile_stored(1, c + LINE, ROW); }
    if (lt > 1) { _tile_stored(2, below, ROW); }
    if (lt > 1 && rt > 1) { _tile_stored(3, below + LINE, ROW); }
}

/* ---- packing: panels of 32, a step of 32 k after another, two tiles a step ---- */

/* Rows along k, `count` of them from `row` on, k in [k0, k0 + kc). Missing rows and the k up to a
 * whole step are zero. */
static void pack_rows(char *to, const struct it_tensor *t, int64_t row, int64_t count, int64_t k0,
                      int64_t kc, bool turned)
{
    const char *from[PANEL];
    for (int i = 0; i < PANEL; i++) { from[i] = element(t, row + (i < count ? i : 0), k0); }
    for (int64_t k = 0; k < kc; k += STEP, to += PAIR) {
        __mmask32 whole = kc - k >= STEP ? ~0u : (1u << (kc - k)) - 1u;
        pack_step(to, from, (int)count, k, whole, turned);
    }
}

/* The same from a matrix whose rows go along the panels: k goes down. All panels of a step before
 * the next, in the order of memory. */
static void pack_columns(char *to, const struct it_tensor *t, int64_t column, int64_t count,
                         int64_t k0, int64_t kc, enum across how)
{
    int64_t panel_bytes = parts(kc, STEP) * PAIR, stride = t->stride[0] * 2;
    for (int64_t k = 0; k < kc; k += STEP, to += PAIR) {
        const char *from[STEP], *first = element(t, k0 + k, column);
        int n = at_most(kc - k, STEP);
        for (int i = 0; i < STEP; i++) { from[i] = first + (i < n ? i : 0) * stride; }
        for (int64_t i = 0; i < count; i += PANEL) {
            __mmask32 across = count - i >= PANEL ? ~0u : (1u << (count - i)) - 1u;
            pack_step_across(to + i / PANEL * panel_bytes, from, n, i, across, how);
        }
    }
}

/* Part of a side as panels, one after another. */
static void pack(const struct side *side, bool left, char *to, int64_t first, int64_t count,
                 int64_t k0, int64_t kc)
{
    if (side->down) {
        pack_columns(to, side->t, first, count, k0, kc, left ? ACROSS_LEFT : ACROSS_RIGHT);
        return;
    }
    for (int64_t i = 0; i < count; i += PANEL, to += parts(kc, STEP) * PAIR) {
        pack_rows(to, side->t, first + i, least(PANEL, count - i), k0, kc, !left);
    }
}

/* The lines of a panel of the walked side. */
static struct fetch lines_of(const struct side *side, int64_t first, int64_t k0, int64_t kc)
{
    struct fetch f = {.stride = side->t->stride[0] * 2};
    f.lines = (int)(side->down ? 1 : parts(kc * 2, LINE));
    f.left = side->down ? kc : least(PANEL, side->count - first) * f.lines;
    f.row = side->down ? element(side->t, k0, first) : element(side->t, first, k0);
    return f;
}

/* ---- from sums to y ---- */

static inline void put_line(const struct product *p, char *to, vf line)
{
    if (p->past_caches) {
        _mm512_stream_ps((float *)(void *)to, line);
    } else {
        v_store((float *)(void *)to, line);
    }
}

/* A row of at most 32 sums, with bias and what y held, rounded once into y. */
static inline void put_row(const struct product *p, int64_t row, int64_t column, int count, vf low,
                           vf high)
{
    const struct it_tensor *y = p->y, *bias = p->bias;
    char *to = row_of(y, row);
    bool whole = count == PANEL && !bias;
    if (whole && is_narrow(y) && !p->onto) {
        put_line(p, to + column * 2, (vf)(__m512i)_mm512_cvtne2ps_pbh(high, low));
        return;
    }
    if (whole && !is_narrow(y)) {
        float *at = (float *)(void *)to + column;
        if (p->onto) {
            low = low + v_load(at);
            high = high + v_load(at + 16);
        }
        put_line(p, (char *)at, low);
        put_line(p, (char *)(at + 16), high);
        return;
    }
    for (int half = 0; half < 2 && count > 16 * half; half++) {
        int n = at_most(count - 16 * half, 16);
        int64_t at = column + 16 * half;
        vf sum = half ? high : low;
        if (bias) { sum = sum + get_n(it_view_host(bias), at, n, is_narrow(bias)); }
        if (p->onto) { sum = sum + get_n(to, at, n, is_narrow(y)); }
        put_n(to, at, sum, n, is_narrow(y));
    }
}

/* Rows [row, row + rows) of y, 32 columns of it in BF16, from sums with columns going down: those
 * of two columns make words, and words are turned. */
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
            put_line(p, row_of(p->y, row + half + i) + column * 2, words[i]);
        }
    }
}

/* A block of sums, `rows` x `columns` of y. */
static void put_block(const struct product *p, const char *block, int64_t row, int rows,
                      int64_t column, int columns)
{
    const float *c = (const float *)(const void *)block;
    if (!p->turned) {
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

/* A part of the held and one of the walked side. */
struct task {
    const struct product *p;
    int64_t held_first, held_count, walked_first, walked_count;
    char *held, *walked, *sums; /* scratch */
};

/* A block of a task: the rows of y and the columns that its sums belong to. */
struct place {
    int64_t row, column;
    int rows, columns;
};
static struct place place_of(const struct task *t, int64_t i, int64_t j)
{
    int held = at_most(t->held_count - i, PANEL), walked = at_most(t->walked_count - j, PANEL);
    int64_t h = t->held_first + i, w = t->walked_first + j;
    return t->p->turned ? (struct place){h, w, held, walked} : (struct place){w, h, walked, held};
}

/* The lines of y under a block. */
static struct fetch lines_of_y(const struct product *p, const struct place *at)
{
    int64_t size = is_narrow(p->y) ? 2 : 4;
    int lines = (int)parts(at->columns * size, LINE);
    return (struct fetch){.row = row_of(p->y, at->row) + at->column * size,
                          .stride = p->y->stride[0] * size,
                          .left = (int64_t)at->rows * lines,
                          .lines = lines};
}

/* Where a panel of the packed walked side begins, at k0. */
static char *packed_panel(const struct product *p, int64_t first, int64_t k0)
{
    return p->packed + (first / PANEL * parts(p->k, STEP) + k0 / STEP) * PAIR;
}

/* A panel of the walked side, over k in [k0, k0 + kc). */
static struct operand left_operand(const struct task *t, int64_t j, int64_t k0, int64_t kc)
{
    const struct product *p = t->p;
    int64_t first = t->walked_first + j, count = least(t->walked_count - j, PANEL);
    if (p->packed) { return panel_at(packed_panel(p, first, k0)); }
    if (p->in_place && count == PANEL) {
        size_t row = (size_t)p->walked.t->stride[0] * 2;
        return (struct operand){element(p->walked.t, first, k0), row, 16 * (int64_t)row, LINE};
    }
    pack(&p->walked, true, t->walked, first, count, k0, kc);
    return panel_at(t->walked);
}

/* One panel of the walked side against what is held. */
static void walk_panel(const struct task *t, int64_t j, int64_t k0, int64_t kc, struct fetch *next)
{
    const struct product *p = t->p;
    int64_t panels = parts(t->held_count, PANEL), steps = parts(kc, STEP);
    int64_t reads = parts(next->left, panels * steps), chunk = parts(steps, parts(steps, CHUNK));
    bool kept = p->stretch < p->k; /* sums, until the next stretch */
    struct operand left = left_operand(t, j, k0, kc);
    for (int64_t s = 0; s < steps; s += chunk, left.at += chunk * left.step) {
        int64_t n = least(chunk, steps - s);
        bool onto = k0 + s > 0, last = k0 + kc == p->k && s + n == steps;
        for (int64_t i = 0; i < panels; i++) {
            struct place at = place_of(t, i * PANEL, j);
            const char *right = t->held + (i * steps + s) * PAIR;
            char *c = t->sums + (kept ? j / PANEL * panels + i : chunk < steps ? i : 0) * BLOCK;
            struct fetch written = {0};
            if (last && !p->past_caches) { written = lines_of_y(p, &at); }
            bool low = (p->turned ? at.columns : at.rows) > 16;
            bool wide = (p->turned ? at.rows : at.columns) > 16;
            switch (2 * low + wide) {
            case 0: micro(1, 1, left, right, n, c, onto, next, &written, reads); break;
            case 1: micro(1, 2, left, right, n, c, onto, next, &written, reads); break;
            case 2: micro(2, 1, left, right, n, c, onto, next, &written, reads); break;
            default: micro(2, 2, left, right, n, c, onto, next, &written, reads);
            }
            if (last) { put_block(p, c, at.row, at.rows, at.column, at.columns); }
        }
    }
}

static void make_task(const struct task *t)
{
    const struct product *p = t->p;
    for (int64_t k0 = 0; k0 < p->k; k0 += p->stretch) {
        int64_t kc = least(p->stretch, p->k - k0);
        pack(&p->held, false, t->held, t->held_first, t->held_count, k0, kc);
        for (int64_t j = 0; j < t->walked_count; j += PANEL) {
            struct fetch next = {0};
            int64_t following = t->walked_first + j + PANEL;
            if (j + PANEL < t->walked_count && p->packed) {
                int64_t lines = parts(kc, STEP) * PAIR / LINE;
                next = (struct fetch){packed_panel(p, following, k0), 0, lines, (int)lines, 0};
            } else if (j + PANEL < t->walked_count) {
                next = lines_of(&p->walked, following, k0, kc);
            }
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
        t.held_first = i % p->down * p->held_part;
        t.walked_first = i / p->down * p->walked_part;
        t.held_count = least(p->held_part, p->held.count - t.held_first);
        t.walked_count = least(p->walked_part, p->walked.count - t.walked_first);
        make_task(&t);
    }
    _mm_sfence(); /* lines past the caches */
    _tile_release();
}

/* Panels [begin, end) of the walked side, for all tasks. */
static void pack_walked(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct product *p = context;
    int64_t first = begin * PANEL, count = least(end * PANEL, p->walked.count) - first;
    pack_columns(packed_panel(p, first, 0), p->walked.t, first, count, 0, p->k, ACROSS_AWAY);
    _mm_sfence();
}

/* Tasks as large as the scratch allows, a multiple of the threads of them where there is enough.
 * Returns how many. */
static int64_t cut(struct product *p, int threads)
{
    p->stretch = rounded(parts(p->k, parts(p->k, MOST_K)), STEP);
    int64_t most = HELD_BYTES / (2 * p->stretch) / PANEL * PANEL;
    int64_t pieces = parts(p->held.count, most), even = rounded(pieces, threads);
    if (even <= pieces + pieces / 2) { pieces = even; } /* else some are packed by several tasks */
    p->held_part = rounded(parts(p->held.count, pieces), PANEL);
    p->down = parts(p->held.count, p->held_part);
    most = p->stretch < p->k ? SUMS_BYTES / (4 * p->held_part) / PANEL * PANEL : p->walked.count;
    int64_t across = parts(p->walked.count, most);
    while (p->down * across < threads && parts(p->walked.count, across) > PANEL) { across++; }
    if (p->down % threads && parts(p->walked.count, across) > 4 * PANEL) {
        across = rounded(across, threads);
    }
    p->walked_part = rounded(parts(p->walked.count, across), PANEL);
    return p->down * parts(p->walked.count, p->walked_part);
}

/* ---- few rows ---- */

/* 16 rows of b from `row` on, as they lie, against rt tiles of rows of a, two a panel. */
static inline __attribute__((always_inline)) void stream(int rt, const struct product *p,
                                                         const char *held, int64_t row, char *block)
{
    size_t stride = (size_t)p->walked.t->stride[0] * 2;
    const char *left = element(p->walked.t, row, 0), *more = held + p->k / STEP * PAIR;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < p->k; k += STEP, left += LINE, held += PAIR, more += PAIR) {
        /* beyond the ends of these rows begin the 16 that follow */
        const char *ahead = left + FEW_AHEAD;
        if (k + FEW_AHEAD / 2 >= p->k) { ahead += 16 * (int64_t)stride - 2 * p->k; }
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) { _mm_prefetch(ahead + i * stride, _MM_HINT_T1); }
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
    pack(&p->held, false, held, 0, p->held.count, 0, p->k);
    _tile_loadconfig(&eight_tiles);
    for (int64_t j = begin * PANEL; j < end * PANEL && j < p->walked.count; j += PANEL) {
        int columns = at_most(p->walked.count - j, PANEL);
        for (int half = 0; half < columns; half += 16) {
            char *to = block + half * 2 * LINE;
            switch (parts(p->held.count, 16)) {
            case 1: stream(1, p, held, j + half, to); break;
            case 2: stream(2, p, held, j + half, to); break;
            case 3: stream(3, p, held, j + half, to); break;
            default: stream(4, p, held, j + half, to);
            }
        }
        for (int64_t i = 0; i < p->held.count; i += PANEL) {
            put_block(p, block + i / PANEL * BLOCK, i, at_most(p->held.count - i, PANEL), j,
                      columns);
        }
    }
    _tile_release();
}

/* b must consist of whole tiles, and the packed rows fit. */
static bool streams(const struct product *p)
{
    return p->turned && p->held.count <= FEW_ROWS && p->walked.count % 16 == 0 &&
           p->k % STEP == 0 && 2 * BLOCK + 2 * p->k / STEP * PAIR <= SCRATCH;
}

/* ---- the row of the table ---- */

enum it_status it_amx_matmul(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2];
    bool trans_a = args->i[0] != 0, trans_b = args->i[1] != 0;
    const struct side rows = {a, y->shape[0], trans_a}, columns = {b, y->shape[1], !trans_b};
    struct product p = {
        .device = device,
        .y = y,
        .bias = args->t[3].dtype == IT_NONE ? NULL : &args->t[3],
        .held = trans_b ? rows : columns,
        .walked = trans_b ? columns : rows,
        .k = a->shape[trans_a ? 0 : 1],
        .onto = args->f[0] != 0,
        .turned = trans_b,
    };
    bool tiles = a->dtype == IT_BF16 && b->dtype == IT_BF16 && !(trans_a && trans_b) &&
                 (y->dtype == IT_BF16 || y->dtype == IT_F32) && p.k > 0;
    if (!tiles) { return it_cpu_kernels_avx512.kernel[IT_OP_MATMUL](device, args); }
    if (rows.count == 0 || columns.count == 0) { return IT_OK; }
    int threads = it_pool_threads(device->pool);
    int64_t panels = parts(p.walked.count, PANEL);
    if (streams(&p)) {
        it_pool_run(device->pool, panels, parts(panels, 4 * (int64_t)threads), stream_panels, &p);
        return IT_OK;
    }
    int64_t shared = IT_AMX_SHARED / (parts(p.k, STEP) * PAIR); /* panels that fit */
    if (trans_a && shared > 0 && panels > shared) {
        for (int64_t row = 0; row < rows.count; row += shared * PANEL) {
            struct it_args part = *args;
            int64_t count = least(shared * PANEL, rows.count - row);
            part.t[0] = it_rows(*y, row, count);
            part.t[1] = it_columns(*a, row, count);
            IT_TRY(it_amx_matmul(device, &part));
        }
        return IT_OK;
    }
    int64_t size = is_narrow(y) ? 2 : 4;
    p.past_caches = !p.onto && rows.count * columns.count * size > LARGE_BYTES &&
                    (uintptr_t)row_of(y, 0) % LINE == 0 && y->stride[0] * size % LINE == 0;
    p.in_place = !p.walked.down && p.k % STEP == 0 && p.walked.t->stride[0] % SAME_SETS != 0;
    if (p.walked.down && shared > 0) {
        enum { TOGETHER = 16 }; /* a kilobyte of each row */
        p.packed = (char *)it_cpu_shared(device);
        it_pool_run(device->pool, panels, TOGETHER, pack_walked, &p);
    }
    it_pool_run(device->pool, cut(&p, threads), 1, make_tasks, &p);
    return IT_OK;
}
