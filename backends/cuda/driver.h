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
    X(cuDevicePrimaryCtxRetain)                                                                    \
    X(cuDevicePrimaryCtxRelease)                                                                   \
    X(cuCtxSetCurrent)                                                                             \
    X(cuMemGetInfo)                                                                                \
    X(cuMemAlloc)                                                                                  \
    X(cuMemFree)                                                                                   \
    X(cuMemAllocHost)                                                                              \
    X(cuMemFreeHost)                                                                               \
    X(cuMemcpyHtoDAsync)                                                                           \
    X(cuMemcpyDtoHAsync)                                                                           \
    X(cuStreamCreate)                                                                              \
    X(cuStreamDestroy)                                                                             \
    X(cuStreamSynchronize)                                                                         \
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
    const char *name; /* of the device, for messages */
};

#endif
