/* SPDX-License-Identifier: MIT */
/* Views, arenas, devices and the door: what they do, and what they say when they refuse. */
#include "core/tensor/internal.h"
#include "tests/box.h"
#include "tests/hostile.h"
#include "tests/scratch.h"

static const struct it_tensor none = {0};

static void begin(void)
{
    scratch_begin();
    box_open("reference");
}

static void end(void)
{
    box_close();
    scratch_end();
}

static struct it_device *open_hostile(unsigned refuse_percent)
{
    struct it_device *device = NULL;
    hostile_plan.refuse_percent = refuse_percent;
    ck_ok(hostile_register());
    ck_ok(it_device_open("hostile", NULL, &device));
    return device;
}

/* ---- views and transfers ---- */

START_TEST(views_select_and_reshape)
{
    begin();
    double values[24], *got;
    for (int i = 0; i < 24; ++i) { values[i] = i; }
    struct it_tensor t = box_new(IT_F32, 4, 6);
    box_set(t, values);
    struct it_tensor part = it_columns(it_rows(t, 1, 2), 2, 3);
    ck_assert_int_eq(it_tensor_count(&part), 6);
    ck_assert(!it_tensor_is_contiguous(&part) && it_tensor_is_contiguous(&t));
    ck_assert_ptr_null(it_tensor_host(&part));
    ck_assert_ptr_nonnull(it_tensor_host(&t));
    got = box_get(part);
    for (int i = 0; i < 6; ++i) { ck_assert(got[i] == (i / 3 + 1) * 6 + 2 + i % 3); }
    free(got);
    box_set(part, (double[]){-1, -2, -3, -4, -5, -6});
    got = box_get(it_flatten(t));
    ck_assert(got[8] == -1 && got[10] == -3 && got[14] == -4 && got[7] == 7 && got[11] == 11);
    free(got);
    struct it_tensor wide = it_reshape2(t, 2, 12);
    ck_assert_int_eq(wide.stride[0], 12);
    struct it_tensor row = it_rows(part, 0, 1); /* one row is contiguous whatever its stride */
    ck_assert(it_tensor_is_contiguous(&row));
    ck_assert_int_eq(it_tensor_count(&none), 0);
    ck_assert_ptr_null(it_tensor_device(&none));
    end();
}
END_TEST

START_TEST(three_axes_travel)
{
    begin();
    struct it_tensor t;
    ck_ok(it_arena_tensor(box_arena, IT_I32, 3, (const int64_t[]){2, 3, 4}, &t));
    int32_t values[24], back[12];
    for (int i = 0; i < 24; ++i) { values[i] = i; }
    ck_ok(it_upload(t, values));
    ck_ok(it_download(back, it_columns(t, 1, 2)));
    for (int i = 0; i < 12; ++i) { ck_assert_int_eq(back[i], i / 2 * 4 + 1 + i % 2); }
    end();
}
END_TEST

START_TEST(types_have_sizes_and_names)
{
    static const char *const names[] = {"none", "f32", "bf16", "f64", "f16",
                                        "i32",  "u32", "i16",  "u8"};
    static const size_t sizes[] = {0, 4, 2, 8, 2, 4, 4, 2, 1};
    for (int d = 0; d < IT_DTYPE_COUNT; ++d) {
        ck_assert_str_eq(it_dtype_name((enum it_dtype)d), names[d]);
        ck_assert_uint_eq(it_dtype_size((enum it_dtype)d), sizes[d]);
    }
    ck_assert_int_eq(it_dtype_accumulation(IT_BF16), IT_F32);
    ck_assert_int_eq(it_dtype_accumulation(IT_F64), IT_F64);
}
END_TEST

/* ---- arenas ---- */

