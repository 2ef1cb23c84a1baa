/* SPDX-License-Identifier: MIT */
/* Statements of a template at work: scopes, assignments, macros, output. A loop's turn, a macro, a
 * captured block have a scope of their own; an `if` has none. Scopes are looked through when a name
 * is read, so that a macro sees what was set after it was defined, as in Jinja. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

/* ---- limits and failures ---- */

enum it_status it_jrun_fail(const struct it_jrun *run, enum it_status status, int line,
                            const char *format, ...)
{
    const char *where = run->job->where;
    char cause[1024], place[32] = "";
    va_list arguments;
    if (run->job->quiet) { return status; }
    va_start(arguments, format);
    vsnprintf(cause, sizeof cause, format, arguments);
    va_end(arguments);
    for (char *c = cause; *c; c++) { /* a message is one line, whatever a template says */
        if ((unsigned char)*c < ' ') { *c = ' '; }
    }
    cause[it_utf8_valid_prefix(cause, strlen(cause))] = '\0'; /* not cut inside a character */
    if (line) { snprintf(place, sizeof place, ", line %d", line); }
    return it_fail(status, "%s%s%s: chat template%s: %s", where ? where : "", where ? ": " : "",
                   run->jinja->where, place, cause);
}

enum it_status it_jrun_charge(struct it_jrun *run, int line, size_t bytes)
{
    run->steps += 1 + (int64_t)(bytes / 64);
    if (run->steps > IT_JINJA_STEPS_MAX) {
        return it_jrun_fail(run, IT_INVALID, line, "more than %d steps: it doesn't seem to end",
                            IT_JINJA_STEPS_MAX);
    }
    if (bytes > IT_JINJA_MEMORY_MAX || run->arena.taken > IT_JINJA_MEMORY_MAX - bytes) {
        return it_jrun_fail(run, IT_INVALID, line, "more than %d MiB are needed",
                            IT_JINJA_MEMORY_MAX >> 20);
    }
    return IT_OK;
}

enum it_status it_jrun_enter(struct it_jrun *run, int line)
{
    if (++run->depth <= IT_JINJA_RUN_DEPTH) { return it_jrun_charge(run, line, 0); }
    return it_jrun_fail(run, IT_INVALID, line, "nested deeper than %d levels: does a macro call "
                        "itself?", IT_JINJA_RUN_DEPTH);
}

/* ---- scopes ---- */

void it_jscope_push(struct it_jrun *run, struct it_jscope *parent)
{
    struct it_jscope *scope = it_jarena_take(&run->arena, sizeof *scope);
    scope->parent = parent;
    run->scope = scope;
}

void it_jscope_set(struct it_jrun *run, const char *name, struct it_jvalue value)
{
    struct it_jscope *s = run->scope;
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->var[i].name, name) == 0) {
            s->var[i].value = value;
            return;
        }
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        struct it_jvar *wider = it_jarena_take(&run->arena, cap * sizeof *wider);
        if (s->n) { memcpy(wider, s->var, s->n * sizeof *wider); }
        s->var = wider;
        s->cap = cap;
    }
    s->var[s->n++] = (struct it_jvar){name, value};
}

static enum it_status assign_tuple(struct it_jrun *run, const struct it_jnode *target,
                                   const struct it_jvalue *value)
{
    const struct it_jlist *items;
    IT_TRY(it_jitems(run, target->line, value, &items));
    if (items->n != target->n) {
        return it_jrun_fail(run, IT_INVALID, target->line, "%zu values for %zu names", items->n,
                            target->n);
    }
    for (size_t i = 0; i < target->n; i++) {
        IT_TRY(it_jassign(run, target->item[i], &items->item[i]));
    }
    return IT_OK;
}

enum it_status it_jassign(struct it_jrun *run, const struct it_jnode *target,
                          const struct it_jvalue *value)
{
    if (target->kind == IT_JN_TUPLE) { return assign_tuple(run, target, value); }
    if (target->kind == IT_JN_NAME) {
        it_jscope_set(run, target->name, *value);
        return IT_OK;
    }
    struct it_jvalue space;
    IT_TRY(it_jeval(run, target->a, &space));
    if (space.kind != IT_JSPACE) {
        return it_jrun_fail(run, IT_INVALID, target->line, "%s.%s is set, but only fields of a "
                            "namespace can be", target->a->name, target->name);
    }
    return it_jdict_put(run, target->line, space, it_jtext(target->name, strlen(target->name)),
                        *value);
}

