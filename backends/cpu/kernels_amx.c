/* SPDX-License-Identifier: MIT */
/* x86-64 with AMX tiles, for products and attention of bf16; everything else as in the set for
 * AVX-512. */
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/cpu/cpu.h"
#include "backends/cpu/kernels_amx.h"

/* The system gives tiles to a process that asks. */
bool it_cpu_has_tiles(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* of the kernel's arch_prctl */
    enum { FEATURES = 7, HAS_BF16 = 1 << 22, HAS_TILES = 1 << 24, ROUNDS = 1 << 5 }; /* CPUID */
    unsigned a, b, c, d;
    if (!__get_cpuid_count(FEATURES, 1, &a, &b, &c, &d) || !(a & ROUNDS)) { return false; }
    return __get_cpuid_count(FEATURES, 0, &a, &b, &c, &d) && (d & HAS_BF16) && (d & HAS_TILES) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

const struct it_cpu_kernels it_cpu_kernels_amx = {
    .name = "amx",
    .base = &it_cpu_kernels_avx512,
    .scratch = IT_AMX_SCRATCH / sizeof(float),
    .shared = IT_AMX_SHARED / sizeof(float),
    .kernel =
        {
            [IT_OP_MATMUL] = it_amx_matmul,
            [IT_OP_ATTN] = it_amx_attn,
            [IT_OP_ATTN_BWD] = it_amx_attn_bwd,
            [IT_OP_ATTN_DECODE] = it_amx_attn_decode,
        },
};
