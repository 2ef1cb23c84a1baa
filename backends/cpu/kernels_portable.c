/* SPDX-License-Identifier: MIT */
/* Any machine: plain C. */
#include "backends/cpu/simd_portable.h"

#define IT_CPU_KERNELS it_cpu_kernels_portable
#include "backends/cpu/kernels.inc.c"
