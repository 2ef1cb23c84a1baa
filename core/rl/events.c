/* SPDX-License-Identifier: MIT */
/* An event file is a sequence of TFRecords (length, masked CRC-32C of it, data, masked CRC-32C),
 * each an Event protocol buffer: 1 wall_time (double), 2 step (varint), 3 file_version (string) or
 * 5 summary { 1 value { 1 tag, 2 simple_value (float) } }. Five fields are written by hand. */
#include "core/rl/events.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/str.h"

struct it_events {
    FILE *stream;
    char *path;
};

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* CRC-32C (Castagnoli), bitwise: records are small and few. */
static uint32_t crc32c(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) { crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1u))); }
    }
    return ~crc;
}

static uint32_t masked(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static void put_little(struct it_str *s, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) { it_str_putc(s, (char)(value >> (8 * i))); }
}

static void put_varint(struct it_str *s, uint64_t value)
{
    for (; value >= 128; value >>= 7) { it_str_putc(s, (char)(value | 128)); }
    it_str_putc(s, (char)value);
}

static void put_key(struct it_str *s, unsigned field, unsigned type)
{
    put_varint(s, field << 3 | type);
}

static void put_bytes(struct it_str *s, unsigned field, const char *data, size_t n)
{
    put_key(s, field, BYTES);
    put_varint(s, n);
    it_str_add(s, data, n);
}

static void put_event_head(struct it_str *s, int64_t step)
{
    struct timespec now;
    double wall;
    uint64_t bits;
    clock_gettime(CLOCK_REALTIME, &now);
    wall = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &wall, sizeof bits);
    put_key(s, 1, FIXED64);
    put_little(s, bits, 8);
    put_key(s, 2, VARINT);
    put_varint(s, (uint64_t)step);
}

static enum it_status put_record(struct it_events *e, const struct it_str *event)
{
    struct it_str r = {0};
    put_little(&r, event->len, 8);
    put_little(&r, masked(crc32c(r.data, 8)), 4);
    it_str_add(&r, event->data, event->len);
    put_little(&r, masked(crc32c(event->data, event->len)), 4);
    bool written = fwrite(r.data, 1, r.len, e->stream) == r.len && !fflush(e->stream);
    it_str_free(&r);
    return written ? IT_OK : it_fail(IT_IO, "%s: writing failed; is the disk full?", e->path);
}

enum it_status it_events_open(const char *folder, struct it_events **events_out)
{
    char name[96];
    snprintf(name, sizeof name, "events.out.tfevents.%lld.intuitor.%ld", (long long)time(NULL),
             (long)getpid());
    struct it_events *e = it_calloc(1, sizeof *e);
    e->path = it_path_join(folder, name);
    e->stream = fopen(e->path, "wb");
    enum it_status status = e->stream ? IT_OK : it_fail(IT_IO, "%s: cannot create", e->path);
    if (status == IT_OK) {
        struct it_str event = {0};
        put_event_head(&event, 0);
        put_bytes(&event, 3, "brain.Event:2", 13);
        status = put_record(e, &event);
        it_str_free(&event);
    }
    if (status != IT_OK) {
        it_events_close(e);
        return status;
    }
    *events_out = e;
    return IT_OK;
}

enum it_status it_events_put(struct it_events *e, int64_t step, const char *prefix,
                             const json_t *record)
{
    struct it_str summary = {0}, value = {0}, tag = {0}, event = {0};
    const char *key;
    json_t *field;
    if (!e) { return IT_OK; }
    json_object_foreach((json_t *)(uintptr_t)record, key, field)
    {
        if (!json_is_number(field) || strcmp(key, "step") == 0) { continue; }
        float x = (float)json_number_value(field);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        it_str_clear(&value);
        it_str_clear(&tag);
        it_str_printf(&tag, "%s%s", prefix, key);
        put_bytes(&value, 1, it_str_c(&tag), tag.len);
        put_key(&value, 2, FIXED32);
        put_little(&value, bits, 4);
        put_bytes(&summary, 1, it_str_c(&value), value.len);
    }
    put_event_head(&event, step);
    put_bytes(&event, 5, it_str_c(&summary), summary.len);
    enum it_status status = put_record(e, &event);
    it_str_free(&summary);
    it_str_free(&value);
    it_str_free(&tag);
    it_str_free(&event);
    return status;
}

void it_events_close(struct it_events *e)
{
    if (!e) { return; }
    if (e->stream) { fclose(e->stream); }
    it_free(e->path);
    it_free(e);
}

enum it_status it_events_remove(const char *folder)
{
    struct it_strs names = {0};
    enum it_status status = it_dir_list(folder, &names);
    for (size_t i = 0; i < names.n && status == IT_OK; i++) {
        if (!it_starts_with(names.item[i], "events.out.tfevents.")) { continue; }
        char *path = it_path_join(folder, names.item[i]);
        if (remove(path)) { status = it_fail(IT_IO, "%s: cannot remove", path); }
        it_free(path);
    }
    it_strs_free(&names);
    return status;
}
