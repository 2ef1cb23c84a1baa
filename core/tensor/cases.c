/* SPDX-License-Identifier: MIT */
/* Cases: reading the words of cases.def, making operands on any device, comparing outcomes. */
#include "core/tensor/cases.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/tensor/cases_internal.h"
#include "core/tensor/internal.h"
#include "core/tensor/kmath.h"
#include "core/tensor/ref_internal.h"

static const struct {
    enum it_op op;
    bool bench;
    const char *words;
    double tolerance;
    uint64_t seed;
} rows[] = {
#define CASE(ID, words, tolerance, seed) {IT_OP_##ID, false, words, tolerance, seed},
#define BENCH(ID, words, tolerance, seed) {IT_OP_##ID, true, words, tolerance, seed},
#include "core/tensor/cases.def"
#undef CASE
#undef BENCH
};

size_t it_case_count(void)
{
    return sizeof rows / sizeof *rows;
}

/* ---- words ---- */

static enum it_dtype dtype_named(const char *name, size_t length)
{
    for (int d = IT_NONE + 1; d < IT_DTYPE_COUNT; ++d) {
        const char *known = it_dtype_name((enum it_dtype)d);
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            return (enum it_dtype)d;
        }
    }
    return IT_NONE;
}

static int operand_named(enum it_op op, const char *name, size_t length)
{
    const struct it_signature *s = it_signature(op);
    for (int k = 0; k < s->count; ++k) {
        if (strlen(s->operand[k].name) == length && !memcmp(s->operand[k].name, name, length)) {
            return k;
        }
    }
    return -1;
}

static enum it_dtype type_of_kind(char kind, enum it_dtype dtype)
{
    switch (kind) {
    case 'x':
    case 'f': return dtype;
    case 'a': return it_dtype_accumulation(dtype);
    case 'i': return IT_I32;
    case 'u': return IT_U32;
    case 'b': return IT_U8;
    default: return IT_I16;
    }
}

/* One word of [at, at + length); the table is our own, so that a slip in it is an assertion. */
static void read_word(struct it_case *c, const char *at, size_t length)
{
    const struct it_signature *s = it_signature(c->op);
    const char *equals = memchr(at, '=', length), *colon = memchr(at, ':', length);
    if (equals && equals - at == 1) {
        c->dim[*at - 'a'] = strtoll(equals + 1, NULL, 10);
    } else if (equals) {
        assert((at[0] == 'i' || at[0] == 'f') && at[1] >= '0' && at[1] < '0' + IT_MAX_SCALARS);
        if (at[0] == 'i') { c->i[at[1] - '0'] = strtoll(equals + 1, NULL, 10); }
        if (at[0] == 'f') { c->f[at[1] - '0'] = strtod(equals + 1, NULL); }
    } else if (colon) {
        int k = operand_named(c->op, at, (size_t)(colon - at));
        assert(k >= 0);
        c->type[k] = dtype_named(colon + 1, length - (size_t)(colon + 1 - at));
    } else if (*at == '+') {
        int k = operand_named(c->op, at + 1, length - 1);
        assert(k >= 0);
        c->type[k] = type_of_kind(s->operand[k].kind, c->dtype);
    } else {
        c->dtype = dtype_named(at, length);
        assert(c->dtype != IT_NONE);
        for (int k = 0; k < s->count; ++k) {
            c->type[k] = s->operand[k].optional ? IT_NONE
                                                : type_of_kind(s->operand[k].kind, c->dtype);
        }
    }
}

void it_case_at(size_t index, struct it_case *case_out)
{
    assert(index < it_case_count());
    struct it_case c = {.op = rows[index].op, .bench = rows[index].bench,
                        .words = rows[index].words, .tolerance = rows[index].tolerance,
                        .seed = rows[index].seed};
    for (const char *at = c.words; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        read_word(&c, at, length);
        at += length;
    }
    *case_out = c;
}

