/* SPDX-License-Identifier: MIT */
/* A chart as SVG. Colours, fonts and the look in the dark are classes of the page's style; here are
 * only places. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/report.h"
#include "core/base/mem.h"

struct scale {
    double low, high, from, to; /* values, and where they are drawn */
    double step;                /* between ticks; of a logarithmic scale: 0 */
    bool log;
};

struct plot {
    const struct it_report *report;
    const struct it_chart *chart;
    struct it_curve *curve; /* [report->n]; n 0: the run has none */
    struct scale x, y;
    double width, height, left, right, top, bottom; /* of the picture; margins */
    unsigned id;                                    /* of the clipping area */
};

/* ---- scales ---- */

static double place(const struct scale *s, double v)
{
    double t = s->log ? (log10(v) - log10(s->low)) / (log10(s->high) - log10(s->low))
                      : (v - s->low) / (s->high - s->low);
    t = t < -9.0 ? -9.0 : t > 9.0 ? 9.0 : t; /* far outside: clipped anyway, and short to write */
    return s->from + t * (s->to - s->from);
}

/* 1, 2 or 5 times a power of ten, near x. */
static double nice(double x)
{
    double power = pow(10.0, floor(log10(x))), f = x / power;
    return power * (f < 1.5 ? 1.0 : f < 3.5 ? 2.0 : f < 7.5 ? 5.0 : 10.0);
}

/* Limits on multiples of a nice step, about `ticks` of them. */
static void make_linear(struct scale *s, double low, double high, double ticks)
{
    double size = fmax(fabs(low), fabs(high));
    if (!(high - low > 1e-9 * size)) { /* all the same */
        double pad = size > 0.0 ? 0.1 * size : 1.0;
        low -= pad;
        high += pad;
    }
    s->step = nice((high - low) / ticks);
    s->low = floor(low / s->step + 1e-6) * s->step;
    s->high = ceil(high / s->step - 1e-6) * s->step;
}

static void make_log(struct scale *s, double low, double high)
{
    s->log = true;
    s->low = pow(10.0, floor(log10(low) + 1e-9));
    s->high = pow(10.0, ceil(log10(high) - 1e-9));
    if (s->high <= s->low) { s->high = 10.0 * s->low; }
}

struct range {
    double low, high;
    bool any;
};

static void include(struct range *r, double v)
{
    if (isnan(v)) { return; }
    if (!r->any || v < r->low) { r->low = v; }
    if (!r->any || v > r->high) { r->high = v; }
    r->any = true;
}

/* What the smooth curves span, and the noise within three of its deviations: a single spike must
 * not flatten the rest. Spikes beyond are cut at the frame. */
static void include_curve(struct range *r, const struct it_curve *c)
{
    double sum = 0.0, n = 0.0;
    for (size_t i = 0; i < c->n; i++) {
        if (isnan(c->mean[i])) { continue; }
        double d = fmax(c->high[i] - c->smooth[i], c->smooth[i] - c->low[i]);
        sum += d * d;
        n += 1.0;
    }
    double reach = n > 0.0 ? 3.0 * sqrt(sum / n) : 0.0;
    for (size_t i = 0; i < c->n; i++) {
        if (isnan(c->mean[i])) { continue; }
        include(r, c->smoothed ? fmax(c->low[i], c->smooth[i] - reach) : c->low[i]);
        include(r, c->smoothed ? fmin(c->high[i], c->smooth[i] + reach) : c->high[i]);
    }
}

static void include_evals(struct range *x, struct range *y, const struct it_report_run *run)
{
    for (size_t i = 0; i < run->n_evals; i++) {
        const struct it_report_eval *e = &run->eval[i];
        include(x, e->step);
        for (int way = 0; way < 2; way++) {
            double error = isnan(e->error[way]) ? 0.0 : e->error[way];
            include(y, e->accuracy[way] - error);
            include(y, e->accuracy[way] + error);
        }
    }
}

