/* SPDX-License-Identifier: MIT */
/* The door's check: types, shapes and devices by the signature, then the rules that a signature
 * cannot say. The first word of every message is the op, the second the operand. */
#include <stdint.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/str.h"
#include "core/tensor/internal.h"

enum { LETTERS = 26, UNBOUND = -1 };

struct check {
    enum it_op op;
    const struct it_args *args;
    const struct it_signature *signature;
    enum it_dtype x, a; /* what kinds x and a stand for in this call */
    int64_t bound[LETTERS];
};

static void add_shape(struct it_str *s, const struct it_tensor *t)
{
    it_str_puts(s, it_dtype_name(t->dtype));
    for (int axis = 0; axis < t->rank; ++axis) {
        it_str_printf(s, "%s%lld", axis ? "," : " [", (long long)t->shape[axis]);
    }
    if (t->rank > 0) { it_str_putc(s, ']'); }
}

static const char *kind_text(const struct check *c, char kind)
{
    switch (kind) {
    case 'x': return c->x == IT_NONE ? "f32, bf16 or f64" : it_dtype_name(c->x);
    case 'a': return c->a == IT_NONE ? "f32 or f64" : it_dtype_name(c->a);
    case 'f': return "f32, bf16 or f64";
    case 'i': return "i32";
    case 'u': return "u32";
    case 'b': return "u8";
    default: return "i16";
    }
}

static void add_expected(struct it_str *s, const struct check *c, const struct it_operand *operand)
{
    it_str_puts(s, kind_text(c, operand->kind));
    for (int axis = 0; axis < operand->rank; ++axis) {
        const struct it_dim *dim = &operand->dim[axis];
        it_str_puts(s, axis ? "," : " [");
        if (dim->factor > 1 || !dim->letter) {
            it_str_printf(s, "%lld", (long long)dim->factor);
        }
        if (!dim->letter) { continue; }
        it_str_putc(s, dim->letter);
        int64_t value = c->bound[dim->letter - 'a'];
        if (value != UNBOUND) { it_str_printf(s, "=%lld", (long long)value); }
    }
    it_str_putc(s, ']');
}

/* "op matmul: operand b is f32 [3,5], expected one of f32, ... [k=4,n=5]" */
static enum it_status mismatch(const struct check *c, int k)
{
    const struct it_operand *operand = &c->signature->operand[k];
    struct it_str text = {0};
    it_str_printf(&text, "op %s: operand %s is ", it_op_info(c->op)->name, operand->name);
    add_shape(&text, &c->args->t[k]);
    it_str_puts(&text, ", expected ");
    add_expected(&text, c, operand);
    if (c->args->t[k].rank == 2 && it_signature_axis(c->op, c->args, k, 0) == 1) {
        it_str_puts(&text, " after its transposition");
    }
    it_fail(IT_INVALID, "%s", it_str_c(&text));
    it_str_free(&text);
    return IT_INVALID;
}

static enum it_status wrong(const struct check *c, int k, const char *what)
{
    return it_fail(IT_INVALID, "op %s: operand %s: %s", it_op_info(c->op)->name,
                   c->signature->operand[k].name, what);
}

static bool is_float(enum it_dtype dtype)
{
    return dtype == IT_F32 || dtype == IT_BF16 || dtype == IT_F64;
}

/* Kinds x and a take their meaning from the first operand of the kind. */
static void bind_types(struct check *c)
{
    if (c->signature->first_x >= 0) {
        enum it_dtype x = c->args->t[c->signature->first_x].dtype;
        if (is_float(x)) {
            c->x = x;
            c->a = it_dtype_accumulation(x);
        }
    } else if (c->signature->first_a >= 0) {
        enum it_dtype a = c->args->t[c->signature->first_a].dtype;
        if (a == IT_F32 || a == IT_F64) { c->a = a; }
    }
}

static bool type_fits(const struct check *c, char kind, enum it_dtype dtype)
{
    switch (kind) {
    case 'x': return dtype == c->x && dtype != IT_NONE;
    case 'a': return dtype == c->a && dtype != IT_NONE;
    case 'f': return is_float(dtype);
    case 'i': return dtype == IT_I32;
    case 'u': return dtype == IT_U32;
    case 'b': return dtype == IT_U8;
    default: return dtype == IT_I16;
    }
}

