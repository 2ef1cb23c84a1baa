/* SPDX-License-Identifier: MIT */
/* A decoder and a tokenizer made of integers, in the place of the library's. The cache keeps the id
 * and the position of each row, and the next id is a hash of the whole sequence as read back
 * through the page table, and of the random key: a wrong page, row, copy, position or key changes
 * every id after it. */
#ifndef IT_TESTS_TOY_DECODER_H
#define IT_TESTS_TOY_DECODER_H

#include "core/gen/internal.h"

struct toy {
    int64_t prefills, prefilled, copied, steps, most; /* counted */
    int64_t fail_at, interrupt_at;                    /* step numbers from 1; 0: never */
};
extern struct toy toy;
extern bool toy_ahead; /* two steps under way */
extern struct it_net toy_net;
enum { TOY_ROW_BYTES = 2 * 2 * 2 * 4 * 4 }; /* k and v, layers, heads, width, F32 */

/* Byte strings by id modulo their number. */
struct it_tokenizer {
    const char *const *text;
    int32_t n;
};

/* The toy's model: fold the ids of a sequence, then the key's row, then draw. */
uint64_t toy_fold(uint64_t hash, int32_t id);
uint64_t toy_fold_key(uint64_t hash, const uint32_t key[IT_KEY_WORDS]);
int32_t toy_draw(uint64_t hash);
double toy_stat(uint64_t hash, int column);

#endif
