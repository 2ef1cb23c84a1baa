/* SPDX-License-Identifier: MIT */
/* Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3) of counter c. */
uvec4 philox(uint k0, uint k1, uvec4 c)
{
    for (int round = 0; round < 10; round++) {
        uint high0, low0, high1, low1;
        umulExtended(0xd2511f53u, c.x, high0, low0);
        umulExtended(0xcd9e8d57u, c.z, high1, low1);
        c = uvec4(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return c;
}
