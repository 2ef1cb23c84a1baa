/* SPDX-License-Identifier: MIT */
/* What all kernels share. The source is compiled for each storage type T, and for two kinds of
 * device: on a GPU a work group is many items with local memory, on a processor (IT_CPU) it is one
 * item, whose loops walk neighbours so that the compiler makes vectors of them. Numbers are f32,
 * the language is OpenCL C 1.2: no subgroups, no fp16, no doubles.
 *
 * Local memory is an argument of a kernel, `room`, never a variable in it: a compiler may move the
 * address of such a variable into a function that is given it, and PoCL then lets all its threads
 * share one (docs/devices.md). */
#pragma OPENCL FP_CONTRACT OFF

#ifdef IT_BF16
typedef ushort T;
#    define get(p, i) k_bf16_load((p)[i])
#    define put(p, i, x) (p)[i] = (ushort)k_bf16_store(x)
#    define get16(p, i) as_float16(convert_uint16(vload16(0, (p) + (i))) << 16)
#else
typedef float T;
#    define get(p, i) (p)[i]
#    define put(p, i, x) (p)[i] = (x)
#    define get16(p, i) vload16(0, (p) + (i))
#endif

/* GROUP: items in a work group; WIDE: in those that walk a vocabulary or make a tile of a product.
 * An item owns COLUMNS neighbours of a row at a time. */
#ifdef IT_CPU
#    define GROUP 1
#    define WIDE 1
#    define COLUMNS CPU_COLUMNS
#    define sync() /* nobody to wait for */
#else
#    define GROUP GPU_GROUP
#    define WIDE IT_WIDE
#    define COLUMNS 1
#    define sync() barrier(CLK_LOCAL_MEM_FENCE)
#endif

/* A row's columns c, all items of the grid along x together */
#define EACH_COLUMN(c, n)                                                                          \
    for (long c##0 = get_global_id(0) * COLUMNS; c##0 < (n);                                       \
         c##0 += get_global_size(0) * COLUMNS)                                                     \
        for (long c = c##0; c < min(c##0 + COLUMNS, (long)(n)); c++)

/* Rows r, all groups along y */
#define EACH_ROW(r, n) for (long r = get_global_id(1); r < (n); r += get_global_size(1))

/* A row's columns c, the items of one group together */
#define EACH_IN_GROUP(c, n) for (long c = get_local_id(0); c < (n); c += GROUP)

/* Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3) of counter c. */
static uint4 philox(uint k0, uint k1, uint4 c)
{
    for (int round = 0; round < 10; round++) {
        uint high0 = mul_hi(0xd2511f53u, c.s0), low0 = 0xd2511f53u * c.s0;
        uint high1 = mul_hi(0xcd9e8d57u, c.s2), low1 = 0xcd9e8d57u * c.s2;
        c = (uint4)(high1 ^ c.s1 ^ k0, low1, high0 ^ c.s3 ^ k1, low0);
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return c;
}

/* In a fixed order; every item gets it. `shared` holds `size` floats, free for other use after. */
static inline float sum_over(float x, local float *shared, int size)
{
    int me = get_local_id(0);
    if (size == 1) { return x; }
    shared[me] = x;
    sync();
    for (int step = size / 2; step > 0; step /= 2) {
        if (me < step) { shared[me] += shared[me + step]; }
        sync();
    }
    float sum = shared[0];
    sync();
    return sum;
}

static inline float most_over(float x, local float *shared, int size)
{
    int me = get_local_id(0);
    if (size == 1) { return x; }
    shared[me] = x;
    sync();
    for (int step = size / 2; step > 0; step /= 2) {
        if (me < step) { shared[me] = fmax(shared[me], shared[me + step]); }
        sync();
    }
    float most = shared[0];
    sync();
    return most;
}

/* The sum of sixteen, in a fixed order */
static inline float across16(float16 x)
{
    float8 x8 = x.lo + x.hi;
    float4 x4 = x8.lo + x8.hi;
    float2 x2 = x4.lo + x4.hi;
    return x2.lo + x2.hi;
}
