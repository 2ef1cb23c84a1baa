/* SPDX-License-Identifier: MIT */
/* Numbers and text on the page, and the samples: what the model wrote early and late. Everything a
 * model or a file says is text, never markup. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/report.h"

enum { MOST_PROMPTS = 2, MOST_SHOWN = 4, MOST_TEXT = 3000, MOST_REWARDS = 8, OPEN = 3 };

const char *it_report_exponent(char *text)
{
    char *e = strchr(text, 'e'), *digits = e;
    if (!e) { return text; }
    if (memchr(text, '.', (size_t)(e - text))) {
        while (digits[-1] == '0') { digits--; }
        if (digits[-1] == '.') { digits--; }
    }
    char *power = e + 1, *end = digits;
    *end++ = 'e';
    if (*power == '-') { *end++ = '-'; }
    power += strspn(power, "+-0");
    memmove(end, power, strlen(power) + 1);
    return text;
}

const char *it_report_number(double value, char buffer[IT_NUMBER_SIZE])
{
    double size = fabs(value);
    if (isnan(value)) {
        snprintf(buffer, IT_NUMBER_SIZE, "–");
    } else if (size >= 1e12 || (size < 1e-3 && size > 0.0)) {
        snprintf(buffer, IT_NUMBER_SIZE, "%.2e", value);
        it_report_exponent(buffer);
    } else if (size >= 1e4) {
        const char *unit = size >= 1e9 ? "G" : size >= 1e6 ? "M" : "k";
        double factor = size >= 1e9 ? 1e9 : size >= 1e6 ? 1e6 : 1e3;
        snprintf(buffer, IT_NUMBER_SIZE, "%.*f%s", size >= 100.0 * factor ? 0 : 1, value / factor,
                 unit);
    } else if (value == rint(value)) {
        snprintf(buffer, IT_NUMBER_SIZE, "%.0f", value);
    } else {
        snprintf(buffer, IT_NUMBER_SIZE, "%.*f",
                 size >= 1000.0 ? 0 : size >= 100.0 ? 1 : size >= 10.0 ? 2 : 3, value);
    }
    return buffer;
}

static void put_character(struct it_str *out, unsigned char c)
{
    switch (c) {
    case '&': it_str_puts(out, "&amp;"); break;
    case '<': it_str_puts(out, "&lt;"); break;
    case '>': it_str_puts(out, "&gt;"); break;
    case '"': it_str_puts(out, "&quot;"); break;
    case '\'': it_str_puts(out, "&#39;"); break;
    case '\n':
    case '\t': it_str_putc(out, (char)c); break;
    case 0x7f: it_str_puts(out, "\xe2\x90\xa1"); break;
    default:
        if (c < 0x20) { /* U+2400 and on are pictures of the control characters */
            it_str_add(out, (const char[]){(char)0xe2, (char)0x90, (char)(0x80 + c)}, 3);
        } else {
            it_str_putc(out, (char)c);
        }
    }
}

void it_html_text(struct it_str *out, const char *bytes, size_t count)
{
    struct it_str clean = {0};
    it_utf8_add_lossy(&clean, bytes, count);
    for (size_t i = 0; i < clean.len; i++) { put_character(out, (unsigned char)clean.data[i]); }
    it_str_free(&clean);
}

void it_html_puts(struct it_str *out, const char *text)
{
    it_html_text(out, text, strlen(text));
}

/* ---- samples ---- */

/* A long text is cut between characters, and says so. */
static void put_text(struct it_str *out, const char *classes, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t n = json_string_length(value), shown = n;
    if (!text) { return; }
    if (n > MOST_TEXT) { shown = it_utf8_valid_prefix(text, MOST_TEXT); }
    it_str_printf(out, "<pre class=\"%s\"><bdi>", classes);
    if (n == 0) { it_str_puts(out, "<i>(empty)</i>"); }
    it_html_text(out, text, shown);
    it_str_puts(out, "</bdi>");
    if (shown < n) { it_str_printf(out, "<i> … %zu more bytes</i>", n - shown); }
    it_str_puts(out, "</pre>");
}

/* Numbers of a completion record that are no reward. */
static bool is_reward(const char *name)
{
    static const char *const others[] = {"step", "prompt_tokens", "completion_tokens", "advantage"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(name, others[i]) == 0) { return false; }
    }
    return true;
}