static void make_scales(struct plot *p)
{
    struct range x = {0}, y = {0};
    bool share = p->chart->flags & IT_CHART_SHARE;
    for (size_t r = 0; r < p->report->n; r++) {
        const struct it_report_run *run = &p->report->run[r];
        if (run->n_steps) { include(&x, run->step[run->n_steps - 1]); }
        if (run->n_steps) { include(&x, run->step[0]); }
        include_curve(&y, &p->curve[r]);
        if (p->chart->flags & IT_CHART_WIDE) { include_evals(&x, &y, run); }
    }
    if (x.low > 0.0 && x.low < 0.2 * x.high) { x.low = 0.0; }
    bool spread = y.any && y.low > 0.0 && y.high > 40.0 * y.low;
    if ((p->chart->flags & IT_CHART_LOG) && spread) {
        make_log(&p->y, y.low, y.high);
    } else {
        if (y.low > 0.0 && y.low < 0.4 * y.high) { y.low = 0.0; }
        make_linear(&p->y, y.low, y.high, p->height > 250.0 ? 5.0 : 4.0);
    }
    if (share && y.low >= 0.0 && p->y.low < 0.0) { p->y.low = 0.0; }
    if (share && y.high <= 1.0 && p->y.high > 1.0) { p->y.high = 1.0; }
    make_linear(&p->x, x.low, x.high, p->width > 600.0 ? 10.0 : 5.0);
    if (x.high > x.low) { /* the data ends where the frame does */
        p->x.low = x.low;
        p->x.high = x.high;
    }
    p->x.from = p->left;
    p->x.to = p->width - p->right;
    p->y.from = p->height - p->bottom;
    p->y.to = p->top;
}

/* ---- axes ---- */

static void tick_text(char *text, size_t size, double v, double step)
{
    double large = fabs(v);
    int digits = step > 0.0 && step < 1.0 ? (int)ceil(-log10(step) - 1e-9) : 0;
    if (large < 1e-9 * (step > 0.0 ? step : 1.0)) {
        snprintf(text, size, "0");
    } else if (digits > 4) {
        int more = (int)floor(log10(large) + 1e-9) - (int)floor(log10(step) + 1e-9);
        snprintf(text, size, "%.*e", more > 0 ? more : 0, v);
        it_report_exponent(text);
    } else if (large >= 1e9) {
        snprintf(text, size, "%.3g", v);
    } else if (large >= 1e6) {
        snprintf(text, size, "%gM", v / 1e6);
    } else if (large >= 1e4) {
        snprintf(text, size, "%gk", v / 1e3);
    } else {
        snprintf(text, size, "%.*f", digits, v);
    }
}

static void y_tick(struct it_str *out, const struct plot *p, double v, double step)
{
    char text[48];
    double y = place(&p->y, v);
    if (p->y.log) {
        snprintf(text, sizeof text, v >= 0.01 && v < 1e4 ? "%g" : "%.0e", v);
        it_report_exponent(text);
    } else {
        tick_text(text, sizeof text, v, step);
    }
    it_str_printf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", p->left, y, p->x.to);
    it_str_printf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                  p->left - 7.0, y + 3.6, text);
}

static void x_tick(struct it_str *out, const struct plot *p, double v)
{
    char text[48];
    double x = place(&p->x, v);
    tick_text(text, sizeof text, v, fmax(p->x.step, 1.0)); /* updates are whole */
    it_str_printf(out, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", x, p->y.from);
    it_str_printf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s"
                  "</text>", x, p->y.from + 16.0, text);
}

