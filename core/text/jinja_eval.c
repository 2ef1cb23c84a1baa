/* SPDX-License-Identifier: MIT */
/* Expressions of a template at work: names, fields, calls. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/text/jinja_internal.h"

/* ---- names ---- */

static enum it_status eval_name(struct it_jrun *run, const struct it_jnode *node,
                                struct it_jvalue *out)
{
    for (const struct it_jscope *s = run->scope; s; s = s->parent) {
        for (size_t i = 0; i < s->n; i++) {
            if (strcmp(s->var[i].name, node->name) == 0) {
                *out = s->var[i].value;
                return IT_OK;
            }
        }
    }
    const struct it_jfunction *function = it_jglobal_find(node->name);
    *out = it_jundefined(node->name);
    if (function && !function->run) { /* Jinja has it, chat templates have no use for it */
        return it_jrun_fail(run, IT_INVALID, node->line, "%s is not known here", node->name);
    }
    if (function) { *out = (struct it_jvalue){.kind = IT_JFUNCTION, .u.function = function}; }
    return IT_OK;
}

/* ---- literals ---- */

static enum it_status eval_list(struct it_jrun *run, const struct it_jnode *node,
                                struct it_jvalue *out)
{
    struct it_jvalue list = it_jlist_new(run, node->kind == IT_JN_TUPLE ? IT_JTUPLE : IT_JPLAIN);
    for (size_t i = 0; i < node->n; i++) {
        struct it_jvalue item;
        IT_TRY(it_jeval(run, node->item[i], &item));
        it_jlist_add(run, list, item);
    }
    *out = list;
    return IT_OK;
}

static enum it_status eval_dict(struct it_jrun *run, const struct it_jnode *node,
                                struct it_jvalue *out)
{
    struct it_jvalue dict = it_jdict_new(run);
    for (size_t i = 0; i + 1 < node->n; i += 2) {
        struct it_jvalue key, value;
        IT_TRY(it_jeval(run, node->item[i], &key));
        IT_TRY(it_jeval(run, node->item[i + 1], &value));
        IT_TRY(it_jdict_put(run, node->line, dict, key, value));
    }
    *out = dict;
    return IT_OK;
}

/* ---- calls ---- */

static enum it_status eval_arguments(struct it_jrun *run, const struct it_jnode *node,
                                     struct it_jargs *args)
{
    args->n = node->n;
    args->value = it_jarena_take(&run->arena, (node->n + 1) * sizeof *args->value);
    args->name = it_jarena_take(&run->arena, (node->n + 1) * sizeof *args->name);
    for (size_t i = 0; i < node->n; i++) {
        args->name[i] = node->item[i]->name;
        IT_TRY(it_jeval(run, node->item[i]->a, &args->value[i]));
        for (size_t k = 0; args->name[i] && k < i; k++) {
            if (args->name[k] && strcmp(args->name[k], args->name[i]) == 0) {
                return it_jrun_fail(run, IT_INVALID, node->line, "the argument %s is given twice",
                                    args->name[i]);
            }
        }
    }
    return IT_OK;
}

enum it_status it_jcall_fail(const struct it_jcall *call, const char *format, ...)
{
    char cause[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cause, sizeof cause, format, arguments);
    va_end(arguments);
    return it_jrun_fail(call->run, IT_INVALID, call->line, "%s: %s", call->name, cause);
}

enum it_status it_jcall_text(const struct it_jcall *call, int i, struct it_jvalue *text)
{
    if (!call->given[i]) { return IT_OK; }
    if (call->arg[i].kind != IT_JTEXT) {
        return it_jcall_fail(call, "expected a text, found %s", it_jkind_words(&call->arg[i]));
    }
    *text = call->arg[i];
    return IT_OK;
}

enum it_status it_jcall_int(const struct it_jcall *call, int i, int64_t *value)
{
    const struct it_jvalue *found = &call->arg[i];
    if (!call->given[i]) { return IT_OK; }
    if (found->kind != IT_JINT && found->kind != IT_JBOOL) {
        return it_jcall_fail(call, "expected a whole number, found %s", it_jkind_words(found));
    }
    *value = found->kind == IT_JINT ? found->u.whole : found->u.yes;
    return IT_OK;
}

/* The place of a parameter in "!old !new count", or -1. */
static int find_parameter(const char *parameters, const char *name)
{
    size_t n = strlen(name);
    int place = 0;
    for (const char *at = parameters; *at; place++) {
        at += *at == '!';
        size_t length = strcspn(at, " ");
        if (length == n && memcmp(at, name, n) == 0) { return place; }
        at += length;
        at += *at == ' ';
    }
    return -1;
}

