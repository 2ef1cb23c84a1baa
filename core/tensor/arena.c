/* SPDX-License-Identifier: MIT */
/* Arenas: a stack of views over one slab, or over several where the device has a largest buffer.
 *
 * A position in an arena is a single number: slab i holds positions [i * slab_bytes, (i + 1) *
 * slab_bytes), and a tensor that would straddle two slabs starts at the second. A measuring arena
 * does the same arithmetic without memory, so that its peak is what the real one will need. */
#include <assert.h>
#include <stdio.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/tensor/internal.h"

struct it_arena {
    struct it_device *device;
    char label[48];
    bool measuring;
    int64_t capacity, slab_bytes, align;
    int64_t top, peak; /* positions */
    struct it_buffer *slab;
    int64_t slabs;
};

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static struct it_arena *arena_new(struct it_device *device, const char *label)
{
    struct it_arena *arena = it_calloc(1, sizeof *arena);
    arena->device = device;
    snprintf(arena->label, sizeof arena->label, "%s", label);
    arena->align = device->info.offset_align > 0 ? device->info.offset_align : 1;
    int64_t most = device->info.max_slab > 0 ? device->info.max_slab : INT64_MAX;
    arena->slab_bytes = most / arena->align * arena->align;
    return arena;
}

enum it_status it_arena_measure(struct it_device *device, const char *label,
                                struct it_arena **arena_out)
{
    struct it_arena *arena = arena_new(device, label);
    arena->measuring = true;
    arena->capacity = INT64_MAX;
    ++device->door->arenas;
    *arena_out = arena;
    return IT_OK;
}

static enum it_status check_budget(struct it_device *device, const char *label, int64_t bytes)
{
    if (bytes < 0 || bytes > INT64_MAX / 2) {
        return it_fail(IT_INVALID, "arena %s: %lld bytes is no size", label, (long long)bytes);
    }
    int64_t limit = device->options.memory_limit, held = device->info.memory_held;
    if (limit <= 0 || bytes <= limit - held - device->door->used) { return IT_OK; }
    char asked[16], used[16], own[16], most[16];
    return it_fail(IT_NOMEM,
                   "device %s: arena %s asks for %s with %s of the limit of %s in use, %s of it by "
                   "the open device itself: raise the memory limit or make batches smaller",
                   device->info.name, label, it_format_size(bytes, asked, sizeof asked),
                   it_format_size(device->door->used + held, used, sizeof used),
                   it_format_size(limit, most, sizeof most), it_format_size(held, own, sizeof own));
}

static void release_slabs(struct it_arena *arena, int64_t count)
{
    while (count > 0) {
        arena->device->ops->release(arena->device, &arena->slab[--count]);
    }
}

enum it_status it_arena_open(struct it_device *device, const char *label, int64_t bytes,
                             struct it_arena **arena_out)
{
    IT_TRY(check_budget(device, label, bytes));
    struct it_arena *arena = arena_new(device, label);
    arena->capacity = round_up(bytes > 0 ? bytes : 1, arena->align);
    arena->slabs = (arena->capacity - 1) / arena->slab_bytes + 1;
    arena->slab = it_calloc((size_t)arena->slabs, sizeof *arena->slab);
    for (int64_t i = 0; i < arena->slabs; ++i) {
        int64_t left = arena->capacity - i * arena->slab_bytes;
        size_t size = (size_t)(left < arena->slab_bytes ? left : arena->slab_bytes);
        enum it_status status = device->ops->alloc(device, size, &arena->slab[i]);
        if (status != IT_OK) {
            char asked[16];
            it_fail(status, "device %s: no memory for arena %s: %s asked", device->info.name,
                    label, it_format_size(arena->capacity, asked, sizeof asked));
            release_slabs(arena, i);
            it_free(arena->slab);
            it_free(arena);
            return status;
        }
        arena->slab[i].device = device;
        arena->slab[i].size = size;
    }
    struct it_door *door = device->door;
    ++door->arenas;
    door->used += arena->capacity;
    if (door->used > door->peak) { door->peak = door->used; }
    *arena_out = arena;
    return IT_OK;
}

