/* SPDX-License-Identifier: MIT */
/* What the machine can do at most, measured with nothing in the way: reading memory, fused
 * multiply-adds in f32, tile instructions in bf16 where the device uses them. All are measured in
 * pieces shorter than a turn of the scheduler, of which the fastest tenth counts: a ceiling is what
 * is left when nobody interferes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef HAVE_CONFIG_H
#    include "config.h"
#endif
#ifdef IT_CPU_AMX
#    include <immintrin.h>
#endif
#include "cli/bench.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/pool.h"

/* The tree is compiled without contraction; here the fused instruction is what is measured. */
#ifdef __clang__
#    pragma STDC FP_CONTRACT ON
#    define FUSED
#else
#    define FUSED __attribute__((optimize("fp-contract=fast")))
#endif

enum { STREAMS = 8, CHAINS = 12, ROUNDS = 200000, PIECES = 300, LAPS = 2 };
static const size_t piece_bytes = 4 << 20; /* of one thread */

/* ---- multiply-adds: CHAINS independent sums hide the latency of the unit; they begin apart, or
 * the compiler would make them one ---- */

typedef float vector16 __attribute__((vector_size(16)));

FUSED static float burn_16(int64_t rounds)
{
    vector16 sum[CHAINS], by = {0.5f, 0.5f, 0.5f, 0.5f}, all = {0};
    for (int k = 0; k < CHAINS; k++) { sum[k] = by * (float)(rounds + k); }
    for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++) { sum[k] = sum[k] * by + by; }
    }
    for (int k = 0; k < CHAINS; k++) { all += sum[k]; }
    return all[0];
}

#if defined(__x86_64__) && defined(__GNUC__)
typedef float vector32 __attribute__((vector_size(32)));
typedef float vector64 __attribute__((vector_size(64)));

__attribute__((target("avx2,fma"))) FUSED static float burn_32(int64_t rounds)
{
    vector32 sum[CHAINS], by = (vector32){0} + 0.5f, all = {0};
    for (int k = 0; k < CHAINS; k++) { sum[k] = by * (float)(rounds + k); }
    for (int64_t i = 0; i < rounds; i++) {
#    pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++) { sum[k] = sum[k] * by + by; }
    }
    for (int k = 0; k < CHAINS; k++) { all += sum[k]; }
    return all[0];
}

__attribute__((target("avx512f"))) FUSED static float burn_64(int64_t rounds)
{
    vector64 sum[CHAINS], by = (vector64){0} + 0.5f, all = {0};
    for (int k = 0; k < CHAINS; k++) { sum[k] = by * (float)(rounds + k); }
    for (int64_t i = 0; i < rounds; i++) {
#    pragma GCC unroll 12
        for (int k = 0; k < CHAINS; k++) { sum[k] = sum[k] * by + by; }
    }
    for (int k = 0; k < CHAINS; k++) { all += sum[k]; }
    return all[0];
}
#endif

#ifdef IT_CPU_AMX
enum { TILE_FLOPS = 2 * 16 * 16 * 32, TILES = 4 };

/* Sums that do not wait for each other, operands that are never loaded again: no product is
 * faster. The configuration is in memory: the compiler does not know how much of it is read. */
__attribute__((target("amx-tile,amx-bf16"))) static float burn_operands(int64_t rounds,
                                                                        const uint16_t *operands)
{
    enum { ROW = 64, WORDS = 512 }; /* bytes of a row, numbers of a tile */
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } tiles = {
        1, 0, {0}, {ROW, ROW, ROW, ROW, ROW, ROW, ROW, ROW}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&tiles);
    _tile_loadd(4, operands, ROW);
    _tile_loadd(5, operands + WORDS, ROW);
    _tile_loadd(6, operands + 2 * WORDS, ROW);
    _tile_loadd(7, operands + 3 * WORDS, ROW);
    for (int64_t i = 0; i < rounds / TILES; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return 0;
}

/* Multipliers that switch draw power, and under their load processors lower their clock: with
 * zeros more operations a second are seen than any product of numbers can have. */
