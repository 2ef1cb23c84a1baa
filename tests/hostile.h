/* SPDX-License-Identifier: MIT */
/* A backend for tests, and an example of one: its memory is stored inverted, so that whoever reads
 * it behind the interface reads nonsense; its allocator fails on demand; its kernels refuse at
 * random and otherwise run the reference; what is prefetched arrives when it is waited for and not
 * before. Code that works on it never touches device memory
 * directly. It is opened as "hostile" after hostile_register(), never by "auto". */
#ifndef IT_TESTS_HOSTILE_H
#define IT_TESTS_HOSTILE_H

#include "core/tensor/backend.h"

struct hostile_plan {
    unsigned refuse_percent; /* of kernel calls */
    uint64_t seed;           /* of the refusals */
    int allocations_left;    /* before one fails; negative: all succeed */
    bool finish_fails;
    int64_t max_slab;        /* bytes; 0: no limit */
};
extern struct hostile_plan hostile_plan; /* read at every call: tests change it as they go */

struct hostile_counts {
    int64_t ran, refused;  /* kernel calls */
    int64_t buffers, bytes; /* alive */
    int64_t prefetched;     /* bytes */
};
extern struct hostile_counts hostile_counts;

enum it_status hostile_register(void);

#endif
