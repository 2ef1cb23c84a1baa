/* SPDX-License-Identifier: MIT */
/* Between cases.c and cases_fill.c. */
#ifndef IT_TENSOR_CASES_INTERNAL_H
#define IT_TENSOR_CASES_INTERNAL_H

#include "core/tensor/cases.h"

/* Row s of segs: queries packed one segment after the other, the last query row in none where there
 * are rows to spare; keys are a prefix of the u - t rows that two of three segments share, then
 * each segment's own. */
void it_case_segment(const struct it_case *c, int64_t s, int32_t segment_out[5]);

/* Keys in slot r: none in the first of several, full pages in the second, between in the others. */
int64_t it_case_length(const struct it_case *c, int64_t r);

/* Contents of operands that are contiguous host memory. Those that only a forward op can make, like
 * the statistics that token_stats_bwd reads, are made by the reference kernels. */
enum it_status it_case_fill(const struct it_case *c, const struct it_args *args);

static inline int64_t it_case_dim(const struct it_case *c, char letter)
{
    return c->dim[letter - 'a'];
}

#endif
