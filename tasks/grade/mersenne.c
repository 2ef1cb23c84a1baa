/* SPDX-License-Identifier: MIT */
/* MT19937 (Matsumoto and Nishimura, 1998), seeded and read as CPython's `random` does. */
#include "tasks/grade/mersenne.h"

#include <string.h>

#include "core/base/mem.h"

enum { WORDS = IT_MERSENNE_WORDS, MIDDLE = 397 };

/* ---- SHA-512 (FIPS 180-4), for seeds that are text ---- */

/* fractional parts of the cube roots of the first 80 primes */
static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static uint64_t turn(uint64_t x, int by)
{
    return x >> by | x << (64 - by);
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) { word = word << 8 | bytes[i]; }
    return word;
}

static void sha512_block(uint64_t h[8], const uint8_t block[128])
{
    uint64_t w[80], s[8];
    for (int i = 0; i < 16; i++) { w[i] = word_at(block + 8 * i); }
    for (int i = 16; i < 80; i++) {
        uint64_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (turn(a, 1) ^ turn(a, 8) ^ a >> 7) +
               (turn(b, 19) ^ turn(b, 61) ^ b >> 6);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint64_t e = s[4], a = s[0];
        uint64_t t1 = s[7] + (turn(e, 14) ^ turn(e, 18) ^ turn(e, 41)) +
                      ((e & s[5]) ^ (~e & s[6])) + sha512_k[i] + w[i];
        uint64_t t2 =
            (turn(a, 28) ^ turn(a, 34) ^ turn(a, 39)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) { h[i] += s[i]; }
}

static void sha512(const uint8_t *bytes, size_t n, uint8_t digest_out[64])
{
    uint64_t h[8] = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    };
    uint8_t last[256] = {0};
    size_t whole = n / 128 * 128, rest = n - whole, padded = rest < 112 ? 128 : 256;
    for (size_t at = 0; at < whole; at += 128) { sha512_block(h, bytes + at); }
    memcpy(last, bytes + whole, rest);
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++) { last[padded - 1 - i] = (uint8_t)((uint64_t)n * 8 >> 8 * i); }
    for (size_t at = 0; at < padded; at += 128) { sha512_block(h, last + at); }
    for (size_t i = 0; i < 64; i++) { digest_out[i] = (uint8_t)(h[i / 8] >> (56 - 8 * (i % 8))); }
}

/* ---- the generator ---- */

static void seed_array(struct it_mersenne *m, const uint32_t *key, size_t n)
{
    uint32_t *s = m->state;
    s[0] = 19650218U;
    for (uint32_t i = 1; i < WORDS; i++) { s[i] = 1812433253U * (s[i - 1] ^ s[i - 1] >> 30) + i; }
    size_t i = 1, j = 0;
    for (size_t k = n > WORDS ? n : WORDS; k > 0; k--) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1664525U) + key[j] + (uint32_t)j;
        i++;
        j++;
        if (i >= WORDS) {
            s[0] = s[WORDS - 1];
            i = 1;
        }
        if (j >= n) { j = 0; }
    }
    for (size_t k = WORDS - 1; k > 0; k--) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1566083941U) - (uint32_t)i;
        i++;
        if (i >= WORDS) {
            s[0] = s[WORDS - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000U;
    m->at = WORDS;
}

void it_mersenne_seed(struct it_mersenne *mersenne, uint64_t seed)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    seed_array(mersenne, key, key[1] ? 2 : 1);
}

/* The bytes of the text and of their SHA-512 are one big-endian number; its 32-bit digits, the
 * least significant first, are the key. */
void it_mersenne_seed_text(struct it_mersenne *mersenne, const char *text, size_t size)
{
    size_t n = size + 64, words = (n + 3) / 4;
    uint8_t *number = it_alloc(n);
    uint32_t *key = it_calloc(words, sizeof *key);
    memcpy(number, text, size);
    sha512(number, size, number + size);
    for (size_t i = 0; i < n; i++) { key[i / 4] |= (uint32_t)number[n - 1 - i] << 8 * (i % 4); }
    while (words > 1 && key[words - 1] == 0) { words--; } /* leading zeros are no digits */
    seed_array(mersenne, key, words);
    it_free(key);
    it_free(number);
}

static void refill(struct it_mersenne *m)
{
    uint32_t *s = m->state;
    for (size_t i = 0; i < WORDS; i++) {
        uint32_t y = (s[i] & 0x80000000U) | (s[(i + 1) % WORDS] & 0x7fffffffU);
        s[i] = s[(i + MIDDLE) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfU : 0);
    }
    m->at = 0;
}

uint32_t it_mersenne_u32(struct it_mersenne *mersenne)
{
    if (mersenne->at >= WORDS) { refill(mersenne); }
    uint32_t y = mersenne->state[mersenne->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680U;
    y ^= y << 15 & 0xefc60000U;
    return y ^ y >> 18;
}

double it_mersenne_uniform(struct it_mersenne *mersenne)
{
    uint32_t a = it_mersenne_u32(mersenne) >> 5, b = it_mersenne_u32(mersenne) >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
}

uint32_t it_mersenne_below(struct it_mersenne *mersenne, uint32_t n)
{
    int bits = 0;
    while (bits < 32 && n >> bits) { bits++; }
    uint32_t drawn;
    do {
        drawn = it_mersenne_u32(mersenne) >> (32 - bits);
    } while (drawn >= n);
    return drawn;
}
