/* SPDX-License-Identifier: MIT */
/* Every op by itself, on the sizes of core/tensor/cases.def or of a model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "core/base/clock.h"
#include "core/tensor/cases.h"

static int64_t *dim(struct it_case *c, char letter)
{
    return &c->dim[letter - 'a'];
}

/* The widths of a model instead of those of the table; rows stay. */
static void fit(struct it_case *c, const struct it_model_config *m)
{
    int64_t q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
    switch (c->op) {
    case IT_OP_MATMUL:
        /* the table's narrow and wide sides are those of a half-billion model */
        *dim(c, 'n') = *dim(c, 'n') == 896 ? m->hidden : 2 * m->ff;
        if (*dim(c, 'm') == 896) { *dim(c, 'm') = m->hidden; }
        if (*dim(c, 'k') == 896) { *dim(c, 'k') = m->hidden; }
        break;
    case IT_OP_ROPE:
        *dim(c, 'd') = q;
        *dim(c, 'e') = m->head_dim;
        break;
    case IT_OP_ATTN:
    case IT_OP_ATTN_BWD:
    case IT_OP_ATTN_DECODE:
        *dim(c, 'd') = q;
        *dim(c, 'e') = kv;
        if (c->op != IT_OP_ATTN_DECODE) { *dim(c, 'h') = m->heads; }
        c->i[0] = m->heads;
        c->i[1] = m->kv_heads;
        c->f[0] = 1.0 / sqrt((double)m->head_dim);
        break;
    case IT_OP_SWIGLU:
    case IT_OP_SWIGLU_BWD: *dim(c, 'n') = m->ff; break;
    case IT_OP_TOKEN_STATS:
    case IT_OP_TOKEN_STATS_BWD:
        *dim(c, 'v') = m->vocab;
        c->i[0] = 0;
        break;
    case IT_OP_SAMPLE: *dim(c, 'v') = m->vocab; break;
    case IT_OP_RMSNORM:
    case IT_OP_RMSNORM_BWD:
    case IT_OP_COPY: *dim(c, 'n') = m->hidden; break;
    case IT_OP_SUM_ROWS: *dim(c, 'n') = q + 2 * kv; break;
    default: break;
    }
}

/* The same case in f32, where an f32 weight needs no low half and no keys to round with. */
static void widen(struct it_case *c)
{
    if (c->dtype != IT_BF16) { return; }
    for (int k = 0; k < IT_MAX_OPERANDS; k++) {
        if (c->type[k] == IT_BF16) { c->type[k] = IT_F32; }
        bool rounds = c->op == IT_OP_ADAMW || c->op == IT_OP_ADAMW8;
        if (rounds && (c->type[k] == IT_I16 || c->type[k] == IT_U32)) { c->type[k] = IT_NONE; }
    }
    c->dtype = IT_F32;
    c->tolerance = c->tolerance > 1e-3 ? 1e-3 : c->tolerance;
}

static bool is_asked(const struct it_bench *bench, const char *name)
{
    const struct it_strs *ops = &bench->values->ops;
    for (size_t i = 0; i < ops->n; i++) {
        if (strcmp(ops->item[i], name) == 0) { return true; }
    }
    return false;
}

static bool is_named(const struct it_bench *bench, enum it_op op)
{
    return bench->values->ops.n == 0 || is_asked(bench, it_op_info(op)->name);
}

/* The table has one multiplication in f32 beside its twin in bf16: asked for one type, the twin is
 * enough. So it is in f32, which rounds no weight, for weights rounded at random. */
static bool is_twin(const struct it_bench *bench, const struct it_case *c)
{
    enum it_dtype asked = it_cli_dtype(&bench->values->common);
    bool rounds = c->op == IT_OP_ADAMW8 && c->type[8] != IT_NONE;
    return asked != IT_NONE && ((c->op == IT_OP_MATMUL && c->dtype == IT_F32) ||
                                (asked == IT_F32 && rounds));
}

static void name_shape(const struct it_case *c, char *shape, size_t size)
{
    char words[160];
    it_case_describe(c, words, sizeof words);
    const char *after = strchr(words, ' ');
    after = after ? strchr(after + 1, ' ') : NULL;
    snprintf(shape, size, "%s", after ? after + 1 : "");
}

/* ---- one case ---- */

struct timed {
    struct it_case c;
    struct it_args args;
};

static enum it_status call(void *context)
{
    struct timed *t = context;
    return it_case_run(&t->c, &t->args);
}

static enum it_status time_case(const struct it_bench *bench, const struct it_case *c,
                                double *seconds_out)
{
    struct it_arena *plan = NULL, *arena = NULL;
    struct timed t = {.c = *c};
    enum it_status status = it_arena_measure(bench->device, "bench", &plan);
    IT_TRY_GOTO(status, done, it_case_prepare(c, plan, &t.args));
    IT_TRY_GOTO(status, done, it_arena_open(bench->device, "bench", it_arena_peak(plan), &arena));
    IT_TRY_GOTO(status, done, it_case_prepare(c, arena, &t.args));
    status = it_bench_time(bench, call, &t, seconds_out);
done:
    it_arena_close(arena);
    it_arena_close(plan);
    return status;
}