char *it_case_describe(const struct it_case *c, char *buffer, size_t size)
{
    const struct it_signature *s = it_signature(c->op);
    int used = snprintf(buffer, size, "%s %s", it_op_info(c->op)->name, it_dtype_name(c->dtype));
    bool seen[IT_CASE_LETTERS] = {false};
    for (int k = 0; k < s->count; ++k) {
        for (int axis = 0; axis < s->operand[k].rank; ++axis) {
            char letter = s->operand[k].dim[axis].letter;
            if (!letter || seen[letter - 'a'] || used < 0 || (size_t)used >= size) { continue; }
            seen[letter - 'a'] = true;
            used += snprintf(buffer + used, size - (size_t)used, " %c=%lld", letter,
                             (long long)it_case_dim(c, letter));
        }
    }
    for (int n = 0; n < IT_MAX_SCALARS; ++n) {
        if (!c->i[n] || used < 0 || (size_t)used >= size) { continue; }
        used += snprintf(buffer + used, size - (size_t)used, " i%d=%lld", n, (long long)c->i[n]);
    }
    return buffer;
}

/* ---- operands ---- */

static struct it_args scalars_of(const struct it_case *c)
{
    struct it_args args = {0};
    memcpy(args.f, c->f, sizeof args.f);
    memcpy(args.i, c->i, sizeof args.i);
    return args;
}

int it_case_shape(const struct it_case *c, int k, int64_t shape[IT_MAX_RANK])
{
    const struct it_operand *operand = &it_signature(c->op)->operand[k];
    if (c->type[k] == IT_NONE) { return 0; }
    struct it_args args = scalars_of(c);
    for (int axis = 0; axis < operand->rank; ++axis) {
        const struct it_dim *dim = &operand->dim[axis];
        int64_t size = dim->letter ? dim->factor * it_case_dim(c, dim->letter) : dim->factor;
        shape[it_signature_axis(c->op, &args, k, axis)] = size;
    }
    return operand->rank;
}

static enum it_status make_views(const struct it_case *c, struct it_arena *arena,
                                 struct it_args *args_out)
{
    struct it_args args = scalars_of(c);
    for (int k = 0; k < it_signature(c->op)->count; ++k) {
        int64_t shape[IT_MAX_RANK];
        int rank = it_case_shape(c, k, shape);
        if (rank == 0) { continue; }
        IT_TRY(it_arena_tensor(arena, c->type[k], rank, shape, &args.t[k]));
    }
    *args_out = args;
    return IT_OK;
}

/* The same operands on host memory: a reference device, an arena just large enough. */
struct stage {
    struct it_device *device;
    struct it_arena *arena;
    struct it_args args;
};

static void stage_close(struct stage *stage)
{
    it_arena_close(stage->arena);
    it_device_close(stage->device);
}

static enum it_status stage_open(const struct it_case *c, struct stage *stage)
{
    struct it_arena *measure = NULL;
    *stage = (struct stage){0};
    IT_TRY(it_device_open("reference", NULL, &stage->device));
    enum it_status status = it_arena_measure(stage->device, "case", &measure);
    if (status == IT_OK) { status = make_views(c, measure, &stage->args); }
    int64_t bytes = status == IT_OK ? it_arena_peak(measure) : 0;
    it_arena_close(measure);
    if (status == IT_OK) { status = it_arena_open(stage->device, "case", bytes, &stage->arena); }
    if (status == IT_OK) { status = make_views(c, stage->arena, &stage->args); }
    if (status == IT_OK) { status = it_case_fill(c, &stage->args); }
    if (status != IT_OK) { stage_close(stage); }
    return status;
}

enum it_status it_case_prepare(const struct it_case *c, struct it_arena *arena,
                               struct it_args *args_out)
{
    struct it_args args;
    IT_TRY(make_views(c, arena, &args));
    if (!it_arena_is_measuring(arena)) {
        struct stage stage;
        IT_TRY(stage_open(c, &stage));
        enum it_status status = IT_OK;
        for (int k = 0; k < IT_MAX_OPERANDS && status == IT_OK; ++k) {
            if (c->type[k] == IT_NONE) { continue; }
            status = it_upload(args.t[k], it_view_host(&stage.args.t[k]));
        }
        stage_close(&stage);
        IT_TRY(status);
    }
    *args_out = args;
    return IT_OK;
}

enum it_status it_case_run(const struct it_case *c, const struct it_args *args)
{
    return it_run(c->op, args);
}

/* ---- work ---- */

/* Pairs of a query and a key, and keys read. */
static double attention_pairs(const struct it_case *c)
{
    double pairs = 0;
    for (int64_t s = 0; s < it_case_dim(c, 's'); ++s) {
        if (c->op != IT_OP_ATTN && c->op != IT_OP_ATTN_BWD) {
            pairs += (double)it_case_length(c, s);
            continue;
        }
        int32_t segment[5];
        it_case_segment(c, s, segment);
        double length = segment[1];
        pairs += length * segment[3] + length * (length + 1) / 2;
    }
    return pairs;
}

