/* SPDX-License-Identifier: MIT */
/* adamw, adamw8; the split master is that of core/tensor/ref_adamw.c. */

/* Words of Philox for elements [i, i + 4), where weights are rounded at random; i is a multiple of
 * 4. */
static uint4 noise_of(global const uint *keys, long i, int random)
{
    return random ? philox(keys[0], keys[1],
                           (uint4)((uint)(i / 4), (uint)((ulong)i / 4 >> 32), keys[2], keys[3]))
                  : (uint4)(0);
}

static uint pick(uint4 words, int j)
{
    return (j == 0 ? words.s0 : j == 1 ? words.s1 : j == 2 ? words.s2 : words.s3) & 0xffffu;
}

/* Element i from its new first moment and the root of the corrected second. */
static void take_step(global T *w, global short *lo, global const float *s, const struct adam p,
                      long i, float first, float root, uint noise)
{
    float lr = s[0], eps = s[3], decay = s[4], correct1 = s[5];
#ifdef IT_BF16
    uint high = (uint)w[p.w.at + i] << 16;
    float old = k_float(p.split ? high + (uint)(int)lo[p.lo.at + i] : high);
#else
    float old = w[p.w.at + i];
#endif
    float step = first / correct1 / (root + eps);
    float now = old - lr * (step + decay * old);
#ifdef IT_BF16
    if (p.split) {
        uint bits = k_bits(now);
        if (now != now) { bits = (bits & 0x80000000u) | 0x7fc00000u; }
        uint rounded = (bits + 0x8000u) >> 16;
        w[p.w.at + i] = (ushort)rounded;
        lo[p.lo.at + i] = (short)(int)(bits - (rounded << 16));
        return;
    }
    if (p.random) {
        w[p.w.at + i] = (ushort)k_bf16_dither(now, noise);
        return;
    }
#endif
    put(w, p.w.at + i, now);
}

kernel void adamw(global T *w, global float *m, global float *v, global short *lo,
                  global const float *grad, global const float *scalars, global const uint *keys,
                  const struct adam p)
{
    global const float *s = scalars + p.scalars.at;
    float beta1 = s[1], beta2 = s[2], correct2 = s[6], scale = s[7];
    EACH_COLUMN (i, p.count) {
        uint4 noise = noise_of(keys + p.keys.at, i / 4 * 4, p.random);
        float g = grad[p.grad.at + i] * scale;
        float first = beta1 * m[p.m.at + i] + (1.0f - beta1) * g;
        float second = beta2 * v[p.v.at + i] + (1.0f - beta2) * g * g;
        m[p.m.at + i] = first;
        v[p.v.at + i] = second;
        take_step(w, lo, s, p, i, first, sqrt(second / correct2), pick(noise, (int)(i % 4)));
    }
}

/* ---- moments in 8 bits: a work group a block, EACH neighbours an item ---- */

enum { EACH = MOMENT_BLOCK / GROUP };

static void store_moments(global char *m, global uchar *v, global float *ms, global float *vs,
                          const float *first, const float *root, local float *room,
                          const struct adam p, long block)
{
    float most = 0.0f, most_root = 0.0f;
    for (int j = 0; j < EACH; j++) {
        most = fmax(most, fabs(first[j]));
        most_root = fmax(most_root, root[j]);
    }
    most = most_over(most, room, GROUP);
    most_root = most_over(most_root, room, GROUP);
    float inverse = k_inverse(most), inverse_root = k_inverse(most_root);
    long at = block * MOMENT_BLOCK + (long)get_local_id(0) * EACH;
    for (int j = 0; j < EACH && at + j < p.count; j++) {
        int code = (int)k_code(fabs(first[j]), inverse, 127.0f);
        m[p.m.at + at + j] = (char)(first[j] < 0.0f ? -code : code);
        uint of_root = k_code(root[j], inverse_root, 255.0f);
        v[p.v.at + at + j] = (uchar)(of_root == 0 && root[j] > 0.0f ? 1 : of_root);
    }
    if (get_local_id(0) == 0) {
        ms[p.ms.at + block] = most;
        vs[p.vs.at + block] = most_root;
    }
}

kernel void adamw8(global T *w, global char *m, global uchar *v, global float *ms,
                   global float *vs, global short *lo, global const float *grad,
                   global const float *scalars, global const uint *keys, local float *room,
                   const struct adam p)
{
    global const float *s = scalars + p.scalars.at;
    float beta1 = s[1], beta2 = s[2], correct2 = sqrt(s[6]), scale = s[7];
    long blocks = (p.count + MOMENT_BLOCK - 1) / MOMENT_BLOCK;
    for (long block = get_group_id(0); block < blocks; block += get_num_groups(0)) {
        float unit = ms[p.ms.at + block], unit_root = vs[p.vs.at + block];
        float first[EACH], root[EACH];
        uint4 noise = (uint4)(0);
        long at = block * MOMENT_BLOCK + (long)get_local_id(0) * EACH;
        for (int j = 0; j < EACH; j++) {
            long i = at + j;
            first[j] = root[j] = 0.0f;
            if (j % 4 == 0) { noise = noise_of(keys + p.keys.at, i, p.random); }
            if (i >= p.count) { continue; }
            float g = grad[p.grad.at + i] * scale, old = k_root(v[p.v.at + i], unit_root);
            first[j] = beta1 * k_moment(m[p.m.at + i], unit) + (1.0f - beta1) * g;
            root[j] = sqrt(beta2 * (old * old) + (1.0f - beta2) * g * g);
            take_step(w, lo, s, p, i, first[j], root[j] / correct2, pick(noise, j % 4));
        }
        store_moments(m, v, ms, vs, first, root, room, p, block);
    }
}
