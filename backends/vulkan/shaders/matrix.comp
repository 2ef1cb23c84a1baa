/* SPDX-License-Identifier: MIT */
/* matmul by cooperative matrices (VK_KHR_cooperative_matrix): operands in bf16, sums in f32. A work
 * group of any number of subgroups makes ROWS x COLUMNS of y, a subgroup a share of it in fragments
 * of FRAGMENT_M x FRAGMENT_N; the sizes are the device's, given when the pipeline is made.
 *
 * Fragments are bf16 where the device has such (GL_EXT_bfloat16). The f16 kernels serve the others:
 * a row of op(a) and a column of op(b) are multiplied by powers of two on the way in that bring
 * their largest number to 2^13 (matrix_scales), and the sum is divided by both on the way out. So
 * nothing overflows, and what f16 loses is below 2^-27 of the row's largest number, even where the
 * device makes subnormal numbers zero: less than a sum in f32 loses. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#if defined(IT_KERNEL_matrix_to_f32) || defined(IT_KERNEL_matrix_f16_to_f32)
#    define IT_TO_F32
#endif
#if defined(IT_KERNEL_matrix_f16) || defined(IT_KERNEL_matrix_f16_to_f32)
#    extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#    define NUMBER float16_t
#    define FOUR f16vec4
#    define SCALED
#else
#    extension GL_EXT_bfloat16 : require
#    define NUMBER bfloat16_t
#    define FOUR bf16vec4
#endif
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/product.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int ITEMS = 128;
layout(constant_id = 1) const int FRAGMENT_M = 16;
layout(constant_id = 2) const int FRAGMENT_N = 16;
layout(constant_id = 3) const int FRAGMENT_K = 16;

#define ROWS 64
#define COLUMNS 128
#define STEP 32
#define SHARES 4 /* of the tile, two by two */
#define SHARE_ROWS (ROWS / 2)
#define SHARE_COLUMNS (COLUMNS / 2)
#define PAD 8 /* numbers between the lines of a tile, so that they begin in different banks */
#define MOST_ITEMS 256 /* in a subgroup's fragment, for storing */

const int DOWN = SHARE_ROWS / FRAGMENT_M, ALONG = SHARE_COLUMNS / FRAGMENT_N;

/* Tiles lie as their matrix does: lines along k, or across where the matrix is transposed. */
shared FOUR a_tile[ROWS * (STEP + PAD) / 4], b_tile[COLUMNS * (STEP + PAD) / 4];
shared float y_tile[SHARES][MOST_ITEMS];

/* ---- four neighbours of a line, as fragments want them ---- */

#ifdef SCALED
#    define four_of get_four
#    define one_of get

/* The scale of row or column i of what begins at `first` among the scales. */
float scale_at(int first, int i, int limit)
{
    return i < limit ? get_f32(p.scales, first + i) : 1.0;
}

/* of a power of two, to the bit: a division need not be */
float inverse_of(float scale)
{
    return uintBitsToFloat(0x7f000000u - floatBitsToUint(scale));
}

FOUR scaled(vec4 four, int first, int limit, int line, int at, bool across)
{
    if (!across) { return FOUR(four * scale_at(first, line, limit)); }
    return FOUR(four * vec4(scale_at(first, at, limit), scale_at(first, at + 1, limit),
                            scale_at(first, at + 2, limit), scale_at(first, at + 3, limit)));
}
#    define four_type vec4
#else
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Quads { bf16vec4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 2) buffer Ones { bfloat16_t at[]; };

bf16vec4 four_of(uvec2 m, int at)
{
    return Quads(m).at[at >> 2];
}

bfloat16_t one_of(uvec2 m, int at)
{
    return Ones(m).at[at];
}

#    define scaled(four, first, limit, line, at, across) (four)
#    define four_type bf16vec4
#endif

/* Elements at .. at + 3 of a line of `length` elements, zero behind its end; `aligned`: whether
 * four may be read at once. */
four_type four_at(uvec2 m, int row, int line, int at, int lines, int length, bool aligned)
{
    four_type four = four_type(0.0);
    if (line >= lines) { return four; }
    if (aligned && at + 4 <= length) { return four_of(m, line * row + at); }
    for (int i = 0; i < 4 && at + i < length; i++) { four[i] = one_of(m, line * row + at + i); }
    return four;
}

/* ---- the tiles ---- */

int a_line()
{
    return ((p.trans_a != 0 ? ROWS : STEP) + PAD) / 4;
}

int b_line()
{
    return ((p.trans_b != 0 ? STEP : COLUMNS) + PAD) / 4;
}

void load_left(int i0, int k0)
{
    bool across = p.trans_a != 0;
    int fours = (across ? ROWS : STEP) / 4;
    for (int e = int(gl_LocalInvocationID.x); e < ROWS * STEP / 4; e += ITEMS) {
        int line = e / fours, at = e % fours * 4, to = line * a_line() + e % fours;
        line += across ? k0 : i0;
        at += across ? i0 : k0;
        four_type four = four_at(p.a, p.a_row, line, at, across ? p.k : p.m, across ? p.m : p.k,
                                 p.a_aligned != 0);
        a_tile[to] = scaled(four, 0, p.m, line, at, across);
    }
}