double it_case_flops(const struct it_case *c)
{
    switch (c->op) {
    case IT_OP_MATMUL:
        return 2.0 * (double)it_case_dim(c, 'm') * (double)it_case_dim(c, 'n') *
               (double)it_case_dim(c, 'k');
    case IT_OP_PROJECT:
        return 2.0 * (double)it_case_dim(c, 'm') * (double)it_case_dim(c, 'p') *
               (double)it_case_dim(c, 'k');
    case IT_OP_ATTN:
    case IT_OP_ATTN_STEP:
    case IT_OP_ATTN_DECODE: return 4.0 * (double)it_case_dim(c, 'd') * attention_pairs(c);
    case IT_OP_ATTN_BWD: return 10.0 * (double)it_case_dim(c, 'd') * attention_pairs(c);
    default: return 0;
    }
}

/* Rows that a run touches of an operand it does not read whole; -1: all. */
static double rows_touched(const struct it_case *c, int k)
{
    double tokens = (double)it_case_dim(c, 't');
    switch (c->op) {
    case IT_OP_GATHER_ROWS: return k == 1 ? tokens : -1;
    case IT_OP_SCATTER_ADD_ROWS: return k == 0 ? tokens : -1;
    case IT_OP_KV_WRITE: return k < 2 ? tokens : -1;
    case IT_OP_ATTN_DECODE: return k == 2 || k == 3 ? attention_pairs(c) : -1;
    case IT_OP_ATTN_STEP: return k == 1 || k == 2 ? attention_pairs(c) : -1;
    default: return -1;
    }
}

/* Outputs that are read before they are written. */
static bool is_updated(const struct it_case *c, int k)
{
    switch (c->op) {
    case IT_OP_SCATTER_ADD_ROWS:
    case IT_OP_ROPE:
    case IT_OP_SUM_ROWS:
    case IT_OP_SUMSQ:
    case IT_OP_ADAMW:
    case IT_OP_ADAMW8: return true;
    case IT_OP_RMSNORM_BWD: return k == 1;
    case IT_OP_MATMUL: return c->f[0] != 0;
    default: return false;
    }
}

double it_case_bytes(const struct it_case *c)
{
    const struct it_signature *s = it_signature(c->op);
    double bytes = 0;
    for (int k = 0; k < s->count; ++k) {
        int64_t shape[IT_MAX_RANK];
        int rank = it_case_shape(c, k, shape);
        double size = (double)it_dtype_size(c->type[k]), partial = rows_touched(c, k);
        for (int axis = 0; axis < rank; ++axis) {
            size *= axis == 0 && partial >= 0 ? partial : (double)shape[axis];
        }
        bytes += k < s->outputs && is_updated(c, k) ? 2 * size : size;
    }
    return bytes;
}

/* ---- comparing ---- */

static double value_at(const struct it_args *args, int k, int64_t i, const int16_t *low)
{
    const struct it_tensor *t = &args->t[k];
    const void *host = it_view_host(t);
    switch (t->dtype) {
    case IT_F32: return (double)((const float *)host)[i];
    case IT_F64: return ((const double *)host)[i];
    case IT_BF16: {
        int high = ((const uint16_t *)host)[i], rest = low ? low[i] : 0;
        return (double)k_float(((uint)high << 16) + (uint)rest);
    }
    case IT_I16: return ((const int16_t *)host)[i];
    case IT_U8: return ((const uint8_t *)host)[i];
    default: return ((const int32_t *)host)[i];
    }
}

/* Codes (those of adamw8: m, which is signed, then v) of what differs by a rounding may lie one
 * apart, but few do. */
static double error_of_codes(const struct it_args *got, const struct it_args *want, int k)
{
    int64_t count = it_tensor_count(&want->t[k]), apart = 0;
    for (int64_t i = 0; i < count; ++i) {
        int g = (int)value_at(got, k, i, NULL), w = (int)value_at(want, k, i, NULL);
        int off = k == 1 ? (int8_t)g - (int8_t)w : g - w;
        if (off < -1 || off > 1) { return INFINITY; }
        apart += off != 0;
    }
    return apart == 0 ? 0 : apart <= 1 + count / 100 ? 1e-9 : INFINITY;
}