static enum it_status place_arguments(struct it_jcall *call, const char *parameters)
{
    const struct it_jargs *args = call->all;
    int total = 0, place = 0;
    for (const char *at = parameters; *at; at++) { total += at == parameters || at[-1] == ' '; }
    for (size_t i = 0; i < args->n; i++) {
        int to = args->name[i] ? find_parameter(parameters, args->name[i]) : place++;
        if (to < 0 || to >= total || call->given[to]) {
            return it_jcall_fail(call, "one argument too many%s%s",
                                 args->name[i] ? ", or of an unknown name: " : "",
                                 args->name[i] ? args->name[i] : "");
        }
        call->arg[to] = args->value[i];
        call->given[to] = true;
    }
    place = 0;
    for (const char *at = parameters; *at; place++) {
        if (*at == '!' && !call->given[place]) {
            return it_jcall_fail(call, "the argument %.*s is missing", (int)strcspn(at + 1, " "),
                                 at + 1);
        }
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return IT_OK;
}

enum it_status it_jcall(struct it_jrun *run, int line, const struct it_jfunction *function,
                        const struct it_jvalue *self, const struct it_jargs *args,
                        struct it_jvalue *out)
{
    struct it_jcall call = {.run = run, .line = line, .name = function->name, .all = args};
    if (self) { call.self = *self; }
    if (strcmp(function->parameters, "*") != 0) {
        IT_TRY(place_arguments(&call, function->parameters));
    }
    return function->run(&call, out);
}

enum it_status it_jcall_value(struct it_jrun *run, int line, const struct it_jvalue *callee,
                              const struct it_jargs *args, struct it_jvalue *out)
{
    switch ((enum it_jkind)callee->kind) {
    case IT_JMACRO: return it_jmacro_call(run, line, callee->u.macro, args, out);
    case IT_JFUNCTION: return it_jcall(run, line, callee->u.function, NULL, args, out);
    case IT_JMETHOD:
        return it_jcall(run, line, callee->u.method->function, &callee->u.method->self, args, out);
    case IT_JUNDEFINED:
        return it_jrun_fail(run, IT_INVALID, line, "%s is called, but there is no function of "
                            "that name here", callee->u.text ? callee->u.text : "a value");
    default:
        return it_jrun_fail(run, IT_INVALID, line, "%s is called like a function",
                            it_jkind_words(callee));
    }
}

static enum it_status eval_call(struct it_jrun *run, const struct it_jnode *node,
                                struct it_jvalue *out)
{
    struct it_jvalue callee;
    struct it_jargs args;
    IT_TRY(it_jeval(run, node->a, &callee));
    IT_TRY(eval_arguments(run, node, &args));
    return it_jcall_value(run, node->line, &callee, &args, out);
}

static enum it_status apply(struct it_jrun *run, const struct it_jnode *node,
                            const struct it_jvalue *self, struct it_jvalue *out)
{
    struct it_jargs args;
    IT_TRY(eval_arguments(run, node, &args));
    return it_jcall(run, node->line, node->known, self, &args, out);
}

enum it_status it_jfilters_apply(struct it_jrun *run, const struct it_jnode *filters,
                                 const struct it_jvalue *value, struct it_jvalue *out)
{
    struct it_jvalue inner = *value;
    if (filters->a) {
        IT_TRY(it_jrun_enter(run, filters->line));
        IT_TRY(it_jfilters_apply(run, filters->a, value, &inner));
        run->depth--;
    }
    return apply(run, filters, &inner, out);
}

static enum it_status eval_test(struct it_jrun *run, const struct it_jnode *node,
                                struct it_jvalue *out)
{
    struct it_jvalue self;
    IT_TRY(it_jeval(run, node->a, &self));
    IT_TRY(apply(run, node, &self, out));
    if (node->negated) { *out = it_jbool(!it_jtrue(out)); }
    return IT_OK;
}

/* ---- operators ---- */

static enum it_status compare(struct it_jrun *run, int line, enum it_jtoken_kind op,
                              const struct it_jvalue *a, const struct it_jvalue *b, bool *out)
{
    int order;
    if (op == IT_JT_IN || op == IT_JT_NOT_IN) {
        IT_TRY(it_jcontains(run, line, b, a, out));
        *out = *out == (op == IT_JT_IN);
        return IT_OK;
    }
    if (op == IT_JT_EQ || op == IT_JT_NE) {
        IT_TRY(it_jequal(run, line, a, b, out));
        *out = *out == (op == IT_JT_EQ);
        return IT_OK;
    }
    IT_TRY(it_jorder(run, line, a, b, &order));
    *out = op == IT_JT_LT   ? order < 0
           : op == IT_JT_LE ? order <= 0
           : op == IT_JT_GT ? order > 0
                            : order >= 0;
    return IT_OK;
}

/* a < b < c holds when both do; what follows a comparison that doesn't is not looked at. */
static enum it_status eval_compare(struct it_jrun *run, const struct it_jnode *node,
                                   struct it_jvalue *out)
{
    struct it_jvalue left, right;
    bool holds = true;
    IT_TRY(it_jeval(run, node->a, &left));
    for (size_t i = 0; i < node->n && holds; i++) {
        IT_TRY(it_jeval(run, node->item[i]->a, &right));
        IT_TRY(compare(run, node->line, node->item[i]->op, &left, &right, &holds));
        left = right;
    }
    *out = it_jbool(holds);
    return IT_OK;
}

static enum it_status eval_join(struct it_jrun *run, const struct it_jnode *node,
                                struct it_jvalue *out)
{
    struct it_str text = {0};
    enum it_status status = IT_OK;
    for (size_t i = 0; i < node->n && status == IT_OK; i++) {
        struct it_jvalue item;
        status = it_jeval(run, node->item[i], &item);
        if (status == IT_OK) { status = it_jwrite(run, node->line, &item, &text); }
    }
    if (status == IT_OK) { return it_jtext_take(run, node->line, &text, out); }
    it_str_free(&text);
    return status;
}

static enum it_status eval_unary(struct it_jrun *run, const struct it_jnode *node,
                                 struct it_jvalue *out)
{
    struct it_jvalue value, zero = it_jint(0);
    IT_TRY(it_jeval(run, node->a, &value));
    if (!it_jis_number(&value)) {
        return it_jrun_fail(run, IT_INVALID, node->line, "%s has no sign%s%s",
                            it_jkind_words(&value), value.kind == IT_JUNDEFINED ? ": " : "",
                            value.kind == IT_JUNDEFINED ? value.u.text : "");
    }
    if (value.kind == IT_JREAL) {
        *out = it_jreal(node->op == IT_JT_SUB ? -value.u.real : value.u.real);
        return IT_OK;
    }
    return it_jbinary(run, node->line, node->op, &zero, &value, out);
}

static enum it_status eval_binary(struct it_jrun *run, const struct it_jnode *node,
                                  struct it_jvalue *out)
{
    struct it_jvalue a, b;
    IT_TRY(it_jeval(run, node->a, &a));
    IT_TRY(it_jeval(run, node->b, &b));
    return it_jbinary(run, node->line, node->op, &a, &b, out);
}

static enum it_status eval_choice(struct it_jrun *run, const struct it_jnode *node,
                                  struct it_jvalue *out)
{
    struct it_jvalue value;
    if (node->kind == IT_JN_IF) {
        IT_TRY(it_jeval(run, node->b, &value));
        if (it_jtrue(&value)) { return it_jeval(run, node->a, out); }
        *out = it_jundefined("an if without an else");
        return node->c ? it_jeval(run, node->c, out) : IT_OK;
    }
    IT_TRY(it_jeval(run, node->a, out));
    return it_jtrue(out) == (node->kind == IT_JN_AND) ? it_jeval(run, node->b, out) : IT_OK;
}

static enum it_status eval_slice(struct it_jrun *run, const struct it_jnode *node,
                                 struct it_jvalue *out)
{
    struct it_jvalue value, bound[3];
    IT_TRY(it_jeval(run, node->a, &value));
    for (int i = 0; i < 3; i++) {
        bound[i] = IT_JNONE_VALUE;
        if (node->item[i]) { IT_TRY(it_jeval(run, node->item[i], &bound[i])); }
    }
    return it_jslice(run, node->line, &value, bound, out);
}

static enum it_status eval(struct it_jrun *run, const struct it_jnode *node, struct it_jvalue *out)
{
    struct it_jvalue a, b;
    switch ((enum it_jnode_kind)node->kind) {
    case IT_JN_CONST: *out = node->value; return IT_OK;
    case IT_JN_NAME: return eval_name(run, node, out);
    case IT_JN_LIST:
    case IT_JN_TUPLE: return eval_list(run, node, out);
    case IT_JN_DICT: return eval_dict(run, node, out);
    case IT_JN_GET:
        IT_TRY(it_jeval(run, node->a, &a));
        return it_jget_name(run, node->line, &a, node->name, out);
    case IT_JN_AT:
        IT_TRY(it_jeval(run, node->a, &a));
        IT_TRY(it_jeval(run, node->b, &b));
        return it_jget_item(run, node->line, &a, &b, out);
    case IT_JN_SLICE: return eval_slice(run, node, out);
    case IT_JN_CALL: return eval_call(run, node, out);
    case IT_JN_FILTER:
        IT_TRY(it_jeval(run, node->a, &a));
        return apply(run, node, &a, out);
    case IT_JN_TEST: return eval_test(run, node, out);
    case IT_JN_UNARY: return eval_unary(run, node, out);
    case IT_JN_BINARY: return eval_binary(run, node, out);
    case IT_JN_COMPARE: return eval_compare(run, node, out);
    case IT_JN_JOIN: return eval_join(run, node, out);
    case IT_JN_AND:
    case IT_JN_OR:
    case IT_JN_IF: return eval_choice(run, node, out);
    case IT_JN_NOT:
        IT_TRY(it_jeval(run, node->a, &a));
        *out = it_jbool(!it_jtrue(&a));
        return IT_OK;
    default: return IT_OK; /* statements are never expressions */
    }
}

enum it_status it_jeval(struct it_jrun *run, const struct it_jnode *node, struct it_jvalue *out)
{
    IT_TRY(it_jrun_enter(run, node->line));
    IT_TRY(eval(run, node, out));
    run->depth--;
    return IT_OK;
}