static void draw_axes(struct it_str *out, const struct plot *p)
{
    if (p->y.log) {
        double decades = log10(p->y.high / p->y.low), every = decades > 6.0 ? 100.0 : 10.0;
        for (double v = p->y.low; v <= p->y.high * 1.001; v *= every) { y_tick(out, p, v, 0.0); }
    } else {
        long n = lround((p->y.high - p->y.low) / p->y.step);
        double first = ceil(p->y.low / p->y.step - 1e-6);
        for (long i = 0; i <= n && i < 40; i++) {
            double v = (first + (double)i) * p->y.step;
            if (v <= p->y.high + 1e-6 * p->y.step) { y_tick(out, p, v, p->y.step); }
        }
    }
    double first = ceil(p->x.low / p->x.step - 1e-6);
    for (int i = 0; i < 40; i++) {
        double v = (first + i) * p->x.step;
        if (v > p->x.high + 1e-6 * p->x.step) { break; }
        if (p->x.step >= 1.0 || fabs(v - rint(v)) < 1e-9) { x_tick(out, p, v); }
    }
    it_str_printf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>", p->left, p->y.from, p->x.to);
    it_str_printf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">update"
                  "</text>", p->x.to, p->height - 2.0);
}

/* ---- curves ---- */

/* A path through (x, y); a value that is not there breaks it. */
static void draw_path(struct it_str *out, const struct plot *p, const char *classes,
                      const double *x, const double *y, size_t n)
{
    bool drawing = false;
    it_str_printf(out, "<path class=\"%s\" d=\"", classes);
    for (size_t i = 0; i < n; i++) {
        bool there = !isnan(y[i]) && !(p->y.log && y[i] <= 0.0);
        if (there) {
            it_str_printf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', place(&p->x, x[i]),
                          place(&p->y, y[i]));
            /* a point alone is a stroke of no length: round ends make it a dot */
            bool alone = !drawing && (i + 1 == n || isnan(y[i + 1]));
            if (alone) { it_str_puts(out, "h0"); }
        }
        drawing = there;
    }
    it_str_puts(out, "\"/>");
}

/* Pieces of many updates: a band from the least to the largest value of each. */
static void draw_band(struct it_str *out, const struct plot *p, const char *classes,
                      const struct it_curve *c)
{
    double *x = it_calloc(2 * c->n + 1, sizeof *x), *y = it_calloc(2 * c->n + 1, sizeof *y);
    for (size_t i = 0; i < c->n; i++) {
        x[2 * i] = x[2 * i + 1] = c->x[i];
        y[2 * i] = i % 2 ? c->high[i] : c->low[i];
        y[2 * i + 1] = i % 2 ? c->low[i] : c->high[i];
    }
    draw_path(out, p, classes, x, y, 2 * c->n);
    it_free(x);
    it_free(y);
}

static void draw_curve(struct it_str *out, const struct plot *p, size_t r)
{
    const struct it_curve *c = &p->curve[r];
    char classes[48];
    unsigned colour = (unsigned)(r % IT_REPORT_COLOURS), dash = (unsigned)(r / IT_REPORT_COLOURS);
    if (c->finite == 0) { return; }
    snprintf(classes, sizeof classes, "line c%u d%u", colour, dash % 3);
    if (!c->smoothed) {
        draw_path(out, p, classes, c->x, c->mean, c->n);
        return;
    }
    char faint[48];
    snprintf(faint, sizeof faint, "faint c%u", colour);
    if (c->cut) {
        draw_band(out, p, faint, c);
    } else {
        draw_path(out, p, faint, c->x, c->mean, c->n);
    }
    draw_path(out, p, classes, c->x, c->smooth, c->n);
}

/* ---- evaluations ---- */