START_TEST(arenas_free_by_mark)
{
    begin();
    struct it_arena *arena = NULL;
    struct it_tensor a, b, c;
    int64_t before = it_device_memory_used(box_device);
    ck_ok(it_arena_open(box_device, "stack", 1000, &arena));
    ck_assert_int_eq(it_arena_capacity(arena), 1024); /* whole multiples of the alignment */
    ck_assert_int_eq(it_device_memory_used(box_device), before + 1024);
    ck_ok(it_tensor1(arena, IT_F32, 5, &a));
    int64_t mark = it_arena_mark(arena);
    ck_ok(it_tensor1(arena, IT_BF16, 33, &b));
    ck_assert_uint_eq(b.offset % 64, 0);
    ck_assert_uint_gt(b.offset, a.offset);
    it_arena_reset(arena, mark);
    ck_ok(it_tensor1(arena, IT_U8, 1, &c));
    ck_assert_uint_eq(b.offset, c.offset);
    ck_assert_int_eq(it_arena_peak(arena), 64 + 128);
    ck_assert_fails(it_tensor2(arena, IT_F32, 10, 100, &a), IT_NOMEM, "arena stack: 3.9 KiB");
    ck_assert_fails(it_tensor2(arena, IT_F32, INT64_MAX / 2, 100, &a), IT_NOMEM, "too much");
    ck_assert_fails(it_arena_open(box_device, "minus", -1, &arena), IT_INVALID, "minus");
    ck_ok(it_tensor1(arena, IT_F32, 0, &a)); /* nothing fits anywhere */
    it_arena_close(arena);
    ck_assert_int_eq(it_device_memory_used(box_device), before);
    ck_assert_int_ge(it_device_memory_peak(box_device), before + 1024);
    end();
}
END_TEST

START_TEST(tensors_do_not_straddle_slabs)
{
    scratch_begin();
    hostile_plan.max_slab = 256;
    struct it_device *device = open_hostile(0);
    struct it_arena *arenas[2];
    struct it_tensor t;
    ck_ok(it_arena_measure(device, "plan", &arenas[0]));
    ck_ok(it_arena_open(device, "slabs", 1024, &arenas[1]));
    ck_assert_int_eq(hostile_counts.buffers, 4);
    for (int k = 0; k < 2; ++k) {
        ck_ok(it_tensor1(arenas[k], IT_U8, 200, &t)); /* [0, 224) */
        ck_ok(it_tensor1(arenas[k], IT_U8, 100, &t)); /* moved to [256, 384) */
        ck_assert_uint_eq(t.offset, 0);
        ck_ok(it_tensor1(arenas[k], IT_U8, 256, &t)); /* [512, 768) */
        ck_ok(it_tensor1(arenas[k], IT_U8, 1, &t));
        ck_assert_int_eq(it_arena_peak(arenas[k]), 800);
        ck_assert_fails(it_tensor1(arenas[k], IT_U8, 257, &t), IT_NOMEM, "largest piece 256");
    }
    ck_ok(it_fill(it_reshape2((it_tensor1(arenas[1], IT_F32, 8, &t), t), 1, 8), 3));
    double *values = box_get(t);
    ck_assert(values[7] == 3);
    free(values);
    it_arena_close(arenas[1]);
    it_arena_close(arenas[0]);
    it_device_close(device);
    ck_assert_int_eq(hostile_counts.buffers, 0);
    scratch_end();
}
END_TEST

START_TEST(a_failed_allocation_undoes_the_arena)
{
    scratch_begin();
    hostile_plan.max_slab = 256;
    struct it_device *device = open_hostile(0);
    struct it_arena *arena = NULL;
    hostile_plan.allocations_left = 2;
    ck_assert_fails(it_arena_open(device, "weights", 1024, &arena), IT_NOMEM, "arena weights");
    ck_assert_ptr_null(arena);
    ck_assert_int_eq(hostile_counts.buffers, 0);
    ck_assert_int_eq(it_device_memory_used(device), 0);
    hostile_plan.allocations_left = -1;
    ck_ok(it_arena_open(device, "weights", 1024, &arena));
    it_arena_close(arena);
    it_device_close(device);
    scratch_end();
}
END_TEST

START_TEST(a_memory_limit_holds)
{
    scratch_begin();
    const struct it_device_options options = {.memory_limit = 4096};
    struct it_device *device = NULL;
    struct it_arena *first = NULL, *second = NULL;
    ck_ok(it_device_open("reference", &options, &device));
    ck_ok(it_arena_open(device, "first", 3000, &first));
    ck_assert_fails(it_arena_open(device, "second", 2000, &second), IT_NOMEM,
                    "arena second asks for 2.0 KiB");
    it_arena_close(first);
    ck_ok(it_arena_open(device, "second", 2000, &second));
    it_arena_close(second);
    it_device_close(device);
    scratch_end();
}
END_TEST

/* The code that will run makes the plan of its bytes. */
static enum it_status little_model(struct it_arena *arena, struct it_tensor w)
{
    struct it_tensor x, y;
    IT_TRY(it_tensor2(arena, IT_F32, 10, 20, &x));
    IT_TRY(it_fill(x, 1));
    IT_TRY(it_tensor2(arena, IT_F32, 10, 30, &y));
    return it_matmul(y, x, w, none, (struct it_matmul_how){0});
}

