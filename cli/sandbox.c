/* SPDX-License-Identifier: MIT */
/* intuitor sandbox: which walls this machine puts around model-written programs, and whether they
 * hold. */
#include <string.h>

#include "cli/cli.h"
#include "core/base/json.h"
#include "tasks/grade/sandbox_escape.h"

struct sandbox_values {
    struct it_cli_common common;
    bool self_test, unsafe;
    int64_t jobs, soak;
    char *python;
    struct it_strs without;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(sandbox_values),
    IT_CLI_JSON_ROW(sandbox_values),
    {"self-test", IT_OPT_BOOL, "false", "run the escape suite, and fail when anything gets out",
     offsetof(struct sandbox_values, self_test), NULL},
    {"soak", IT_OPT_INT, "0", "run so many friendly and hostile programs, count what they leave",
     offsetof(struct sandbox_values, soak), NULL},
    {"jobs", IT_OPT_INT, "0", "programs at once; 0: one a physical core",
     offsetof(struct sandbox_values, jobs), NULL},
    {"python", IT_OPT_STRING, NULL, "interpreter of the programs; unset: as configured",
     offsetof(struct sandbox_values, python), NULL},
    {"without", IT_OPT_STRINGS, NULL, "walls to leave out, to see what the others hold: "
     "namespaces, landlock, seccomp",
     offsetof(struct sandbox_values, without), NULL},
    {"unsafe-no-sandbox", IT_OPT_BOOL, "false", "go on where seccomp is missing",
     offsetof(struct sandbox_values, unsafe), NULL},
};

static enum it_status walls_left_out(const struct it_strs *names, unsigned *without_out)
{
    *without_out = 0;
    for (size_t i = 0; i < names->n; i++) {
        unsigned wall = it_sandbox_wall(names->item[i]);
        if (wall == 0) {
            return it_fail(IT_INVALID, "--without: unknown wall \"%s\"; expected namespaces, "
                           "landlock or seccomp", names->item[i]);
        }
        *without_out |= wall;
    }
    return IT_OK;
}

/* ---- the document: the table is printed from the same ---- */

static void add_escapes(json_t *document, const struct it_escapes *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->n; i++) {
        const struct it_escape *row = &e->item[i];
        json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:f}", "name", row->name, "allowed",
                                   row->allowed, "verdict", row->verdict, "held", (int)row->held,
                                   "time_s", row->seconds);
        if (row->what) {
            json_object_set_new(object, "what", it_json_text(row->what, strlen(row->what)));
        }
        json_array_append_new(list, object);
    }
    json_object_set_new(document, "n", json_integer((json_int_t)e->n));
    json_object_set_new(document, "escaped", json_integer((json_int_t)e->n_escaped));
    json_object_set_new(document, "lines", list);
}

static void print_escapes(const struct it_escapes *e)
{
    for (size_t i = 0; i < e->n; i++) {
        const struct it_escape *row = &e->item[i];
        printf("%-8s %-4s %6.2f s  %s\n", row->held ? "held" : "ESCAPED", row->verdict,
               row->seconds, row->name);
        if (row->what) { printf("         %s\n", row->what); }
    }
    printf("%zu programs, %zu escaped\n", e->n, e->n_escaped);
}

static void add_soak(json_t *document, const struct it_soak *k)
{
    json_object_set_new(document, "soak", json_pack(
        "{s:I, s:I, s:f, s:f, s:[I,I], s:[I,I]}", "programs", (json_int_t)k->programs, "wrong",
        (json_int_t)k->wrong, "time_s", k->seconds, "start_s", k->start_s, "files",
        (json_int_t)k->files_before, (json_int_t)k->files_after, "processes",
        (json_int_t)k->processes_before, (json_int_t)k->processes_after));
}

static void print_soak(const struct it_soak *k)
{
    printf("soak: %lld programs in %.1f s, %.0f a second; an empty one takes %.2f ms; "
           "%lld wrong verdicts; descriptors %lld before, %lld after; processes %lld before, "
           "%lld after\n", (long long)k->programs, k->seconds,
           (double)k->programs / (k->seconds > 0 ? k->seconds : 1), 1e3 * k->start_s,
           (long long)k->wrong, (long long)k->files_before, (long long)k->files_after,
           (long long)k->processes_before, (long long)k->processes_after);
}

/* ---- the command ---- */

static enum it_status judge(const struct it_escapes *e, const struct it_soak *k)
{
    if (e->n_escaped > 0) {
        return it_fail(IT_FAILED, "the sandbox does not hold on this machine: %zu of %zu "
                       "programs got out", e->n_escaped, e->n);
    }
    if (k->wrong || k->files_after > k->files_before ||
        k->processes_after > k->processes_before) {
        return it_fail(IT_FAILED, "the soak left something behind or changed verdicts");
    }
    return IT_OK;
}

static enum it_status examine(const struct sandbox_values *v, struct it_sandbox *sandbox)
{
    struct it_escapes escapes = {0};
    struct it_soak soak = {0};
    json_t *document = json_pack("{s:s}", "tier", it_sandbox_tier(sandbox));
    if (!v->common.json) { printf("tier: %s\n", it_sandbox_tier(sandbox)); }
    enum it_status status = v->self_test ? it_sandbox_escape(sandbox, &escapes) : IT_OK;
    if (status == IT_OK && v->self_test) {
        add_escapes(document, &escapes);
        if (!v->common.json) { print_escapes(&escapes); }
    }
    if (status == IT_OK && v->soak > 0) { status = it_sandbox_soak(sandbox, v->soak, &soak); }
    if (status == IT_OK && v->soak > 0) {
        add_soak(document, &soak);
        if (!v->common.json) { print_soak(&soak); }
    }
    if (status == IT_OK && v->common.json) { status = it_jsonl_put(stdout, document); }
    if (status == IT_OK) { status = judge(&escapes, &soak); }
    json_decref(document);
    it_escapes_free(&escapes);
    return status;
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct sandbox_values *v = values;
    struct it_sandbox *sandbox;
    unsigned without;
    if (arguments->n || v->jobs < 0 || v->soak < 0) {
        return it_cli_usage(&it_command_sandbox, "nothing but options is expected, and numbers of "
                            "0 or more");
    }
    IT_TRY(walls_left_out(&v->without, &without));
    const struct it_sandbox_options options = {.python = v->python, .workers = v->jobs,
                                               .unsafe = v->unsafe, .without = without};
    IT_TRY(it_sandbox_open(&options, &sandbox));
    enum it_status status = examine(v, sandbox);
    it_sandbox_close(sandbox);
    return status;
}

const struct it_command it_command_sandbox = {
    .name = "sandbox",
    .summary = "the walls around model-written programs on this machine, and whether they hold",
    .usage = "--self-test [--soak N] [--jobs N] [--json]",
    .example = "intuitor sandbox --self-test",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct sandbox_values),
    .run = run,
};