static void draw_mark(struct it_str *out, const struct plot *p, size_t r,
                      const struct it_report_eval *e, int way)
{
    static const char *const word[] = {"sampled", "greedy"};
    char accuracy[IT_NUMBER_SIZE], error[IT_NUMBER_SIZE];
    unsigned colour = (unsigned)(r % IT_REPORT_COLOURS);
    double v = e->accuracy[way], x = place(&p->x, e->step), y = place(&p->y, v);
    if (isnan(v)) { return; }
    it_str_printf(out, "<g class=\"c%u\"><title>", colour);
    it_html_puts(out, p->report->run[r].label);
    it_str_printf(out, ", update %.0f, held out, %s: %s", e->step, word[way],
                  it_report_number(v, accuracy));
    if (!isnan(e->error[way])) {
        double up = place(&p->y, v + e->error[way]), down = place(&p->y, v - e->error[way]);
        it_str_printf(out, " ± %s", it_report_number(e->error[way], error));
        it_str_puts(out, "</title>");
        it_str_printf(out, "<path class=\"error\" d=\"M%.1f %.1fV%.1fm-3 0h6M%.1f %.1fh6\"/>", x,
                      down, up, x - 3.0, down);
    } else {
        it_str_puts(out, "</title>");
    }
    if (way == 0) {
        it_str_printf(out, "<circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", x, y);
    } else {
        it_str_printf(out, "<path class=\"hollow\" d=\"M%.1f %.1fl5 5l-5 5l-5 -5z\"/>", x, y - 5.0);
    }
    it_str_puts(out, "</g>");
}

static void draw_evals(struct it_str *out, const struct plot *p, size_t r)
{
    const struct it_report_run *run = &p->report->run[r];
    double *x = it_calloc(run->n_evals + 1, sizeof *x), *y = it_calloc(run->n_evals + 1, sizeof *y);
    char classes[32];
    snprintf(classes, sizeof classes, "link c%u", (unsigned)(r % IT_REPORT_COLOURS));
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < run->n_evals; i++) {
            x[i] = run->eval[i].step;
            y[i] = run->eval[i].accuracy[way];
        }
        draw_path(out, p, classes, x, y, run->n_evals);
    }
    /* marks of a run that is evaluated at each update would cover one another */
    size_t every = run->n_evals / 60 + 1;
    for (size_t i = 0; i < run->n_evals; i++) {
        if (i % every && i + 1 != run->n_evals) { continue; }
        draw_mark(out, p, r, &run->eval[i], 1);
        draw_mark(out, p, r, &run->eval[i], 0);
    }
    it_free(x);
    it_free(y);
}

void it_chart_svg(struct it_str *out, const struct it_report *report, const struct it_chart *chart,
                  unsigned id)
{
    bool wide = chart->flags & IT_CHART_WIDE;
    struct plot p = {.report = report, .chart = chart, .width = wide ? 1040.0 : 340.0,
                     .height = wide ? 330.0 : 190.0, .left = 46.0, .right = 10.0, .top = 10.0,
                     .bottom = 34.0, .id = id};
    p.curve = it_calloc(report->n + 1, sizeof *p.curve);
    for (size_t r = 0; r < report->n; r++) {
        const struct it_report_run *run = &report->run[r];
        const double *y = it_report_column(run, chart->field);
        if (!y) { continue; }
        it_curve_open(run->step, y, run->n_steps, wide ? 700 : 240, &p.curve[r]);
        if (chart->flags & IT_CHART_PLAIN) { p.curve[r].smoothed = false; }
    }
    make_scales(&p);
    it_str_printf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", p.width,
                  p.height);
    it_html_puts(out, chart->title);
    it_str_printf(out, "\"><clipPath id=\"k%u\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                  "height=\"%.1f\"/></clipPath>", p.id, p.left - 6.0, p.top - 6.0,
                  p.x.to - p.left + 12.0, p.y.from - p.top + 12.0);
    draw_axes(out, &p);
    it_str_printf(out, "<g clip-path=\"url(#k%u)\">", p.id);
    for (size_t r = 0; r < report->n; r++) { draw_curve(out, &p, r); }
    for (size_t r = 0; wide && r < report->n; r++) { draw_evals(out, &p, r); }
    it_str_puts(out, "</g></svg>");
    for (size_t r = 0; r < report->n; r++) { it_curve_close(&p.curve[r]); }
    it_free(p.curve);
}