/* ---- blocks ---- */

enum it_status it_jcapture(struct it_jrun *run, const struct it_jnode *node,
                           struct it_jscope *parent, struct it_jvalue *out)
{
    struct it_str text = {0}, *outer = run->out;
    struct it_jscope *scope = run->scope;
    run->out = &text;
    it_jscope_push(run, parent);
    enum it_status status = it_jbody(run, node);
    run->out = outer;
    run->scope = scope;
    if (status == IT_OK) { return it_jtext_take(run, node->line, &text, out); }
    it_str_free(&text);
    return status;
}

static enum it_status print(struct it_jrun *run, int line, const struct it_jvalue *value)
{
    return it_jwrite(run, line, value, run->out);
}

static enum it_status do_if(struct it_jrun *run, const struct it_jnode *node)
{
    struct it_jvalue value;
    for (; node; node = node->c) {
        if (node->kind == IT_JN_BODY) { return it_jbody(run, node); }
        IT_TRY(it_jeval(run, node->a, &value));
        if (it_jtrue(&value)) { return it_jbody(run, node); }
    }
    return IT_OK;
}

static enum it_status do_with(struct it_jrun *run, const struct it_jnode *node)
{
    struct it_jscope *outer = run->scope;
    struct it_jvalue *value = it_jarena_take(&run->arena, (node->n + 1) * sizeof *value);
    for (size_t i = 0; i < node->n; i++) { IT_TRY(it_jeval(run, node->item[i]->b, &value[i])); }
    it_jscope_push(run, outer);
    for (size_t i = 0; i < node->n; i++) {
        IT_TRY(it_jassign(run, node->item[i]->a, &value[i]));
    }
    IT_TRY(it_jbody(run, node->c));
    run->scope = outer;
    return IT_OK;
}

static void define_macro(struct it_jrun *run, const struct it_jnode *node)
{
    struct it_jmacro *macro = it_jarena_take(&run->arena, sizeof *macro);
    *macro = (struct it_jmacro){node, run->scope};
    it_jscope_set(run, node->name, (struct it_jvalue){.kind = IT_JMACRO, .u.macro = macro});
}

static enum it_status statement(struct it_jrun *run, const struct it_jnode *node)
{
    struct it_jvalue value;
    switch ((enum it_jnode_kind)node->kind) {
    case IT_JN_TEXT: return print(run, node->line, &node->value);
    case IT_JN_PRINT:
        IT_TRY(it_jeval(run, node->a, &value));
        return print(run, node->line, &value);
    case IT_JN_WHEN: return do_if(run, node);
    case IT_JN_FOR: return it_jfor(run, node);
    case IT_JN_SET:
        IT_TRY(it_jeval(run, node->b, &value));
        return it_jassign(run, node->a, &value);
    case IT_JN_CAPTURE:
        IT_TRY(it_jcapture(run, node, run->scope, &value));
        if (node->b) { IT_TRY(it_jfilters_apply(run, node->b, &value, &value)); }
        return it_jassign(run, node->a, &value);
    case IT_JN_FILTERED:
        IT_TRY(it_jcapture(run, node, run->scope, &value));
        IT_TRY(it_jfilters_apply(run, node->b, &value, &value));
        return print(run, node->line, &value);
    case IT_JN_SCOPE:
        IT_TRY(it_jcapture(run, node, run->scope, &value));
        return print(run, node->line, &value);
    case IT_JN_WITH: return do_with(run, node);
    case IT_JN_MACRO: define_macro(run, node); return IT_OK;
    case IT_JN_BREAK: run->flow = IT_JFLOW_BREAK; return IT_OK;
    case IT_JN_CONTINUE: run->flow = IT_JFLOW_CONTINUE; return IT_OK;
    default: return IT_OK; /* expressions are never statements */
    }
}

/* A scope that a break leaves open is closed by its loop, which puts its own back. */
enum it_status it_jbody(struct it_jrun *run, const struct it_jnode *body)
{
    IT_TRY(it_jrun_enter(run, body->line));
    for (size_t i = 0; i < body->n && run->flow == IT_JFLOW_ON; i++) {
        IT_TRY(it_jrun_charge(run, body->item[i]->line, 0));
        IT_TRY(statement(run, body->item[i]));
    }
    run->depth--;
    return IT_OK;
}

/* ---- macros ---- */

