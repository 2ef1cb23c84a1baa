/* SPDX-License-Identifier: MIT */
/* Thrift's compact protocol, as far as Parquet uses it. */
#include "core/data/parquet_internal.h"

enum { DEEPEST = 32 };

static uint8_t get_byte(struct it_thrift *t)
{
    if (t->broken || t->at == t->end) {
        t->broken = true;
        return 0;
    }
    return *t->at++;
}

uint64_t it_thrift_varint(struct it_thrift *t)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_byte(t);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) { return value; }
    }
    t->broken = true;
    return 0;
}

static int64_t get_zigzag(struct it_thrift *t)
{
    uint64_t value = it_thrift_varint(t);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

bool it_thrift_next(struct it_thrift *t, struct it_thrift_field *field)
{
    uint8_t head = get_byte(t);
    if (t->broken || head == 0) { return false; }
    int64_t id = head >> 4 ? field->id + (head >> 4) : get_zigzag(t);
    field->type = head & 15;
    if (id < 0 || id > INT16_MAX) { t->broken = true; }
    field->id = (int)id;
    return !t->broken;
}

static void expect(struct it_thrift *t, bool right)
{
    if (!right) { t->broken = true; }
}

int64_t it_thrift_int(struct it_thrift *t, const struct it_thrift_field *field)
{
    if (field->type == IT_THRIFT_I8) { return (int8_t)get_byte(t); }
    expect(t, field->type >= IT_THRIFT_I16 && field->type <= IT_THRIFT_I64);
    int64_t value = t->broken ? 0 : get_zigzag(t);
    return t->broken ? 0 : value;
}

bool it_thrift_bool(struct it_thrift *t, const struct it_thrift_field *field)
{
    expect(t, field->type == IT_THRIFT_TRUE || field->type == IT_THRIFT_FALSE);
    return field->type == IT_THRIFT_TRUE;
}

static size_t get_bytes(struct it_thrift *t, const uint8_t **bytes_out)
{
    uint64_t n = it_thrift_varint(t);
    expect(t, !t->broken && n <= (uint64_t)(t->end - t->at));
    *bytes_out = t->at;
    if (t->broken) { return 0; }
    t->at += n;
    return (size_t)n;
}

size_t it_thrift_bytes(struct it_thrift *t, const struct it_thrift_field *field,
                       const uint8_t **bytes_out)
{
    expect(t, field->type == IT_THRIFT_BINARY);
    return get_bytes(t, bytes_out);
}

/* Every element takes a byte or more. */
static size_t get_list(struct it_thrift *t, int *type_out)
{
    uint8_t head = get_byte(t);
    uint64_t n = head >> 4 == 15 ? it_thrift_varint(t) : (uint64_t)head >> 4;
    expect(t, !t->broken && n <= (uint64_t)(t->end - t->at));
    *type_out = head & 15;
    return t->broken ? 0 : (size_t)n;
}

size_t it_thrift_list(struct it_thrift *t, const struct it_thrift_field *field, int type)
{
    int found = 0;
    expect(t, field->type == IT_THRIFT_LIST);
    size_t n = get_list(t, &found);
    expect(t, n == 0 || found == type);
    return t->broken ? 0 : n;
}

void it_thrift_enter(struct it_thrift *t, const struct it_thrift_field *field)
{
    expect(t, field->type == IT_THRIFT_STRUCT);
}

static void skip(struct it_thrift *t, int type, bool element, int depth);

static void skip_list(struct it_thrift *t, int depth)
{
    int type = 0;
    size_t n = get_list(t, &type);
    for (size_t i = 0; i < n && !t->broken; i++) { skip(t, type, true, depth + 1); }
}

static void skip_map(struct it_thrift *t, int depth)
{
    uint64_t n = it_thrift_varint(t);
    if (n == 0 || t->broken) { return; }
    uint8_t types = get_byte(t);
    expect(t, n <= (uint64_t)(t->end - t->at));
    for (uint64_t i = 0; i < n && !t->broken; i++) {
        skip(t, types >> 4, true, depth + 1);
        skip(t, types & 15, true, depth + 1);
    }
}

/* A boolean is in its field's type, but takes a byte as an element. */
static void skip(struct it_thrift *t, int type, bool element, int depth)
{
    const uint8_t *bytes;
    size_t fixed = type == IT_THRIFT_DOUBLE ? 8 : type == IT_THRIFT_UUID ? 16 : 0;
    struct it_thrift_field field = {0};
    expect(t, depth < DEEPEST);
    if (t->broken) { return; }
    switch (type) {
    case IT_THRIFT_TRUE:
    case IT_THRIFT_FALSE:
        if (element) { (void)get_byte(t); }
        break;
    case IT_THRIFT_I8: (void)get_byte(t); break;
    case IT_THRIFT_I16:
    case IT_THRIFT_I32:
    case IT_THRIFT_I64: (void)it_thrift_varint(t); break;
    case IT_THRIFT_DOUBLE:
    case IT_THRIFT_UUID:
        for (size_t i = 0; i < fixed; i++) { (void)get_byte(t); }
        break;
    case IT_THRIFT_BINARY: (void)get_bytes(t, &bytes); break;
    case IT_THRIFT_LIST:
    case IT_THRIFT_SET: skip_list(t, depth); break;
    case IT_THRIFT_MAP: skip_map(t, depth); break;
    case IT_THRIFT_STRUCT:
        while (it_thrift_next(t, &field)) { skip(t, field.type, false, depth + 1); }
        break;
    default: t->broken = true;
    }
}

void it_thrift_skip(struct it_thrift *t, const struct it_thrift_field *field)
{
    skip(t, field->type, false, 0);
}
