/* SPDX-License-Identifier: MIT */
/* The reference kernels a second time, in double: for gradients against finite differences and as
 * the truth that every other kernel is measured by. */
#define REF_DOUBLE
#include "core/tensor/ref_adamw.c"
#include "core/tensor/ref_attn.c"
#include "core/tensor/ref_basic.c"
#include "core/tensor/ref_matmul.c"
#include "core/tensor/ref_norm.c"
#include "core/tensor/ref_rows.c"
#include "core/tensor/ref_sample.c"
#include "core/tensor/ref_stats.c"
#include "core/tensor/ref_step.c"
