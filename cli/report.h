/* SPDX-License-Identifier: MIT */
/* `report`: what its files share. Reading order: report_read.c (a run directory in memory),
 * report_charts.c (which curves there are), report_svg.c (a chart), report_page.c and report_text.c
 * (the page), report_png.c (the same curves by gnuplot), report.c (the command). */
#ifndef IT_CLI_REPORT_H
#define IT_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* ---- a run directory, as far as it can be read (report_read.c) ---- */

/* Held-out accuracy after an update; NaN where the record has no such field. */
struct it_report_eval {
    double step, problems;
    double accuracy[2], error[2], length[2]; /* sampled, greedy */
};

struct it_report_column {
    char *name;    /* of a field of metrics.jsonl */
    double *value; /* [n_steps]; NaN where absent or not finite */
};

struct it_report_run {
    char *folder, *label;  /* as given; short and unlike those of the other runs */
    json_t *ledger;        /* run.json; NULL: none */
    json_t *recipe;        /* recipe.yaml, each key's value a string; never NULL */
    double *step;          /* [n_steps] in ascending order */
    size_t n_steps, cap_steps;
    struct it_report_column *column;
    size_t n_columns, cap_columns;
    struct it_report_eval *eval;
    size_t n_evals, cap_evals;
    json_t *first_answers, *last_answers; /* `samples` of the first and the last evaluation */
    double first_step, last_step;         /* of those */
    json_t *early, *late;                 /* arrays of completion records; NULL: none */
    struct it_strs notes;                 /* what is missing or damaged, in words */
};

/* Whatever is there is read; what is damaged is left out, and said in `notes` and in the log. A
 * folder that holds nothing of a run is IT_INVALID. */
enum it_status it_report_read(const char *folder, struct it_report_run *run_out);
void it_report_free(struct it_report_run *run);
const double *it_report_column(const struct it_report_run *run, const char *name); /* or NULL */
const char *it_report_key(const struct it_report_run *run, const char *key);       /* or NULL */
/* Mean of the finite values among the last `most` updates; NaN without any. */
double it_report_tail(const struct it_report_run *run, const char *name, size_t most);

struct it_report {
    struct it_report_run *run;
    size_t n;
};

/* ---- charts (report_charts.c) ---- */

enum it_chart_flag {
    IT_CHART_WIDE = 1 << 0,  /* the width of the page, with points of eval.jsonl */
    IT_CHART_SHARE = 1 << 1, /* between 0 and 1 */
    IT_CHART_LOG = 1 << 2,   /* logarithmic where values spread over decades */
    IT_CHART_PLAIN = 1 << 3  /* without noise: not smoothed */
};
struct it_chart {
    const char *group; /* heading */
    const char *field; /* of metrics.jsonl */
    const char *title, *note;
    unsigned flags;
};

/* Those that some run has numbers for, in order; a row for each reward is made up. */
struct it_charts {
    struct it_chart *item;
    size_t n, cap;
    struct it_strs words; /* owned names of the made-up rows */
};
void it_charts_open(const struct it_report *report, struct it_charts *charts_out);
void it_charts_close(struct it_charts *charts);

/* ---- numbers and text for people (report_text.c) ---- */

enum { IT_NUMBER_SIZE = 32 };
/* Four digits or so: "0.421", "12.3k", "3e-6", a dash for NaN; into a buffer, which is returned. */
const char *it_report_number(double value, char buffer[IT_NUMBER_SIZE]);
/* "1.50e-06" becomes "1.5e-6", in place; returned. */
const char *it_report_exponent(char *text);
/* Append with everything that HTML or SVG could take for its own written as text, control
 * characters as their pictures, malformed UTF-8 replaced. */
void it_html_text(struct it_str *out, const char *bytes, size_t count);
void it_html_puts(struct it_str *out, const char *text);

/* ---- the page ---- */

/* `id` is unlike that of the page's other charts. */
void it_chart_svg(struct it_str *out, const struct it_report *report, const struct it_chart *chart,
                  unsigned id);
void it_report_page(struct it_str *out, const struct it_report *report,
                    const struct it_charts *charts);
void it_report_samples(struct it_str *out, const struct it_report *report);
extern const char it_report_style[]; /* CSS */

enum { IT_REPORT_COLOURS = 8 };
extern const char *const it_report_light[IT_REPORT_COLOURS]; /* "#2a78d6" */

/* Each chart as DIR/name.png, and DIR/report.gnuplot that drew them. */
enum it_status it_report_png(const char *folder, const struct it_report *report,
                             const struct it_charts *charts);

/* Points of a run's curve in drawing order (report_curve.c). At most `most` of them: longer curves
 * are cut into pieces of equal length with the mean, least and largest value of each. */
struct it_curve {
    double *x, *mean, *low, *high, *smooth; /* [n]; NaN where a piece has no value */
    size_t n;
    bool cut;      /* pieces of more than one update */
    bool smoothed; /* enough points for `smooth` to be worth drawing */
    size_t finite; /* values in all */
};
void it_curve_open(const double *x, const double *y, size_t n, size_t most,
                   struct it_curve *curve_out);
void it_curve_close(struct it_curve *curve);

#endif
