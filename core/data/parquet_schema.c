/* SPDX-License-Identifier: MIT */
/* The schema of a Parquet file: elements in depth-first order become nodes with their levels. */
#include <string.h>

#include "core/base/mem.h"
#include "core/data/parquet_internal.h"

enum { DEEPEST = 32, MAX_NODES = 100000, MAX_FIXED = 1 << 20 };

struct element {
    struct it_pq_node node;
    int64_t type, repetition, converted;
    bool typed;
};

/* ---- what a value means ---- */

/* ConvertedType of the format's older files, and of most newer ones beside the logical type. */
static void apply_converted(struct element *e)
{
    struct it_pq_node *n = &e->node;
    switch (e->converted) {
    case 0: case 4: case 19: n->meaning = IT_PQ_TEXT; break; /* UTF8, ENUM, JSON */
    case 1: case 2: case 3: n->meaning = IT_PQ_LIST; break;  /* MAP, MAP_KEY_VALUE, LIST */
    case 5: n->meaning = IT_PQ_DECIMAL; break;
    case 6: n->meaning = IT_PQ_DATE; break;
    case 7: case 8:
    case 9: case 10: /* TIME and TIMESTAMP, of MILLIS and MICROS */
        n->meaning = e->converted < 9 ? IT_PQ_TIME : IT_PQ_TIMESTAMP;
        n->scale = e->converted & 1 ? 3 : 6;
        n->utc = true;
        break;
    case 11: case 12: case 13: case 14: n->meaning = IT_PQ_UNSIGNED; break;
    default: break;
    }
}

/* TIME and TIMESTAMP: {1: adjusted to UTC, 2: unit, a union of MILLIS, MICROS, NANOS}. */
static void read_time(struct it_thrift *t, struct it_pq_node *n)
{
    struct it_thrift_field field = {0};
    while (it_thrift_next(t, &field)) {
        if (field.id == 1) {
            n->utc = it_thrift_bool(t, &field);
        } else if (field.id == 2) {
            struct it_thrift_field unit = {0};
            it_thrift_enter(t, &field);
            while (it_thrift_next(t, &unit)) {
                n->scale = unit.id == 1 ? 3 : unit.id == 2 ? 6 : 9;
                it_thrift_skip(t, &unit);
            }
        } else {
            it_thrift_skip(t, &field);
        }
    }
}

/* DECIMAL {1: scale}, INTEGER {2: signed}. */
static void read_number(struct it_thrift *t, struct it_pq_node *n)
{
    struct it_thrift_field field = {0};
    while (it_thrift_next(t, &field)) {
        bool timed = n->meaning == IT_PQ_TIME || n->meaning == IT_PQ_TIMESTAMP;
    if (timed && n->scale != 3 && n->scale != 6 && n->scale != 9) { n->meaning = IT_PQ_PLAIN; }
    if (n->meaning == IT_PQ_DECIMAL && field.id == 1) {
            n->scale = (int)it_thrift_int(t, &field);
        } else if (n->meaning != IT_PQ_DECIMAL && field.id == 2) {
            n->meaning = it_thrift_bool(t, &field) ? IT_PQ_PLAIN : IT_PQ_UNSIGNED;
        } else {
            it_thrift_skip(t, &field);
        }
    }
}

/* A union: one field says which. */
static void read_logical(struct it_thrift *t, struct it_pq_node *n)
{
    static const enum it_pq_meaning meanings[] = {
        [1] = IT_PQ_TEXT,     [2] = IT_PQ_LIST,  [3] = IT_PQ_LIST,      [4] = IT_PQ_TEXT,
        [5] = IT_PQ_DECIMAL,  [6] = IT_PQ_DATE,  [7] = IT_PQ_TIME,      [8] = IT_PQ_TIMESTAMP,
        [10] = IT_PQ_PLAIN,   [12] = IT_PQ_TEXT, [14] = IT_PQ_UUID,     [15] = IT_PQ_HALF};
    struct it_thrift_field field = {0};
    while (it_thrift_next(t, &field)) {
        bool known = field.id < (int)(sizeof meanings / sizeof *meanings);
        n->meaning = known ? meanings[field.id] : IT_PQ_PLAIN;
        if (field.id == 7 || field.id == 8) {
            read_time(t, n);
        } else if (field.id == 5 || field.id == 10) {
            it_thrift_enter(t, &field);
            read_number(t, n);
        } else {
            it_thrift_skip(t, &field);
        }
    }
}

