/* SPDX-License-Identifier: MIT */
/* `bench`: what its files share. bench.c is the command, bench_ceiling.c measures the machine,
 * bench_ops.c the ops, bench_head.c the head, bench_model.c passes of a whole model, bench_table.c
 * writes what was measured and bench_compare.c holds two measurements against each other. */
#ifndef IT_CLI_BENCH_H
#define IT_CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

enum it_bench_what { IT_BENCH_OPS, IT_BENCH_GENERATE, IT_BENCH_TRAIN, IT_BENCH_SCORE };

struct it_bench_values {
    struct it_cli_common common;
    char *config, *model;
    struct it_strs backend, ops;
    bool check, csv, md, compare, lengths, exact;
    int64_t batch, prompt_tokens, new_tokens, runs;
    double threshold; /* percent */
};

/* One measurement. NaN where there is none. */
struct it_bench_row {
    char what[48], shape[96], dtype[8], backend[32];
    bool exact;
    double time_s;          /* median over the runs */
    double rate;            /* in `unit` */
    const char *unit;       /* borrowed */
    double bytes, flops;    /* of one run: what must be moved, what must be computed */
    double fraction;        /* of the device's ceiling: the time it would take there over time_s */
    const char *bound;      /* "memory" or "compute": which ceiling; NULL: none */
    double max_rel_err;     /* against the reference in double */
};

struct it_ceiling {
    double bytes_s, flop_s;
    double narrow_flop_s; /* in BF16, where that is faster */
};

struct it_bench {
    const struct it_bench_values *values;
    struct it_device *device; /* that is being measured */
    struct it_ceiling ceiling;
    struct it_bench_row *row;
    size_t n, cap;
};

/* ---- measuring ---- */

/* Calls once to warm up, then `runs` times as often as a run of some milliseconds takes; median_out
 * is seconds a call. */
typedef enum it_status it_bench_call(void *context);
enum it_status it_bench_time(const struct it_bench *bench, it_bench_call *call, void *context,
                             double *median_out);
double it_bench_median(double *samples, size_t n); /* sorts them */

/* A row of the device's name and exactness. it_bench_add fills fraction and bound from the ceiling,
 * bytes and flops where there is no fraction yet, and prints the row where rows stream. */
struct it_bench_row it_bench_row(const struct it_bench *bench, const char *what,
                                 enum it_dtype dtype);
void it_bench_add(struct it_bench *bench, struct it_bench_row *row);

enum it_status it_bench_ceiling(struct it_bench *bench);
enum it_status it_bench_ops(struct it_bench *bench);
enum it_status it_bench_head(struct it_bench *bench, int64_t vocab, int64_t hidden);
enum it_status it_bench_model(struct it_bench *bench, enum it_bench_what what);

/* ---- reading and writing ---- */

void it_bench_begin(const struct it_bench *bench);           /* headings, where rows stream */
void it_bench_print(const struct it_bench *bench, const struct it_bench_row *row);
enum it_status it_bench_end(const struct it_bench *bench);   /* the JSON document */
/* IT_FAILED when something is slower in `after` by more than the threshold. */
enum it_status it_bench_compare(const struct it_bench_values *values, const char *before,
                                const char *after);

#endif
