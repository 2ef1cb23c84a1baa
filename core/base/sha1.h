/* SPDX-License-Identifier: MIT */
/* SHA-1 (FIPS 180-4), which git names files by: for checking what a hub says, not for security. */
#ifndef IT_BASE_SHA1_H
#define IT_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { IT_SHA1_BYTES = 20, IT_SHA1_TEXT = 2 * IT_SHA1_BYTES + 1 };

/* Bytes in pieces of any size: begin, add ..., end. */
struct it_sha1 {
    uint32_t state[5];
    uint64_t bytes; /* added so far */
    uint8_t block[64];
};
void it_sha1_begin(struct it_sha1 *sha);
void it_sha1_add(struct it_sha1 *sha, const void *bytes, size_t count);
/* 40 lower-case hexadecimal digits and a NUL. */
void it_sha1_end(struct it_sha1 *sha, char text_out[IT_SHA1_TEXT]);

/* What git calls a file of `size` bytes that are added afterwards: a "blob". */
void it_sha1_begin_blob(struct it_sha1 *sha, int64_t size);

#endif