/* ---- elements ---- */

static char *read_name(struct it_thrift *t, const struct it_thrift_field *field)
{
    const uint8_t *bytes;
    size_t n = it_thrift_bytes(t, field, &bytes);
    if (t->broken || memchr(bytes, '\0', n) ||
        it_utf8_valid_prefix((const char *)bytes, n) != n) {
        t->broken = true;
        return NULL;
    }
    return it_strndup((const char *)bytes, n);
}

static void read_element(struct it_thrift *t, struct element *e)
{
    struct it_thrift_field field = {0};
    bool logical = false;
    e->converted = -1;
    while (it_thrift_next(t, &field)) {
        switch (field.id) {
        case 1:
            e->type = it_thrift_int(t, &field);
            e->typed = true;
            break;
        case 2: e->node.length = it_thrift_int(t, &field); break;
        case 3: e->repetition = it_thrift_int(t, &field); break;
        case 4:
            it_free(e->node.name);
            e->node.name = read_name(t, &field);
            break;
        case 5: e->node.children = it_thrift_int(t, &field); break;
        case 6: e->converted = it_thrift_int(t, &field); break;
        case 7: e->node.scale = (int)it_thrift_int(t, &field); break;
        case 10:
            it_thrift_enter(t, &field);
            logical = !t->broken;
            read_logical(t, &e->node);
            break;
        default: it_thrift_skip(t, &field);
        }
    }
    if (!logical) { apply_converted(e); }
}

/* NULL, or what is wrong. A meaning that does not go with the type is no meaning. */
static const char *check_element(struct element *e, bool root)
{
    struct it_pq_node *n = &e->node;
    static const unsigned fits[] = {
        /* by meaning: bits of the types it goes with */
        [IT_PQ_PLAIN] = ~0U,
        [IT_PQ_TEXT] = 1 << IT_PQ_BYTES,
        [IT_PQ_LIST] = 1 << IT_PQ_GROUP,
        [IT_PQ_DECIMAL] = 1 << IT_PQ_INT32 | 1 << IT_PQ_INT64 | 1 << IT_PQ_BYTES |
                          1 << IT_PQ_FIXED,
        [IT_PQ_DATE] = 1 << IT_PQ_INT32,
        [IT_PQ_TIME] = 1 << IT_PQ_INT32 | 1 << IT_PQ_INT64,
        [IT_PQ_TIMESTAMP] = 1 << IT_PQ_INT64,
        [IT_PQ_UNSIGNED] = 1 << IT_PQ_INT32 | 1 << IT_PQ_INT64,
        [IT_PQ_UUID] = 1 << IT_PQ_FIXED,
        [IT_PQ_HALF] = 1 << IT_PQ_FIXED,
    };
    bool group = root || !e->typed;
    if (!n->name) { return "an element without a name"; }
    if (!group && (e->type < 0 || e->type > IT_PQ_FIXED)) { return "an unknown type"; }
    if (e->repetition < 0 || e->repetition > IT_PQ_REPEATED) { return "an unknown repetition"; }
    n->type = group ? IT_PQ_GROUP : (enum it_pq_type)e->type;
    n->repetition = root ? IT_PQ_REQUIRED : (enum it_pq_repetition)e->repetition;
    if (group ? n->children < 0 || (n->children == 0 && !root) : n->children > 0) {
        return "a number of children that cannot be";
    }
    if (n->type == IT_PQ_FIXED && (n->length < 1 || n->length > MAX_FIXED)) {
        return "a length that cannot be";
    }
    if (!(fits[n->meaning] & 1U << n->type)) { n->meaning = IT_PQ_PLAIN; }
    if (n->meaning == IT_PQ_UUID && n->length != 16) { n->meaning = IT_PQ_PLAIN; }
    if (n->meaning == IT_PQ_HALF && n->length != 2) { n->meaning = IT_PQ_PLAIN; }
    bool timed = n->meaning == IT_PQ_TIME || n->meaning == IT_PQ_TIMESTAMP;
    if (timed && n->scale != 3 && n->scale != 6 && n->scale != 9) { n->meaning = IT_PQ_PLAIN; }
    if (n->meaning == IT_PQ_DECIMAL && (n->scale < 0 || n->scale > 1000)) {
        return "a decimal scale that cannot be";
    }
    return NULL;
}

