/* SPDX-License-Identifier: MIT */
/* The CPU backend: host memory, and the kernels of the best instruction set of this machine. */
#include "backends/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef HAVE_CONFIG_H
#    include "config.h"
#endif
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"

enum {
    ALIGN = 64,
    HUGE_PAGE = 2 << 20,
    COPY = 1 << 18 /* bytes: below, another thread is not worth waking */
};

/* ---- instruction sets ---- */

static bool always(void)
{
    return true;
}

#ifdef IT_CPU_AVX2
/* These ask the processor and, for the registers, the operating system (XGETBV). */
static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#ifdef IT_CPU_AVX512
static bool has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}
#endif

/* The plainest first. */
static const struct {
    const char *name;
    bool (*usable)(void);
    const struct it_cpu_kernels *kernels; /* NULL: the compiler could not make them */
} sets[] = {
    {"portable", always, &it_cpu_kernels_portable},
#ifdef IT_CPU_AVX2
    {"avx2", has_avx2, &it_cpu_kernels_avx2},
#else
    {"avx2", always, NULL},
#endif
#ifdef IT_CPU_AVX512
    {"avx512", has_avx512, &it_cpu_kernels_avx512},
#else
    {"avx512", always, NULL},
#endif
#if defined IT_CPU_AMX && defined IT_CPU_AVX512
    {"amx", it_cpu_has_tiles, &it_cpu_kernels_amx},
#else
    {"amx", always, NULL},
#endif
};
enum { SETS = sizeof sets / sizeof *sets };

/* The best set at or below the one that INTUITOR_ISA names. */
static enum it_status choose_set(const struct it_cpu_kernels **set_out)
{
    size_t cap = SETS - 1;
    const char *asked = getenv("INTUITOR_ISA");
    if (asked && *asked) {
        for (cap = 0; cap < SETS && strcmp(asked, sets[cap].name) != 0;) { cap++; }
        if (cap == SETS) {
            return it_fail(IT_INVALID, "INTUITOR_ISA: %s is none of portable, avx2, avx512, amx",
                           asked);
        }
    }
    for (;; cap--) {
        if (sets[cap].kernels && sets[cap].usable()) { break; }
        if (asked && *asked) { it_debug("INTUITOR_ISA: no %s here", sets[cap].name); }
    }
    *set_out = sets[cap].kernels;
    return IT_OK;
}

/* ---- memory ---- */

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* Pages of 2 MiB where the system has them: a walk over weights then misses no translations. */
static void *map_huge(size_t bytes)
{
    size_t whole = bytes + HUGE_PAGE;
    char *start = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) { return NULL; }
    size_t before = round_up((uintptr_t)start, HUGE_PAGE) - (uintptr_t)start;
    if (before) { munmap(start, before); }
    if (before < HUGE_PAGE) { munmap(start + before + bytes, HUGE_PAGE - before); }
    madvise(start + before, bytes, MADV_HUGEPAGE); /* advice: refused is fine */
    return start + before;
}

/* What lies at it_buffer.host; the handle is the mapped length as a pointer, NULL for malloc's. */
static enum it_status cpu_alloc(struct it_device *device, size_t bytes,
                                struct it_buffer *buffer_out)
{
    (void)device;
    if (bytes > PTRDIFF_MAX - 2 * (size_t)HUGE_PAGE) { return IT_NOMEM; }
    size_t whole = round_up(bytes ? bytes : 1, bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGN);
    bool mapped = whole >= HUGE_PAGE;
    void *host = mapped ? map_huge(whole) : aligned_alloc(ALIGN, whole);
    if (!host) { return IT_NOMEM; }
    buffer_out->host = host;
    buffer_out->handle = mapped ? (void *)(uintptr_t)whole : NULL;
    return IT_OK;
}

static void cpu_release(struct it_device *device, struct it_buffer *buffer)
{
    (void)device;
    if (buffer->handle) {
        munmap(buffer->host, (size_t)(uintptr_t)buffer->handle);
    } else {
        free(buffer->host);
    }
    buffer->host = NULL;
}

struct transfer {
    char *to;
    const char *from;
};

static void copy_piece(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct transfer *t = context;
    memcpy(t->to + begin, t->from + begin, (size_t)(end - begin));
}

