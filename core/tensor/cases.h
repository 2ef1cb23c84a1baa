/* SPDX-License-Identifier: MIT */
/* The cases of cases.def: every op on made-up operands, for the parity tests of a backend and for
 * `intuitor bench ops`.
 *
 *     struct it_case c;
 *     it_case_at(index, &c);                      (dims may be changed here)
 *     it_case_prepare(&c, measuring_arena, &args); it_arena_peak() is the memory it takes
 *     it_case_prepare(&c, arena, &args);          operands filled from the seed
 *     it_case_run(&c, &args);                     as often as wanted
 *     it_case_check(&c, device, &error);          afresh, against the reference in double  */
#ifndef IT_TENSOR_CASES_H
#define IT_TENSOR_CASES_H

#include "core/tensor/ops.h"

enum { IT_CASE_LETTERS = 26 };

struct it_case {
    enum it_op op;
    bool bench;        /* a size worth timing; not among the parity tests */
    const char *words; /* as in cases.def */
    double tolerance;  /* of it_case_error */
    uint64_t seed;
    enum it_dtype dtype;                 /* of kinds x and f unless the words say otherwise */
    enum it_dtype type[IT_MAX_OPERANDS]; /* IT_NONE: absent */
    int64_t dim[IT_CASE_LETTERS];        /* the signature's letters */
    double f[IT_MAX_SCALARS];
    int64_t i[IT_MAX_SCALARS];
};

size_t it_case_count(void);
void it_case_at(size_t index, struct it_case *case_out);
/* "matmul bf16 m=7 n=5 k=3" into a caller's buffer, which is returned. */
char *it_case_describe(const struct it_case *c, char *buffer, size_t size);

/* Shape of operand k; returns its rank, 0 when it is absent. */
int it_case_shape(const struct it_case *c, int k, int64_t shape[IT_MAX_RANK]);

/* Operands in an arena of any device, outputs too: their old contents count where an op adds. On a
 * measuring arena only the views are made. */
enum it_status it_case_prepare(const struct it_case *c, struct it_arena *arena,
                               struct it_args *args_out);
enum it_status it_case_run(const struct it_case *c, const struct it_args *args);

/* Multiplications and additions of a run; 0 for ops that memory bounds. */
double it_case_flops(const struct it_case *c);
/* Bytes a run must read and write at least. */
double it_case_bytes(const struct it_case *c);

/* The largest difference of outputs, relative to |want| plus the root mean square of what is
 * compared with it; infinite where whole numbers differ. Both sets of operands must be contiguous
 * on UNIFIED devices. */
double it_case_error(const struct it_case *c, const struct it_args *got,
                     const struct it_args *want);
/* Prepare, run on the device, and compare with the reference computed in double. */
enum it_status it_case_check(const struct it_case *c, struct it_device *device,
                             double *error_out);

#endif