void load_right(int j0, int k0)
{
    bool across = p.trans_b == 0;
    int fours = (across ? COLUMNS : STEP) / 4;
    for (int e = int(gl_LocalInvocationID.x); e < COLUMNS * STEP / 4; e += ITEMS) {
        int line = e / fours, at = e % fours * 4, to = line * b_line() + e % fours;
        line += across ? k0 : j0;
        at += across ? j0 : k0;
        four_type four = four_at(p.b, p.b_row, line, at, across ? p.k : p.n, across ? p.n : p.k,
                                 p.b_aligned != 0);
        b_tile[to] = scaled(four, p.m, p.n, line, at, across);
    }
}

/* ---- a subgroup's share ---- */

#define LEFT coopmat<NUMBER, gl_ScopeSubgroup, FRAGMENT_M, FRAGMENT_K, gl_MatrixUseA>
#define RIGHT coopmat<NUMBER, gl_ScopeSubgroup, FRAGMENT_K, FRAGMENT_N, gl_MatrixUseB>
#define SUM coopmat<float, gl_ScopeSubgroup, FRAGMENT_M, FRAGMENT_N, gl_MatrixUseAccumulator>

LEFT left_fragment(int i, int l)
{
    LEFT a;
    if (p.trans_a != 0) {
        coopMatLoad(a, a_tile, l * a_line() + i / 4, a_line(),
                    gl_CooperativeMatrixLayoutColumnMajor);
    } else {
        coopMatLoad(a, a_tile, i * a_line() + l / 4, a_line(), gl_CooperativeMatrixLayoutRowMajor);
    }
    return a;
}

RIGHT right_fragment(int l, int j)
{
    RIGHT b;
    if (p.trans_b != 0) {
        coopMatLoad(b, b_tile, j * b_line() + l / 4, b_line(),
                    gl_CooperativeMatrixLayoutColumnMajor);
    } else {
        coopMatLoad(b, b_tile, l * b_line() + j / 4, b_line(), gl_CooperativeMatrixLayoutRowMajor);
    }
    return b;
}

SUM part[DOWN * ALONG];

/* The tiles' products onto the sums of the share at (i1, j1). */
void multiply(int i1, int j1)
{
    for (int l = 0; l < STEP; l += FRAGMENT_K) {
        LEFT a[DOWN];
        for (int i = 0; i < DOWN; i++) { a[i] = left_fragment(i1 + i * FRAGMENT_M, l); }
        for (int j = 0; j < ALONG; j++) {
            RIGHT b = right_fragment(l, j1 + j * FRAGMENT_N);
            for (int i = 0; i < DOWN; i++) {
                part[i * ALONG + j] = coopMatMulAdd(a[i], b, part[i * ALONG + j]);
            }
        }
    }
}

void put_sum(int i, int j, float sum)
{
#ifdef SCALED
    /* powers of two between 2^-126 and 2^114: the smaller first, so that only what is too large or
     * too small in the end becomes so */
    float by_row = inverse_of(scale_at(0, i, p.m)), by_column = inverse_of(scale_at(p.m, j, p.n));
    sum = sum * min(by_row, by_column) * max(by_row, by_column);
#endif
    put_element(i, j, sum);
}

/* The share's fragments go through shared memory, since only the driver knows which invocation
 * holds what; barriers are for the whole group, and all subgroups come here as often. */
void store(bool mine, int share, int i0, int j0)
{
    for (int f = 0; f < DOWN * ALONG; f++) {
        if (mine) {
            coopMatStore(part[f], y_tile[share], 0, FRAGMENT_N, gl_CooperativeMatrixLayoutRowMajor);
        }
        barrier();
        int i = i0 + f / ALONG * FRAGMENT_M, j = j0 + f % ALONG * FRAGMENT_N;
        int e = int(gl_SubgroupInvocationID);
        for (; mine && e < FRAGMENT_M * FRAGMENT_N; e += int(gl_SubgroupSize)) {
            put_sum(i + e / FRAGMENT_N, j + e % FRAGMENT_N, y_tile[share][e]);
        }
        barrier();
    }
}

/* With as many subgroups as shares there is one turn. */
void main()
{
    int i0 = int(gl_WorkGroupID.y) * ROWS, j0 = int(gl_WorkGroupID.x) * COLUMNS;
    for (int turn = 0; turn < SHARES; turn += int(gl_NumSubgroups)) {
        int share = turn + int(gl_SubgroupID);
        bool mine = share < SHARES;
        int i1 = share / 2 * SHARE_ROWS, j1 = share % 2 * SHARE_COLUMNS;
        for (int f = 0; f < DOWN * ALONG; f++) { part[f] = SUM(0.0); }
        for (int k0 = 0; k0 < p.k; k0 += STEP) {
            load_left(i0, k0);
            load_right(j0, k0);
            barrier();
            if (mine) { multiply(i1, j1); }
            barrier();
        }
        store(mine, share, i0 + i1, j0 + j1);
    }
}