/* A page lies in the memory of the NUMA node whose thread wrote to it first, and slabs come
 * untouched. So the pool copies: each thread an equal part of the bytes, in order, which for a
 * weight are the rows that it will meet in a product. */
static enum it_status cpu_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                 const void *from, size_t bytes)
{
    struct transfer t = {.to = (char *)to->host + offset, .from = from};
    int64_t grain = (int64_t)(bytes / 8 / (size_t)it_pool_threads(device->pool)) + 1;
    it_pool_run(device->pool, (int64_t)bytes, grain < COPY ? COPY : grain, copy_piece, &t);
    return IT_OK;
}

static enum it_status cpu_download(struct it_device *device, void *to, const struct it_buffer *from,
                                   size_t offset, size_t bytes)
{
    (void)device;
    memcpy(to, (const char *)from->host + offset, bytes);
    return IT_OK;
}

static enum it_status cpu_finish(struct it_device *device)
{
    (void)device;
    return IT_OK;
}

static void cpu_close(struct it_device *device)
{
    struct it_cpu *cpu = device->data;
    munmap(cpu->scratch, cpu->scratch_bytes);
    it_free(cpu);
    device->data = NULL;
}

static const struct it_device_ops cpu_ops = {
    .close = cpu_close,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .upload = cpu_upload,
    .download = cpu_download,
    .finish = cpu_finish,
};

/* ---- the device ---- */

/* What the system could give without swapping; the total where it does not say. */
static int64_t memory_available(int64_t total)
{
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) { return total; }
    char line[128];
    long long kilobytes = -1;
    while (kilobytes < 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, "MemAvailable:", 13) == 0) { kilobytes = strtoll(line + 13, NULL, 10); }
    }
    fclose(file);
    return kilobytes < 0 ? total : (int64_t)kilobytes * 1024;
}

static void fill_info(struct it_device *device, const char *set)
{
    struct it_device_info *info = &device->info;
    struct it_topology topology;
    it_topology_read(&topology);
    int threads = it_pool_threads(device->pool);
    snprintf(info->name, sizeof info->name, "cpu");
    snprintf(info->description, sizeof info->description, "%.64s, %d thread%s, %s", topology.cpu,
             threads, threads == 1 ? "" : "s", set);
    info->memory_total = it_mem_total();
    info->memory_free = memory_available(info->memory_total);
    info->max_slab = info->max_tensor_bytes = INT64_MAX / 2;
    info->offset_align = ALIGN;
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16 | 1u << IT_I32 | 1u << IT_U32 | 1u << IT_I16 |
                   1u << IT_U8;
    info->flags = IT_DEVICE_UNIFIED | IT_DEVICE_DETERMINISTIC;
}

static int cpu_probe(char *why, size_t why_size)
{
    (void)why;
    (void)why_size;
    return 1;
}

static enum it_status cpu_open(int index, struct it_device *device)
{
    (void)index;
    const struct it_cpu_kernels *set = NULL;
    IT_TRY(choose_set(&set));
    int threads = it_pool_threads(device->pool);
    size_t floats = (size_t)threads * set->scratch + set->shared;
    size_t bytes = round_up(floats * sizeof(float), HUGE_PAGE);
    float *scratch = map_huge(bytes);
    if (!scratch) {
        return it_fail(IT_NOMEM, "device cpu: no memory for the scratch of %d threads, %zu bytes",
                       threads, bytes);
    }
    struct it_cpu *cpu = it_calloc(1, sizeof *cpu);
    cpu->set = set;
    cpu->scratch = scratch;
    cpu->scratch_bytes = bytes;
    device->ops = &cpu_ops;
    device->data = cpu;
    if (set->base) { it_device_set_kernels(device, set->base->kernel); }
    it_device_set_kernels(device, set->kernel);
    fill_info(device, set->name);
    device->info.memory_held = (int64_t)bytes;
    return IT_OK;
}

const struct it_backend it_backend_cpu = {
    .abi = IT_BACKEND_ABI,
    .name = "cpu",
    .summary = "this machine's processor: AMX, AVX-512, AVX2 or portable C, chosen at run time",
    .priority = 0,
    .probe = cpu_probe,
    .open = cpu_open,
};