static const struct it_jvalue *named_argument(const struct it_jargs *args, const char *name)
{
    for (size_t i = 0; i < args->n; i++) {
        if (args->name[i] && strcmp(args->name[i], name) == 0) { return &args->value[i]; }
    }
    return NULL;
}

static enum it_status check_arguments(struct it_jrun *run, int line, const struct it_jnode *node,
                                      const struct it_jargs *args, size_t *positional_out)
{
    size_t positional = 0;
    for (size_t i = 0; i < args->n; i++) {
        bool known = false;
        if (!args->name[i]) {
            positional++;
            continue;
        }
        for (size_t k = positional; k < node->n && !known; k++) {
            known = strcmp(node->item[k]->name, args->name[i]) == 0;
        }
        if (!known) {
            return it_jrun_fail(run, IT_INVALID, line, "the macro %s has no free parameter %s",
                                node->name, args->name[i]);
        }
    }
    if (positional > node->n) {
        return it_jrun_fail(run, IT_INVALID, line, "the macro %s takes %zu arguments, not %zu",
                            node->name, node->n, positional);
    }
    *positional_out = positional;
    return IT_OK;
}

static enum it_status bind(struct it_jrun *run, const struct it_jnode *node,
                           const struct it_jargs *args, size_t positional)
{
    for (size_t i = 0; i < node->n; i++) {
        const struct it_jnode *parameter = node->item[i];
        struct it_jvalue value = it_jundefined(parameter->name);
        const struct it_jvalue *given =
            i < positional ? &args->value[i] : named_argument(args, parameter->name);
        if (given) {
            value = *given;
        } else if (parameter->a) {
            IT_TRY(it_jeval(run, parameter->a, &value));
        }
        it_jscope_set(run, parameter->name, value);
    }
    return IT_OK;
}

enum it_status it_jmacro_call(struct it_jrun *run, int line, const struct it_jmacro *macro,
                              const struct it_jargs *args, struct it_jvalue *out)
{
    struct it_jscope *scope = run->scope;
    size_t positional = 0;
    IT_TRY(check_arguments(run, line, macro->node, args, &positional));
    it_jscope_push(run, macro->scope);
    IT_TRY(bind(run, macro->node, args, positional));
    IT_TRY(it_jcapture(run, macro->node->c, run->scope, out));
    run->scope = scope;
    return IT_OK;
}

/* ---- the whole ---- */

enum it_status it_jinja_open(const char *where, const char *text, size_t bytes,
                             struct it_jinja **jinja_out)
{
    struct it_jinja *jinja = it_calloc(1, sizeof *jinja);
    jinja->where = it_strdup(where);
    enum it_status status = it_jinja_lex(jinja, text, bytes);
    if (status == IT_OK) { status = it_jinja_parse(jinja); }
    it_free(jinja->token);
    jinja->token = NULL;
    if (status != IT_OK) {
        it_jinja_close(jinja);
        return status;
    }
    *jinja_out = jinja;
    return IT_OK;
}

void it_jinja_close(struct it_jinja *jinja)
{
    if (!jinja) { return; }
    it_jarena_free(&jinja->arena);
    it_free(jinja->names);
    it_free(jinja->token);
    it_free(jinja->where);
    it_free(jinja);
}

bool it_jinja_names(const struct it_jinja *jinja, const char *name)
{
    for (size_t i = 0; i < jinja->n_names; i++) {
        if (strcmp(jinja->names[i], name) == 0) { return true; }
    }
    return false;
}

static enum it_status set_variables(struct it_jrun *run, const json_t *variables)
{
    const char *name;
    json_t *item;
    it_jscope_push(run, NULL);
    json_object_foreach((json_t *)(uintptr_t)variables, name, item)
    {
        struct it_jvalue value;
        IT_TRY(it_jfrom_json(run, item, 0, &value));
        it_jscope_set(run, name, value);
    }
    it_jscope_push(run, run->scope);
    return IT_OK;
}

enum it_status it_jinja_render(const struct it_jinja *jinja, const struct it_jinja_job *job,
                               struct it_str *text_out)
{
    struct it_str text = {0};
    struct it_jrun run = {.jinja = jinja, .job = job, .out = &text};
    enum it_status status = set_variables(&run, job->variables);
    if (status == IT_OK) { status = it_jbody(&run, jinja->body); }
    if (status == IT_OK) { it_str_add(text_out, it_str_c(&text), text.len); }
    it_jarena_free(&run.arena);
    it_str_free(&text);
    return status;
}
