/* SPDX-License-Identifier: MIT */
#include "tests/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/tensor/ref_internal.h"

struct hostile_plan hostile_plan = {.refuse_percent = 30, .seed = 1, .allocations_left = -1};
struct hostile_counts hostile_counts;

static void invert(unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; ++i) { bytes[i] = (unsigned char)~bytes[i]; }
}

static void hostile_close(struct it_device *device)
{
    free(device->data);
}

static enum it_status hostile_alloc(struct it_device *device, size_t bytes,
                                    struct it_buffer *buffer_out)
{
    (void)device;
    if (hostile_plan.allocations_left == 0) { return IT_NOMEM; }
    if (hostile_plan.allocations_left > 0) { --hostile_plan.allocations_left; }
    buffer_out->handle = malloc(bytes);
    if (!buffer_out->handle) { return IT_NOMEM; }
    memset(buffer_out->handle, 0x55, bytes);
    hostile_counts.buffers += 1;
    hostile_counts.bytes += (int64_t)bytes;
    return IT_OK;
}

static void hostile_release(struct it_device *device, struct it_buffer *buffer)
{
    (void)device;
    free(buffer->handle);
    buffer->handle = NULL;
    hostile_counts.buffers -= 1;
    hostile_counts.bytes -= (int64_t)buffer->size;
}

static enum it_status hostile_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                     const void *from, size_t bytes)
{
    (void)device;
    unsigned char *inside = (unsigned char *)to->handle + offset;
    memcpy(inside, from, bytes);
    invert(inside, bytes);
    return IT_OK;
}

static enum it_status hostile_download(struct it_device *device, void *to,
                                       const struct it_buffer *from, size_t offset, size_t bytes)
{
    (void)device;
    memcpy(to, (const unsigned char *)from->handle + offset, bytes);
    invert(to, bytes);
    return IT_OK;
}

static enum it_status hostile_finish(struct it_device *device)
{
    (void)device;
    return hostile_plan.finish_fails ? IT_DEVICE : IT_OK;
}

/* ---- copies beside kernels: as late as they may be, and until then there is nonsense ---- */

static struct prefetch {
    void *to;
    const void *from;
    size_t bytes;
} pending[256];
static size_t n_pending;

static enum it_status hostile_host_alloc(struct it_device *device, size_t bytes,
                                         struct it_buffer *host_out)
{
    (void)device;
    host_out->host = malloc(bytes);
    return host_out->host ? IT_OK : IT_NOMEM;
}

static void hostile_host_release(struct it_device *device, struct it_buffer *host)
{
    (void)device;
    free(host->host);
}

static enum it_status hostile_prefetch(struct it_device *device, struct it_buffer *to,
                                       size_t offset, const void *from, size_t bytes)
{
    (void)device;
    if (n_pending == sizeof pending / sizeof *pending) {
        return it_fail(IT_FAILED, "device hostile: too many prefetches without a wait");
    }
    char *at = (char *)to->handle + offset;
    memset(at, 0x55, bytes);
    pending[n_pending++] = (struct prefetch){at, from, bytes};
    hostile_counts.prefetched += (int64_t)bytes;
    return IT_OK;
}

static enum it_status hostile_prefetch_wait(struct it_device *device)
{
    (void)device;
    for (size_t i = 0; i < n_pending; ++i) {
        memcpy(pending[i].to, pending[i].from, pending[i].bytes);
        invert(pending[i].to, pending[i].bytes);
    }
    n_pending = 0;
    return IT_OK;
}

static int64_t hostile_memory_taken(struct it_device *device)
{
    (void)device;
    return hostile_counts.bytes;
}

static const struct it_device_ops hostile_ops = {
    .close = hostile_close,
    .alloc = hostile_alloc,
    .release = hostile_release,
    .upload = hostile_upload,
    .download = hostile_download,
    .finish = hostile_finish,
    .host_alloc = hostile_host_alloc,
    .host_release = hostile_host_release,
    .prefetch = hostile_prefetch,
    .prefetch_wait = hostile_prefetch_wait,
    .memory_taken = hostile_memory_taken,
};

/* The buffers of a call, turned the right way round for its length. */
struct opened {
    int count;
    const struct it_buffer *from[IT_MAX_OPERANDS];
    struct it_buffer host[IT_MAX_OPERANDS];
};

static struct it_buffer *open_buffer(struct opened *opened, const struct it_buffer *buffer)
{
    for (int i = 0; i < opened->count; ++i) {
        if (opened->from[i] == buffer) { return &opened->host[i]; }
    }
    struct it_buffer *host = &opened->host[opened->count];
    opened->from[opened->count++] = buffer;
    *host = *buffer;
    host->host = buffer->handle;
    invert(host->host, host->size);
    return host;
}

static enum it_status run(struct it_device *device, enum it_op op, const struct it_args *args)
{
    struct it_rng *rng = device->data;
    if (it_rng_u32(rng) % 100 < hostile_plan.refuse_percent) {
        hostile_counts.refused += 1;
        return IT_UNSUPPORTED;
    }
    hostile_counts.ran += 1;
    struct opened opened = {0};
    struct it_args inside = *args;
    for (int k = 0; k < IT_MAX_OPERANDS; ++k) {
        if (inside.t[k].buffer) { inside.t[k].buffer = open_buffer(&opened, args->t[k].buffer); }
    }
    enum it_status status = it_reference_run(device, op, &inside);
    for (int i = 0; i < opened.count; ++i) { invert(opened.host[i].host, opened.host[i].size); }
    return status;
}

/* A kernel is not told which op it is, so each has its own. */
#define OP(ID, name, outputs, inputs, tier, signature, scalars)                                    \
    static enum it_status hostile_##name(struct it_device *device, const struct it_args *args)     \
    {                                                                                              \
        return run(device, IT_OP_##ID, args);                                                      \
    }
#include "core/tensor/ops.def"
#undef OP

static it_kernel *const kernels[IT_OP_COUNT] = {
#define OP(ID, name, outputs, inputs, tier, signature, scalars) [IT_OP_##ID] = hostile_##name,
#include "core/tensor/ops.def"
#undef OP
};

static int hostile_probe(char *why, size_t why_size)
{
    snprintf(why, why_size, "there is only one");
    return 1;
}

static enum it_status hostile_open(int index, struct it_device *device)
{
    struct it_rng *rng = calloc(1, sizeof *rng);
    if (!rng) { return it_fail(IT_NOMEM, "device hostile: no memory"); }
    it_rng_init(rng, hostile_plan.seed, (uint64_t)index);
    device->data = rng;
    device->ops = &hostile_ops;
    memcpy(device->kernel, kernels, sizeof kernels);
    struct it_device_info *info = &device->info;
    snprintf(info->name, sizeof info->name, "hostile");
    snprintf(info->description, sizeof info->description, "inverted memory, refusing kernels");
    info->memory_total = info->memory_free = (int64_t)1 << 30;
    info->max_slab = hostile_plan.max_slab ? hostile_plan.max_slab : info->memory_total;
    info->max_tensor_bytes = info->max_slab;
    info->offset_align = 32;
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16;
    info->flags = IT_DEVICE_DETERMINISTIC;
    return IT_OK;
}

static const struct it_backend hostile = {
    .abi = IT_BACKEND_ABI,
    .name = "hostile",
    .summary = "for tests: inverted memory, refusing kernels",
    .priority = -1,
    .probe = hostile_probe,
    .open = hostile_open,
};

enum it_status hostile_register(void)
{
    return it_backend_register(&hostile);
}
