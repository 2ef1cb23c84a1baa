/* SPDX-License-Identifier: MIT */
/* gemm.h by sgemm of OpenBLAS; the environment chooses its kernels (OPENBLAS_CORETYPE). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cblas-openblas.h>

#include "gemm.h"

static struct product now;
static float *y, *a, *b;

void gemm_open(int threads, bool exact)
{
    (void)exact;
    openblas_set_num_threads(threads);
    fprintf(stderr, "%s, %s\n", openblas_get_config(), openblas_get_corename());
}

void gemm_close(void)
{
}

static float *memory(int64_t n, const void *from)
{
    size_t bytes = (size_t)n * sizeof(float);
    float *to = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!to) { gemm_stop("memory", 0); }
    if (from) {
        memcpy(to, from, bytes);
    } else {
        memset(to, 0, bytes);
    }
    return to;
}

void gemm_prepare(const struct product *p, const void *from_a, const void *from_b)
{
    if (p->half) { gemm_stop("bf16, which this library has no product of,", 0); }
    now = *p;
    y = memory(p->m * p->n, NULL);
    a = memory(p->m * p->k, from_a);
    b = memory(p->n * p->k, from_b);
}

void gemm_run(void)
{
    const struct product *p = &now;
    cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans,
                p->trans_b ? CblasTrans : CblasNoTrans, (int)p->m, (int)p->n, (int)p->k, 1.0f, a,
                (int)(p->trans_a ? p->m : p->k), b, (int)(p->trans_b ? p->k : p->n), 0.0f, y,
                (int)p->n);
}

void gemm_read(float *y_out, int64_t n)
{
    memcpy(y_out, y, (size_t)n * sizeof *y_out);
}

void gemm_release(void)
{
    free(y);
    free(a);
    free(b);
}