static double real(const json_t *record, const char *name)
{
    const json_t *value = json_object_get(record, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Three depths of colour on either side of nothing. */
static const char *advantage_class(double advantage)
{
    double size = fabs(advantage);
    if (isnan(advantage) || size < 0.05) { return "even"; }
    if (advantage > 0.0) { return size < 0.5 ? "up1" : size < 1.2 ? "up2" : "up3"; }
    return size < 0.5 ? "down1" : size < 1.2 ? "down2" : "down3";
}

static void put_badges(struct it_str *out, json_t *record)
{
    char text[IT_NUMBER_SIZE];
    const char *name, *finish = json_string_value(json_object_get(record, "finish_reason"));
    double tokens = real(record, "completion_tokens"), advantage = real(record, "advantage");
    json_t *value;
    int shown = 0;
    it_str_puts(out, "<div class=\"badges\">");
    if (!isnan(advantage)) {
        it_str_printf(out, "<b class=\"adv\">advantage %s%s</b>", advantage > 0.0 ? "+" : "",
                      it_report_number(advantage, text));
    }
    json_object_foreach(record, name, value) {
        if (!json_is_number(value) || !is_reward(name) || shown++ >= MOST_REWARDS) { continue; }
        it_str_puts(out, "<span>");
        it_html_puts(out, name);
        it_str_printf(out, " <b>%s</b></span>", it_report_number(json_number_value(value), text));
    }
    if (!isnan(tokens)) { it_str_printf(out, "<span>%.0f tokens</span>", tokens); }
    if (finish) {
        it_str_puts(out, "<span>");
        it_html_puts(out, finish);
        it_str_puts(out, "</span>");
    }
    it_str_puts(out, "</div>");
}

static bool same_prompt(const json_t *a, const json_t *b)
{
    const json_t *x = json_object_get(a, "prompt"), *y = json_object_get(b, "prompt");
    return x && y && json_equal(x, y);
}

static void put_prompt(struct it_str *out, const json_t *record)
{
    const json_t *gold = json_object_get(record, "gold");
    it_str_puts(out, "<div class=\"ask\">");
    put_text(out, "prompt", json_object_get(record, "prompt"));
    if (json_is_string(gold)) {
        it_str_puts(out, "<p class=\"gold\">right answer <b>");
        it_html_text(out, json_string_value(gold), json_string_length(gold));
        it_str_puts(out, "</b></p>");
    }
    it_str_puts(out, "</div>");
}

/* The first completions of the first prompts of an update. */
static void put_update(struct it_str *out, const char *when, const json_t *records)
{
    const json_t *before = NULL;
    json_t *record;
    size_t i;
    int prompts = 0, shown = 0;
    if (!records || json_array_size(records) == 0) { return; }
    it_str_printf(out, "<div><h4>%s: update %.0f</h4>", when,
                  real(json_array_get(records, 0), "step"));
    json_array_foreach(records, i, record) {
        if (!json_is_string(json_object_get(record, "completion"))) { continue; }
        if (!before || !same_prompt(before, record)) {
            if (++prompts > MOST_PROMPTS) { break; }
            put_prompt(out, record);
            shown = 0;
        }
        before = record;
        if (shown++ >= MOST_SHOWN) { continue; }
        it_str_printf(out, "<div class=\"sample %s\">",
                      advantage_class(real(record, "advantage")));
        put_badges(out, record);
        put_text(out, "completion", json_object_get(record, "completion"));
        it_str_puts(out, "</div>");
    }
    it_str_puts(out, "</div>");
}

/* Greedy answers to the same held-out problems, before and after. */
static void put_answers(struct it_str *out, const struct it_report_run *run)
{
    json_t *first;
    size_t i;
    if (!run->last_answers) { return; }
    it_str_printf(out, "<table class=\"answers\"><thead><tr><th>Held-out problem</th><th>greedy, "
                  "update %.0f</th><th>greedy, update %.0f</th></tr></thead><tbody>",
                  run->first_step, run->last_step);
    json_array_foreach(run->first_answers, i, first) {
        const json_t *last = json_array_get(run->last_answers, i);
        it_str_puts(out, "<tr><td>");
        put_prompt(out, first);
        it_str_puts(out, "</td><td>");
        put_text(out, "completion", json_object_get(first, "greedy"));
        it_str_puts(out, "</td><td>");
        put_text(out, "completion", json_object_get(last, "greedy"));
        it_str_puts(out, "</td></tr>");
    }
    it_str_puts(out, "</tbody></table>");
}

void it_report_samples(struct it_str *out, const struct it_report *report)
{
    bool headed = false;
    for (size_t r = 0; r < report->n; r++) {
        const struct it_report_run *run = &report->run[r];
        if (!run->early && !run->last_answers) { continue; }
        if (!headed) {
            it_str_puts(out, "<section><h2>What it writes</h2><p class=\"lead\">The first "
                        "completions of the first prompts that were logged, coloured by their "
                        "advantage: <b class=\"key up2\">above</b> or <b class=\"key down2\">below"
                        "</b> the others of their group.</p>");
            headed = true;
        }
        it_str_printf(out, "<details%s><summary><i class=\"dot c%u d%u\"></i><bdi>",
                      r < OPEN ? " open" : "", (unsigned)(r % IT_REPORT_COLOURS),
                      (unsigned)(r / IT_REPORT_COLOURS % 3));
        it_html_puts(out, run->label);
        it_str_puts(out, "</bdi></summary>");
        put_answers(out, run);
        it_str_puts(out, "<div class=\"pair\">");
        put_update(out, "Early", run->early);
        put_update(out, "Late", run->late);
        it_str_puts(out, "</div></details>");
    }
    if (headed) { it_str_puts(out, "</section>"); }
}
