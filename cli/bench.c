/* SPDX-License-Identifier: MIT */
/* intuitor bench: how fast, and how far from what the machine can do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/pool.h"

static const struct it_option rows[] = {
    IT_CLI_ROWS(it_bench_values),
    IT_CLI_JSON_ROW(it_bench_values),
    {"backend", IT_OPT_STRINGS, "auto", "backend to measure; may be given again",
     offsetof(struct it_bench_values, backend), NULL},
    IT_CLI_DEVICE_ROWS(it_bench_values),
    {"config", IT_OPT_STRING, NULL, "config.json: random weights of that shape",
     offsetof(struct it_bench_values, config), NULL},
    {"model", IT_OPT_STRING, NULL, "model folder", offsetof(struct it_bench_values, model), NULL},
    {"exact", IT_OPT_BOOL, "false", "batch-invariant kernels",
     offsetof(struct it_bench_values, exact), NULL},
    {"batch", IT_OPT_INT, "8", "sequences at once", offsetof(struct it_bench_values, batch), NULL},
    {"prompt-tokens", IT_OPT_INT, "64", "tokens of a prompt",
     offsetof(struct it_bench_values, prompt_tokens), NULL},
    {"new-tokens", IT_OPT_INT, "64", "tokens of a completion",
     offsetof(struct it_bench_values, new_tokens), NULL},
    {"lengths", IT_OPT_BOOL, "false",
     "generate: completions of log-normal lengths with that mean, four times the batch",
     offsetof(struct it_bench_values, lengths), NULL},
    {"ops", IT_OPT_STRINGS, "", "ops: these alone, as matmul,attn; head: the whole head",
     offsetof(struct it_bench_values, ops), NULL},
    {"check", IT_OPT_BOOL, "false", "ops: compare every op with the reference in double",
     offsetof(struct it_bench_values, check), NULL},
    {"runs", IT_OPT_INT, "5", "runs that a median is taken of, after one to warm up",
     offsetof(struct it_bench_values, runs), NULL},
    {"csv", IT_OPT_BOOL, "false", "comma-separated values", offsetof(struct it_bench_values, csv),
     NULL},
    {"md", IT_OPT_BOOL, "false", "a Markdown table", offsetof(struct it_bench_values, md), NULL},
    {"compare", IT_OPT_BOOL, "false", "compare two files of --json instead of measuring",
     offsetof(struct it_bench_values, compare), NULL},
    {"threshold", IT_OPT_REAL, "10", "percent that something may be slower",
     offsetof(struct it_bench_values, threshold), NULL},
};

/* ---- time ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double it_bench_median(double *samples, size_t n)
{
    qsort(samples, n, sizeof *samples, ascending);
    return n % 2 ? samples[n / 2] : 0.5 * (samples[n / 2 - 1] + samples[n / 2]);
}

static enum it_status repeat(const struct it_bench *bench, it_bench_call *call, void *context,
                             int64_t times, double *seconds_out)
{
    double start = it_now();
    if (it_interrupted()) { return IT_INTERRUPTED; }
    for (int64_t i = 0; i < times; i++) { IT_TRY(call(context)); }
    IT_TRY(it_device_finish(bench->device));
    *seconds_out = (it_now() - start) / (double)times;
    return IT_OK;
}

enum it_status it_bench_time(const struct it_bench *bench, it_bench_call *call, void *context,
                             double *median_out)
{
    const double wanted = 0.02; /* seconds a run: far above the clock's grain */
    size_t n = (size_t)bench->values->runs;
    double once, *sample = it_calloc(n, sizeof *sample);
    enum it_status status = repeat(bench, call, context, 1, &once);
    /* the first call pays for pages and plans: the second says how many make a run */
    if (status == IT_OK && once < wanted) { status = repeat(bench, call, context, 1, &once); }
    int64_t times = status == IT_OK && once < wanted ? (int64_t)(wanted / (once + 1e-9)) + 1 : 1;
    if (times > 100000) { times = 100000; }
    for (size_t i = 0; i < n && status == IT_OK; i++) {
        status = repeat(bench, call, context, times, &sample[i]);
    }
    if (status == IT_OK) { *median_out = it_bench_median(sample, n); }
    it_free(sample);
    return status;
}

/* ---- rows ---- */

struct it_bench_row it_bench_row(const struct it_bench *bench, const char *what,
                                 enum it_dtype dtype)
{
    struct it_bench_row row = {.exact = it_device_exact(bench->device),
                               .time_s = NAN,
                               .rate = NAN,
                               .unit = "",
                               .fraction = NAN,
                               .max_rel_err = NAN};
    snprintf(row.what, sizeof row.what, "%s", what);
    snprintf(row.dtype, sizeof row.dtype, "%s", it_dtype_name(dtype));
    snprintf(row.backend, sizeof row.backend, "%s", it_device_info(bench->device)->name);
    return row;
}

