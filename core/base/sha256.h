/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4): names the bytes of input files in results, and checks downloads. */
#ifndef IT_BASE_SHA256_H
#define IT_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/status.h"

enum { IT_SHA256_BYTES = 32, IT_SHA256_TEXT = 2 * IT_SHA256_BYTES + 1 };

/* Bytes in pieces of any size: begin, add ..., end. */
struct it_sha256 {
    uint32_t state[8];
    uint64_t bytes; /* added so far */
    uint8_t block[64];
};
void it_sha256_begin(struct it_sha256 *sha);
void it_sha256_add(struct it_sha256 *sha, const void *bytes, size_t count);
/* May be called on a copy: a download that may go on keeps the original. */
void it_sha256_end(struct it_sha256 *sha, uint8_t digest_out[IT_SHA256_BYTES]);

/* 64 lower-case hexadecimal digits and a NUL; the buffer is returned. */
char *it_sha256_hex(const uint8_t digest[IT_SHA256_BYTES], char text_out[IT_SHA256_TEXT]);

/* Of a whole file, in hexadecimal. */
enum it_status it_sha256_file(const char *path, char text_out[IT_SHA256_TEXT]);

#endif
