/* SPDX-License-Identifier: MIT */
/* Recipes: the part of YAML that a flat list of options needs, through libyaml's events. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "core/base/internal.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/option.h"

/* More than any recipe has; hostile input stays cheap. */
enum { MOST_BYTES = 1 << 20, MOST_KEYS = 4096, DEEPEST = 32 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one, or of type YAML_NO_EVENT */
    const char *path;
    const struct it_str *text;
    struct it_strs keys; /* seen so far */
};

static enum it_status fail_at(const struct reader *r, size_t line, const char *cause)
{
    return it_fail(IT_INVALID, "%s:%zu: %s", r->path, line + 1, cause);
}

/* What the event may not be, wherever it stands. */
static const char *refusal(const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT) { return "aliases (*name) are not supported"; }
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (memchr(event->data.scalar.value, '\0', event->data.scalar.length)) {
            return "a NUL character is not allowed";
        }
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor) { return "anchors (&name) are not supported"; }
    return tag ? "tags (!name) are not supported" : NULL;
}

/* Where libyaml met what it does not understand, counted from 0. */
static size_t problem_line(const struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    size_t line = 0;
    if (p->error != YAML_READER_ERROR) {
        size_t problem = p->problem_mark.line, context = p->context_mark.line;
        return problem > context ? problem : context;
    }
    for (size_t i = 0; i < p->problem_offset && i < r->text->len; i++) { /* it knows bytes only */
        line += r->text->data[i] == '\n';
    }
    return line;
}

/* The next event into r->event. */
static enum it_status next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        const yaml_parser_t *p = &r->parser;
        return it_fail(IT_INVALID, "%s:%zu: not valid YAML: %s%s%s", r->path, problem_line(r) + 1,
                       p->problem ? p->problem : "unknown error", p->context ? " " : "",
                       p->context ? p->context : "");
    }
    const char *cause = refusal(&r->event);
    return cause ? fail_at(r, r->event.start_mark.line, cause) : IT_OK;
}

/* The scalars of the list whose start is the current event. */
static enum it_status read_list(struct reader *r, struct it_strs *list)
{
    for (;;) {
        IT_TRY(next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) { return IT_OK; }
        if (r->event.type != YAML_SCALAR_EVENT) {
            return fail_at(r, r->event.start_mark.line, "expected a list of single values");
        }
        it_strs_add(list, (const char *)r->event.data.scalar.value);
    }
}

/* Written without quotes: nothing, ~ or null. */
static bool is_null(const yaml_event_t *event)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) { return false; }
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
        if (strcmp(nulls[i], (const char *)event->data.scalar.value) == 0) { return true; }
    }
    return false;
}

/* Words without quotes are what PyYAML takes them for, but that 1e3 is a number, as in JSON. */
static json_t *plain_json(const char *text)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true}, {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(words[i].word, text) == 0) { return json_boolean(words[i].value); }
    }
    json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
    if (json_is_number(number)) { return number; }
    json_decref(number);
    return it_json_text(text, strlen(text));
}

static json_t *scalar_json(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    if (is_null(event)) { return json_null(); }
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_json(text)
                                                               : it_json_text(text, strlen(text));
}

static enum it_status read_json(struct reader *r, int depth, json_t **value_out);

/* The values of the list whose start is the current event. */
static enum it_status fill_array(struct reader *r, int depth, json_t *array)
{
    for (;;) {
        json_t *value;
        IT_TRY(next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) { return IT_OK; }
        IT_TRY(read_json(r, depth, &value));
        json_array_append_new(array, value);
    }
}

/* The pairs of the map whose start is the current event. */
static enum it_status fill_object(struct reader *r, int depth, json_t *object)
{
    for (;;) {
        IT_TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) { return IT_OK; }
        size_t line = r->event.start_mark.line;
        if (r->event.type != YAML_SCALAR_EVENT) {
            return fail_at(r, line, "expected a key, found a list or a map");
        }
        char *key = it_strdup((const char *)r->event.data.scalar.value);
        json_t *value = NULL;
        enum it_status status = json_object_get(object, key)
                                    ? it_fail(IT_INVALID, "%s:%zu: key \"%s\" is given twice",
                                              r->path, line + 1, key)
                                    : next(r);
        if (status == IT_OK) { status = read_json(r, depth, &value); }
        if (status == IT_OK) { json_object_set_new(object, key, value); }
        it_free(key);
        IT_TRY(status);
    }
}

/* The value that begins with the current event, in JSON. */
static enum it_status read_json(struct reader *r, int depth, json_t **value_out)
{
    if (r->event.type == YAML_SCALAR_EVENT) {
        *value_out = scalar_json(&r->event);
        return IT_OK;
    }
    if (depth == DEEPEST) { return fail_at(r, r->event.start_mark.line, "nested too deep"); }
    bool is_map = r->event.type == YAML_MAPPING_START_EVENT;
    json_t *value = is_map ? json_object() : json_array();
    enum it_status status =
        is_map ? fill_object(r, depth + 1, value) : fill_array(r, depth + 1, value);
    if (status != IT_OK) {
        json_decref(value);
        return status;
    }
    *value_out = value;
    return IT_OK;
}

