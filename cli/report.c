/* SPDX-License-Identifier: MIT */
/* intuitor report: one page that compares runs. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "core/base/file.h"
#include "core/base/mem.h"

struct report_values {
    struct it_cli_common common;
    char *out, *png;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(report_values),
    {"o", IT_OPT_STRING, NULL,
     "the page; default RUN_DIR/report.html, for several runs report.html",
     offsetof(struct report_values, out), NULL},
    {"png", IT_OPT_STRING, NULL, "folder for the curves as pictures, too (needs gnuplot)",
     offsetof(struct report_values, png), NULL},
};

/* Runs of the same name are told apart by their whole paths. */
static void make_labels(struct it_report *report)
{
    bool *twice = it_calloc(report->n, sizeof *twice);
    for (size_t r = 0; r < report->n; r++) {
        for (size_t k = 0; k < r; k++) {
            bool same = strcmp(report->run[r].label, report->run[k].label) == 0;
            twice[r] = twice[r] || same;
            twice[k] = twice[k] || same;
        }
    }
    for (size_t r = 0; r < report->n; r++) {
        struct it_str label = {0};
        if (!twice[r]) { continue; }
        it_utf8_add_lossy(&label, report->run[r].folder, strlen(report->run[r].folder));
        it_free(report->run[r].label);
        report->run[r].label = it_str_take(&label);
    }
    it_free(twice);
}

static enum it_status write_all(const struct report_values *v, const struct it_report *report)
{
    struct it_str page = {0};
    struct it_charts charts;
    char *path = v->out ? it_strdup(v->out)
                 : report->n == 1 ? it_path_join(report->run[0].folder, "report.html")
                                  : it_strdup("report.html");
    it_charts_open(report, &charts);
    it_report_page(&page, report, &charts);
    enum it_status status = it_file_write(path, it_str_c(&page), page.len);
    /* a page sent to standard output is all that goes there */
    bool quiet = v->common.quiet || it_starts_with(path, "/dev/");
    if (status == IT_OK && !quiet) { printf("%s\n", path); }
    if (status == IT_OK && v->png) { status = it_report_png(v->png, report, &charts); }
    it_charts_close(&charts);
    it_str_free(&page);
    it_free(path);
    return status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct report_values *v = values;
    struct it_report report = {0};
    enum it_status status = IT_OK;
    if (arguments->n == 0) { return it_cli_usage(&it_command_report, "no run directory given"); }
    report.run = it_calloc(arguments->n, sizeof *report.run);
    for (size_t i = 0; i < arguments->n && status == IT_OK; i++) {
        status = it_report_read(arguments->item[i], &report.run[i]);
        if (status == IT_OK) { report.n++; }
    }
    if (status == IT_OK) {
        make_labels(&report);
        status = write_all(v, &report);
    }
    for (size_t i = 0; i < report.n; i++) { it_report_free(&report.run[i]); }
    it_free(report.run);
    return status;
}

const struct it_command it_command_report = {
    .name = "report",
    .summary = "one self-contained page that compares runs: curves, tables, samples",
    .usage = "RUN_DIR... [-o report.html] [--png DIR]",
    .example = "intuitor report runs/intuitor runs/grpo -o compare.html",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct report_values),
    .run = run,
};
