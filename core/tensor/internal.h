/* SPDX-License-Identifier: MIT */
/* What the files of this folder share: the parsed signatures, a device's bookkeeping, the check,
 * the fallback, recording. Not installed. */
#ifndef IT_TENSOR_INTERNAL_H
#define IT_TENSOR_INTERNAL_H

#include "core/tensor/backend.h"

/* ---- the signature strings of ops.def, parsed once ---- */

/* A size: `factor`, times the size bound to `letter` unless that is 0. */
struct it_dim {
    int64_t factor;
    char letter;
};

struct it_operand {
    char name[12];
    char kind; /* x f a i u h b, as in ops.def */
    bool optional;
    int rank;
    struct it_dim dim[IT_MAX_RANK];
};

struct it_signature {
    int count;   /* operands */
    int outputs; /* the first of them */
    int first_x; /* -1: none */
    int first_a;
    struct it_operand operand[IT_MAX_OPERANDS];
};

const struct it_signature *it_signature(enum it_op op);

/* Axis `axis` of operand k as the signature means it: matmul's after op(). */
int it_signature_axis(enum it_op op, const struct it_args *args, int k, int axis);

/* ---- the door ---- */

struct it_door {
    int64_t used, peak;              /* bytes in open arenas */
    int arenas;                      /* open ones */
    bool sync;                       /* IT_SYNC=1: finish after each op */
    bool reference;                  /* falling back is what was asked for */
    unsigned warned[IT_OP_COUNT];    /* bit (1 << dtype): this fallback was told */
    struct it_graph *recording;      /* NULL unless between begin and end */
};

/* Hold args against the op's signature and its rules. *device_out is NULL where a view belongs to a
 * measuring arena: then there is nothing to run. */
enum it_status it_door_check(enum it_op op, const struct it_args *args,
                             struct it_device **device_out);

/* Kernel, then fallback; no check and no recording. */
enum it_status it_door_execute(struct it_device *device, enum it_op op,
                               const struct it_args *args);

/* Operands home, reference kernel, results back. */
enum it_status it_door_fall_back(struct it_device *device, enum it_op op,
                                 const struct it_args *args);

void it_door_record(struct it_graph *graph, enum it_op op, const struct it_args *args);

#endif
