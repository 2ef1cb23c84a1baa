/* SPDX-License-Identifier: MIT */
/* Views and transfers. A strided view moves as its longest contiguous runs. */
#include <assert.h>

#include "core/tensor/backend.h"
#include "core/tensor/tensor.h"

static const struct {
    size_t size;
    const char *name;
} dtypes[IT_DTYPE_COUNT] = {
    [IT_NONE] = {0, "none"}, [IT_F32] = {4, "f32"}, [IT_BF16] = {2, "bf16"},
    [IT_F64] = {8, "f64"},   [IT_F16] = {2, "f16"}, [IT_I32] = {4, "i32"},
    [IT_U32] = {4, "u32"},   [IT_I16] = {2, "i16"}, [IT_U8] = {1, "u8"},
};

size_t it_dtype_size(enum it_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *it_dtype_name(enum it_dtype dtype)
{
    return dtypes[dtype].name;
}

enum it_dtype it_dtype_accumulation(enum it_dtype dtype)
{
    return dtype == IT_F64 ? IT_F64 : IT_F32;
}

int64_t it_tensor_count(const struct it_tensor *t)
{
    if (t->dtype == IT_NONE) { return 0; }
    int64_t count = 1;
    for (int axis = 0; axis < t->rank; ++axis) { count *= t->shape[axis]; }
    return count;
}

bool it_tensor_is_contiguous(const struct it_tensor *t)
{
    int64_t dense = 1;
    for (int axis = t->rank - 1; axis >= 0; --axis) {
        if (t->shape[axis] != 1 && t->stride[axis] != dense) {
            return it_tensor_count(t) == 0;
        }
        dense *= t->shape[axis];
    }
    return true;
}

static struct it_tensor slice(struct it_tensor t, int axis, int64_t first, int64_t count)
{
    assert(axis >= 0 && axis < t.rank);
    assert(first >= 0 && count >= 0 && count <= t.shape[axis] - first);
    t.offset += (size_t)(first * t.stride[axis]) * it_dtype_size(t.dtype);
    t.shape[axis] = count;
    return t;
}

struct it_tensor it_rows(struct it_tensor t, int64_t first, int64_t count)
{
    return slice(t, 0, first, count);
}

struct it_tensor it_columns(struct it_tensor t, int64_t first, int64_t count)
{
    return slice(t, t.rank - 1, first, count);
}

struct it_tensor it_reshape2(struct it_tensor t, int64_t rows, int64_t columns)
{
    assert(it_tensor_is_contiguous(&t) && rows >= 0 && columns >= 0);
    assert(rows * columns == it_tensor_count(&t));
    t.rank = 2;
    t.shape[0] = rows;
    t.shape[1] = columns;
    t.stride[0] = columns;
    t.stride[1] = 1;
    return t;
}

struct it_tensor it_flatten(struct it_tensor t)
{
    assert(it_tensor_is_contiguous(&t));
    t.shape[0] = it_tensor_count(&t);
    t.stride[0] = 1;
    t.rank = 1;
    return t;
}

struct it_device *it_tensor_device(const struct it_tensor *t)
{
    return t->buffer ? t->buffer->device : NULL;
}

bool it_device_fetches(const struct it_device *device, int64_t bytes)
{
    return device->ops->fetch && bytes <= IT_FETCH_BYTES;
}

enum it_status it_fetch(struct it_tensor from, int number)
{
    struct it_device *device = it_tensor_device(&from);
    size_t bytes = (size_t)it_tensor_count(&from) * it_dtype_size(from.dtype);
    if (!device) { return IT_OK; }
    assert(it_tensor_is_contiguous(&from) && bytes <= IT_FETCH_BYTES && number < IT_FETCHES);
    return device->ops->fetch(device, number, from.buffer, from.offset, bytes);
}

enum it_status it_fetch_take(void *to, struct it_tensor from, int number)
{
    struct it_device *device = it_tensor_device(&from);
    size_t bytes = (size_t)it_tensor_count(&from) * it_dtype_size(from.dtype);
    return device ? device->ops->fetch_take(device, number, to, bytes) : IT_OK;
}

void *it_tensor_host(const struct it_tensor *t)
{
    if (!t->buffer || !t->buffer->host || !it_tensor_is_contiguous(t)) { return NULL; }
    return (t->buffer->device->info.flags & IT_DEVICE_UNIFIED) ? it_view_host(t) : NULL;
}

/* The view as `count` contiguous runs of `bytes`, indexed by its first `outer` axes. */
struct runs {
    int outer;
    int64_t count;
    size_t bytes;
};

static struct runs runs_of(const struct it_tensor *t)
{
    int64_t dense = 1;
    int axis = t->rank;
    while (axis > 0 && (t->stride[axis - 1] == dense || t->shape[axis - 1] == 1)) {
        dense *= t->shape[--axis];
    }
    struct runs runs = {.outer = axis, .count = 1,
                        .bytes = (size_t)dense * it_dtype_size(t->dtype)};
    for (int a = 0; a < axis; ++a) { runs.count *= t->shape[a]; }
    return runs;
}

static size_t run_offset(const struct it_tensor *t, int outer, int64_t run)
{
    int64_t element = 0;
    for (int axis = outer - 1; axis >= 0; --axis) {
        element += run % t->shape[axis] * t->stride[axis];
        run /= t->shape[axis];
    }
    return t->offset + (size_t)element * it_dtype_size(t->dtype);
}

enum it_status it_upload(struct it_tensor to, const void *from)
{
    struct it_device *device = it_tensor_device(&to);
    if (!device || it_tensor_count(&to) == 0) { return IT_OK; }
    struct runs runs = runs_of(&to);
    for (int64_t run = 0; run < runs.count; ++run) {
        const char *source = (const char *)from + (size_t)run * runs.bytes;
        IT_TRY(device->ops->upload(device, to.buffer, run_offset(&to, runs.outer, run), source,
                                   runs.bytes));
    }
    return IT_OK;
}

enum it_status it_prefetch(struct it_tensor to, struct it_tensor from)
{
    struct it_device *device = it_tensor_device(&to);
    size_t bytes = (size_t)it_tensor_count(&to) * it_dtype_size(to.dtype);
    if (!device || bytes == 0) { return IT_OK; }
    const void *host = it_tensor_host(&from);
    assert(host && from.dtype == to.dtype && it_tensor_count(&from) == it_tensor_count(&to));
    assert(it_tensor_is_contiguous(&to));
    if (!device->ops->prefetch) { return it_upload(to, host); }
    return device->ops->prefetch(device, to.buffer, to.offset, host, bytes);
}

enum it_status it_prefetch_wait(struct it_device *device)
{
    return device->ops->prefetch_wait ? device->ops->prefetch_wait(device) : IT_OK;
}

enum it_status it_download(void *to, struct it_tensor from)
{
    struct it_device *device = it_tensor_device(&from);
    if (!device || it_tensor_count(&from) == 0) { return IT_OK; }
    struct runs runs = runs_of(&from);
    for (int64_t run = 0; run < runs.count; ++run) {
        char *target = (char *)to + (size_t)run * runs.bytes;
        IT_TRY(device->ops->download(device, target, from.buffer,
                                     run_offset(&from, runs.outer, run), runs.bytes));
    }
    return IT_OK;
}
