/* SPDX-License-Identifier: MIT */
/* The laws with the kernels of GPUs, on whatever device there is. */
#include <stdlib.h>

__attribute__((constructor)) static void take_kernels_of_gpus(void)
{
    setenv("INTUITOR_OPENCL_KERNELS", "gpu", 1);
}

#define LAWS_DEVICE "opencl"
#include "tests/check_1_laws.c"
