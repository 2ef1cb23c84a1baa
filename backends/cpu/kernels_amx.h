/* SPDX-License-Identifier: MIT */
/* Rows of the table of kernels_amx.c that have files of their own, and what it gives them. */
#ifndef IT_CPU_KERNELS_AMX_H
#define IT_CPU_KERNELS_AMX_H

#include "core/tensor/backend.h"

enum {
    IT_AMX_SCRATCH = 3 << 20, /* bytes of working memory that these count on */
    IT_AMX_SHARED = 64 << 20, /* of all threads together, touched only where it is used */
    IT_AMX_SMALL = 1 << 20    /* products of two numbers that are not worth another thread */
};

it_kernel it_amx_matmul, it_amx_attn, it_amx_attn_bwd, it_amx_attn_decode;

#endif
