/* SPDX-License-Identifier: MIT */
/* adamw, and adamw8 with its moments in 8 bits. The arithmetic is that of the reference, a lane an
 * element, to the bit. */

struct adamw_job {
    void *w;
    void *m, *v; /* floats, or codes */
    float *ms, *vs; /* scales of the codes */
    int16_t *lo; /* NULL: w is the master */
    const uint32_t *keys; /* NULL: w is rounded to nearest */
    const float *grad, *scalars;
    int64_t n;
    bool narrow;
};

/* A hyperparameter in every lane. */
struct adamw_set {
    vf lr, beta1, beta2, rest1, rest2, eps, decay, correct1, correct2, scale;
};

static inline struct adamw_set adamw_set_of(const float *s)
{
    return (struct adamw_set){v_set(s[0]), v_set(s[1]), v_set(s[2]), v_set(1.0f - s[1]),
                              v_set(1.0f - s[2]), v_set(s[3]), v_set(s[4]), v_set(s[5]),
                              v_set(s[6]), v_set(s[7])};
}

/* Of an operand that may be absent. */
static void *host_or_null(const struct it_tensor *t)
{
    return t->dtype == IT_NONE ? NULL : it_view_host(t);
}

/* ---- the weights ---- */

/* The f32 master from its halves, and back: see ops.def. NaNs are made quiet before the carry could
 * turn them into something else. */
static inline vf join_master(const uint16_t *high, const int16_t *low, int n)
{
    vf w = v_load_bf16_n(high, n);
    int32_t wide[VW] = {0};
    for (int i = 0; i < n; i++) { wide[i] = low[i]; }
    vi l;
    memcpy(&l, wide, sizeof(l));
    return v_float(v_bits(w) + l);
}
static inline void split_master(vf master, uint16_t *high, int16_t *low, int n)
{
    uint32_t bits[VW];
    memcpy(bits, &master, sizeof(bits));
    for (int i = 0; i < n; i++) {
        uint32_t b = bits[i];
        if ((b & 0x7fffffffu) > 0x7f800000u) { b = (b & 0x80000000u) | 0x7fc00000u; }
        uint32_t rounded = (b + 0x8000u) >> 16;
        high[i] = (uint16_t)rounded;
        low[i] = (int16_t)(uint16_t)b; /* b - (rounded << 16), mod 2^16 */
    }
}

/* Noise for the elements [i, i + NOISE): a Philox of four words in every lane. i is a multiple of
 * 4. */
enum { NOISE = 4 * VW };

static void make_noise(const uint32_t *keys, int64_t i, uint32_t noise[NOISE])
{
    uint32_t low[VW], high[VW], words[4][VW], key0 = keys[0], key1 = keys[1];
    for (int l = 0; l < VW; l++) {
        uint64_t number = (uint64_t)i / 4 + (uint64_t)l;
        low[l] = (uint32_t)number;
        high[l] = (uint32_t)(number >> 32);
    }
    vu a, b, c = (vu){0} + keys[2], d = (vu){0} + keys[3];
    memcpy(&a, low, sizeof(a));
    memcpy(&b, high, sizeof(b));
    for (int round = 0; round < 10; round++) {
        vu p = a * 0xd2511f53u, q = c * 0xcd9e8d57u, old = a;
        a = v_times_high(c, 0xcd9e8d57u) ^ b ^ key0;
        c = v_times_high(old, 0xd2511f53u) ^ d ^ key1;
        b = q;
        d = p;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
    memcpy(words[0], &a, sizeof(a));
    memcpy(words[1], &b, sizeof(b));
    memcpy(words[2], &c, sizeof(c));
    memcpy(words[3], &d, sizeof(d));
    for (int l = 0; l < NOISE; l++) { noise[l] = words[l % 4][l / 4] & 0xffffu; }
}

/* k_bf16_dither in every lane: what is cut off is made zero, and the store has nothing to round. */
static inline void put_dithered(uint16_t *w, vf x, const uint32_t *noise, int n)
{
    vi up;
    memcpy(&up, noise, sizeof(up));
    vf cut = v_float((v_bits(x) + up) & (int32_t)0xffff0000u);
    v_store_bf16_n(w, v_select(v_at_least(x, x), cut, x), n);
}

/* Elements [i, i + n) from their new first moment and the root of the corrected second. */
static inline void take_step(const struct adamw_job *job, const struct adamw_set *s, int64_t i,
                             int n, vf first, vf root, const uint32_t *noise)
{
    uint16_t *high = (uint16_t *)job->w + i;
    vf old = job->lo ? join_master(high, job->lo + i, n) : get_n(job->w, i, n, job->narrow);
    vf step = first / s->correct1 / (root + s->eps);
    vf new = old - s->lr *(step + s->decay * old);
    if (job->lo) {
        split_master(new, high, job->lo + i, n);
    } else if (job->keys) {
        put_dithered(high, new, noise, n);
    } else {
        put_n(job->w, i, new, n, job->narrow);
    }
}

/* ---- moments as floats ---- */

static void adamw_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct adamw_job *job = context;
    const struct adamw_set s = adamw_set_of(job->scalars);
    float *m = job->m, *v = job->v;
    uint32_t noise[NOISE];
    int64_t last = end * PIECE < job->n ? end * PIECE : job->n;
    for (int64_t i = begin * PIECE; i < last; i += VW) {
        int c = at_most(last - i, VW);
        if (job->keys && i % NOISE == 0) { make_noise(job->keys, i, noise); }
        vf g = v_load_n(job->grad + i, c) * s.scale;
        vf first = s.beta1 * v_load_n(m + i, c) + s.rest1 * g;
        vf second = s.beta2 * v_load_n(v + i, c) + s.rest2 * g * g;
        v_store_n(m + i, first, c);
        v_store_n(v + i, second, c);
        take_step(job, &s, i, c, first, v_sqrt(second / s.correct2), noise + i % NOISE);
    }
}