/* The key in the current event, as a new string kept in r->keys. */
static enum it_status read_key(struct reader *r, const char **key_out)
{
    size_t line = r->event.start_mark.line;
    if (r->event.type != YAML_SCALAR_EVENT) {
        return fail_at(r, line, "expected a key, found a list or a map");
    }
    const char *key = (const char *)r->event.data.scalar.value;
    if (key[0] == '\0') { return fail_at(r, line, "expected a key, found nothing"); }
    if (r->keys.n == MOST_KEYS) { return fail_at(r, line, "too many keys"); }
    for (size_t i = 0; i < r->keys.n; i++) {
        if (strcmp(r->keys.item[i], key) == 0) {
            return it_fail(IT_INVALID, "%s:%zu: key \"%s\" is given twice", r->path, line + 1,
                           key);
        }
    }
    it_strs_add(&r->keys, key);
    *key_out = r->keys.item[r->keys.n - 1];
    return IT_OK;
}

/* The value after a key, handed to `set`. */
static enum it_status read_value(struct reader *r, struct it_yaml_item *item,
                                 enum it_status (*set)(void *, const struct it_yaml_item *),
                                 void *context)
{
    struct it_strs list = {0};
    enum it_status status;
    IT_TRY(next(r));
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        item->scalar = (const char *)r->event.data.scalar.value;
        item->is_null = is_null(&r->event);
        return set(context, item);
    case YAML_SEQUENCE_START_EVENT:
        status = read_list(r, &list);
        item->list = &list;
        if (status == IT_OK) { status = set(context, item); }
        it_strs_free(&list);
        return status;
    default: { /* a map: the grammar leaves nothing else */
        json_t *map;
        IT_TRY(read_json(r, 0, &map));
        char *text = json_dumps(map, JSON_COMPACT | JSON_REAL_PRECISION(17));
        item->map = text;
        status = text ? set(context, item)
                      : fail_at(r, r->event.start_mark.line, "no memory for a map");
        free(text);
        json_decref(map);
        return status;
    }
    }
}

static enum it_status read_top(struct reader *r,
                               enum it_status (*set)(void *, const struct it_yaml_item *),
                               void *context)
{
    struct it_str where = {0};
    enum it_status status;
    for (;;) {
        struct it_yaml_item item = {0};
        IT_TRY_GOTO(status, done, next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) { break; }
        it_str_clear(&where);
        it_str_printf(&where, "%s:%zu", r->path, r->event.start_mark.line + 1);
        item.where = where.data;
        IT_TRY_GOTO(status, done, read_key(r, &item.key));
        IT_TRY_GOTO(status, done, read_value(r, &item, set, context));
    }
done:
    it_str_free(&where);
    return status;
}

/* Stream start, at most one document that is a map (or holds nothing), stream end. */
static enum it_status read_stream(struct reader *r,
                                  enum it_status (*set)(void *, const struct it_yaml_item *),
                                  void *context)
{
    bool seen = false;
    for (;;) {
        IT_TRY(next(r));
        size_t line = r->event.start_mark.line;
        switch (r->event.type) {
        case YAML_STREAM_END_EVENT: return IT_OK;
        case YAML_DOCUMENT_START_EVENT:
            if (seen) { return fail_at(r, line, "a second document is not supported"); }
            seen = true;
            break;
        case YAML_MAPPING_START_EVENT: IT_TRY(read_top(r, set, context)); break;
        case YAML_SCALAR_EVENT:
            if (is_null(&r->event)) { break; }
            return fail_at(r, line, "expected lines of the form \"key: value\"");
        case YAML_SEQUENCE_START_EVENT:
            return fail_at(r, line, "expected lines of the form \"key: value\", found a list");
        default: break; /* ends of documents, start of the stream */
        }
    }
}

enum it_status it_yaml_read(const char *path,
                            enum it_status (*set)(void *context, const struct it_yaml_item *item),
                            void *context)
{
    struct it_str text = {0};
    IT_TRY(it_file_read_limit(path, MOST_BYTES, &text));
    struct reader reader = {.path = path, .text = &text};
    enum it_status status;
    if (!yaml_parser_initialize(&reader.parser)) {
        status = it_fail(IT_NOMEM, "%s: no memory to read it", path);
    } else {
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)it_str_c(&text),
                                     text.len);
        status = read_stream(&reader, set, context);
        yaml_event_delete(&reader.event);
        yaml_parser_delete(&reader.parser);
    }
    it_strs_free(&reader.keys);
    it_str_free(&text);
    return status;
}
