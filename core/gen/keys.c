/* SPDX-License-Identifier: MIT */
/* Keys of the random numbers of sampling: see internal.h. */
#include "core/base/rng.h"
#include "core/gen/internal.h"

void it_gen_key(const struct it_sampling *sampling, uint64_t prompt, uint32_t sample,
                uint32_t row_out[IT_KEY_WORDS])
{
    const uint32_t seed[2] = {(uint32_t)sampling->seed, (uint32_t)(sampling->seed >> 32)};
    const uint32_t name[4] = {(uint32_t)sampling->update, (uint32_t)(sampling->update >> 32),
                              (uint32_t)prompt, (uint32_t)(prompt >> 32)};
    uint32_t k[4];
    it_philox(seed, name, k);
    row_out[0] = k[0];
    row_out[1] = k[1];
    row_out[IT_KEY_POSITION] = 0;
    row_out[3] = sample;
    row_out[4] = k[2];
    row_out[5] = k[3];
}
