/* SPDX-License-Identifier: MIT */
/* A device whose kernels are those of the CUDA backend, run by tests/cuda_on_host.cc. */
#include "tests/cuda_device.h"

#include <stdlib.h>
#include <string.h>

#include "backends/cuda/cuda.h"
#include "core/base/log.h"
#include "core/base/mem.h"

void cuda_on_host_run(void (*kernel)(const void *), const void *params, unsigned x, unsigned y,
                      unsigned threads);

#define KERNEL(name, params) void cuda_on_host_##name(const void *);
#define TYPED(name, params) KERNEL(name##_f32, params) KERNEL(name##_bf16, params)
#include "backends/cuda/kernels.def"
#undef KERNEL
static void (*const kernels[IT_CUDA_KERNELS])(const void *) = {
#define KERNEL(name, params) cuda_on_host_##name,
#include "backends/cuda/kernels.def"
#undef KERNEL
#undef TYPED
};

int64_t cuda_on_host_launches;

static enum it_status launch(struct it_cuda *cuda, enum it_cuda_kernel kernel,
                             struct it_cuda_grid grid, const void *params, size_t size)
{
    (void)cuda;
    (void)size;
    cuda_on_host_launches++;
    if (grid.x > 0 && grid.y > 0) {
        cuda_on_host_run(kernels[kernel], params, (unsigned)grid.x, (unsigned)grid.y, grid.threads);
    }
    return IT_OK;
}

static void device_close(struct it_device *device)
{
    struct it_cuda *cuda = device->data;
    free(cuda->scratch);
    it_free(cuda->counters);
    it_free(cuda);
}

static enum it_status device_alloc(struct it_device *device, size_t bytes,
                                   struct it_buffer *buffer_out)
{
    (void)device;
    buffer_out->handle = aligned_alloc(256, (bytes + 255) / 256 * 256 + 256);
    return buffer_out->handle ? IT_OK : IT_NOMEM;
}

static void device_release(struct it_device *device, struct it_buffer *buffer)
{
    (void)device;
    free(buffer->handle);
}

static enum it_status device_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                    const void *from, size_t bytes)
{
    (void)device;
    memcpy((char *)to->handle + offset, from, bytes);
    return IT_OK;
}

static enum it_status device_download(struct it_device *device, void *to,
                                      const struct it_buffer *from, size_t offset, size_t bytes)
{
    (void)device;
    memcpy(to, (const char *)from->handle + offset, bytes);
    return IT_OK;
}

static enum it_status device_finish(struct it_device *device)
{
    (void)device;
    return IT_OK;
}

/* A stream's copies are made in its order: here, at once. */
static unsigned char fetched[IT_FETCHES][IT_FETCH_BYTES];

static enum it_status device_fetch(struct it_device *device, int number,
                                   const struct it_buffer *from, size_t offset, size_t bytes)
{
    return device_download(device, fetched[number], from, offset, bytes);
}

static enum it_status device_fetch_take(struct it_device *device, int number, void *to,
                                        size_t bytes)
{
    (void)device;
    memcpy(to, fetched[number], bytes);
    return IT_OK;
}

static const struct it_device_ops device_ops = {
    .close = device_close,
    .alloc = device_alloc,
    .release = device_release,
    .upload = device_upload,
    .download = device_download,
    .finish = device_finish,
    .fetch = device_fetch,
    .fetch_take = device_fetch_take,
};

static int device_probe(char *why, size_t why_size)
{
    (void)why;
    (void)why_size;
    return 1;
}

static enum it_status device_open(int index, struct it_device *device)
{
    (void)index;
    struct it_cuda *cuda = it_calloc(1, sizeof *cuda);
    cuda->launch = launch;
    cuda->scratch_bytes = IT_CUDA_SCRATCH;
    cuda->scratch = malloc(cuda->scratch_bytes);
    cuda->counters = it_calloc(IT_CUDA_COUNTERS, sizeof *cuda->counters);
    cuda->exact = device->options.exact;
    device->data = cuda;
    device->ops = &device_ops;
    struct it_device_info *info = &device->info;
    strcpy(info->name, "cuda-on-host");
    info->memory_total = info->memory_free = it_mem_total();
    info->max_slab = info->max_tensor_bytes = INT64_MAX / 2;
    info->offset_align = 256;
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16 | 1u << IT_I32 | 1u << IT_U32 | 1u << IT_I16 |
                   1u << IT_U8;
    info->flags = IT_DEVICE_DETERMINISTIC;
    it_cuda_fill_table(device);
    return IT_OK;
}

const struct it_backend cuda_on_host_backend = {
    .abi = IT_BACKEND_ABI,
    .name = "cuda-on-host",
    .summary = "kernels of the CUDA backend, run thread by thread on the host",
    .priority = -1,
    .probe = device_probe,
    .open = device_open,
};