static enum it_status adamw(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 6)) { return IT_UNSUPPORTED; }
    struct adamw_job job = {
        .w = it_view_host(&args->t[0]),
        .m = it_view_host(&args->t[1]),
        .v = it_view_host(&args->t[2]),
        .lo = host_or_null(&args->t[3]),
        .keys = host_or_null(&args->t[6]),
        .grad = it_view_host(&args->t[4]),
        .scalars = it_view_host(&args->t[5]),
        .n = args->t[0].shape[0],
        .narrow = is_narrow(&args->t[0]),
    };
    it_pool_run(device->pool, (job.n + PIECE - 1) / PIECE, 1, adamw_pieces, &job);
    return IT_OK;
}

/* ---- moments in 8 bits ---- */

_Static_assert(IT_MOMENT_BLOCK % NOISE == 0 && IT_MOMENT_BLOCK % VW == 0, "whole vectors");

static inline vf size_of(vf x)
{
    return v_float(v_bits(x) & 0x7fffffff);
}

/* unit * code |code| */
static inline vf decode(vi codes, float unit)
{
    vf x = __builtin_convertvector(codes, vf);
    return v_set(unit) * (x * size_of(x));
}

/* k_code in every lane, not yet a whole number. */
static inline vf encode(vf x, vf inverse, float top)
{
    return v_min(v_sqrt(x * inverse) * v_set(top) + v_set(0.5f), v_set(top));
}

static void store_moments(const struct adamw_job *job, int64_t block, int count,
                          const float *first, const float *root)
{
    uint8_t *m = (uint8_t *)job->m + block * IT_MOMENT_BLOCK;
    uint8_t *v = (uint8_t *)job->v + block * IT_MOMENT_BLOCK;
    vf most = v_set(0), most_root = v_set(0), zero = v_set(0), one = v_set(1);
    for (int i = 0; i < count; i += VW) {
        most = v_max(size_of(v_load(first + i)), most);
        most_root = v_max(v_load(root + i), most_root);
    }
    job->ms[block] = v_largest(most);
    job->vs[block] = v_largest(most_root);
    vf inverse = v_set(k_inverse(job->ms[block])), inverse_root = v_set(k_inverse(job->vs[block]));
    for (int i = 0; i < count; i += VW) {
        int c = at_most(count - i, VW);
        vf x = v_load(first + i), r = v_load(root + i);
        vi code = __builtin_convertvector(encode(size_of(x), inverse, 127.0f), vi);
        vi sign = v_bits(x) >> 31; /* 0, or all bits */
        v_store_8_n(m + i, (code ^ sign) - sign, c);
        vf y = encode(r, inverse_root, 255.0f);
        y = v_select(v_above(r, zero), v_max(y, one), y);
        v_store_8_n(v + i, __builtin_convertvector(y, vi), c);
    }
}

static void adamw8_block(const struct adamw_job *job, const struct adamw_set *s, int64_t block)
{
    int64_t start = block * IT_MOMENT_BLOCK;
    int count = at_most(job->n - start, IT_MOMENT_BLOCK);
    const uint8_t *m = (const uint8_t *)job->m + start, *v = (const uint8_t *)job->v + start;
    float unit = job->ms[block] / 16129.0f, unit_root = job->vs[block] / 65025.0f;
    float first[IT_MOMENT_BLOCK], root[IT_MOMENT_BLOCK]; /* zeros beyond the last element */
    vf correct2 = v_sqrt(s->correct2);
    uint32_t noise[NOISE];
    for (int i = 0; i < count; i += VW) {
        int c = at_most(count - i, VW);
        if (job->keys && i % NOISE == 0) { make_noise(job->keys, start + i, noise); }
        vf g = v_load_n(job->grad + start + i, c) * s->scale;
        vf old = decode(v_load_u8_n(v + i, c), unit_root);
        vf new_first = s->beta1 * decode(v_load_i8_n(m + i, c), unit) + s->rest1 * g;
        vf new_root = v_sqrt(s->beta2 * (old * old) + s->rest2 * g * g);
        v_store(first + i, new_first);
        v_store(root + i, new_root);
        take_step(job, s, start + i, c, new_first, new_root / correct2, noise + i % NOISE);
    }
    store_moments(job, block, count, first, root);
}

static void adamw8_blocks(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const struct adamw_job *job = context;
    const struct adamw_set s = adamw_set_of(job->scalars);
    for (int64_t block = begin; block < end; block++) { adamw8_block(job, &s, block); }
}

static enum it_status adamw8(struct it_device *device, const struct it_args *args)
{
    if (refused(args, 0, 8)) { return IT_UNSUPPORTED; }
    struct adamw_job job = {
        .w = it_view_host(&args->t[0]),
        .m = it_view_host(&args->t[1]),
        .v = it_view_host(&args->t[2]),
        .ms = it_view_host(&args->t[3]),
        .vs = it_view_host(&args->t[4]),
        .lo = host_or_null(&args->t[5]),
        .keys = host_or_null(&args->t[8]),
        .grad = it_view_host(&args->t[6]),
        .scalars = it_view_host(&args->t[7]),
        .n = args->t[0].shape[0],
        .narrow = is_narrow(&args->t[0]),
    };
    it_pool_run(device->pool, args->t[3].shape[0], CHUNK_BYTES / 16 / IT_MOMENT_BLOCK,
                adamw8_blocks, &job);
    return IT_OK;
}
