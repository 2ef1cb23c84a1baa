/* SPDX-License-Identifier: MIT */
#include "cli/device_ops.h"

#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/tensor/cases.h"

static const enum it_dtype types[] = {IT_F32, IT_BF16};
enum { TYPES = sizeof types / sizeof *types, ROOM = 4 << 20 };

/* Does the kernel take the case? A refusal writes nothing; nothing here is worth keeping. */
static enum it_status ask(const struct it_case *c, struct it_device *device,
                          struct it_arena *arena, bool *native_out)
{
    struct it_args args;
    IT_TRY(it_case_prepare(c, arena, &args));
    enum it_status status = device->kernel[c->op](device, &args);
    *native_out = status == IT_OK;
    if (status == IT_OK) { status = it_device_finish(device); }
    return status == IT_UNSUPPORTED ? IT_OK : status;
}

/* The first case for the tests of an op in a type; false where it does not come in it. */
static bool find_case(enum it_op op, enum it_dtype dtype, struct it_case *case_out)
{
    for (size_t i = 0; i < it_case_count(); i++) {
        it_case_at(i, case_out);
        if (case_out->op == op && case_out->dtype == dtype && !case_out->bench) { return true; }
    }
    return false;
}

static enum it_status ask_all(struct it_device *device, struct it_arena *arena, json_t *ops)
{
    int64_t mark = it_arena_mark(arena);
    for (int op = 0; op < IT_OP_COUNT; op++) {
        json_t *row = json_object();
        json_object_set_new(ops, it_op_info((enum it_op)op)->name, row);
        for (size_t t = 0; t < TYPES; t++) {
            struct it_case c;
            bool native = false;
            if (!find_case((enum it_op)op, types[t], &c)) { continue; }
            IT_TRY(ask(&c, device, arena, &native));
            it_arena_reset(arena, mark);
            json_object_set_new(row, it_dtype_name(types[t]),
                                json_string(native ? "native" : "fallback"));
        }
    }
    return IT_OK;
}

json_t *it_device_ops_by_dtype(struct it_device *device)
{
    struct it_arena *arena = NULL;
    json_t *ops = json_object();
    enum it_status status = it_arena_open(device, "asking kernels", ROOM, &arena);
    if (status == IT_OK) { status = ask_all(device, arena, ops); }
    it_arena_close(arena);
    if (status == IT_OK) { return ops; }
    json_decref(ops);
    return NULL;
}

json_t *it_device_ops_in_short(json_t *by_dtype)
{
    json_t *list = json_object(), *row, *word;
    const char *op, *dtype;
    json_object_foreach(by_dtype, op, row)
    {
        size_t native = 0;
        json_object_foreach(row, dtype, word)
        {
            native += strcmp(json_string_value(word), "native") == 0;
        }
        json_object_set_new(list, op,
                            json_string(native == 0                       ? "fallback"
                                        : native == json_object_size(row) ? "native"
                                                                          : "partly"));
    }
    return list;
}

/* ---- the table ---- */

static void print_line(const json_t *backends, const char *op, bool heads)
{
    size_t b, d;
    const json_t *backend, *device;
    json_array_foreach(backends, b, backend)
    {
        json_array_foreach(json_object_get(backend, "devices"), d, device)
        {
            const json_t *row = json_object_get(json_object_get(device, "ops_by_dtype"), op);
            for (size_t t = 0; t < TYPES; t++) {
                const char *type = it_dtype_name(types[t]);
                const char *word = json_string_value(json_object_get(row, type));
                const char *name = json_string_value(json_object_get(device, "name"));
                if (heads) { word = *op ? type : t == 0 ? name : ""; }
                printf(" %-9s", word ? word : "-");
            }
        }
    }
    printf("\n");
}

void it_device_ops_print(const json_t *backends)
{
    printf("%-17s", "");
    print_line(backends, "", true);
    printf("%-17s", "op");
    print_line(backends, "op", true);
    for (int op = 0; op < IT_OP_COUNT; op++) {
        const char *name = it_op_info((enum it_op)op)->name;
        printf("%-17s", name);
        print_line(backends, name, false);
    }
}