START_TEST(measuring_checks_and_does_not_run)
{
    begin();
    struct it_arena *plan = NULL, *real = NULL;
    struct it_tensor t;
    ck_ok(it_arena_measure(box_device, "plan", &plan));
    ck_assert(it_arena_is_measuring(plan) && !it_arena_is_measuring(box_arena));
    struct it_tensor w = box_random(IT_F32, 20, 30, 1); /* real and measured views may meet */
    ck_ok(little_model(plan, w));
    ck_assert_fails(little_model(plan, it_columns(w, 0, 29)), IT_INVALID, "op matmul");
    ck_ok(it_tensor1(plan, IT_F32, 8, &t));
    ck_ok(it_upload(t, "nothing is read"));
    ck_ok(it_arena_open(box_device, "real", it_arena_peak(plan), &real));
    it_arena_reset(plan, 0);
    ck_ok(little_model(plan, w));
    ck_ok(little_model(real, w));
    ck_assert_int_eq(it_arena_mark(real), it_arena_mark(plan));
    it_arena_close(real);
    it_arena_close(plan);
    end();
}
END_TEST

/* ---- devices ---- */

START_TEST(devices_are_opened_by_name)
{
    scratch_begin();
    struct it_device *device = NULL;
    ck_ok(hostile_register());
    ck_ok(hostile_register()); /* once is enough */
    ck_assert_fails(it_device_open("referense", NULL, &device), IT_INVALID,
                    "did you mean reference?");
    ck_assert_fails(it_device_open("zzz", NULL, &device), IT_INVALID, "auto, reference");
    ck_assert_fails(it_device_open("", NULL, &device), IT_INVALID, "choose among");
    ck_assert_fails(it_device_open("hostile:1", NULL, &device), IT_NOT_FOUND, "as many");
    ck_assert_fails(it_device_open("hostile:x", NULL, &device), IT_INVALID, "name:number");
    ck_assert_fails(it_device_open("hostile:", NULL, &device), IT_INVALID, "name:number");
    ck_assert_ptr_null(device);
    ck_ok(it_device_open("auto", NULL, &device));
    ck_assert_str_ne(it_device_info(device)->name, "hostile");
    it_device_close(device);
    const struct it_device_options exact = {.exact = true};
    ck_ok(it_device_open("hostile:0", &exact, &device));
    ck_assert_str_eq(it_device_info(device)->name, "hostile");
    ck_assert(it_device_exact(device));
    it_device_close(device);
    it_device_close(NULL);
    scratch_end();
}
END_TEST

START_TEST(another_interface_is_refused)
{
    scratch_begin();
    const struct it_backend old = {.abi = IT_BACKEND_ABI + 1, .name = "old"};
    ck_assert_fails(it_backend_register(&old), IT_INVALID, "backend old");
    scratch_end();
}
END_TEST

/* ---- the door ---- */

START_TEST(wrong_operands_are_named)
{
    begin();
    struct it_tensor a = box_new(IT_F32, 4, 6), b = box_new(IT_F32, 5, 6);
    struct it_tensor c = box_new(IT_BF16, 4, 6), wide = box_new(IT_F32, 4, 13);
    struct it_tensor flat = it_flatten(a);
    struct it_tensor d = box_new(IT_F64, 4, 6), e = box_new(IT_F32, 4, 6);
    ck_assert_fails(it_scale_add(a, 1, b, 1, e), IT_INVALID,
                    "op scale_add: operand a is f32 [5,6], expected f32 [m=4,n=6]");
    ck_assert_fails(it_scale_add(a, 1, e, 1, c), IT_INVALID, "operand b is bf16 [4,6]");
    ck_assert_fails(it_scale_add(a, 1, e, 1, none), IT_INVALID, "operand b is none");
    ck_assert_fails(it_copy(a, flat), IT_INVALID, "op copy: operand x is f32 [24]");
    ck_assert_fails(it_swiglu(a, wide), IT_INVALID,
                    "op swiglu: operand gu is f32 [4,13], expected f32 [m=4,2n=6]");
    ck_assert_fails(it_swiglu_bwd(wide, a, wide), IT_INVALID, "operand dgu is f32 [4,13]");
    ck_assert_fails(it_gather_rows(a, b, flat), IT_INVALID,
                    "operand ids is f32 [24], expected i32");
    ck_assert_fails(it_sum_rows(flat, c), IT_INVALID, "operand x");
    ck_assert_fails(it_sumsq(it_rows(it_flatten(d), 0, 1), flat), IT_INVALID, "expected f64 [n]");
    ck_assert_fails(it_matmul(a, e, b, none, (struct it_matmul_how){0}), IT_INVALID,
                    "op matmul: operand b is f32 [5,6], expected f32, bf16 or f64 [k=6,n=6]");
    ck_assert_fails(it_matmul(a, e, b, none, (struct it_matmul_how){.trans_b = true}), IT_INVALID,
                    "after its transposition");
    end();
}
END_TEST

