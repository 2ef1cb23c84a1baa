/* SPDX-License-Identifier: MIT */
/* The CUDA backend: an NVIDIA GPU of compute capability 8.0 or newer. */
#include <stdio.h>
#include <string.h>

#include "backends/cuda/driver.h"
#include "core/base/log.h"
#include "core/base/mem.h"

/* The fatbin of kernels/all.cu; written at build time. */
extern const unsigned char it_cuda_module[];

enum {
    WORKSPACE = 32 << 20, /* bytes, for cuBLASLt */
    STAGED = 256 << 10    /* bytes: larger transfers are left to the driver */
};

static struct it_cuda_device *device_of(struct it_device *device)
{
    return device->data;
}

static enum it_status check(const struct it_cuda_device *d, CUresult result, const char *doing)
{
    return it_cuda_check(d->driver, result, d->name, doing);
}

/* The context belongs to a thread: whichever calls gets it. */
static const struct it_cuda_driver *enter(const struct it_cuda_device *d)
{
    d->driver->cuCtxSetCurrent(d->context);
    return d->driver;
}

/* ---- launching ---- */

static enum it_status launch(struct it_cuda *cuda, enum it_cuda_kernel kernel,
                             struct it_cuda_grid grid, const void *params, size_t size)
{
    (void)size;
    struct it_cuda_device *d = (struct it_cuda_device *)cuda;
    if (grid.x <= 0 || grid.y <= 0) { return IT_OK; }
    union {
        const void *in;
        void *out;
    } p = {params}; /* the driver copies it and does not write */
    void *list[] = {p.out};
    return check(d, enter(d)->cuLaunchKernel(d->function[kernel], (unsigned)grid.x,
                                             (unsigned)grid.y, 1, grid.threads, 1, 1, 0, d->stream,
                                             list, NULL),
                 it_cuda_kernel_names[kernel]);
}

static enum it_status library_matmul(struct it_cuda *cuda, const struct it_args *args)
{
    struct it_cuda_device *d = (struct it_cuda_device *)cuda;
    enter(d);
    return it_cuda_blas_matmul(d->blas, d->stream, args);
}

/* ---- memory ---- */

static enum it_status cuda_alloc(struct it_device *device, size_t bytes,
                                 struct it_buffer *buffer_out)
{
    struct it_cuda_device *d = device_of(device);
    CUdeviceptr at = 0;
    CUresult result = enter(d)->cuMemAlloc(&at, bytes ? bytes : 1);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) { return IT_NOMEM; } /* the arena says what was asked */
    IT_TRY(check(d, result, "allocating memory"));
    buffer_out->handle = (void *)(uintptr_t)at;
    return IT_OK;
}

static void cuda_release(struct it_device *device, struct it_buffer *buffer)
{
    struct it_cuda_device *d = device_of(device);
    enter(d)->cuMemFree((CUdeviceptr)(uintptr_t)buffer->handle);
    buffer->handle = NULL;
}

static enum it_status cuda_finish(struct it_device *device)
{
    struct it_cuda_device *d = device_of(device);
    IT_TRY(check(d, enter(d)->cuStreamSynchronize(d->stream), "waiting for the device"));
    d->staged = 0;
    return IT_OK;
}

/* Room in the pinned memory; only a full one is waited for. */
static enum it_status stage(struct it_device *device, size_t bytes, char **at_out)
{
    struct it_cuda_device *d = device_of(device);
    if (d->staged + bytes > IT_CUDA_STAGING) { IT_TRY(cuda_finish(device)); }
    *at_out = d->staging + d->staged;
    d->staged += (bytes + 63) / 64 * 64;
    return IT_OK;
}

/* A small transfer is queued behind what runs, and nothing waits for it: the integers of a decode
 * step cost no round trip. */
static enum it_status cuda_upload(struct it_device *device, struct it_buffer *to, size_t offset,
                                  const void *from, size_t bytes)
{
    struct it_cuda_device *d = device_of(device);
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)to->handle + offset;
    bool small = bytes <= STAGED;
    if (small) {
        char *staged;
        IT_TRY(stage(device, bytes, &staged));
        memcpy(staged, from, bytes);
        from = staged;
    }
    IT_TRY(check(d, enter(d)->cuMemcpyHtoDAsync(at, from, bytes, d->stream), "uploading"));
    return small ? IT_OK : cuda_finish(device);
}

