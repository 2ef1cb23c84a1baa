/* SPDX-License-Identifier: MIT */
/* All kernels for one instruction set: included by kernels_*.c after one of simd_*.h. One schedule,
 * three instantiations. */
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/tensor/kmath.h"

/* Each uses what stands before it. Views, types, the exponential: */
#include "backends/cpu/vector.inc.c"

/* fill copy scale_add gather scatter kv_write rope */
#include "backends/cpu/rows.inc.c"

/* rmsnorm swiglu sum_rows sumsq */
#include "backends/cpu/norm.inc.c"

/* adamw adamw8 */
#include "backends/cpu/adamw.inc.c"

/* packing and the microkernel */
#include "backends/cpu/gemm.inc.c"

#include "backends/cpu/matmul.inc.c"

#include "backends/cpu/attn.inc.c"

#include "backends/cpu/attn_bwd.inc.c"

/* token_stats */
#include "backends/cpu/stats.inc.c"

#include "backends/cpu/sample.inc.c"

const struct it_cpu_kernels IT_CPU_KERNELS = {
    .name = IT_CPU_SIMD_NAME,
    .scratch = IT_CPU_SCRATCH,
    .kernel =
        {
#define TIER_G(ID, name) [IT_OP_##ID] = name,
#define TIER_T(ID, name) [IT_OP_##ID] = name,
#define TIER_F(ID, name) /* none: small ops run on the calling thread, a launch costs nothing */
#define OP(ID, name, outputs, inputs, tier, signature, scalars) TIER_##tier(ID, name)
#include "core/tensor/ops.def"
#undef OP
#undef TIER_F
#undef TIER_T
#undef TIER_G
        },
};
