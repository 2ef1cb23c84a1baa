/* SPDX-License-Identifier: MIT */
/* Loops, and what the variable `loop` knows. Items are looked at as late as Jinja looks at them: a
 * filter's test runs just before its item's turn, or when loop.last or loop.length asks. */
#include <string.h>

#include "core/text/jinja_internal.h"

struct it_jloop {
    const struct it_jnode *node;
    struct it_jscope *outer;
    const struct it_jlist *items;
    size_t next;    /* in items */
    bool filtered;  /* items are still to be tested */
    int64_t index0, length; /* length -1: not known yet */
    struct it_jvalue before, current, after;
    bool has_before, has_after;
    struct it_jvalue changed; /* arguments of the last loop.changed, a list; or undefined */
};

/* The next item that passes the test. */
static enum it_status fetch(struct it_jrun *run, struct it_jloop *loop, struct it_jvalue *item_out,
                            bool *found_out)
{
    struct it_jscope *scope = run->scope;
    for (*found_out = false; loop->next < loop->items->n && !*found_out;) {
        struct it_jvalue item = loop->items->item[loop->next++], verdict = it_jbool(true);
        if (loop->filtered) {
            it_jscope_push(run, loop->outer);
            enum it_status status = it_jassign(run, loop->node->a, &item);
            if (status == IT_OK) { status = it_jeval(run, loop->node->test, &verdict); }
            run->scope = scope;
            IT_TRY(status);
        }
        *found_out = it_jtrue(&verdict);
        *item_out = item;
    }
    return IT_OK;
}

static enum it_status peek(struct it_jrun *run, struct it_jloop *loop)
{
    return loop->has_after ? IT_OK : fetch(run, loop, &loop->after, &loop->has_after);
}

static enum it_status find_length(struct it_jrun *run, struct it_jloop *loop)
{
    if (loop->length >= 0) { return IT_OK; }
    struct it_jvalue rest = it_jlist_new(run, IT_JPLAIN), item;
    bool found;
    for (;;) {
        IT_TRY(fetch(run, loop, &item, &found));
        if (!found) { break; }
        it_jlist_add(run, rest, item);
    }
    loop->items = rest.u.list;
    loop->next = 0;
    loop->filtered = false;
    loop->length = (int64_t)rest.u.list->n + loop->index0 + 1 + loop->has_after;
    return IT_OK;
}

static enum it_status cycle(struct it_jcall *call, struct it_jvalue *out)
{
    const struct it_jargs *args = call->all;
    if (args->n == 0) { return it_jcall_fail(call, "no items to go through"); }
    *out = args->value[(size_t)call->self.u.loop->index0 % args->n];
    return IT_OK;
}

static enum it_status changed(struct it_jcall *call, struct it_jvalue *out)
{
    struct it_jloop *loop = call->self.u.loop;
    struct it_jvalue now = it_jlist_new(call->run, IT_JPLAIN);
    bool same = false;
    for (size_t i = 0; i < call->all->n; i++) {
        it_jlist_add(call->run, now, call->all->value[i]);
    }
    if (loop->changed.kind == IT_JLIST) {
        IT_TRY(it_jequal(call->run, call->line, &loop->changed, &now, &same));
    }
    loop->changed = now;
    *out = it_jbool(!same);
    return IT_OK;
}

static const struct it_jfunction functions[] = {{"cycle", "*", cycle}, {"changed", "*", changed}};

enum it_status it_jloop_get(struct it_jrun *run, int line, struct it_jloop *loop,
                            const char *name, struct it_jvalue *out)
{
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, functions[i].name) != 0) { continue; }
        struct it_jmethod *method = it_jarena_take(&run->arena, sizeof *method);
        *method = (struct it_jmethod){{.kind = IT_JLOOP, .u.loop = loop}, &functions[i]};
        *out = (struct it_jvalue){.kind = IT_JMETHOD, .u.method = method};
        return IT_OK;
    }
    if (strcmp(name, "index") == 0 || strcmp(name, "index0") == 0) {
        *out = it_jint(loop->index0 + (name[5] ? 0 : 1));
    } else if (strcmp(name, "first") == 0) {
        *out = it_jbool(loop->index0 == 0);
    } else if (strcmp(name, "last") == 0) {
        IT_TRY(peek(run, loop));
        *out = it_jbool(!loop->has_after);
    } else if (strcmp(name, "length") == 0) {
        IT_TRY(find_length(run, loop));
        *out = it_jint(loop->length);
    } else if (strcmp(name, "revindex") == 0 || strcmp(name, "revindex0") == 0) {
        IT_TRY(find_length(run, loop));
        *out = it_jint(loop->length - loop->index0 - (name[8] ? 1 : 0));
    } else if (strcmp(name, "previtem") == 0) {
        *out = loop->has_before ? loop->before : it_jundefined("loop.previtem");
    } else if (strcmp(name, "nextitem") == 0) {
        IT_TRY(peek(run, loop));
        *out = loop->has_after ? loop->after : it_jundefined("loop.nextitem");
    } else if (strcmp(name, "depth") == 0 || strcmp(name, "depth0") == 0) {
        *out = it_jint(name[5] ? 0 : 1); /* loops that call themselves are refused */
    } else {
        return it_jrun_fail(run, IT_INVALID, line, "loop.%.40s is not known here", name);
    }
    return IT_OK;
}

/* One turn; *going_out is false when there is no item left. */
static enum it_status turn(struct it_jrun *run, struct it_jloop *loop, bool *going_out)
{
    struct it_jvalue item = loop->after, self = {.kind = IT_JLOOP, .u.loop = loop};
    *going_out = loop->has_after;
    loop->has_after = false;
    if (!*going_out) { IT_TRY(fetch(run, loop, &item, going_out)); }
    if (!*going_out) { return IT_OK; }
    loop->has_before = loop->index0 >= 0;
    loop->before = loop->current;
    loop->current = item;
    loop->index0++;
    it_jscope_push(run, loop->outer);
    it_jscope_set(run, "loop", self);
    IT_TRY(it_jassign(run, loop->node->a, &item));
    IT_TRY(it_jbody(run, loop->node));
    run->scope = loop->outer;
    *going_out = run->flow != IT_JFLOW_BREAK;
    run->flow = IT_JFLOW_ON;
    return IT_OK;
}

enum it_status it_jfor(struct it_jrun *run, const struct it_jnode *node)
{
    struct it_jvalue all;
    IT_TRY(it_jeval(run, node->b, &all));
    struct it_jloop *loop = it_jarena_take(&run->arena, sizeof *loop);
    *loop = (struct it_jloop){.node = node, .outer = run->scope, .filtered = node->test != NULL,
                              .index0 = -1, .length = -1, .changed = it_jundefined(NULL)};
    IT_TRY(it_jitems(run, node->line, &all, &loop->items));
    if (!loop->filtered) { loop->length = (int64_t)loop->items->n; }
    for (bool going = true; going;) {
        IT_TRY(it_jrun_charge(run, node->line, 0));
        IT_TRY(turn(run, loop, &going));
    }
    if (loop->index0 < 0 && node->c) {
        it_jscope_push(run, loop->outer);
        IT_TRY(it_jbody(run, node->c));
        run->scope = loop->outer;
    }
    return IT_OK;
}