static enum it_status check_case(struct it_bench *bench, const struct it_case *c, double *error_out,
                                 int *wrong)
{
    char words[160];
    if (it_interrupted()) { return IT_INTERRUPTED; }
    IT_TRY(it_case_check(c, bench->device, error_out));
    if (*error_out <= c->tolerance) { return IT_OK; }
    ++*wrong;
    it_warn("%s on %s: error %.3g, more than %.3g", it_case_describe(c, words, sizeof words),
            it_device_info(bench->device)->name, *error_out, c->tolerance);
    return IT_OK;
}

static enum it_status bench_case(struct it_bench *bench, const struct it_case *c, int *wrong)
{
    struct it_bench_row row = it_bench_row(bench, it_op_info(c->op)->name, c->dtype);
    name_shape(c, row.shape, sizeof row.shape);
    IT_TRY(time_case(bench, c, &row.time_s));
    if (bench->values->check) { IT_TRY(check_case(bench, c, &row.max_rel_err, wrong)); }
    row.flops = it_case_flops(c);
    row.bytes = it_case_bytes(c);
    row.unit = row.flops > 0.0 ? "GFLOP/s" : "GB/s";
    row.rate = 1e-9 * (row.flops > 0.0 ? row.flops : row.bytes) / row.time_s;
    it_bench_add(bench, &row);
    return IT_OK;
}

/* The small cases of an op, odd in every size: nothing to time, much to get wrong. */
static enum it_status check_op(struct it_bench *bench, enum it_op op, int *wrong)
{
    struct it_bench_row row = it_bench_row(bench, it_op_info(op)->name, IT_NONE);
    int cases = 0;
    for (size_t i = 0; i < it_case_count(); i++) {
        struct it_case c;
        double error = NAN;
        it_case_at(i, &c);
        if (c.op != op || c.bench) { continue; }
        IT_TRY(check_case(bench, &c, &error, wrong));
        row.max_rel_err = cases++ ? fmax(row.max_rel_err, error) : error;
    }
    snprintf(row.shape, sizeof row.shape, "%d small cases", cases);
    snprintf(row.dtype, sizeof row.dtype, "all");
    if (cases) { it_bench_add(bench, &row); }
    return IT_OK;
}

/* ---- all of them ---- */

/* Beside the ops; only where it is asked for, since it takes gigabytes and, on a slow device,
 * hours. */
static const char head_name[] = "head";

static enum it_status check_names(const struct it_strs *ops)
{
    enum { NAMES = IT_OP_COUNT + 1 };
    const char *names[NAMES] = {[IT_OP_COUNT] = head_name};
    for (int op = 0; op < IT_OP_COUNT; op++) { names[op] = it_op_info((enum it_op)op)->name; }
    for (size_t i = 0; i < ops->n; i++) {
        bool known = false;
        for (int n = 0; n < NAMES; n++) {
            known = known || strcmp(names[n], ops->item[i]) == 0;
        }
        if (known) { continue; }
        const char *closest = it_closest(ops->item[i], names, NAMES);
        return it_fail(IT_INVALID, "bench: --ops: no op \"%s\"%s%s%s", ops->item[i],
                       closest ? "; did you mean " : "", closest ? closest : "",
                       closest ? "?" : "");
    }
    return IT_OK;
}

static enum it_status bench_all(struct it_bench *bench, const struct it_model_config *config)
{
    int wrong = 0;
    for (size_t i = 0; i < it_case_count(); i++) {
        struct it_case c;
        it_case_at(i, &c);
        if (!c.bench || !is_named(bench, c.op) || is_twin(bench, &c)) { continue; }
        if (config) { fit(&c, config); }
        if (it_cli_dtype(&bench->values->common) == IT_F32) { widen(&c); }
        IT_TRY(bench_case(bench, &c, &wrong));
    }
    for (int op = 0; bench->values->check && op < IT_OP_COUNT; op++) {
        if (is_named(bench, (enum it_op)op)) { IT_TRY(check_op(bench, (enum it_op)op, &wrong)); }
    }
    if (is_asked(bench, head_name)) {
        enum { VOCABULARY = 151936, HIDDEN = 896 };
        IT_TRY(it_bench_head(bench, config ? config->vocab : VOCABULARY,
                             config ? config->hidden : HIDDEN));
    }
    if (wrong == 0) { return IT_OK; }
    return it_fail(IT_FAILED, "%d case%s of device %s differ from the reference", wrong,
                   wrong == 1 ? "" : "s", it_device_info(bench->device)->name);
}

enum it_status it_bench_ops(struct it_bench *bench)
{
    const char *path = bench->values->config ? bench->values->config : bench->values->model;
    const struct it_arch *arch = NULL;
    struct it_model_config config = {0};
    enum it_dtype dtype;
    IT_TRY(check_names(&bench->values->ops));
    if (path) { IT_TRY(it_config_read(path, &arch, &config, &dtype)); }
    enum it_status status = path ? it_config_check(&config, path) : IT_OK;
    if (status == IT_OK) { status = bench_all(bench, path ? &config : NULL); }
    it_config_free(&config);
    return status;
}