/* The operand with the low halves of masters; -1: none. */
static int low_halves(const struct it_case *c)
{
    int k = c->op == IT_OP_ADAMW ? 3 : c->op == IT_OP_ADAMW8 ? 5 : -1;
    return k >= 0 && c->type[k] != IT_NONE ? k : -1;
}

/* Elements first, first + step, ... of output k, whose low halves are operand `low`. */
static double error_of(const struct it_args *got, const struct it_args *want, int k,
                       int64_t first, int64_t step, int low)
{
    int64_t count = it_tensor_count(&want->t[k]);
    if (want->t[k].dtype == IT_U8) { return error_of_codes(got, want, k); }
    const int16_t *got_low = low >= 0 ? it_view_host(&got->t[low]) : NULL;
    const int16_t *want_low = low >= 0 ? it_view_host(&want->t[low]) : NULL;
    bool whole = want->t[k].dtype == IT_I32;
    double squares = 0, n = 0, worst = 0;
    for (int64_t i = first; i < count; i += step) {
        double w = value_at(want, k, i, want_low);
        squares += isfinite(w) ? w * w : 0;
        n += 1;
    }
    double scale = n > 0 ? sqrt(squares / n) : 0;
    for (int64_t i = first; i < count; i += step) {
        double w = value_at(want, k, i, want_low), g = value_at(got, k, i, got_low);
        if (g == w || (isnan(g) && isnan(w))) { continue; }
        double size = fabs(w) + scale, off = fabs(g - w);
        double error = whole || !isfinite(off) ? INFINITY : size > 0 ? off / size : off;
        if (!(error <= worst)) { worst = error; }
    }
    return worst;
}

/* What a sum of token_stats' state is short of: as exact as the backend pleases. */
static bool is_rest(int64_t column)
{
    return column == IT_STATE_S_REST ||
           (column > IT_STATE_S2 && (column - IT_STATE_S2_REST) % 2 == 0);
}

double it_case_error(const struct it_case *c, const struct it_args *got,
                     const struct it_args *want)
{
    double worst = 0;
    int low = low_halves(c);
    for (int k = 0; k < it_signature(c->op)->outputs; ++k) {
        /* a weight and its low half are one number */
        if (c->type[k] == IT_NONE || k == low) { continue; }
        /* statistics are of different sizes: each column by itself */
        bool statistics = c->op == IT_OP_TOKEN_STATS;
        int64_t columns = statistics ? want->t[k].shape[1] : 1;
        for (int64_t column = 0; column < columns; ++column) {
            if (statistics && k == 1 && is_rest(column)) { continue; }
            double error = error_of(got, want, k, column, columns, k == 0 ? low : -1);
            if (!(error <= worst)) { worst = error; }
        }
    }
    return worst;
}

/* The device's outputs into `home`, which held what the device started from. */
static enum it_status run_away(const struct it_case *c, struct it_device *device,
                               struct stage *home)
{
    struct it_arena *measure = NULL, *arena = NULL;
    struct it_args args;
    enum it_status status = it_arena_measure(device, "case", &measure);
    IT_TRY_GOTO(status, done, make_views(c, measure, &args));
    IT_TRY_GOTO(status, done, it_arena_open(device, "case", it_arena_peak(measure), &arena));
    IT_TRY_GOTO(status, done, it_case_prepare(c, arena, &args));
    IT_TRY_GOTO(status, done, it_case_run(c, &args));
    IT_TRY_GOTO(status, done, it_device_finish(device));
    for (int k = 0; k < it_signature(c->op)->outputs; ++k) {
        if (c->type[k] == IT_NONE) { continue; }
        IT_TRY_GOTO(status, done, it_download(it_view_host(&home->args.t[k]), args.t[k]));
    }
done:
    it_arena_close(arena);
    it_arena_close(measure);
    return status;
}

enum it_status it_case_check(const struct it_case *c, struct it_device *device,
                             double *error_out)
{
    struct stage got, want;
    IT_TRY(stage_open(c, &got));
    enum it_status status = stage_open(c, &want);
    if (status == IT_OK) {
        status = it_reference_kernel(c->op, true)(want.device, &want.args);
        if (status == IT_OK) { status = run_away(c, device, &got); }
        if (status == IT_OK) { *error_out = it_case_error(c, &got.args, &want.args); }
        stage_close(&want);
    }
    stage_close(&got);
    return status;
}
