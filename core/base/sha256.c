/* SPDX-License-Identifier: MIT */
/* SHA-256 as FIPS 180-4 defines it, section by section. */
#include "core/base/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

/* Section 4.2.2: fractional bits of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static uint32_t read_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Section 6.2.2, one block of 64 bytes. */
static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (int t = 0; t < 16; t++) { w[t] = read_word(block + (size_t)t * 4); }
    for (int t = 16; t < 64; t++) {
        uint32_t a = w[t - 15], b = w[t - 2];
        w[t] = (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10) + w[t - 7] +
               (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 16];
    }
    memcpy(s, state, sizeof s);
    for (int t = 0; t < 64; t++) {
        uint32_t a = s[0], e = s[4];
        uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + round_constant[t] + w[t];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) { state[i] += s[i]; }
}

void it_sha256_begin(struct it_sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    *sha = (struct it_sha256){0};
    memcpy(sha->state, start, sizeof start);
}

void it_sha256_add(struct it_sha256 *sha, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    size_t held = (size_t)(sha->bytes % 64);
    sha->bytes += count;
    while (count) {
        size_t n = 64 - held < count ? 64 - held : count;
        if (n == 64) {
            compress(sha->state, at);
        } else {
            memcpy(sha->block + held, at, n);
            held += n;
            if (held == 64) { compress(sha->state, sha->block); }
        }
        held %= 64;
        at += n;
        count -= n;
    }
}

/* Section 5.1.1: a one bit, zeros, the length in bits. */
void it_sha256_end(struct it_sha256 *sha, uint8_t digest_out[IT_SHA256_BYTES])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = sha->bytes * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) { length[i] = (uint8_t)(bits >> (56 - 8 * i)); }
    it_sha256_add(sha, padding, 1 + (size_t)((119 - sha->bytes % 64) % 64));
    it_sha256_add(sha, length, sizeof length);
    for (int i = 0; i < IT_SHA256_BYTES; i++) {
        digest_out[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

char *it_sha256_hex(const uint8_t digest[IT_SHA256_BYTES], char text_out[IT_SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < IT_SHA256_BYTES; i++) {
        text_out[2 * i] = digits[digest[i] >> 4];
        text_out[2 * i + 1] = digits[digest[i] & 15];
    }
    text_out[2 * IT_SHA256_BYTES] = '\0';
    return text_out;
}

enum it_status it_sha256_file(const char *path, char text_out[IT_SHA256_TEXT])
{
    enum { PIECE = 1 << 16 };
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    FILE *stream = fopen(path, "rbe");
    if (!stream) {
        return it_fail(errno == ENOENT ? IT_NOT_FOUND : IT_IO, "%s: cannot open: %s", path,
                       strerror(errno));
    }
    uint8_t *piece = it_alloc(PIECE);
    size_t n;
    it_sha256_begin(&sha);
    while ((n = fread(piece, 1, PIECE, stream)) > 0) { it_sha256_add(&sha, piece, n); }
    bool broken = ferror(stream) != 0;
    int cause = errno;
    fclose(stream);
    it_free(piece);
    if (broken) { return it_fail(IT_IO, "%s: cannot read: %s", path, strerror(cause)); }
    it_sha256_end(&sha, digest);
    it_sha256_hex(digest, text_out);
    return IT_OK;
}
