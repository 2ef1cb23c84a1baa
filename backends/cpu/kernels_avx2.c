/* SPDX-License-Identifier: MIT */
/* x86-64 with AVX2 and FMA; compiled with flags of its own (local.mk). */
#include "backends/cpu/simd_avx2.h"

#define IT_CPU_KERNELS it_cpu_kernels_avx2
#include "backends/cpu/kernels.inc.c"
