/* SPDX-License-Identifier: MIT */
/* Between gemm.c, which walks the products and times them, and one library that computes them:
 * y = op(a) op(b), row-major, a given as [m,k] or stored [k,m], b as [k,n] or stored [n,k]. */
#ifndef RIVALS_GEMM_H
#define RIVALS_GEMM_H

#include <stdbool.h>
#include <stdint.h>

struct product {
    int64_t m, n, k;
    bool trans_a, trans_b; /* a stored [k,m]; b stored [n,k] */
    bool half;             /* a and b are bf16, else f32 */
    bool half_y;           /* y is bf16, else f32 */
};

/* Each stops the program with a message when something fails. */
void gemm_open(int threads, bool exact);
void gemm_prepare(const struct product *p, const void *a, const void *b); /* copies, repacks */
void gemm_run(void);                     /* returns when y is complete */
void gemm_read(float *y_out, int64_t n); /* the first n of y, row by row */
void gemm_release(void);
void gemm_close(void);

_Noreturn void gemm_stop(const char *what, int code);

#endif
