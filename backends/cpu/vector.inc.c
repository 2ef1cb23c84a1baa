/* SPDX-License-Identifier: MIT */
/* What all kernels use: memory of either type as vectors of floats, the exponential, views, and the
 * cutting of rows into chunks for the pool. */

/* A row of a view. Only types of 2 and 4 bytes come here: kernels refuse the others. */
static inline const char *row_at(const struct it_tensor *t, int64_t row)
{
    return (const char *)it_view_host(t) +
           row * t->stride[0] * (t->dtype == IT_BF16 || t->dtype == IT_I16 ? 2 : 4);
}
static inline char *row_of(const struct it_tensor *t, int64_t row)
{
    return (char *)it_view_host(t) +
           row * t->stride[0] * (t->dtype == IT_BF16 || t->dtype == IT_I16 ? 2 : 4);
}
static inline bool is_narrow(const struct it_tensor *t)
{
    return t->dtype == IT_BF16;
}
/* What these kernels do not do: F64, and whatever else. Operands k in [first, last]. */
static inline bool refused(const struct it_args *args, int first, int last)
{
    for (int k = first; k <= last; k++) {
        enum it_dtype dtype = args->t[k].dtype;
        if (dtype == IT_F64 || dtype == IT_F16) { return true; }
    }
    return false;
}

static inline int at_most(int64_t n, int limit)
{
    return n < limit ? (int)n : limit;
}

/* Elements i.. of a row that is BF16 (`narrow`) or F32. */
static inline vf get(const void *row, int64_t i, bool narrow)
{
    return narrow ? v_load_bf16((const uint16_t *)row + i) : v_load((const float *)row + i);
}
static inline vf get_n(const void *row, int64_t i, int n, bool narrow)
{
    return narrow ? v_load_bf16_n((const uint16_t *)row + i, n)
                  : v_load_n((const float *)row + i, n);
}
static inline void put_n(void *row, int64_t i, vf x, int n, bool narrow)
{
    if (narrow) {
        v_store_bf16_n((uint16_t *)row + i, x, n);
    } else {
        v_store_n((float *)row + i, x, n);
    }
}
static inline float get_one(const void *row, int64_t i, bool narrow)
{
    return narrow ? k_bf16_load(((const uint16_t *)row)[i]) : ((const float *)row)[i];
}

/* r[i] lane j becomes r[j] lane i */
static inline __attribute__((always_inline)) void v_transpose(vf r[VW])
{
    vf u[VW];
#pragma GCC unroll 16
    for (int part = 0; part < VW; part++) { v_transpose_part(r, u, r, part); }
}

/* k_exp of kmath.h, lane by lane and to the bit. x is held within the range in which 2^n can be
 * formed; what lies outside is replaced at the end. A NaN stays one. */
static inline vf v_exp(vf x)
{
    vf held = v_max(v_set(-88.0f), v_min(v_set(89.0f), x));
    vf t = held * v_set(1.44269504f) + v_set(12582912.0f);
    vf n = t - v_set(12582912.0f);
    vf r = held - n * v_set(0.693359375f);
    r = r - n * v_set(-2.12194440e-4f);
    vf p = v_set(1.9875691500e-4f);
    p = p * r + v_set(1.3981999507e-3f);
    p = p * r + v_set(8.3334519073e-3f);
    p = p * r + v_set(4.1665795894e-2f);
    p = p * r + v_set(1.6666665459e-1f);
    p = p * r + v_set(5.0000001201e-1f);
    p = p * r * r + r + v_set(1.0f);
    /* t holds n in its low bits: 1.5 * 2^23 + n */
    vi whole = v_bits(t) - v_bits(v_set(12582912.0f));
    vi half = whole >> 1;
    vf y = p * v_float((half + 127) << 23) * v_float((whole - half + 127) << 23);
    y = v_select(v_above(x, v_set(88.72284f)), v_set(INFINITY), y);
    vf last_zero = v_set(k_float(k_bits(-87.33654f) - 1)); /* the next float above it is not 0 */
    return v_select(v_above(last_zero, x), v_set(0.0f), y);
}

/* Small work stays on the calling thread: waking another one costs about as much as 64 KiB. */
enum { CHUNK_BYTES = 64 << 10 };

/* work over [0, rows) in chunks of about CHUNK_BYTES */
static inline void for_rows(struct it_device *device, int64_t rows, int64_t bytes_per_row,
                            it_pool_work *work, const void *context)
{
    int64_t grain = bytes_per_row > 0 ? CHUNK_BYTES / bytes_per_row : rows;
    /* it_pool_run hands the context through untouched */
    it_pool_run(device->pool, rows, grain > 0 ? grain : 1, work, (void *)(uintptr_t)context);
}