static float burn_zeros(int64_t rounds)
{
    static const uint16_t zeros[TILES * 512];
    return burn_operands(rounds, zeros);
}
static float burn_numbers(int64_t rounds)
{
    uint16_t numbers[TILES * 512];
    uint32_t state = 1;
    for (int i = 0; i < TILES * 512; i++) {
        state = state * 1664525u + 1013904223u;
        numbers[i] = (uint16_t)(state >> 16 & 0x80ff) | 0x3f00; /* 1/2 to 2, either sign */
    }
    return burn_operands(rounds, numbers);
}
#endif

struct burner {
    float (*burn)(int64_t rounds);
    int lanes;
    const char *words;
};

static struct burner widest(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f")) { return (struct burner){burn_64, 16, "512-bit"}; }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return (struct burner){burn_32, 8, "256-bit"};
    }
#endif
    return (struct burner){burn_16, 4, "128-bit"};
}

struct work {
    struct burner burner;
    uint64_t *memory;
    size_t pieces, piece; /* of one thread's part; the one being read */
    volatile uint64_t sink;
};

static void burn_work(void *context, int64_t begin, int64_t end, int thread)
{
    struct work *w = context;
    (void)thread;
    for (int64_t i = begin; i < end; i++) { w->sink += (uint64_t)w->burner.burn(ROUNDS); }
}

/* ---- reading: several streams a thread, because one does not keep memory busy ---- */

typedef uint64_t line __attribute__((vector_size(64), may_alias));

static uint64_t read_piece(const void *memory)
{
    const line *at = memory;
    const size_t lines = piece_bytes / sizeof *at / STREAMS;
    line sum = {0};
    for (size_t i = 0; i < lines; i++) {
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++) {
            __builtin_prefetch(&at[s * lines + i + 16]);
            sum ^= at[s * lines + i];
        }
    }
    return sum[0] ^ sum[3] ^ sum[7];
}

static void *piece_of(const struct work *w, int64_t part, size_t piece)
{
    return (char *)w->memory + ((size_t)part * w->pieces + piece) * piece_bytes;
}

static void read_work(void *context, int64_t begin, int64_t end, int thread)
{
    struct work *w = context;
    (void)thread;
    for (int64_t i = begin; i < end; i++) { w->sink += read_piece(piece_of(w, i, w->piece)); }
}

/* Each thread writes its own part first, so that it lies near that thread. */
static void touch_work(void *context, int64_t begin, int64_t end, int thread)
{
    struct work *w = context;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        memset(piece_of(w, i, 0), (int)i + 1, w->pieces * piece_bytes);
    }
}

/* Seconds of a piece that the fastest tenth stays below. */
static double fast_time(struct it_pool *pool, it_pool_work *call, struct work *w, int threads,
                        size_t pieces)
{
    double *sample = it_calloc(pieces, sizeof *sample);
    size_t n = 0;
    while (n < pieces && !(n && it_interrupted())) {
        double start = it_now();
        w->piece = w->pieces ? n % w->pieces : 0;
        it_pool_run(pool, threads, 1, call, w);
        sample[n++] = it_now() - start;
    }
    it_bench_median(sample, n); /* sorts */
    double seconds = sample[n / 10];
    it_free(sample);
    return seconds;
}

/* Larger than any cache that could hold it, small beside the machine's memory. */
static size_t read_bytes(int threads)
{
    struct it_topology topology;
    it_topology_read(&topology);
    int64_t bytes = 2 * topology.l3 * (topology.packages > 0 ? topology.packages : 1);
    int64_t total = it_mem_total(), unit = (int64_t)threads * (int64_t)piece_bytes;
    if (bytes < INT64_C(256) << 20) { bytes = INT64_C(256) << 20; }
    if (bytes > INT64_C(4) << 30) { bytes = INT64_C(4) << 30; }
    if (total > 0 && bytes > total / 8) { bytes = total / 8; }
    return (size_t)(bytes < unit ? unit : bytes / unit * unit);
}

