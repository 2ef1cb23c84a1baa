/* SPDX-License-Identifier: MIT */
/* The page: what the runs are, how far they came, their curves, what they write. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/report.h"
#include "version.h"

enum {
    LAST = 10, /* updates that a final value is the mean of */
    FEW = 4    /* runs that have a card each, and a number beside each title */
};

static void put_dot(struct it_str *out, size_t r)
{
    it_str_printf(out, "<i class=\"dot c%u d%u\"></i>", (unsigned)(r % IT_REPORT_COLOURS),
                  (unsigned)(r / IT_REPORT_COLOURS % 3));
}

static void put_name(struct it_str *out, const struct it_report *report, size_t r)
{
    put_dot(out, r);
    it_str_puts(out, "<bdi>");
    it_html_puts(out, report->run[r].label);
    it_str_puts(out, "</bdi>");
}

/* ---- what the runs are ---- */

static void put_fact(struct it_str *out, const char *name, const char *value)
{
    if (!value || !*value) { return; }
    it_str_printf(out, "<div%s><dt>%s</dt><dd><bdi>", strlen(value) > 14 ? " class=\"long\"" : "",
                  name);
    it_html_puts(out, value);
    it_str_puts(out, "</bdi></dd></div>");
}

static void put_count(struct it_str *out, const char *name, double value)
{
    char text[IT_NUMBER_SIZE];
    if (!isnan(value)) { put_fact(out, name, it_report_number(value, text)); }
}

static const char *ledger_text(const struct it_report_run *run, const char *key)
{
    return json_string_value(json_object_get(run->ledger, key));
}