static bool dim_fits(struct check *c, const struct it_dim *dim, int64_t size)
{
    if (size < 0) { return false; }
    if (!dim->letter) { return size == dim->factor; }
    int64_t *bound = &c->bound[dim->letter - 'a'];
    if (*bound == UNBOUND) {
        if (size % dim->factor != 0) { return false; }
        *bound = size / dim->factor;
    }
    return size == *bound * dim->factor;
}

/* The bytes a view spans stand inside its buffer and its elements are aligned. */
static enum it_status check_memory(const struct check *c, int k)
{
    const struct it_tensor *t = &c->args->t[k];
    int64_t last = 0;
    for (int axis = 0; axis < t->rank; ++axis) {
        if (t->shape[axis] == 0) { return IT_OK; }
        if (t->stride[axis] < 0) { return wrong(c, k, "negative stride"); }
        last += (t->shape[axis] - 1) * t->stride[axis];
    }
    if (t->shape[t->rank - 1] > 1 && t->stride[t->rank - 1] != 1) {
        return wrong(c, k, "the last axis is not contiguous");
    }
    if (!t->buffer) { return IT_OK; }
    size_t size = it_dtype_size(t->dtype);
    if (t->offset % size != 0) { return wrong(c, k, "the view is not aligned to its elements"); }
    if (t->offset + ((size_t)last + 1) * size > t->buffer->size) {
        return wrong(c, k, "the view ends beyond its buffer");
    }
    return IT_OK;
}

static enum it_status check_operand(struct check *c, int k)
{
    const struct it_operand *operand = &c->signature->operand[k];
    const struct it_tensor *t = &c->args->t[k];
    if (t->dtype == IT_NONE && operand->optional) { return IT_OK; }
    if (!type_fits(c, operand->kind, t->dtype) || t->rank != operand->rank) {
        return mismatch(c, k);
    }
    for (int axis = 0; axis < t->rank; ++axis) {
        int64_t size = t->shape[it_signature_axis(c->op, c->args, k, axis)];
        if (!dim_fits(c, &operand->dim[axis], size)) { return mismatch(c, k); }
    }
    return check_memory(c, k);
}

/* One device for all; NULL where any view is of a measuring arena. */
static enum it_status find_device(const struct check *c, struct it_device **device_out)
{
    struct it_device *device = NULL;
    bool measuring = false;
    for (int k = 0; k < c->signature->count; ++k) {
        const struct it_tensor *t = &c->args->t[k];
        if (t->dtype == IT_NONE) { continue; }
        if (!t->buffer) {
            measuring = true;
        } else if (!device) {
            device = t->buffer->device;
        } else if (device != t->buffer->device) {
            return it_fail(IT_INVALID, "op %s: operand %s is on device %s, others on device %s",
                           it_op_info(c->op)->name, c->signature->operand[k].name,
                           t->buffer->device->info.name, device->info.name);
        }
    }
    *device_out = measuring ? NULL : device;
    return IT_OK;
}

/* What an output may be: the residual that is added to it. */
static int residual_of(enum it_op op)
{
    return op == IT_OP_PROJECT ? 5 : op == IT_OP_ATTN_STEP ? 13 : -1;
}

/* Else an output may be an input only in scale_add and token_stats_bwd (ops.def). */
static enum it_status check_aliases(const struct check *c)
{
    if (c->op == IT_OP_SCALE_ADD || c->op == IT_OP_TOKEN_STATS_BWD) { return IT_OK; }
    for (int k = 0; k < c->signature->outputs; ++k) {
        const struct it_tensor *y = &c->args->t[k];
        for (int other = k + 1; y->buffer && other < c->signature->count; ++other) {
            const struct it_tensor *x = &c->args->t[other];
            if (other == residual_of(c->op)) { continue; }
            if (x->buffer == y->buffer && x->offset == y->offset && it_tensor_count(x) > 0 &&
                it_tensor_count(y) > 0) {
                return it_fail(IT_INVALID, "op %s: output %s is the same memory as operand %s",
                               it_op_info(c->op)->name, c->signature->operand[k].name,
                               c->signature->operand[other].name);
            }
        }
    }
    return IT_OK;
}

