/* SPDX-License-Identifier: MIT */
/* The random numbers of Python's `random` module, where an official protocol rests on them. */
#ifndef IT_TASKS_GRADE_MERSENNE_H
#define IT_TASKS_GRADE_MERSENNE_H

#include <stddef.h>
#include <stdint.h>

enum { IT_MERSENNE_WORDS = 624 };
struct it_mersenne {
    uint32_t state[IT_MERSENNE_WORDS];
    size_t at;
};

void it_mersenne_seed(struct it_mersenne *mersenne, uint64_t seed); /* random.seed(12345) */
void it_mersenne_seed_text(struct it_mersenne *mersenne, const char *text,
                           size_t size);                            /* random.seed("text") */
uint32_t it_mersenne_u32(struct it_mersenne *mersenne);
double it_mersenne_uniform(struct it_mersenne *mersenne);                /* random.random() */
uint32_t it_mersenne_below(struct it_mersenne *mersenne, uint32_t n);    /* randint(0, n - 1) */

#endif