/* What can be no part of a vocabulary; four rows. */
static void check_parts_of_a_vocabulary(struct it_tensor ids, struct it_tensor temps)
{
    enum { TILE = IT_STATS_TILE };
    static const struct it_columns_of wrong[] = {
        {0, TILE + 1, 0},            /* a part of TILE + 9 is more than all */
        {TILE, 2 * TILE, 0},         /* and ends behind them */
        {-TILE, 4 * TILE, 0},        {1, TILE + 10, 0},
        {0, 2 * TILE, 0},            /* ends within a tile, and others follow */
        {INT64_MAX - TILE + 1, 0, 0}, {TILE, INT64_MIN, 0}};
    struct it_tensor stats = box_new(IT_F32, 4, 8), z = box_new(IT_F32, 4, TILE + 9);
    struct it_tensor state = box_new(IT_F32, 4, IT_STATE_COUNT), coefs = box_new(IT_F32, 4, 3);
    struct it_columns_of whole = {0, TILE + 9, 0}, last = {TILE, 2 * TILE + 9, 0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        ck_assert_fails(it_token_stats_part(stats, state, z, ids, temps, wrong[i]), IT_INVALID,
                        "op token_stats");
        ck_assert_fails(it_token_stats_bwd_part(z, z, ids, stats, coefs, temps, wrong[i]),
                        IT_INVALID, "op token_stats_bwd");
    }
    ck_assert_fails(it_token_stats_part(stats, none, z, ids, temps, last), IT_INVALID,
                    "operand state: absent");
    ck_assert_fails(it_token_stats_part(stats, it_columns(state, 0, 8), z, ids, temps, last),
                    IT_INVALID, "operand state");
    last.counted = 2 * TILE + 10;
    ck_assert_fails(it_token_stats_part(stats, state, z, ids, temps, last), IT_INVALID,
                    "a vocabulary of 8202 out of 8201");
    ck_ok(it_fill(z, 1));
    ck_ok(it_token_stats_part(stats, none, z, ids, temps, whole));
}

/* What adamw and adamw8 take besides moments. */
static void refuses_moments(void)
{
    enum { N = 300 };
    struct it_tensor row[3], code[2], scales = it_flatten(box_new(IT_F32, 1, 2));
    struct it_tensor few = box_flat(box_new(IT_F32, 1, 1)), more = box_flat(box_new(IT_F32, 1, 2));
    struct it_tensor high = box_flat(box_new(IT_BF16, 1, N)), all = box_flat(box_new(IT_F32, 1, 8));
    struct it_tensor keys = box_flat(box_new(IT_U32, 1, 4));
    struct it_tensor lo = it_flatten(box_new(IT_I16, 1, N));
    for (int i = 0; i < 3; i++) { row[i] = it_flatten(box_new(IT_F32, 1, N)); }
    for (int i = 0; i < 2; i++) { ck_ok(it_tensor1(box_arena, IT_U8, N, &code[i])); }
    struct it_adamw_state s = {.w = row[0], .m = code[0], .v = code[1]};
    ck_assert_fails(it_adamw8(s, few, scales, row[1], all), IT_INVALID, "operand vs is f32 [2]");
    ck_assert_fails(it_adamw8(s, few, it_flatten(box_new(IT_F32, 1, 1)), row[1], all), IT_INVALID,
                    "1 scales for 300 elements in blocks of 256");
    s.m = row[2];
    ck_assert_fails(it_adamw8(s, scales, scales, row[1], all), IT_INVALID, "expected u8 [n=300]");
    s.m = code[0];
    s.keys = keys;
    ck_assert_fails(it_adamw8(s, scales, more, row[1], all), IT_INVALID,
                    "operand keys: only a bf16 weight without low halves is rounded at random");
    s.w = high;
    s.lo = lo;
    ck_assert_fails(it_adamw8(s, scales, more, row[1], all), IT_INVALID,
                    "operand keys: only a bf16 weight without low halves is rounded at random");
}