/* d = heads * width and e = kv heads * width, for some width. */
static enum it_status check_heads(const struct check *c, int64_t d, int64_t e)
{
    int64_t heads = c->args->i[0], kv_heads = c->args->i[1];
    bool fits = heads > 0 && kv_heads > 0 && heads % kv_heads == 0 && d % heads == 0 &&
                d / heads * kv_heads == e;
    if (fits) { return IT_OK; }
    return it_fail(IT_INVALID,
                   "op %s: %lld heads over %lld columns and %lld key heads over %lld do not match",
                   it_op_info(c->op)->name, (long long)heads, (long long)d, (long long)kv_heads,
                   (long long)e);
}

static int64_t size_of(const struct check *c, char letter)
{
    return c->bound[letter - 'a'];
}

static enum it_status check_attn(const struct check *c)
{
    IT_TRY(check_heads(c, size_of(c, 'd'), size_of(c, 'e')));
    if (c->op == IT_OP_ATTN_DECODE) {
        return c->args->i[2] > 0 ? IT_OK
                                 : it_fail(IT_INVALID, "op attn_decode: a page of %lld rows",
                                           (long long)c->args->i[2]);
    }
    if (size_of(c, 'h') == c->args->i[0]) { return IT_OK; }
    return it_fail(IT_INVALID, "op %s: operand lse has %lld columns for %lld heads",
                   it_op_info(c->op)->name, (long long)size_of(c, 'h'), (long long)c->args->i[0]);
}

static enum it_status check_attn_step(const struct check *c)
{
    const struct it_tensor *qnorm = &c->args->t[5], *knorm = &c->args->t[6];
    bool out = c->args->t[3].dtype != IT_NONE;
    int64_t d = size_of(c, 'd'), e = size_of(c, 'e'), width = size_of(c, 'w');
    IT_TRY(check_heads(c, d, e));
    if (c->args->i[2] <= 0) {
        return it_fail(IT_INVALID, "op attn_step: a page of %lld rows", (long long)c->args->i[2]);
    }
    if (width != d / c->args->i[0] || width % 2 != 0) {
        return wrong(c, 7, "not as wide as a head, or a head of odd width");
    }
    if (size_of(c, 'f') != d + 2 * e) { return wrong(c, 4, "not as wide as q, k and v together"); }
    if ((c->args->t[12].dtype != IT_NONE) != out || (c->args->t[13].dtype != IT_NONE && !out)) {
        return wrong(c, 3, "there without wo, or absent with it or with a residual");
    }
    if ((qnorm->dtype == IT_NONE) != (knorm->dtype == IT_NONE)) {
        return wrong(c, 6, "there without the other norm, or absent with it");
    }
    if (qnorm->dtype == IT_NONE) { return IT_OK; }
    int64_t n = size_of(c, 'n'), l = size_of(c, 'l');
    if ((n == width && l == width) || (n == d && l == e)) { return IT_OK; }
    return wrong(c, 5, "norms are as wide as a head, or as all heads of q and of k");
}

static enum it_status check_project(const struct check *c)
{
    int64_t gated = c->args->i[0];
    if (gated != 0 && gated != 1) {
        return it_fail(IT_INVALID, "op project: gated is %lld, neither 0 nor 1", (long long)gated);
    }
    return size_of(c, 'p') == size_of(c, 'n') * (1 + gated)
               ? IT_OK
               : wrong(c, 3, gated ? "not two rows a column of y" : "not a row a column of y");
}

static enum it_status check_rope(const struct check *c)
{
    int64_t width = size_of(c, 'e'), sign = c->args->i[0];
    if (sign != 1 && sign != -1) {
        return it_fail(IT_INVALID, "op rope: sign %lld is neither 1 nor -1", (long long)sign);
    }
    if (width > 0 && width % 2 == 0 && size_of(c, 'd') % width == 0) { return IT_OK; }
    return it_fail(IT_INVALID,
                   "op rope: operand x has %lld columns, no multiple of the even head width %lld",
                   (long long)size_of(c, 'd'), (long long)width);
}

