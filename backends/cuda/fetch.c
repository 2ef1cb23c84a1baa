/* SPDX-License-Identifier: MIT */
/* Downloads that are taken later: into pinned memory, each with an event behind it, so that the
 * host waits for its copy and not for what was queued since. */
#include <string.h>

#include "backends/cuda/driver.h"

static enum it_status check(const struct it_cuda_device *d, CUresult result, const char *doing)
{
    return it_cuda_check(d->driver, result, d->name, doing);
}

enum it_status it_cuda_fetch_open(struct it_cuda_device *d)
{
    void *memory = NULL;
    IT_TRY(check(d, d->driver->cuMemAllocHost(&memory, IT_FETCHES * IT_FETCH_BYTES),
                 "allocating pinned memory"));
    d->fetched = memory;
    for (int i = 0; i < IT_FETCHES; i++) {
        IT_TRY(check(d, d->driver->cuEventCreate(&d->fetch_done[i], CU_EVENT_DISABLE_TIMING),
                     "making events"));
    }
    return IT_OK;
}

void it_cuda_fetch_close(struct it_cuda_device *d)
{
    for (int i = 0; i < IT_FETCHES; i++) {
        if (d->fetch_done[i]) { d->driver->cuEventDestroy(d->fetch_done[i]); }
    }
    if (d->fetched) { d->driver->cuMemFreeHost(d->fetched); }
}

enum it_status it_cuda_fetch(struct it_device *device, int number, const struct it_buffer *from,
                             size_t offset, size_t bytes)
{
    struct it_cuda_device *d = device->data;
    CUdeviceptr at = (CUdeviceptr)(uintptr_t)from->handle + offset;
    d->driver->cuCtxSetCurrent(d->context);
    IT_TRY(check(d, d->driver->cuMemcpyDtoHAsync(d->fetched + number * IT_FETCH_BYTES, at, bytes,
                                                 d->stream),
                 "downloading"));
    return check(d, d->driver->cuEventRecord(d->fetch_done[number], d->stream), "downloading");
}

enum it_status it_cuda_fetch_take(struct it_device *device, int number, void *to, size_t bytes)
{
    struct it_cuda_device *d = device->data;
    d->driver->cuCtxSetCurrent(d->context);
    IT_TRY(check(d, d->driver->cuEventSynchronize(d->fetch_done[number]),
                 "waiting for the device"));
    memcpy(to, d->fetched + number * IT_FETCH_BYTES, bytes);
    return IT_OK;
}