START_TEST(rules_beyond_shapes_hold)
{
    begin();
    struct it_tensor x = box_new(IT_F32, 4, 6), y = box_new(IT_F32, 4, 6);
    struct it_tensor at = it_flatten(box_new(IT_I32, 1, 4)), segs = box_new(IT_I32, 1, 5);
    struct it_tensor lse = box_new(IT_F32, 4, 2), table = box_new(IT_F32, 8, 4);
    struct it_tensor page = box_new(IT_I32, 4, 1), ids = it_flatten(box_new(IT_I32, 1, 4));
    struct it_attn_shape two = {.heads = 2, .kv_heads = 2, .scale = 1};
    struct it_attn_shape five = {.heads = 5, .kv_heads = 1, .scale = 1};
    ck_assert_fails(it_rope(x, table, at, 1), IT_INVALID, "6 columns, no multiple of the even");
    ck_assert_fails(it_rope(x, it_columns(table, 0, 2), at, 2), IT_INVALID, "sign 2");
    ck_assert_fails(it_attn(y, lse, x, x, x, segs, five), IT_INVALID, "5 heads over 6 columns");
    ck_assert_fails(it_attn(y, it_columns(lse, 0, 1), x, x, x, segs, two), IT_INVALID,
                    "lse has 1 columns for 2 heads");
    ck_assert_fails(it_attn_decode(y, x, x, x, page, at, two), IT_INVALID, "a page of 0 rows");
    ck_assert_fails(it_token_stats(box_new(IT_F32, 4, 8), x, ids, it_rows(it_flatten(y), 0, 2), 7),
                    IT_INVALID, "a vocabulary of 7 out of 6");
    check_parts_of_a_vocabulary(ids, it_rows(it_flatten(y), 0, 2));
    ck_assert_fails(IT_OP(MATMUL, .t = {y, x, x}, .f = {0.5}, .i = {0, 1}), IT_INVALID,
                    "op matmul");
    ck_assert_fails(IT_OP(MATMUL, .t = {lse, x, it_rows(box_new(IT_F32, 2, 6), 0, 2)}, .f = {0.5},
                          .i = {0, 1}),
                    IT_INVALID, "beta 0.5");
    ck_assert_fails(it_copy(x, x), IT_INVALID, "output y is the same memory as operand x");
    ck_ok(it_scale_add(x, 2, x, 1, y)); /* allowed to be its input */
    struct it_tensor w = it_flatten(box_new(IT_F32, 1, 8)), m = it_flatten(box_new(IT_F32, 1, 8)),
                     v = it_flatten(box_new(IT_F32, 1, 8)), lo = it_flatten(box_new(IT_I16, 1, 8));
    ck_assert_fails(it_adamw((struct it_adamw_state){.w = w, .m = m, .v = v, .lo = lo},
                             it_flatten(box_new(IT_F32, 1, 8)), it_flatten(box_new(IT_F32, 1, 8))),
                    IT_INVALID, "operand lo: low halves belong to a bf16 weight");
    refuses_moments();
    end();
}
END_TEST

START_TEST(broken_views_are_refused)
{
    begin();
    struct it_tensor x = box_new(IT_F32, 4, 6), y = box_new(IT_F32, 4, 6), bad = x;
    bad.stride[1] = 2;
    ck_assert_fails(it_copy(y, bad), IT_INVALID, "operand x: the last axis is not contiguous");
    bad = x;
    bad.stride[0] = -6;
    ck_assert_fails(it_copy(y, bad), IT_INVALID, "negative stride");
    bad = x;
    bad.offset += 2;
    ck_assert_fails(it_copy(y, bad), IT_INVALID, "not aligned");
    bad = x;
    bad.offset = bad.buffer->size - 4;
    ck_assert_fails(it_copy(y, bad), IT_INVALID, "beyond its buffer");
    bad = x;
    bad.shape[0] = -4;
    ck_assert_fails(it_copy(y, bad), IT_INVALID, "operand x is f32 [-4,6]");
    struct it_device *other = open_hostile(0);
    struct it_arena *arena = NULL;
    struct it_tensor away;
    ck_ok(it_arena_open(other, "away", 4096, &arena));
    ck_ok(it_tensor2(arena, IT_F32, 4, 6, &away));
    ck_assert_fails(it_copy(y, away), IT_INVALID, "on device hostile, others on device reference");
    it_arena_close(arena);
    it_device_close(other);
    end();
}
END_TEST