static void add(struct it_bench *bench, const char *what, const char *shape, enum it_dtype dtype,
                const char *unit, double seconds, double rate)
{
    struct it_bench_row row = it_bench_row(bench, what, dtype);
    snprintf(row.shape, sizeof row.shape, "%s", shape);
    row.time_s = seconds;
    row.rate = rate;
    row.unit = unit;
    row.fraction = 1.0;
    it_bench_add(bench, &row);
}

static enum it_status host_read(struct it_bench *bench, struct it_pool *pool, int threads)
{
    char shape[96], size[24];
    size_t bytes = read_bytes(threads);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) { return it_fail(IT_NOMEM, "no room for %zu bytes to read", bytes); }
#ifdef MADV_HUGEPAGE
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: small pages only measure lower */
#endif
    struct work w = {.memory = memory, .pieces = bytes / piece_bytes / (size_t)threads};
    it_pool_run(pool, threads, 1, touch_work, &w);
    /* in turn: when a piece comes again, the others have driven it out of the caches */
    double seconds = fast_time(pool, read_work, &w, threads, LAPS * w.pieces);
    munmap(memory, bytes);
    bench->ceiling.bytes_s = (double)(piece_bytes * (size_t)threads) / seconds;
    snprintf(shape, sizeof shape, "%d threads x %d streams, %s", threads, STREAMS,
             it_format_size((int64_t)bytes, size, sizeof size));
    add(bench, "ceiling/read", shape, IT_U8, "GB/s", seconds, 1e-9 * bench->ceiling.bytes_s);
    return IT_OK;
}

static enum it_status host_ceiling(struct it_bench *bench)
{
    struct it_pool *pool = it_device_pool(bench->device);
    int threads = pool ? it_pool_threads(pool) : 1;
    char shape[96];
    struct work w = {.burner = widest()};
    IT_TRY(host_read(bench, pool, threads));
    double seconds = fast_time(pool, burn_work, &w, threads, PIECES);
    double flops = 2.0 * ROUNDS * CHAINS * w.burner.lanes * threads;
    bench->ceiling.flop_s = flops / seconds;
    snprintf(shape, sizeof shape, "%d threads, %s", threads, w.burner.words);
    add(bench, "ceiling/fma", shape, IT_F32, "GFLOP/s", seconds, 1e-9 * bench->ceiling.flop_s);
    bench->ceiling.narrow_flop_s = bench->ceiling.flop_s;
#ifdef IT_CPU_AMX
    if (strstr(it_device_info(bench->device)->description, ", amx")) {
        double tile_flops = (double)TILE_FLOPS * ROUNDS * threads;
        w.burner.burn = burn_zeros;
        seconds = fast_time(pool, burn_work, &w, threads, PIECES);
        snprintf(shape, sizeof shape, "%d threads, tiles of zeros", threads);
        add(bench, "ceiling/zeros", shape, IT_BF16, "GFLOP/s", seconds,
            1e-9 * tile_flops / seconds);
        w.burner.burn = burn_numbers;
        seconds = fast_time(pool, burn_work, &w, threads, PIECES);
        bench->ceiling.narrow_flop_s = tile_flops / seconds;
        snprintf(shape, sizeof shape, "%d threads, tiles of numbers", threads);
        add(bench, "ceiling/tiles", shape, IT_BF16, "GFLOP/s", seconds,
            1e-9 * bench->ceiling.narrow_flop_s);
    }
#endif
    return it_interrupted() ? IT_INTERRUPTED : IT_OK;
}

/* ---- other devices: through the door, by the ops that come nearest to nothing in the way ---- */

struct product {
    struct it_tensor y, a, b;
};

static enum it_status copy_call(void *context)
{
    struct product *p = context;
    return it_copy(p->y, p->a);
}

static enum it_status multiply_call(void *context)
{
    struct product *p = context;
    return it_matmul(p->y, p->a, p->b, (struct it_tensor){0},
                     (struct it_matmul_how){.trans_b = true});
}

enum { SIDE = 4096 };

/* Bytes to copy: a gigabyte, against which caches of a hundred megabytes are small, or what a
 * device with less room for both sides gives. */
