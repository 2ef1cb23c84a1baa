/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers: Philox 4x32-10 (Salmon et al., SC 2011). The same key and counter
 * give the same numbers on every machine, in any order, on any thread. */
#ifndef IT_BASE_RNG_H
#define IT_BASE_RNG_H

#include <stdint.h>

void it_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/* A convenience stream for host-side choices (shuffles, initialisation, made-up problems). */
struct it_rng {
    uint32_t key[2];
    uint64_t position; /* words drawn so far; save it to resume */
};
void it_rng_init(struct it_rng *rng, uint64_t seed, uint64_t stream);
uint32_t it_rng_u32(struct it_rng *rng);
double it_rng_uniform(struct it_rng *rng);              /* [0, 1), 32 bits */
int64_t it_rng_below(struct it_rng *rng, int64_t n);    /* [0, n), unbiased */
double it_rng_normal(struct it_rng *rng);               /* standard normal, one word each */
void it_rng_normals(struct it_rng *rng, double *out, int64_t n); /* n of them, the same numbers */
void it_rng_shuffle(struct it_rng *rng, int64_t *items, int64_t n);

#endif