/* Contents that only a kernel sees: refused by name, or skipped where ops.def says so. */
START_TEST(wrong_contents_do_not_crash)
{
    begin();
    struct it_tensor x = box_random(IT_F32, 2, 4, 1), y = box_zeros(IT_F32, 2, 4);
    struct it_tensor lse = box_new(IT_F32, 2, 1), table = box_rope(IT_F32, 3, 4);
    struct it_attn_shape one = {.heads = 1, .kv_heads = 1, .scale = 1, .page = 2};
    const double far[] = {3, 0}, pages[] = {9, 0}, lengths[] = {2, 3}, rows[] = {-7, 99};
    ck_assert_fails(it_rope(x, table, box_list(IT_I32, 2, far), 1), IT_INVALID, "position 3");
    static const double segments[][5] = {{1, 2, 0, 0, 0}, {0, 2, 0, 0, 1}, {0, 1, 1, 2, 0},
                                         {-1, 1, 0, 0, 0}, {0, -1, 0, 0, 0}, {0, 1, -1, 1, 0}};
    for (size_t i = 0; i < sizeof segments / sizeof *segments; ++i) {
        ck_assert_fails(it_attn(y, lse, x, x, x, box_segments(1, segments[i]), one), IT_INVALID,
                        "segment 0");
    }
    struct it_tensor page = box_new(IT_I32, 2, 1);
    box_set(page, pages);
    ck_assert_fails(it_attn_decode(y, x, x, x, page, box_list(IT_I32, 2, lengths), one),
                    IT_INVALID, "slot 0, key 0: no row 18");
    box_set(page, (double[]){0, 0});
    ck_assert_fails(it_attn_decode(y, x, x, x, page, box_list(IT_I32, 2, lengths), one),
                    IT_INVALID, "slot 1 has length 3 on 1 pages");
    struct it_tensor kc = box_zeros(IT_F32, 2, 4), vc = box_zeros(IT_F32, 2, 4);
    ck_ok(it_kv_write(kc, vc, x, x, box_list(IT_I32, 2, rows)));
    ck_assert(box_distance(kc, vc) == 0 && box_same(kc, vc));
    end();
}
END_TEST

START_TEST(fallback_is_told_once_and_strict_forbids_it)
{
    scratch_begin();
    struct it_device *device = open_hostile(100);
    struct it_arena *arena = NULL;
    struct it_tensor x, y;
    ck_ok(it_arena_open(device, "away", 4096, &arena));
    ck_ok(it_tensor2(arena, IT_F32, 4, 6, &x));
    ck_ok(it_tensor2(arena, IT_BF16, 4, 6, &y));
    capture_begin();
    ck_ok(it_fill(x, 1));
    const char *said = capture_end();
    ck_assert_ptr_nonnull(strstr(said, "device hostile: no kernel for op fill in f32"));
    ck_assert_ptr_nonnull(strstr(said, "192 B moved"));
    capture_begin();
    ck_ok(it_fill(x, 2));
    ck_assert_str_eq(capture_end(), "");
    capture_begin();
    ck_ok(it_fill(y, 2)); /* another type is news */
    ck_assert_ptr_nonnull(strstr(capture_end(), "op fill in bf16"));
    it_arena_close(arena);
    it_device_close(device);

    const struct it_device_options strict = {.strict = true};
    ck_ok(it_device_open("hostile", &strict, &device));
    ck_ok(it_arena_open(device, "away", 4096, &arena));
    ck_ok(it_tensor2(arena, IT_F32, 4, 6, &x));
    ck_assert_fails(it_fill(x, 1), IT_UNSUPPORTED, "no kernel for op fill in f32, and strict");
    it_arena_close(arena);
    it_device_close(device);
    scratch_end();
}
END_TEST

