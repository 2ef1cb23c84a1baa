/* SPDX-License-Identifier: MIT */
/* Memory beside arenas: what the driver counts for this program, pinned host memory, and copies
 * from it on a stream of their own. */
#include <dlfcn.h>
#include <pthread.h>

#include "backends/cuda/driver.h"

enum {
    LAZY = 192 << 20, /* bytes that the driver takes later: the library's kernels, stacks, graphs */
    LIKELY = 1 << 30  /* no context is larger */
};

static struct it_cuda_device *device_of(struct it_device *device)
{
    return device->data;
}

static enum it_status check(const struct it_cuda_device *d, CUresult result, const char *doing)
{
    return it_cuda_check(d->driver, result, d->name, doing);
}

/* ---- counting ---- */

/* The driver answers only within a context, and the context is the larger part of what is to be
 * counted. So its management library (NVML), which comes with it and needs none, is asked before
 * and after. */
struct memory_info { /* nvmlMemory_t */
    unsigned long long total, free, used;
};
static struct {
    int (*init)(void);
    int (*find)(const char *bus, void **card_out);
    int (*memory)(void *card, struct memory_info *info_out);
} nvml;
static bool nvml_ready;

static void open_nvml(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) { return; }
    *(void **)&nvml.init = dlsym(library, "nvmlInit_v2");
    *(void **)&nvml.find = dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2");
    *(void **)&nvml.memory = dlsym(library, "nvmlDeviceGetMemoryInfo");
    nvml_ready = nvml.init && nvml.find && nvml.memory && nvml.init() == 0;
}

/* Bytes of the card that nobody has; -1: not known. */
static int64_t card_free(const struct it_cuda_device *d)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char bus[32];
    void *card = NULL;
    struct memory_info info = {0};
    pthread_once(&once, open_nvml);
    if (!nvml_ready || d->driver->cuDeviceGetPCIBusId(bus, sizeof bus, d->index) != CUDA_SUCCESS ||
        nvml.find(bus, &card) != 0 || nvml.memory(card, &info) != 0) {
        return -1;
    }
    return (int64_t)info.free;
}

void it_cuda_count_begin(struct it_cuda_device *d)
{
    d->free_before = card_free(d);
}

/* Within the new context. Without the library, all that is gone is taken for the context's, up to
 * what one can be: right on a card of our own. */
void it_cuda_count_context(struct it_cuda_device *d)
{
    size_t free_now = 0, total = 0;
    int64_t after = d->free_before < 0 ? -1 : card_free(d);
    d->driver->cuMemGetInfo(&free_now, &total);
    d->free_at_first = (int64_t)free_now;
    d->context_bytes = after < 0 ? (int64_t)(total - free_now) : d->free_before - after;
    if (d->context_bytes < 0) { d->context_bytes = 0; } /* another program left meanwhile */
    if (d->context_bytes > LIKELY) { d->context_bytes = LIKELY; } /* or came */
}

int64_t it_cuda_memory_taken(struct it_device *device)
{
    const struct it_cuda_device *d = device_of(device);
    size_t free_now = 0, total = 0;
    d->driver->cuCtxSetCurrent(d->context);
    if (d->driver->cuMemGetInfo(&free_now, &total) != CUDA_SUCCESS) { return 0; }
    int64_t since = d->free_at_first - (int64_t)free_now;
    return d->context_bytes + (since > 0 ? since : 0);
}

void it_cuda_fill_memory(struct it_device *device)
{
    struct it_device_info *info = &device->info;
    size_t free_now = 0, total = 0;
    device_of(device)->driver->cuMemGetInfo(&free_now, &total);
    info->memory_total = (int64_t)total;
    info->memory_free = free_now > LAZY ? (int64_t)free_now - LAZY : 0;
    info->memory_held = it_cuda_memory_taken(device) + LAZY;
}

/* ---- copies beside kernels ---- */

enum it_status it_cuda_copies_open(struct it_cuda_device *d)
{
    const struct it_cuda_driver *driver = d->driver;
    IT_TRY(check(d, driver->cuStreamCreate(&d->copies, CU_STREAM_NON_BLOCKING), "opening"));
    IT_TRY(check(d, driver->cuEventCreate(&d->queued, CU_EVENT_DISABLE_TIMING), "opening"));
    return check(d, driver->cuEventCreate(&d->copied, CU_EVENT_DISABLE_TIMING), "opening");
}

void it_cuda_copies_close(struct it_cuda_device *d)
{
    const struct it_cuda_driver *driver = d->driver;
    if (d->copies) {
        driver->cuStreamSynchronize(d->copies);
        driver->cuStreamDestroy(d->copies);
    }
    if (d->queued) { driver->cuEventDestroy(d->queued); }
    if (d->copied) { driver->cuEventDestroy(d->copied); }
}

enum it_status it_cuda_host_alloc(struct it_device *device, size_t bytes,
                                  struct it_buffer *host_out)
{
    const struct it_cuda_device *d = device_of(device);
    void *host = NULL;
    d->driver->cuCtxSetCurrent(d->context);
    CUresult result = d->driver->cuMemAllocHost(&host, bytes ? bytes : 1);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) { return IT_NOMEM; } /* then it will not be pinned */
    IT_TRY(check(d, result, "allocating pinned memory"));
    host_out->host = host;
    return IT_OK;
}

void it_cuda_host_release(struct it_device *device, struct it_buffer *host)
{
    const struct it_cuda_device *d = device_of(device);
    d->driver->cuCtxSetCurrent(d->context);
    d->driver->cuStreamSynchronize(d->copies); /* which may still read it */
    d->driver->cuMemFreeHost(host->host);
}

/* What is queued now may still use the memory that is written here: the copy waits for it, not for
 * what comes after. A wait is for the event's last record when it is queued, so that one event of
 * each direction is enough. */
enum it_status it_cuda_prefetch(struct it_device *device, struct it_buffer *to, size_t offset,
                                const void *from, size_t bytes)
{
    const struct it_cuda_device *d = device_of(device);
    const struct it_cuda_driver *driver = d->driver;
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)to->handle + offset;
    driver->cuCtxSetCurrent(d->context);
    IT_TRY(check(d, driver->cuEventRecord(d->queued, d->stream), "prefetching"));
    IT_TRY(check(d, driver->cuStreamWaitEvent(d->copies, d->queued, 0), "prefetching"));
    return check(d, driver->cuMemcpyHtoDAsync(at, from, bytes, d->copies), "prefetching");
}

enum it_status it_cuda_prefetch_wait(struct it_device *device)
{
    const struct it_cuda_device *d = device_of(device);
    const struct it_cuda_driver *driver = d->driver;
    driver->cuCtxSetCurrent(d->context);
    IT_TRY(check(d, driver->cuEventRecord(d->copied, d->copies), "prefetching"));
    return check(d, driver->cuStreamWaitEvent(d->stream, d->copied, 0), "prefetching");
}
