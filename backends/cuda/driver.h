/* SPDX-License-Identifier: MIT */
/* The CUDA driver and cuBLASLt, opened at run time: the program starts where neither is there. */
#ifndef IT_CUDA_DRIVER_H
#define IT_CUDA_DRIVER_H

#include <cuda.h>

#include "backends/cuda/cuda.h"

/* Names are macros of cuda.h for versions such as cuMemAlloc_v2: they are expanded everywhere. */
#define IT_CUDA_FUNCTIONS(X)                                                                       \
    X(cuInit)                                                                                      \
    X(cuDriverGetVersion)                                                                          \
    X(cuGetErrorName)                                                                              \
    X(cuGetErrorString)                                                                            \
    X(cuDeviceGetCount)                                                                            \
    X(cuDeviceGet)                                                                                 \
    X(cuDeviceGetName)                                                                             \
    X(cuDeviceTotalMem)                                                                            \
    X(cuDeviceGetAttribute)                                                                        \
    X(cuDeviceGetPCIBusId)                                                                         \
    X(cuDevicePrimaryCtxRetain)                                                                    \
    X(cuDevicePrimaryCtxRelease)                                                                   \
    X(cuCtxSetCurrent)                                                                             \
    X(cuMemGetInfo)                                                                                \
    X(cuMemAlloc)                                                                                  \
    X(cuMemFree)                                                                                   \
    X(cuMemAllocHost)                                                                              \
    X(cuMemFreeHost)                                                                               \
    X(cuMemcpyHtoDAsync)                                                                           \
    X(cuMemsetD32Async)                                                                            \
    X(cuMemcpyDtoHAsync)                                                                           \
    X(cuStreamCreate)                                                                              \
    X(cuStreamDestroy)                                                                             \
    X(cuStreamSynchronize)                                                                         \
    X(cuStreamWaitEvent)                                                                           \
    X(cuEventCreate)                                                                               \
    X(cuEventDestroy)                                                                              \
    X(cuEventRecord)                                                                               \
    X(cuEventSynchronize)                                                                          \
    X(cuStreamBeginCapture)                                                                        \
    X(cuStreamEndCapture)                                                                          \
    X(cuGraphInstantiateWithFlags)                                                                 \
    X(cuGraphLaunch)                                                                               \
    X(cuGraphExecDestroy)                                                                          \
    X(cuGraphDestroy)                                                                              \
    X(cuModuleLoadData)                                                                            \
    X(cuModuleUnload)                                                                              \
    X(cuModuleGetFunction)                                                                         \
    X(cuLaunchKernel)

struct it_cuda_driver {
#define X(name) __typeof__(name) *name;
    IT_CUDA_FUNCTIONS(X)
#undef X
};

/* The driver, opened and initialised once; NULL with the reason where there is none. */
const struct it_cuda_driver *it_cuda_driver(char *why, size_t why_size);

/* IT_OK, or it_fail with what was being done, the driver's words and the cure. */
enum it_status it_cuda_check(const struct it_cuda_driver *driver, CUresult result,
                             const char *device, const char *doing);

/* ---- cuBLASLt ---- */

struct it_cuda_blas;
/* NULL where the library is missing: the backend's own kernels then do all matrix products.
 * `workspace` is device memory that it may use. */
struct it_cuda_blas *it_cuda_blas_open(void *workspace, size_t workspace_bytes);
void it_cuda_blas_close(struct it_cuda_blas *blas);
enum it_status it_cuda_blas_matmul(struct it_cuda_blas *blas, CUstream stream,
                                   const struct it_args *args);
size_t it_cuda_blas_version(const struct it_cuda_blas *blas);

/* ---- the backend's own device ---- */

enum { IT_CUDA_STAGING = 4 << 20 }; /* bytes */

struct it_cuda_device {
    struct it_cuda cuda; /* first: device->data points here */
    const struct it_cuda_driver *driver;
    CUdevice index;
    CUcontext context;
    CUstream stream;
    CUmodule module;
    CUfunction function[IT_CUDA_KERNELS];
    struct it_cuda_blas *blas;
    CUdeviceptr scratch, workspace;
    char *staging; /* pinned: small transfers go through it; IT_CUDA_STAGING bytes */
    size_t staged; /* of them, in use until the stream has been waited for */
    char *fetched;           /* pinned: IT_FETCHES downloads of IT_FETCH_BYTES ... */
    CUevent fetch_done[IT_FETCHES]; /* ... each behind its event */
    const char *name; /* of the device, for messages */
    CUstream copies;         /* of prefetches */
    CUevent queued, copied;  /* what a prefetch waits for, and what waits for it */
    int64_t free_before;     /* of the card, before the context; -1: not known */
    int64_t free_at_first, context_bytes; /* within the new context, and its own */
};

/* fetch.c; close is for what open left behind when it failed, too. */
enum it_status it_cuda_fetch_open(struct it_cuda_device *d);
void it_cuda_fetch_close(struct it_cuda_device *d);
enum it_status it_cuda_fetch(struct it_device *device, int number, const struct it_buffer *from,
                             size_t offset, size_t bytes);
enum it_status it_cuda_fetch_take(struct it_device *device, int number, void *to, size_t bytes);

/* ---- memory beside arenas: memory.c ---- */

/* Around making the context: what it takes. */
void it_cuda_count_begin(struct it_cuda_device *d);
void it_cuda_count_context(struct it_cuda_device *d);
/* info.memory_*, after all that opening takes. */
void it_cuda_fill_memory(struct it_device *device);
int64_t it_cuda_memory_taken(struct it_device *device);
enum it_status it_cuda_copies_open(struct it_cuda_device *d);
void it_cuda_copies_close(struct it_cuda_device *d);
enum it_status it_cuda_host_alloc(struct it_device *device, size_t bytes,
                                  struct it_buffer *host_out);
void it_cuda_host_release(struct it_device *device, struct it_buffer *host);
enum it_status it_cuda_prefetch(struct it_device *device, struct it_buffer *to, size_t offset,
                                const void *from, size_t bytes);
enum it_status it_cuda_prefetch_wait(struct it_device *device);

#endif