void it_arena_close(struct it_arena *arena)
{
    if (!arena) { return; }
    struct it_door *door = arena->device->door;
    if (!arena->measuring) {
        release_slabs(arena, arena->slabs);
        door->used -= arena->capacity;
    }
    --door->arenas;
    it_free(arena->slab);
    it_free(arena);
}

/* Where `bytes` would start; -1 where they cannot fit. */
static int64_t place(const struct it_arena *arena, int64_t bytes)
{
    if (bytes > arena->slab_bytes) { return -1; }
    int64_t start = arena->top;
    if (bytes > arena->slab_bytes - start % arena->slab_bytes) {
        int64_t next = start / arena->slab_bytes + 1;
        if (__builtin_mul_overflow(next, arena->slab_bytes, &start)) { return -1; }
    }
    return bytes <= arena->capacity - start ? start : -1;
}

/* Bytes of a tensor rounded to the alignment; -1 where they overflow. */
static int64_t bytes_of(const struct it_arena *arena, const struct it_tensor *t)
{
    int64_t bytes = (int64_t)it_dtype_size(t->dtype);
    for (int axis = 0; axis < t->rank; ++axis) {
        if (__builtin_mul_overflow(bytes, t->shape[axis], &bytes)) { return -1; }
    }
    return bytes > INT64_MAX / 2 ? -1 : round_up(bytes, arena->align);
}

static enum it_status no_room(const struct it_arena *arena, int64_t bytes)
{
    char asked[16], left[16], slab[16];
    return it_fail(IT_NOMEM, "device %s: arena %s: %s asked, %s left, largest piece %s",
                   arena->device->info.name, arena->label,
                   bytes < 0 ? "too much" : it_format_size(bytes, asked, sizeof asked),
                   it_format_size(arena->capacity - arena->top, left, sizeof left),
                   it_format_size(arena->slab_bytes, slab, sizeof slab));
}

enum it_status it_arena_tensor(struct it_arena *arena, enum it_dtype dtype, int rank,
                               const int64_t *shape, struct it_tensor *tensor_out)
{
    assert(rank >= 1 && rank <= IT_MAX_RANK && dtype != IT_NONE && dtype < IT_DTYPE_COUNT);
    struct it_tensor t = {.dtype = dtype, .rank = rank};
    int64_t dense = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
        assert(shape[axis] >= 0);
        t.shape[axis] = shape[axis];
        t.stride[axis] = dense;
        if (__builtin_mul_overflow(dense, shape[axis], &dense)) { return no_room(arena, -1); }
    }
    int64_t bytes = bytes_of(arena, &t);
    int64_t start = bytes < 0 ? -1 : place(arena, bytes);
    if (start < 0) { return no_room(arena, bytes); }
    if (!arena->measuring) {
        int64_t slab = start / arena->slab_bytes;
        if (slab == arena->slabs) { --slab; } /* an empty tensor at the very end */
        t.buffer = &arena->slab[slab];
        t.offset = (size_t)(start - slab * arena->slab_bytes);
    }
    arena->top = start + bytes;
    if (arena->top > arena->peak) { arena->peak = arena->top; }
    *tensor_out = t;
    return IT_OK;
}

enum it_status it_tensor1(struct it_arena *arena, enum it_dtype dtype, int64_t n,
                          struct it_tensor *tensor_out)
{
    return it_arena_tensor(arena, dtype, 1, &n, tensor_out);
}

enum it_status it_tensor2(struct it_arena *arena, enum it_dtype dtype, int64_t rows,
                          int64_t columns, struct it_tensor *tensor_out)
{
    return it_arena_tensor(arena, dtype, 2, (const int64_t[]){rows, columns}, tensor_out);
}

int64_t it_arena_mark(const struct it_arena *arena)
{
    return arena->top;
}

void it_arena_reset(struct it_arena *arena, int64_t mark)
{
    assert(mark >= 0 && mark <= arena->top);
    arena->top = mark;
}

int64_t it_arena_peak(const struct it_arena *arena)
{
    return arena->peak;
}

int64_t it_arena_capacity(const struct it_arena *arena)
{
    return arena->capacity;
}

bool it_arena_is_measuring(const struct it_arena *arena)
{
    return arena->measuring;
}

struct it_device *it_arena_device(const struct it_arena *arena)
{
    return arena->device;
}