static enum it_status cuda_download(struct it_device *device, void *to,
                                    const struct it_buffer *from, size_t offset, size_t bytes)
{
    struct it_cuda_device *d = device_of(device);
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)from->handle + offset;
    char *staged = to;
    if (bytes <= STAGED) { IT_TRY(stage(device, bytes, &staged)); }
    IT_TRY(check(d, enter(d)->cuMemcpyDtoHAsync(staged, at, bytes, d->stream), "downloading"));
    IT_TRY(cuda_finish(device));
    if (staged != to) { memcpy(to, staged, bytes); }
    return IT_OK;
}

/* ---- captured graphs ---- */

static enum it_status cuda_capture_begin(struct it_device *device)
{
    struct it_cuda_device *d = device_of(device);
    return check(d, enter(d)->cuStreamBeginCapture(d->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                 "beginning a capture");
}

static enum it_status cuda_capture_end(struct it_device *device, void **graph_out)
{
    struct it_cuda_device *d = device_of(device);
    CUgraph graph = NULL;
    CUgraphExec exec = NULL;
    CUresult result = enter(d)->cuStreamEndCapture(d->stream, &graph);
    if (result == CUDA_SUCCESS && graph_out) {
        result = d->driver->cuGraphInstantiateWithFlags(&exec, graph, 0);
    }
    if (graph) { d->driver->cuGraphDestroy(graph); }
    if (!graph_out) { return IT_OK; } /* thrown away */
    IT_TRY(check(d, result, "ending a capture"));
    *graph_out = exec;
    return IT_OK;
}

static enum it_status cuda_graph_launch(struct it_device *device, void *graph)
{
    struct it_cuda_device *d = device_of(device);
    return check(d, enter(d)->cuGraphLaunch(graph, d->stream), "launching a graph");
}

static void cuda_graph_close(struct it_device *device, void *graph)
{
    enter(device_of(device))->cuGraphExecDestroy(graph);
}

/* ---- the device ---- */

static void cuda_close(struct it_device *device)
{
    struct it_cuda_device *d = device_of(device);
    const struct it_cuda_driver *driver = d->driver;
    if (d->context) {
        enter(d);
        if (d->stream) { driver->cuStreamSynchronize(d->stream); }
        it_cuda_blas_close(d->blas);
        it_cuda_fetch_close(d);
        if (d->staging) { driver->cuMemFreeHost(d->staging); }
        if (d->scratch) { driver->cuMemFree(d->scratch); }
        if (d->workspace) { driver->cuMemFree(d->workspace); }
        if (d->module) { driver->cuModuleUnload(d->module); }
        it_cuda_copies_close(d);
        if (d->stream) { driver->cuStreamDestroy(d->stream); }
        driver->cuDevicePrimaryCtxRelease(d->index);
    }
    it_free(d);
    device->data = NULL;
}

static const struct it_device_ops cuda_ops = {
    .close = cuda_close,
    .alloc = cuda_alloc,
    .release = cuda_release,
    .upload = cuda_upload,
    .download = cuda_download,
    .finish = cuda_finish,
    .fetch = it_cuda_fetch,
    .fetch_take = it_cuda_fetch_take,
    .capture_begin = cuda_capture_begin,
    .capture_end = cuda_capture_end,
    .graph_launch = cuda_graph_launch,
    .graph_close = cuda_graph_close,
    .host_alloc = it_cuda_host_alloc,
    .host_release = it_cuda_host_release,
    .prefetch = it_cuda_prefetch,
    .prefetch_wait = it_cuda_prefetch_wait,
    .memory_taken = it_cuda_memory_taken,
};

static int attribute(const struct it_cuda_device *d, CUdevice_attribute which)
{
    int value = 0;
    d->driver->cuDeviceGetAttribute(&value, which, d->index);
    return value;
}

static enum it_status check_capability(const struct it_cuda_device *d, const char *model)
{
    int major = attribute(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    if (major >= 8) { return IT_OK; }
    return it_fail(IT_UNSUPPORTED, "device %s: %s has compute capability %d.%d, 8.0 (A100, RTX 30) "
                   "or newer is needed; --backend vulkan or cpu may do", d->name, model, major,
                   attribute(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
}

static enum it_status load_kernels(struct it_cuda_device *d)
{
    IT_TRY(check(d, d->driver->cuModuleLoadData(&d->module, it_cuda_module), "loading kernels"));
    for (int i = 0; i < IT_CUDA_KERNELS; i++) {
        IT_TRY(check(d, d->driver->cuModuleGetFunction(&d->function[i], d->module,
                                                       it_cuda_kernel_names[i]),
                     it_cuda_kernel_names[i]));
    }
    return IT_OK;
}

static enum it_status open_device(struct it_cuda_device *d, bool exact)
{
    const struct it_cuda_driver *driver = d->driver;
    it_cuda_count_begin(d);
    IT_TRY(check(d, driver->cuDevicePrimaryCtxRetain(&d->context, d->index), "opening"));
    IT_TRY(check(d, driver->cuCtxSetCurrent(d->context), "opening"));
    it_cuda_count_context(d);
    IT_TRY(check(d, driver->cuStreamCreate(&d->stream, CU_STREAM_NON_BLOCKING), "opening"));
    IT_TRY(it_cuda_copies_open(d));
    IT_TRY(load_kernels(d));
    IT_TRY(check(d, driver->cuMemAlloc(&d->scratch, IT_CUDA_SCRATCH), "allocating scratch"));
    void *staging = NULL;
    IT_TRY(check(d, driver->cuMemAllocHost(&staging, IT_CUDA_STAGING), "allocating pinned memory"));
    d->staging = staging;
    IT_TRY(it_cuda_fetch_open(d));
    d->cuda.launch = launch;
    d->cuda.scratch = (float *)(uintptr_t)d->scratch;
    d->cuda.scratch_bytes = IT_CUDA_SCRATCH - IT_CUDA_COUNTERS * sizeof *d->cuda.counters;
    d->cuda.counters = (unsigned *)(uintptr_t)(d->scratch + d->cuda.scratch_bytes);
    IT_TRY(check(d, driver->cuMemsetD32Async(d->scratch + d->cuda.scratch_bytes, 0,
                                             IT_CUDA_COUNTERS, d->stream), "clearing counters"));
    d->cuda.exact = exact;
    if (exact) { return IT_OK; }
    IT_TRY(check(d, driver->cuMemAlloc(&d->workspace, WORKSPACE), "allocating workspace"));
    d->blas = it_cuda_blas_open((void *)(uintptr_t)d->workspace, WORKSPACE);
    if (d->blas) {
        d->cuda.library_matmul = library_matmul;
    } else {
        it_warn("device %s: no cuBLASLt (libcublasLt.so.13, .12 or .11): matrix products take the "
                "slower kernels of this program", d->name);
    }
    return IT_OK;
}

static void fill_info(struct it_device *device, const char *model)
{
    struct it_cuda_device *d = device_of(device);
    struct it_device_info *info = &device->info;
    int version = 0;
    d->driver->cuDriverGetVersion(&version);
    snprintf(info->description, sizeof info->description,
             "%.40s, sm_%d%d, driver for CUDA %d.%d%s", model,
             attribute(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
             attribute(d, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), version / 1000,
             version % 1000 / 10, d->blas ? ", cuBLASLt" : "");
    it_cuda_fill_memory(device);
    info->max_slab = info->max_tensor_bytes = INT64_MAX / 2;
    info->offset_align = 256;
    info->dtypes = 1u << IT_F32 | 1u << IT_BF16 | 1u << IT_I32 | 1u << IT_U32 | 1u << IT_I16 |
                   1u << IT_U8;
    info->flags = IT_DEVICE_DETERMINISTIC | IT_DEVICE_CAPTURE;
}

static int cuda_probe(char *why, size_t why_size)
{
    const struct it_cuda_driver *driver = it_cuda_driver(why, why_size);
    int count = 0;
    if (!driver) { return 0; }
    if (driver->cuDeviceGetCount(&count) != CUDA_SUCCESS || count == 0) {
        snprintf(why, why_size, "the NVIDIA driver sees no GPU");
        return 0;
    }
    return count;
}

static enum it_status cuda_open(int index, struct it_device *device)
{
    char why[160], model[64] = "GPU";
    struct it_cuda_device *d = it_calloc(1, sizeof *d);
    d->driver = it_cuda_driver(why, sizeof why);
    d->name = device->info.name;
    device->data = d;
    snprintf(device->info.name, sizeof device->info.name, "cuda:%d", index);
    enum it_status status = d->driver ? IT_OK : it_fail(IT_NOT_FOUND, "device cuda: %s", why);
    if (status == IT_OK) {
        status = check(d, d->driver->cuDeviceGet(&d->index, index), "opening");
    }
    if (status == IT_OK) {
        d->driver->cuDeviceGetName(model, sizeof model, d->index);
        status = check_capability(d, model);
    }
    if (status == IT_OK) { status = open_device(d, device->options.exact); }
    if (status != IT_OK) {
        cuda_close(device);
        return status;
    }
    device->ops = &cuda_ops;
    fill_info(device, model);
    it_cuda_fill_table(device);
    return IT_OK;
}

const struct it_backend it_backend_cuda = {
    .abi = IT_BACKEND_ABI,
    .name = "cuda",
    .summary = "NVIDIA GPUs from A100 and RTX 30 on",
    .priority = 100,
    .probe = cuda_probe,
    .open = cuda_open,
};
