/* SPDX-License-Identifier: MIT */
/* The same curves as pictures, for documents that take no HTML. gnuplot draws them, when this
 * machine has it; its script stays beside them, to be changed and run again. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/report.h"
#include "core/base/file.h"
#include "core/base/mem.h"

extern char **environ;

enum { MOST_POINTS = 1000 };

/* In gnuplot's single quotes nothing is special but the quote itself. */
static void put_quoted(struct it_str *out, const char *text)
{
    it_str_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'') { it_str_putc(out, '\''); }
        it_str_putc(out, (unsigned char)*text < 0x20 ? ' ' : *text);
    }
    it_str_putc(out, '\'');
}

static char *png_path(const char *folder, const char *field)
{
    struct it_str path = {0};
    it_str_printf(&path, "%s/", folder);
    for (; *field; field++) { it_str_putc(&path, isalnum((unsigned char)*field) ? *field : '_'); }
    it_str_puts(&path, ".png");
    return it_str_take(&path);
}

static void put_data(struct it_str *out, size_t r, const struct it_report_run *run,
                     const struct it_chart *chart)
{
    const double *y = it_report_column(run, chart->field);
    struct it_curve c;
    it_curve_open(run->step, y, y ? run->n_steps : 0, MOST_POINTS, &c);
    it_str_printf(out, "$curve%zu << END\n", r);
    for (size_t i = 0; i < c.n; i++) {
        if (isnan(c.mean[i])) {
            it_str_puts(out, "\n");
        } else {
            it_str_printf(out, "%.9g %.9g %.9g\n", c.x[i], c.mean[i],
                          c.smoothed ? c.smooth[i] : c.mean[i]);
        }
    }
    it_str_printf(out, "END\n$marks%zu << END\n", r);
    for (size_t i = 0; i < run->n_evals; i++) {
        const struct it_report_eval *e = &run->eval[i];
        if (isnan(e->accuracy[0])) { continue; }
        it_str_printf(out, "%.9g %.9g %.9g\n", e->step, e->accuracy[0],
                      isnan(e->error[0]) ? 0.0 : e->error[0]);
    }
    it_str_puts(out, "END\n");
    it_curve_close(&c);
}

static bool has_curve(const struct it_report_run *run, const char *field)
{
    return !isnan(it_report_tail(run, field, run->n_steps));
}

static bool has_marks(const struct it_report_run *run, const struct it_chart *chart)
{
    for (size_t i = 0; (chart->flags & IT_CHART_WIDE) && i < run->n_evals; i++) {
        if (!isnan(run->eval[i].accuracy[0])) { return true; }
    }
    return false;
}

static void put_plot(struct it_str *out, const struct it_report *report,
                     const struct it_chart *chart)
{
    const char *between = "plot ";
    for (size_t r = 0; r < report->n; r++) {
        const char *colour = it_report_light[r % IT_REPORT_COLOURS];
        if (has_curve(&report->run[r], chart->field)) {
            it_str_printf(out, "%s$curve%zu using 1:2 with lines lw 1 lc rgb '#b0%s' notitle, "
                          "$curve%zu using 1:3 with lines lw 2.5 lc rgb '%s' title ", between, r,
                          colour + 1, r, colour);
            put_quoted(out, report->run[r].label);
            between = ", ";
        }
        if (has_marks(&report->run[r], chart)) {
            it_str_printf(out, "%s$marks%zu using 1:2:3 with yerrorbars pt 7 ps 1.2 lc rgb '%s' "
                          "title ", between, r, colour);
            struct it_str title = {0};
            it_str_printf(&title, "%s, held out", report->run[r].label);
            put_quoted(out, it_str_c(&title));
            it_str_free(&title);
            between = ", ";
        }
    }
    it_str_puts(out, "\n");
}

static void put_script(struct it_str *out, const char *folder, const struct it_report *report,
                       const struct it_charts *charts)
{
    it_str_puts(out, "# Drawn by gnuplot; run it from where intuitor report ran.\n"
                "set terminal pngcairo size 1200,640 noenhanced font 'sans,13'\n"
                "set grid ytics lc rgb '#dddddd' lt 1\nset border 3 lc rgb '#888888'\n"
                "set tics nomirror out\nset key outside top horizontal noenhanced\n"
                "set xlabel 'update'\nset offsets 0, 0, graph 0.04, graph 0.04\n");
    for (size_t i = 0; i < charts->n; i++) {
        const struct it_chart *chart = &charts->item[i];
        char *path = png_path(folder, chart->field);
        it_str_puts(out, "\nset output ");
        put_quoted(out, path);
        it_str_puts(out, "\nset ylabel ");
        put_quoted(out, chart->title);
        it_str_puts(out, " noenhanced\n");
        for (size_t r = 0; r < report->n; r++) { put_data(out, r, &report->run[r], chart); }
        put_plot(out, report, chart);
        it_free(path);
    }
}

static enum it_status run_gnuplot(char *script)
{
    char name[] = "gnuplot", *arguments[] = {name, script, NULL};
    pid_t child;
    int state, error = posix_spawnp(&child, name, NULL, NULL, arguments, environ);
    if (error == ENOENT) {
        return it_fail(IT_NOT_FOUND, "--png needs gnuplot, which is not installed here (Debian: "
                       "apt-get install gnuplot-nox); %s is what it would draw", script);
    }
    if (error) { return it_fail(IT_FAILED, "gnuplot cannot be started: %s", strerror(error)); }
    while (waitpid(child, &state, 0) < 0) {
        if (errno != EINTR) { return it_fail(IT_FAILED, "gnuplot: %s", strerror(errno)); }
    }
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) { return IT_OK; }
    return it_fail(IT_FAILED, "gnuplot failed on %s; does it have the terminal pngcairo?", script);
}

enum it_status it_report_png(const char *folder, const struct it_report *report,
                             const struct it_charts *charts)
{
    struct it_str script = {0}, path = {0};
    IT_TRY(it_dir_make(folder));
    /* a name that begins with a dash would be an option */
    it_str_printf(&path, "%s%s/report.gnuplot", folder[0] == '-' ? "./" : "", folder);
    put_script(&script, folder, report, charts);
    char *name = it_str_take(&path);
    enum it_status status = it_file_write(name, it_str_c(&script), script.len);
    if (status == IT_OK) { status = run_gnuplot(name); }
    it_free(name);
    it_str_free(&script);
    return status;
}