static double ledger_number(const struct it_report_run *run, const char *key)
{
    const json_t *value = json_object_get(run->ledger, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double last_of(const struct it_report_run *run, const char *name)
{
    return it_report_tail(run, name, 1);
}

static void put_notes(struct it_str *out, const struct it_report_run *run)
{
    for (size_t i = 0; i < run->notes.n; i++) {
        it_str_puts(out, "<p class=\"note\"><bdi>");
        it_html_puts(out, run->notes.item[i]);
        it_str_puts(out, "</bdi></p>");
    }
    if (run->n_steps == 0) {
        it_str_puts(out, "<p class=\"note\"><bdi>");
        it_html_puts(out, run->label);
        it_str_puts(out, "</bdi>: no update is recorded yet</p>");
    }
}

static void put_card(struct it_str *out, const struct it_report *report, size_t r)
{
    const struct it_report_run *run = &report->run[r];
    const json_t *exact = json_object_get(run->ledger, "exact");
    it_str_puts(out, "<article class=\"card\"><h3>");
    put_name(out, report, r);
    it_str_puts(out, "</h3><dl>");
    put_fact(out, "method", it_report_key(run, "method"));
    put_fact(out, "rewards", it_report_key(run, "reward_funcs"));
    put_fact(out, "reward weights", it_report_key(run, "reward_weights"));
    put_fact(out, "model", it_report_key(run, "model_name_or_path"));
    put_count(out, "parameters", ledger_number(run, "parameters"));
    put_fact(out, "data", it_report_key(run, "dataset_name"));
    put_count(out, "prompts", ledger_number(run, "prompts"));
    put_fact(out, "device", ledger_text(run, "device_description"));
    if (json_is_boolean(exact)) {
        put_fact(out, "kernels", json_is_true(exact) ? "exact" : "fast");
    }
    put_fact(out, "seed", it_report_key(run, "seed"));
    put_count(out, "updates", run->n_steps ? run->step[run->n_steps - 1] : 0.0);
    put_count(out, "tokens", last_of(run, "num_tokens"));
    put_fact(out, "version", ledger_text(run, "version"));
    it_str_puts(out, "</dl>");
    put_notes(out, run);
    it_str_puts(out, "</article>");
}

static void put_cell(struct it_str *out, const char *value)
{
    it_str_puts(out, "<td><bdi>");
    it_html_puts(out, value ? value : "–");
    it_str_puts(out, "</bdi></td>");
}

static void put_row(struct it_str *out, const struct it_report *report, size_t r)
{
    const struct it_report_run *run = &report->run[r];
    char text[IT_NUMBER_SIZE];
    it_str_puts(out, "<tr><th>");
    put_name(out, report, r);
    it_str_puts(out, "</th>");
    put_cell(out, it_report_key(run, "method"));
    put_cell(out, it_report_key(run, "model_name_or_path"));
    put_cell(out, it_report_key(run, "dataset_name"));
    put_cell(out, ledger_text(run, "device"));
    put_cell(out, it_report_key(run, "seed"));
    it_str_printf(out, "<td class=\"n\">%.0f</td><td class=\"n\">%s</td></tr>",
                  run->n_steps ? run->step[run->n_steps - 1] : 0.0,
                  it_report_number(last_of(run, "num_tokens"), text));
}

/* Cards for a few runs, lines for many. */
static void put_runs(struct it_str *out, const struct it_report *report)
{
    if (report->n <= FEW) {
        it_str_puts(out, "<section class=\"cards\">");
        for (size_t r = 0; r < report->n; r++) { put_card(out, report, r); }
        it_str_puts(out, "</section>\n");
        return;
    }
    it_str_puts(out, "<section><div class=\"scroll\"><table><thead><tr><th>run</th><th>method</th>"
                "<th>model</th><th>data</th><th>device</th><th>seed</th><th class=\"n\">updates"
                "</th><th class=\"n\">tokens</th></tr></thead><tbody>");
    for (size_t r = 0; r < report->n; r++) { put_row(out, report, r); }
    it_str_puts(out, "</tbody></table></div>");
    for (size_t r = 0; r < report->n; r++) { put_notes(out, &report->run[r]); }
    it_str_puts(out, "</section>\n");
}

/* ---- accuracy before and after ---- */

static void put_error(struct it_str *out, double value, double error, bool sign)
{
    if (isnan(value)) {
        it_str_puts(out, "<td class=\"n\">–</td>");
        return;
    }
    it_str_printf(out, sign ? "<td class=\"n\">%+.3f" : "<td class=\"n\">%.3f", value);
    if (!isnan(error)) { it_str_printf(out, "<small> ± %.3f</small>", error); }
    it_str_puts(out, "</td>");
}

static void put_accuracy(struct it_str *out, const struct it_report *report, size_t r)
{
    const struct it_report_run *run = &report->run[r];
    const struct it_report_eval *a = &run->eval[0], *b = &run->eval[run->n_evals - 1];
    char text[IT_NUMBER_SIZE];
    it_str_puts(out, "<tr><th>");
    put_name(out, report, r);
    it_str_printf(out, "</th><td class=\"n\">%s</td>", it_report_number(b->problems, text));
    for (int way = 0; way < 2; way++) {
        double error = hypot(a->error[way], b->error[way]);
        put_error(out, a->accuracy[way], a->error[way], false);
        put_error(out, b->accuracy[way], b->error[way], false);
        put_error(out, run->n_evals > 1 ? b->accuracy[way] - a->accuracy[way] : NAN, error, true);
    }
    it_str_printf(out, "<td class=\"n\">%s", it_report_number(a->length[0], text));
    it_str_printf(out, " → %s</td></tr>", it_report_number(b->length[0], text));
}

static void put_accuracies(struct it_str *out, const struct it_report *report)
{
    bool headed = false;
    for (size_t r = 0; r < report->n; r++) {
        if (report->run[r].n_evals == 0) { continue; }
        if (!headed) {
            it_str_puts(out, "<section><h2>Held-out accuracy</h2><div class=\"scroll\"><table>"
                        "<thead><tr><th rowspan=\"2\">run</th><th class=\"n\" rowspan=\"2\">"
                        "problems</th><th colspan=\"3\">sampled</th><th colspan=\"3\">greedy</th>"
                        "<th class=\"n\" rowspan=\"2\">tokens, sampled</th></tr><tr>"
                        "<th class=\"n\">before</th><th class=\"n\">after</th><th class=\"n\">"
                        "change</th><th class=\"n\">before</th><th class=\"n\">after</th>"
                        "<th class=\"n\">change</th></tr></thead><tbody>");
            headed = true;
        }
        put_accuracy(out, report, r);
    }
    if (headed) {
        it_str_puts(out, "</tbody></table></div><p class=\"lead\">± is one standard error; that of "
                    "a change takes the two evaluations as independent.</p></section>");
    }
}

/* ---- final values, and what differs ---- */

static void put_head(struct it_str *out, const struct it_report *report, const char *first)
{
    it_str_printf(out, "<div class=\"scroll\"><table><thead><tr><th>%s</th>", first);
    for (size_t r = 0; r < report->n; r++) {
        it_str_puts(out, "<th class=\"n\">");
        put_name(out, report, r);
        it_str_puts(out, "</th>");
    }
    it_str_puts(out, "</tr></thead><tbody>");
}

static void put_finals(struct it_str *out, const struct it_report *report,
                       const struct it_charts *charts)
{
    char text[IT_NUMBER_SIZE];
    if (charts->n == 0) { return; }
    it_str_printf(out, "<section><h2>Final values</h2><p class=\"lead\">Means over the last %d "
                  "updates.</p>", LAST);
    put_head(out, report, "metric");
    for (size_t i = 0; i < charts->n; i++) {
        it_str_puts(out, "<tr><th>");
        it_html_puts(out, charts->item[i].title);
        it_str_puts(out, " <small>");
        it_html_puts(out, charts->item[i].field);
        it_str_puts(out, "</small></th>");
        for (size_t r = 0; r < report->n; r++) {
            double value = it_report_tail(&report->run[r], charts->item[i].field, LAST);
            it_str_printf(out, "<td class=\"n\">%s</td>", it_report_number(value, text));
        }
        it_str_puts(out, "</tr>");
    }
    it_str_puts(out, "</tbody></table></div></section>");
}

static bool differs(const struct it_report *report, const char *key)
{
    const json_t *first = json_object_get(report->run[0].recipe, key);
    for (size_t r = 1; r < report->n; r++) {
        const json_t *other = json_object_get(report->run[r].recipe, key);
        if (!first != !other || (first && !json_equal(first, other))) { return true; }
    }
    return false;
}

static void put_key(struct it_str *out, const struct it_report *report, const char *key)
{
    it_str_puts(out, "<tr><th>");
    it_html_puts(out, key);
    it_str_puts(out, "</th>");
    for (size_t r = 0; r < report->n; r++) {
        const char *value = it_report_key(&report->run[r], key);
        it_str_puts(out, "<td class=\"n\"><bdi>");
        it_html_puts(out, value ? value : "–");
        it_str_puts(out, "</bdi></td>");
    }
    it_str_puts(out, "</tr>");
}

/* Keys of all recipes, in the order they are met. */
static json_t *all_keys(const struct it_report *report)
{
    json_t *keys = json_object(), *value;
    const char *key;
    for (size_t r = 0; r < report->n; r++) {
        json_object_foreach(report->run[r].recipe, key, value) {
            if (!json_object_get(keys, key)) { json_object_set_new(keys, key, json_true()); }
        }
    }
    return keys;
}

static void put_recipes(struct it_str *out, const struct it_report *report)
{
    json_t *keys = all_keys(report), *value;
    const char *key;
    size_t unlike = 0;
    json_object_foreach(keys, key, value) { unlike += differs(report, key); }
    if (unlike) {
        it_str_puts(out, "<section><h2>Where the recipes differ</h2>");
        put_head(out, report, "key");
        json_object_foreach(keys, key, value) {
            if (differs(report, key)) { put_key(out, report, key); }
        }
        it_str_puts(out, "</tbody></table></div></section>");
    }
    if (json_object_size(keys) > unlike) {
        it_str_printf(out, "<section><details><summary>%s</summary>",
                      unlike ? "Recipe keys that are the same" : "The recipe");
        put_head(out, report, "key");
        json_object_foreach(keys, key, value) {
            if (!differs(report, key)) { put_key(out, report, key); }
        }
        it_str_puts(out, "</tbody></table></div></details></section>");
    }
    json_decref(keys);
}

/* ---- curves ---- */

static void put_legend(struct it_str *out, const struct it_report *report, bool marks)
{
    it_str_puts(out, "<div class=\"legend\">");
    for (size_t r = 0; r < report->n; r++) {
        it_str_puts(out, "<span>");
        put_name(out, report, r);
        it_str_puts(out, "</span>");
    }
    if (marks) {
        it_str_puts(out, "<span class=\"quiet\"><svg class=\"sign\" viewBox=\"0 0 12 12\"><circle "
                    "class=\"mark\" cx=\"6\" cy=\"6\" r=\"4\"/></svg>held out, sampled</span>"
                    "<span class=\"quiet\"><svg class=\"sign\" viewBox=\"0 0 12 12\"><path "
                    "class=\"hollow\" d=\"M6 1l5 5l-5 5l-5 -5z\"/></svg>held out, greedy</span>");
    }
    it_str_puts(out, "</div>");
}

static void put_chart(struct it_str *out, const struct it_report *report,
                      const struct it_chart *chart, unsigned id)
{
    char text[IT_NUMBER_SIZE];
    it_str_puts(out, "<figure><figcaption><b>");
    it_html_puts(out, chart->title);
    it_str_puts(out, "</b><span class=\"last\">");
    for (size_t r = 0; r < report->n && report->n <= FEW; r++) {
        double value = it_report_tail(&report->run[r], chart->field, LAST);
        if (isnan(value)) { continue; }
        it_str_puts(out, "<span>");
        if (report->n > 1) { put_dot(out, r); }
        it_str_printf(out, "%s</span>", it_report_number(value, text));
    }
    it_str_puts(out, "</span><small>");
    it_html_puts(out, *chart->note ? chart->note : chart->field);
    it_str_puts(out, "</small></figcaption>");
    it_chart_svg(out, report, chart, id);
    it_str_puts(out, "</figure>");
}

static void put_charts(struct it_str *out, const struct it_report *report,
                       const struct it_charts *charts)
{
    const char *group = NULL;
    if (charts->n == 0) { return; }
    it_str_puts(out, "<section class=\"curves\"><h2>Curves</h2>");
    for (unsigned i = 0; i < charts->n; i++) {
        const struct it_chart *c = &charts->item[i];
        bool wide = c->flags & IT_CHART_WIDE;
        if (!group || strcmp(group, c->group) != 0) {
            if (group) { it_str_puts(out, "</div>"); }
            if (!group) { put_legend(out, report, wide); }
            if (*c->group) { it_str_printf(out, "<h3>%s</h3>", c->group); }
            it_str_printf(out, "<div class=\"%s\">", wide ? "wide" : "grid3");
            group = c->group;
        }
        put_chart(out, report, c, i);
    }
    it_str_puts(out, "</div><p class=\"lead\">Faint: each update, or the range of several. Bold: "
                "smoothed by local lines of 1/36 of the run. ");
    it_str_puts(out, report->n <= FEW ? "The number beside a title is the mean of the last 10 "
                "updates.</p></section>" : "</p></section>");
}

static void put_title(struct it_str *out, const struct it_report *report)
{
    enum { NAMED = 3 };
    for (size_t r = 0; r < report->n && r < NAMED; r++) {
        it_str_puts(out, r ? ", " : "");
        it_html_puts(out, report->run[r].label);
    }
    if (report->n > NAMED) { it_str_printf(out, " and %zu more", report->n - NAMED); }
}

void it_report_page(struct it_str *out, const struct it_report *report,
                    const struct it_charts *charts)
{
    it_str_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    put_title(out, report);
    it_str_puts(out, " – intuitor report</title>\n<style>\n");
    it_str_puts(out, it_report_style);
    it_str_puts(out, "</style></head><body><main>\n<header><p class=\"brand\">intuitor report</p>"
                "<h1><bdi>");
    put_title(out, report);
    it_str_puts(out, "</bdi></h1></header>\n");
    put_runs(out, report);
    put_accuracies(out, report);
    put_charts(out, report, charts);
    it_str_puts(out, "\n");
    it_report_samples(out, report);
    put_finals(out, report, charts);
    put_recipes(out, report);
    it_str_printf(out, "\n<footer>intuitor %s (%s)</footer></main></body></html>\n", IT_VERSION,
                  IT_GIT_HASH);
}