void it_bench_add(struct it_bench *bench, struct it_bench_row *row)
{
    double moving = row->bytes / bench->ceiling.bytes_s;
    bool narrow = strcmp(row->dtype, it_dtype_name(IT_BF16)) == 0;
    double computing = row->flops / (narrow ? bench->ceiling.narrow_flop_s : bench->ceiling.flop_s);
    if (row->time_s > 0.0 && isnan(row->fraction) && fmax(moving, computing) > 0.0) {
        row->fraction = fmax(moving, computing) / row->time_s;
        row->bound = moving > computing ? "memory" : "compute";
    }
    bench->row = it_grow(bench->row, &bench->cap, bench->n + 1, sizeof *bench->row);
    bench->row[bench->n++] = *row;
    it_bench_print(bench, row);
}

/* ---- the command ---- */

/* Figures taken beside another program are worth little: better said than found out. */
static void check_idle(void)
{
    struct it_topology topology;
    double load;
    it_topology_read(&topology);
    if (getloadavg(&load, 1) == 1 && load > 0.5 * topology.cores) {
        it_warn("load average %.1f on %d cores: other programs are running, and the figures will "
                "be lower than the machine's",
                load, topology.cores);
    }
}

static enum it_status measure(struct it_bench *bench, enum it_bench_what what, char *backend)
{
    struct it_cli_common common = bench->values->common;
    common.backend = backend;
    IT_TRY(it_cli_device(&common, bench->values->exact, false, &bench->device));
    if (bench->values->exact && !it_device_exact(bench->device)) {
        it_warn("device %s has no exact kernels", it_device_info(bench->device)->name);
    }
    enum it_status status = it_bench_ceiling(bench);
    if (status == IT_OK) {
        status = what == IT_BENCH_OPS ? it_bench_ops(bench) : it_bench_model(bench, what);
    }
    it_device_close(bench->device);
    bench->device = NULL;
    return status;
}

static enum it_status check_values(const struct it_bench_values *v, enum it_bench_what what)
{
    const struct {
        const char *name;
        int64_t value, most;
    } counts[] = {{"batch", v->batch, 1 << 20},
                  {"prompt-tokens", v->prompt_tokens, 1 << 24},
                  {"new-tokens", v->new_tokens, 1 << 24},
                  {"runs", v->runs, 100000}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (counts[i].value >= 1 && counts[i].value <= counts[i].most) { continue; }
        return it_fail(IT_INVALID, "bench: --%s %lld: expected 1 to %lld", counts[i].name,
                       (long long)counts[i].value, (long long)counts[i].most);
    }
    if (v->config && v->model) {
        return it_cli_usage(&it_command_bench, "--config and --model exclude each other");
    }
    if (what != IT_BENCH_OPS && !v->config && !v->model) {
        return it_cli_usage(&it_command_bench, "name a --config or a --model");
    }
    if (what != IT_BENCH_OPS && v->check) {
        return it_cli_usage(&it_command_bench, "--check is for ops");
    }
    if (v->common.json + v->csv + v->md > 1) {
        return it_cli_usage(&it_command_bench, "one of --json, --csv and --md");
    }
    return IT_OK;
}

static enum it_status find_what(const char *name, enum it_bench_what *what_out)
{
    static const char *const names[] = {[IT_BENCH_OPS] = "ops",
                                        [IT_BENCH_GENERATE] = "generate",
                                        [IT_BENCH_TRAIN] = "train",
                                        [IT_BENCH_SCORE] = "score"};
    enum { N = sizeof names / sizeof *names };
    for (int i = 0; i < N; i++) {
        if (strcmp(name, names[i]) == 0) {
            *what_out = (enum it_bench_what)i;
            return IT_OK;
        }
    }
    const char *closest = it_closest(name, names, N);
    return it_fail(IT_INVALID, "bench: \"%s\": expected ops, generate, train or score%s%s%s", name,
                   closest ? "; did you mean " : "", closest ? closest : "", closest ? "?" : "");
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct it_bench_values *v = values;
    struct it_bench bench = {.values = v};
    enum it_bench_what what = IT_BENCH_OPS;
    enum it_status status = IT_OK;
    if (v->compare && arguments->n != 2) {
        return it_cli_usage(&it_command_bench, "--compare takes two files");
    }
    if (v->compare) { return it_bench_compare(v, arguments->item[0], arguments->item[1]); }
    if (arguments->n != 1) {
        return it_cli_usage(&it_command_bench, "name one of ops, generate, train, score");
    }
    IT_TRY(find_what(arguments->item[0], &what));
    IT_TRY(check_values(v, what));
    check_idle();
    it_bench_begin(&bench);
    for (size_t i = 0; i < v->backend.n && status == IT_OK; i++) {
        status = measure(&bench, what, v->backend.item[i]);
    }
    /* what was measured before something failed is still worth its time */
    if (status == IT_OK || status == IT_FAILED || status == IT_INTERRUPTED) {
        enum it_status written = it_bench_end(&bench);
        if (status == IT_OK) { status = written; }
    }
    it_free(bench.row);
    return status;
}

const struct it_command it_command_bench = {
    .name = "bench",
    .summary = "measure ops, generation, training or scoring against the machine's ceilings",
    .usage = "ops|generate|train|score [--config FILE | --model DIR] | --compare A.json B.json",
    .example = "intuitor bench generate --config config.json --batch 16 --json > now.json",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct it_bench_values),
    .run = run,
};