/* ---- the tree ---- */

struct walk {
    const char *path;
    struct it_thrift *t;
    struct it_pq_schema *s;
    size_t limit;
};

static enum it_status fail(const struct walk *w, const char *name, const char *cause)
{
    return it_fail(IT_INVALID, "%s: the schema%s%s%s has %s", w->path, name ? " of \"" : "",
                   name ? name : "", name ? "\"" : "", cause);
}

/* The element at hand and those below it. */
static enum it_status read_node(struct walk *w, int def, int rep, int depth)
{
    struct it_pq_schema *s = w->s;
    struct element e = {0};
    if (depth > DEEPEST) { return fail(w, NULL, "more than 32 levels of nesting"); }
    if (s->n == w->limit) { return fail(w, NULL, "fewer elements than its groups need"); }
    read_element(w->t, &e);
    size_t at = s->n++;
    s->node = it_grow(s->node, &s->cap, s->n, sizeof *s->node);
    s->node[at] = e.node; /* owns the name from here on */
    if (w->t->broken) { return fail(w, NULL, "a broken element"); }
    const char *cause = check_element(&e, depth == 0);
    s->node[at] = e.node;
    struct it_pq_node *n = &s->node[at];
    if (cause) { return fail(w, n->name, cause); }
    n->max_def = def += n->repetition != IT_PQ_REQUIRED;
    n->max_rep = rep += n->repetition == IT_PQ_REPEATED;
    n->leaf = s->leaves;
    if (n->type != IT_PQ_GROUP) { s->leaves++; }
    for (int64_t i = 0, children = n->children; i < children; i++) {
        IT_TRY(read_node(w, def, rep, depth + 1));
    }
    s->node[at].end = s->n;
    s->node[at].leaf_end = s->leaves;
    return IT_OK;
}

/* Records are objects: two fields of one name would lose one. */
static enum it_status check_names(const struct walk *w, size_t group)
{
    const struct it_pq_schema *s = w->s;
    json_t *seen = json_object();
    enum it_status status = IT_OK;
    for (size_t i = group + 1; i < s->node[group].end; i = s->node[i].end) {
        if (json_object_get(seen, s->node[i].name)) {
            status = fail(w, s->node[i].name, "two columns of this name");
            break;
        }
        json_object_set_new_nocheck(seen, s->node[i].name, json_true());
    }
    json_decref(seen);
    return status;
}

enum it_status it_pq_schema_read(const char *path, struct it_thrift *t,
                                 const struct it_thrift_field *field,
                                 struct it_pq_schema *schema_out)
{
    struct it_pq_schema schema = {0};
    struct walk w = {.path = path, .t = t, .s = &schema};
    w.limit = it_thrift_list(t, field, IT_THRIFT_STRUCT);
    enum it_status status;
    if (w.limit == 0 || w.limit > MAX_NODES) { return fail(&w, NULL, "no or too many elements"); }
    IT_TRY_GOTO(status, broken, read_node(&w, 0, 0, 0));
    if (schema.n != w.limit) {
        status = fail(&w, NULL, "more elements than its groups hold");
        goto broken;
    }
    for (size_t i = 0; i < schema.n; i++) {
        if (schema.node[i].type == IT_PQ_GROUP) {
            IT_TRY_GOTO(status, broken, check_names(&w, i));
        }
    }
    *schema_out = schema;
    return IT_OK;
broken:
    it_pq_schema_free(&schema);
    return status;
}

void it_pq_schema_free(struct it_pq_schema *schema)
{
    for (size_t i = 0; i < schema->n; i++) { it_free(schema->node[i].name); }
    it_free(schema->node);
    *schema = (struct it_pq_schema){0};
}
