/* SPDX-License-Identifier: MIT */
/* SHA-1 as FIPS 180-4 defines it: section 6.1.2, the message schedule in 16 words. */
#include "core/base/sha1.h"

#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

void it_sha1_begin(struct it_sha1 *sha)
{
    *sha = (struct it_sha1){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void it_sha1_begin_blob(struct it_sha1 *sha, int64_t size)
{
    char header[32];
    int n = snprintf(header, sizeof header, "blob %lld", (long long)size);
    it_sha1_begin(sha);
    it_sha1_add(sha, header, (size_t)n + 1); /* with its NUL */
}

/* Sections 4.1.1 and 4.2.1: the function and the constant of step t. */
static uint32_t mix(int t, const uint32_t v[5])
{
    uint32_t b = v[1], c = v[2], d = v[3];
    if (t < 20) { return ((b & c) | (~b & d)) + 0x5a827999; }
    if (t < 40) { return (b ^ c ^ d) + 0x6ed9eba1; }
    if (t < 60) { return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc; }
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(struct it_sha1 *sha, const uint8_t block[64])
{
    uint32_t w[16], v[5];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    memcpy(v, sha->state, sizeof v);
    for (int t = 0; t < 80; t++) {
        if (t >= 16) {
            w[t % 16] = rotate(w[(t + 13) % 16] ^ w[(t + 8) % 16] ^ w[(t + 2) % 16] ^ w[t % 16], 1);
        }
        uint32_t next = rotate(v[0], 5) + mix(t, v) + v[4] + w[t % 16];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotate(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (int i = 0; i < 5; i++) { sha->state[i] += v[i]; }
}

void it_sha1_add(struct it_sha1 *sha, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    size_t filled = sha->bytes % 64;
    sha->bytes += count;
    while (count > 0) {
        if (filled == 0 && count >= 64) {
            add_block(sha, at);
            at += 64;
            count -= 64;
            continue;
        }
        size_t n = count < 64 - filled ? count : 64 - filled;
        memcpy(sha->block + filled, at, n);
        at += n;
        count -= n;
        filled += n;
        if (filled == 64) {
            add_block(sha, sha->block);
            filled = 0;
        }
    }
}

void it_sha1_end(struct it_sha1 *sha, char text_out[IT_SHA1_TEXT])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = sha->bytes * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) { length[i] = (uint8_t)(bits >> (56 - 8 * i)); }
    size_t filled = sha->bytes % 64;
    it_sha1_add(sha, padding, filled < 56 ? 56 - filled : 120 - filled);
    it_sha1_add(sha, length, sizeof length);
    for (int i = 0; i < 5; i++) { snprintf(text_out + 8 * i, 9, "%08x", (unsigned)sha->state[i]); }
}