static enum it_status check_vocabulary(const struct check *c)
{
    int64_t v = size_of(c, 'v'), n = c->op == IT_OP_SAMPLE ? 0 : c->args->i[0];
    int64_t all = c->op != IT_OP_SAMPLE && c->args->i[2] ? c->args->i[2] : v;
    if (v > 0 && n >= 0 && n <= all) { return IT_OK; }
    return it_fail(IT_INVALID, "op %s: a vocabulary of %lld out of %lld logits",
                   it_op_info(c->op)->name, (long long)n, (long long)all);
}

/* Columns [i1, i1 + v) of i2: whole tiles but for the last. */
static enum it_status check_columns(const struct check *c)
{
    int64_t v = size_of(c, 'v'), first = c->args->i[1], all = c->args->i[2] ? c->args->i[2] : v;
    IT_TRY(check_vocabulary(c));
    bool inside = first >= 0 && first <= all - v, last = first == all - v;
    if (!inside || first % IT_STATS_TILE || (!last && v % IT_STATS_TILE)) {
        return it_fail(IT_INVALID,
                       "op %s: %lld columns from %lld are no tiles of %d of a vocabulary of %lld",
                       it_op_info(c->op)->name, (long long)v, (long long)first,
                       (int)IT_STATS_TILE, (long long)all);
    }
    bool whole = first == 0 && last;
    if (c->op == IT_OP_TOKEN_STATS_BWD || whole || c->args->t[1].dtype != IT_NONE) { return IT_OK; }
    return wrong(c, 1, "absent, and the logits are a part of the vocabulary");
}

/* What stands in for the low halves of a weight: those halves, or keys to round with. */
static enum it_status check_halves(const struct check *c, int lo, int keys)
{
    bool split = c->args->t[lo].dtype != IT_NONE, random = c->args->t[keys].dtype != IT_NONE;
    if (split && c->args->t[0].dtype != IT_BF16) {
        return wrong(c, lo, "low halves belong to a bf16 weight only");
    }
    if (random && (split || c->args->t[0].dtype != IT_BF16)) {
        return wrong(c, keys, "only a bf16 weight without low halves is rounded at random");
    }
    return IT_OK;
}

static enum it_status check_moments(const struct check *c)
{
    int64_t n = size_of(c, 'n'), blocks = size_of(c, 'g');
    IT_TRY(check_halves(c, 5, 8));
    if (blocks == n / IT_MOMENT_BLOCK + (n % IT_MOMENT_BLOCK != 0)) { return IT_OK; }
    return it_fail(IT_INVALID, "op adamw8: %lld scales for %lld elements in blocks of %d",
                   (long long)blocks, (long long)n, (int)IT_MOMENT_BLOCK);
}

static enum it_status check_rules(const struct check *c)
{
    const struct it_args *args = c->args;
    switch (c->op) {
    case IT_OP_MATMUL:
        return args->f[0] == 0.0 || args->f[0] == 1.0
                   ? IT_OK
                   : it_fail(IT_INVALID, "op matmul: beta %g is neither 0 nor 1", args->f[0]);
    case IT_OP_ROPE: return check_rope(c);
    case IT_OP_PROJECT: return check_project(c);
    case IT_OP_ATTN_STEP: return check_attn_step(c);
    case IT_OP_ATTN:
    case IT_OP_ATTN_BWD:
    case IT_OP_ATTN_DECODE: return check_attn(c);
    case IT_OP_TOKEN_STATS:
    case IT_OP_TOKEN_STATS_BWD: return check_columns(c);
    case IT_OP_SAMPLE: return check_vocabulary(c);
    case IT_OP_ADAMW: return check_halves(c, 3, 6);
    case IT_OP_ADAMW8: return check_moments(c);
    default: return IT_OK;
    }
}

enum it_status it_door_check(enum it_op op, const struct it_args *args,
                             struct it_device **device_out)
{
    struct check c;
    c.op = op;
    c.args = args;
    c.signature = it_signature(op);
    c.x = c.a = IT_NONE;
    memset(c.bound, 0xff, sizeof c.bound); /* UNBOUND in every byte: this runs at every op */
    bind_types(&c);
    for (int k = 0; k < c.signature->count; ++k) { IT_TRY(check_operand(&c, k)); }
    IT_TRY(check_rules(&c));
    IT_TRY(check_aliases(&c));
    return find_device(&c, device_out);
}
