/* SPDX-License-Identifier: MIT */
/* x86-64 with AVX-512 F, BW, DQ, VL; compiled with flags of its own (local.mk). */
#include "backends/cpu/simd_avx512.h"

#define IT_CPU_KERNELS it_cpu_kernels_avx512
#include "backends/cpu/kernels.inc.c"