START_TEST(sync_names_the_culprit)
{
    scratch_begin();
    setenv("IT_SYNC", "1", 1);
    struct it_device *device = open_hostile(0);
    struct it_arena *arena = NULL;
    struct it_tensor x;
    ck_ok(it_arena_open(device, "away", 4096, &arena));
    ck_ok(it_tensor2(arena, IT_F32, 4, 6, &x));
    ck_ok(it_fill(x, 1));
    hostile_plan.finish_fails = true;
    ck_assert_fails(it_fill(x, 1), IT_DEVICE, "device hostile: failed at op fill");
    hostile_plan.finish_fails = false;
    it_arena_close(arena);
    it_device_close(device);
    unsetenv("IT_SYNC");
    scratch_end();
}
END_TEST

START_TEST(trace_shows_every_op)
{
    begin();
    struct it_tensor x = box_new(IT_F32, 4, 6);
    it_log_set_level(IT_LOG_TRACE);
    capture_begin();
    ck_ok(it_fill(x, 1));
    const char *said = capture_end();
    it_log_set_level(IT_LOG_INFO);
    ck_assert_ptr_nonnull(strstr(said, "device reference: op fill y:f32[4,6]"));
    end();
}
END_TEST

START_TEST(recordings_are_one_at_a_time)
{
    begin();
    struct it_graph *graph = NULL;
    struct it_tensor x = box_new(IT_F32, 4, 6), y = box_new(IT_F32, 4, 6);
    ck_assert_fails(it_record_end(box_device, &graph), IT_INVALID, "no recording is open");
    ck_ok(it_record_begin(box_device));
    ck_assert_fails(it_record_begin(box_device), IT_INVALID, "already open");
    ck_ok(it_fill(x, 1));
    ck_assert_fails(it_copy(x, x), IT_INVALID, "op copy"); /* not kept */
    ck_ok(it_copy(y, x));
    ck_ok(it_record_end(box_device, &graph));
    ck_assert_int_eq(it_graph_length(graph), 2);
    ck_ok(it_record_begin(box_device));
    ck_assert_fails(it_graph_replay(graph), IT_INVALID, "while a recording is open");
    struct it_graph *empty = NULL;
    ck_ok(it_record_end(box_device, &empty));
    ck_assert_int_eq(it_graph_length(empty), 0);
    ck_ok(it_graph_replay(empty));
    it_graph_close(empty);
    it_graph_close(graph);
    it_graph_close(NULL);
    end();
}
END_TEST

START_TEST(every_op_says_what_it_is)
{
    for (int op = 0; op < IT_OP_COUNT; ++op) {
        const struct it_op_info *info = it_op_info((enum it_op)op);
        const struct it_signature *s = it_signature((enum it_op)op);
        ck_assert_int_eq(s->count, info->outputs + info->inputs);
        ck_assert(strchr("GTF", info->tier));
        for (int k = 0; k < s->count; ++k) { ck_assert_int_gt(s->operand[k].rank, 0); }
    }
    const struct it_signature *matmul = it_signature(IT_OP_MATMUL);
    ck_assert_str_eq(matmul->operand[3].name, "bias");
    ck_assert(matmul->operand[3].optional && !matmul->operand[2].optional);
    ck_assert_int_eq(it_signature(IT_OP_SWIGLU)->operand[1].dim[1].factor, 2);
    ck_assert_int_eq(it_signature(IT_OP_ATTN)->operand[5].dim[1].factor, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("door");
    TCase *tests = tcase_create("door");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, views_select_and_reshape);
    tcase_add_test(tests, three_axes_travel);
    tcase_add_test(tests, types_have_sizes_and_names);
    tcase_add_test(tests, arenas_free_by_mark);
    tcase_add_test(tests, tensors_do_not_straddle_slabs);
    tcase_add_test(tests, a_failed_allocation_undoes_the_arena);
    tcase_add_test(tests, a_memory_limit_holds);
    tcase_add_test(tests, measuring_checks_and_does_not_run);
    tcase_add_test(tests, devices_are_opened_by_name);
    tcase_add_test(tests, another_interface_is_refused);
    tcase_add_test(tests, wrong_operands_are_named);
    tcase_add_test(tests, rules_beyond_shapes_hold);
    tcase_add_test(tests, broken_views_are_refused);
    tcase_add_test(tests, wrong_contents_do_not_crash);
    tcase_add_test(tests, fallback_is_told_once_and_strict_forbids_it);
    tcase_add_test(tests, sync_names_the_culprit);
    tcase_add_test(tests, trace_shows_every_op);
    tcase_add_test(tests, recordings_are_one_at_a_time);
    tcase_add_test(tests, every_op_says_what_it_is);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
