/* SPDX-License-Identifier: MIT */
/* What the files of this folder share and nobody else includes.
 *
 * The kernels are written once, in *.inc.c, against a dozen vector operations (simd_*.h), and
 * compiled once for each instruction set: kernels_portable.c, kernels_avx2.c, kernels_avx512.c each
 * export one table. cpu.c chooses among the tables when a device is opened.
 *
 * A set that brings its own matrix product (tile registers, weights in a private layout) is one
 * more table that overwrites rows of another one. */
#ifndef IT_CPU_CPU_H
#define IT_CPU_CPU_H

#include <stdint.h>

#include "core/base/pool.h"
#include "core/tensor/backend.h"

struct it_cpu_kernels {
    const char *name;                  /* as in INTUITOR_ISA */
    const struct it_cpu_kernels *base; /* gives the rows that are empty here; NULL: the fallback */
    size_t scratch;                    /* floats of working memory a thread */
    size_t shared;                     /* and of all threads together */
    it_kernel *kernel[IT_OP_COUNT];
};
#pragma GCC visibility push(hidden) /* tables refer to each other, in a shared library too */
extern const struct it_cpu_kernels it_cpu_kernels_portable;
extern const struct it_cpu_kernels it_cpu_kernels_avx2;
extern const struct it_cpu_kernels it_cpu_kernels_avx512;
extern const struct it_cpu_kernels it_cpu_kernels_amx;
#pragma GCC visibility pop
bool it_cpu_has_tiles(void); /* asks the processor, and the system for their use */

/* Working memory, allocated when the device is opened: at least 2 MiB a thread, about a core's L2
 * cache, and partial sums that all threads share. Kernels cut their work so that it fits, or
 * refuse. */
enum { IT_CPU_SCRATCH = 1 << 19 /* floats */, IT_CPU_PARTS = 1024 /* doubles */ };

struct it_cpu {
    const struct it_cpu_kernels *set;
    float *scratch; /* [threads, set->scratch], then [set->shared] */
    size_t scratch_bytes;
    double parts[IT_CPU_PARTS];
};

static inline float *it_cpu_scratch(const struct it_device *device, int thread)
{
    const struct it_cpu *cpu = device->data;
    return cpu->scratch + (size_t)thread * cpu->set->scratch;
}
static inline float *it_cpu_shared(const struct it_device *device)
{
    return it_cpu_scratch(device, it_pool_threads(device->pool));
}

#endif