static int64_t copy_bytes(const struct it_bench *bench)
{
    const struct it_device_info *info = it_device_info(bench->device);
    int64_t limit = bench->values->common.memory_limit, bytes = INT64_C(1) << 30;
    int64_t room = limit ? limit - info->memory_held : info->memory_free;
    if (bytes > room / 4) { bytes = room / 4; }
    if (bytes > info->max_slab) { bytes = info->max_slab; }
    return bytes > info->max_tensor_bytes ? info->max_tensor_bytes : bytes;
}

static enum it_status copy_ceiling(struct it_bench *bench, enum it_dtype dtype)
{
    int64_t row = SIDE * (int64_t)it_dtype_size(dtype), rows = copy_bytes(bench) / row;
    double seconds = NAN;
    struct it_arena *to = NULL, *from = NULL; /* two: a slab need not have room for both */
    struct product p;
    char shape[96], size[24];
    if (rows < 1) { rows = 1; }
    enum it_status status = it_arena_open(bench->device, "ceiling", rows * row, &to);
    if (status == IT_OK) { status = it_arena_open(bench->device, "ceiling", rows * row, &from); }
    if (status == IT_OK) { status = it_tensor2(to, dtype, rows, SIDE, &p.y); }
    if (status == IT_OK) { status = it_tensor2(from, dtype, rows, SIDE, &p.a); }
    if (status == IT_OK) { status = it_fill(p.a, 0.5); }
    if (status == IT_OK) { status = it_bench_time(bench, copy_call, &p, &seconds); }
    it_arena_close(to);
    it_arena_close(from);
    IT_TRY(status);
    snprintf(shape, sizeof shape, "copy: %s read, as much written",
             it_format_size(rows * row, size, sizeof size));
    bench->ceiling.bytes_s = 2.0 * (double)(rows * row) / seconds;
    add(bench, "ceiling/copy", shape, dtype, "GB/s", seconds, 1e-9 * bench->ceiling.bytes_s);
    return IT_OK;
}

static enum it_status matmul_ceiling(struct it_bench *bench, enum it_dtype dtype)
{
    int64_t size = SIDE * SIDE * (int64_t)it_dtype_size(dtype);
    double seconds = NAN;
    struct it_arena *arena;
    struct product p;
    char shape[96];
    IT_TRY(it_arena_open(bench->device, "ceiling", 3 * size + (1 << 20), &arena));
    enum it_status status = it_tensor2(arena, dtype, SIDE, SIDE, &p.y);
    if (status == IT_OK) { status = it_tensor2(arena, dtype, SIDE, SIDE, &p.a); }
    if (status == IT_OK) { status = it_tensor2(arena, dtype, SIDE, SIDE, &p.b); }
    if (status == IT_OK) { status = it_fill(p.a, 0.5); }
    if (status == IT_OK) { status = it_fill(p.b, 0.25); }
    if (status == IT_OK) { status = it_bench_time(bench, multiply_call, &p, &seconds); }
    it_arena_close(arena);
    IT_TRY(status);
    snprintf(shape, sizeof shape, "matmul of side %d", SIDE);
    bench->ceiling.flop_s = 2.0 * SIDE * SIDE * SIDE / seconds;
    bench->ceiling.narrow_flop_s = bench->ceiling.flop_s;
    add(bench, "ceiling/matmul", shape, dtype, "GFLOP/s", seconds, 1e-9 * bench->ceiling.flop_s);
    return IT_OK;
}

static enum it_status device_ceiling(struct it_bench *bench)
{
    bool half = it_device_info(bench->device)->dtypes & (1u << IT_BF16);
    enum it_dtype dtype = half ? IT_BF16 : IT_F32;
    IT_TRY(copy_ceiling(bench, dtype));
    return matmul_ceiling(bench, dtype);
}

enum it_status it_bench_ceiling(struct it_bench *bench)
{
    bench->ceiling = (struct it_ceiling){NAN, NAN, NAN};
    bool host = it_device_info(bench->device)->flags & IT_DEVICE_UNIFIED;
    return host ? host_ceiling(bench) : device_ceiling(bench);
}
