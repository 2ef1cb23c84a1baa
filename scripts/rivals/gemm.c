/* SPDX-License-Identifier: MIT */
/* The matrix products of a training step of Qwen2.5-1.5B, timed in one library, each a JSON line:
 *
 *     gemm_LIBRARY bf16|f32 TOKENS RUNS THREADS [exact] [small] [head]
 *
 * A layer's four products count once a layer. The head's are those of a tile of the vocabulary and
 * at most 1,024 rows, as training walks it, and count once a tile; `head` times the whole
 * vocabulary instead, and nothing else. `small` divides all widths by eight, to try the programs
 * out.
 * Before it is timed, a piece of each result is compared with sums in double. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gemm.h"

enum { LAYERS = 28, HEAD_ROWS = 1024, HEAD_COLUMNS = 8192, CHECKED = 64 };

static const struct weight {
    const char *name;
    int64_t n, k;
} weights[] = {{"qkv", 2048, 1536},
               {"o", 1536, 1536},
               {"gate+up", 17920, 1536},
               {"down", 1536, 8960},
               {"head", 151936, 1536}};

static const char *const kinds[] = {"forward", "dx", "dw"};

_Noreturn void gemm_stop(const char *what, int code)
{
    fprintf(stderr, "gemm: %s failed (%d)\n", what, code);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- operands: numbers around zero, in bf16 exactly representable ones ---- */

static float value(uint64_t i)
{
    i = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (float)((int)(i >> 56) - 128) / 128.0f;
}

static void *operand(int64_t n, bool half, uint64_t seed)
{
    size_t bytes = ((size_t)n * (half ? 2 : 4) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    if (!memory) { gemm_stop("memory", 0); }
    for (int64_t i = 0; i < n; i++) {
        float x = value(seed + (uint64_t)i);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (half) {
            ((uint16_t *)memory)[i] = (uint16_t)(bits >> 16);
        } else {
            ((float *)memory)[i] = x;
        }
    }
    return memory;
}

/* The first row of the result against sums in double: bf16 keeps 8 bits of it. */
static void check(const struct product *p, const char *name)
{
    int64_t n = p->n < CHECKED ? p->n : CHECKED;
    float y[CHECKED];
    gemm_read(y, n);
    for (int64_t j = 0; j < n; j++) {
        double sum = 0.0;
        for (int64_t l = 0; l < p->k; l++) {
            int64_t at_b = p->trans_b ? j * p->k + l : l * p->n + j;
            sum += (double)value((uint64_t)(p->trans_a ? l * p->m : l)) *
                   (double)value(7 + (uint64_t)at_b);
        }
        double allowed = (p->half_y ? 1e-2 : 1e-4) * (fabs(sum) + sqrt((double)p->k));
        if (fabs(sum - (double)y[j]) <= allowed) { continue; }
        fprintf(stderr, "gemm: %s: column %lld of row 0 is %g, expected %g\n", name, (long long)j,
                (double)y[j], sum);
        exit(1);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double time_product(const struct product *p, const char *name, int runs)
{
    void *a = operand(p->m * p->k, p->half, 0), *b = operand(p->n * p->k, p->half, 7);
    double *sample = calloc((size_t)runs, sizeof *sample);
    if (!sample) { gemm_stop("memory", 0); }
    gemm_prepare(p, a, b);
    free(a);
    free(b);
    gemm_run();
    check(p, name);
    for (int i = 0; i < runs; i++) {
        double start = now();
        gemm_run();
        sample[i] = now() - start;
    }
    gemm_release();
    qsort(sample, (size_t)runs, sizeof *sample, ascending);
    double median = 0.5 * (sample[(runs - 1) / 2] + sample[runs / 2]);
    free(sample);
    return median;
}

/* Forward: y[T,N] = x[T,K] W[N,K]^T. Backward: dx[T,K] = dy[T,N] W, and dw[N,K] = dy^T x in f32. */
static struct product product_of(int kind, int64_t tokens, int64_t n, int64_t k, bool half)
{
    switch (kind) {
    case 0: return (struct product){tokens, n, k, false, true, half, half};
    case 1: return (struct product){tokens, k, n, false, false, half, half};
    default: return (struct product){n, k, tokens, true, false, half, false};
    }
}

int main(int count, char **word)
{
    bool exact = false, small = false, alone = false;
    for (int i = 5; i < count; i++) {
        exact = exact || strcmp(word[i], "exact") == 0;
        small = small || strcmp(word[i], "small") == 0;
        alone = alone || strcmp(word[i], "head") == 0;
    }
    int64_t tokens = count > 4 ? atoll(word[2]) : 0;
    int runs = count > 4 ? atoi(word[3]) : 0, threads = count > 4 ? atoi(word[4]) : 0;
    bool half = count > 1 && strcmp(word[1], "bf16") == 0;
    if (tokens < 1 || runs < 1 || threads < 1 || (!half && strcmp(word[1], "f32") != 0)) {
        fprintf(stderr, "usage: %s bf16|f32 TOKENS RUNS THREADS [exact] [small] [head]\n", word[0]);
        return 2;
    }
    gemm_open(threads, exact);
    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++) {
        bool head = strcmp(weights[w].name, "head") == 0;
        if (alone && !head) { continue; }
        bool tiled = head && !alone;
        int64_t rows = tiled && tokens > HEAD_ROWS ? HEAD_ROWS : tokens;
        int64_t columns = tiled ? HEAD_COLUMNS : weights[w].n;
        double tiles = (double)weights[w].n / (double)columns;
        double times = head ? tiles * (double)tokens / (double)rows : LAYERS;
        int64_t part = small ? 8 : 1, n = columns / part, k = weights[w].k / part;
        for (int kind = 0; kind < 3; kind++) {
            struct product p = product_of(kind, rows, n, k, half);
            double seconds = time_product(&p, weights[w].name, runs);
            printf("{\"name\":\"%s %s\",\"m\":%lld,\"n\":%lld,\"k\":%lld,\"count\":%g,"
                   "\"seconds\":%.9g}\n",
                   weights[w].name, kinds[kind], (long long)p.m, (long long)p.n, (long long)p.k,
                   times, seconds);
            fflush(stdout);
        }
    }
    gemm_close();
    return 0;
}
