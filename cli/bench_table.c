/* SPDX-License-Identifier: MIT */
/* Measurements as a table for people, Markdown, comma-separated values, or one JSON array. All but
 * the last are written row by row, because measuring takes a while. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "core/base/json.h"

static const char *const headings[] = {"what", "shape", "dtype", "backend", "exact", "time_s",
                                       "rate", "unit", "fraction", "max_rel_err"};
enum { COLUMNS = sizeof headings / sizeof *headings };

static bool is_table(const struct it_bench_values *v)
{
    return !v->common.json && !v->csv && !v->md;
}

/* "1.25 ms" */
static void time_text(double seconds, char *text, size_t size)
{
    if (isnan(seconds)) {
        snprintf(text, size, "-");
    } else if (seconds < 1e-3) {
        snprintf(text, size, "%.1f us", 1e6 * seconds);
    } else if (seconds < 1.0) {
        snprintf(text, size, "%.2f ms", 1e3 * seconds);
    } else {
        snprintf(text, size, "%.3f s", seconds);
    }
}

static void rate_text(const struct it_bench_row *row, char *text, size_t size)
{
    if (isnan(row->rate)) {
        snprintf(text, size, "-");
    } else {
        int digits = row->rate >= 100.0 ? 0 : row->rate >= 10.0 ? 1 : 2;
        snprintf(text, size, "%.*f %s", digits, row->rate, row->unit);
    }
}

struct texts {
    char time[32], rate[48], fraction[32], error[32];
};

static void put_texts(const struct it_bench_row *row, struct texts *t)
{
    time_text(row->time_s, t->time, sizeof t->time);
    rate_text(row, t->rate, sizeof t->rate);
    snprintf(t->fraction, sizeof t->fraction, "%s", "-");
    if (!isnan(row->fraction)) {
        snprintf(t->fraction, sizeof t->fraction, "%.3f%s%s", row->fraction, row->bound ? " " : "",
                 row->bound ? row->bound : "");
    }
    snprintf(t->error, sizeof t->error, "%s", "-");
    if (!isnan(row->max_rel_err)) { snprintf(t->error, sizeof t->error, "%.1e", row->max_rel_err); }
}

static void put_line(const char *what, const char *shape, const char *dtype, const char *backend,
                     const char *time, const char *rate, const char *fraction, const char *error)
{
    printf("%-18s %-46s %-5s %-9s %9s %15s %14s", what, shape, dtype, backend, time, rate,
           fraction);
    if (error) { printf(" %8s", error); }
    printf("\n");
}

void it_bench_begin(const struct it_bench *bench)
{
    const struct it_bench_values *v = bench->values;
    if (v->csv) {
        for (int i = 0; i < COLUMNS; i++) { printf("%s%s", i ? "," : "", headings[i]); }
        printf("\n");
    } else if (v->md) {
        printf("| what | shape | dtype | backend | time | rate | fraction | error |\n"
               "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n");
    } else if (is_table(v)) {
        put_line("what", "shape", "dtype", "backend", "time", "rate", "fraction",
                 v->check ? "error" : NULL);
    }
    fflush(stdout);
}

/* A field that may hold commas. */
static void put_field(const char *text)
{
    if (strpbrk(text, ",\"\n")) {
        putchar('"');
        for (; *text; text++) {
            if (*text == '"') { putchar('"'); }
            putchar(*text);
        }
        putchar('"');
    } else {
        fputs(text, stdout);
    }
}

static void put_real(double value)
{
    putchar(',');
    if (isfinite(value)) { printf("%.9g", value); }
}

static void print_csv(const struct it_bench_row *row)
{
    put_field(row->what);
    putchar(',');
    put_field(row->shape);
    printf(",%s,", row->dtype);
    put_field(row->backend);
    printf(",%s", row->exact ? "true" : "false");
    put_real(row->time_s);
    put_real(row->rate);
    printf(",%s", row->unit);
    put_real(row->fraction);
    put_real(row->max_rel_err);
    putchar('\n');
}

void it_bench_print(const struct it_bench *bench, const struct it_bench_row *row)
{
    const struct it_bench_values *v = bench->values;
    struct texts t;
    char backend[48];
    put_texts(row, &t);
    snprintf(backend, sizeof backend, "%s%s", row->backend, row->exact ? " exact" : "");
    if (v->csv) {
        print_csv(row);
    } else if (v->md) {
        printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", row->what, row->shape, row->dtype,
               backend, t.time, t.rate, t.fraction, t.error);
    } else if (is_table(v)) {
        put_line(row->what, row->shape, row->dtype, backend, t.time, t.rate, t.fraction,
                 v->check ? t.error : NULL);
    }
    fflush(stdout);
}

static json_t *document(const struct it_bench_row *row)
{
    json_t *o = json_object();
    json_object_set_new(o, "what", json_string(row->what));
    json_object_set_new(o, "shape", json_string(row->shape));
    json_object_set_new(o, "dtype", json_string(row->dtype));
    json_object_set_new(o, "backend", json_string(row->backend));
    json_object_set_new(o, "exact", json_boolean(row->exact));
    json_object_set_new(o, "time_s", it_json_real(row->time_s));
    json_object_set_new(o, "rate", it_json_real(row->rate));
    json_object_set_new(o, "unit", json_string(row->unit));
    json_object_set_new(o, "fraction", it_json_real(row->fraction));
    json_object_set_new(o, "max_rel_err", it_json_real(row->max_rel_err));
    json_object_set_new(o, "bound", row->bound ? json_string(row->bound) : json_null());
    if (row->bytes > 0.0) { json_object_set_new(o, "bytes", it_json_real(row->bytes)); }
    if (row->flops > 0.0) { json_object_set_new(o, "flops", it_json_real(row->flops)); }
    return o;
}

enum it_status it_bench_end(const struct it_bench *bench)
{
    if (!bench->values->common.json) { return IT_OK; }
    json_t *array = json_array();
    for (size_t i = 0; i < bench->n; i++) {
        json_array_append_new(array, document(&bench->row[i]));
    }
    enum it_status status = it_jsonl_put(stdout, array);
    json_decref(array);
    return status;
}
