/* SPDX-License-Identifier: MIT */
/* Opening the driver: libcuda.so.1 comes with it, so that the program must not be linked to it. */
#include "backends/cuda/driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "core/base/log.h"

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

static struct it_cuda_driver driver;
static char reason[160];
static bool ready;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, sizeof reason, "no NVIDIA driver (libcuda.so.1 is not here)");
        return;
    }
#define X(name)                                                                                    \
    *(void **)&driver.name = dlsym(library, TEXT(name));                                           \
    if (!driver.name) {                                                                            \
        snprintf(reason, sizeof reason, "the NVIDIA driver is too old: it has no %s", TEXT(name)); \
        return;                                                                                    \
    }
    IT_CUDA_FUNCTIONS(X)
#undef X
    CUresult result = driver.cuInit(0);
    const char *words = NULL;
    if (result != CUDA_SUCCESS) {
        driver.cuGetErrorString(result, &words);
        snprintf(reason, sizeof reason, "the NVIDIA driver does not start: %s",
                 words ? words : "unknown error");
        return;
    }
    ready = true;
}

const struct it_cuda_driver *it_cuda_driver(char *why, size_t why_size)
{
    pthread_once(&once, open_driver);
    if (ready) { return &driver; }
    snprintf(why, why_size, "%s", reason);
    return NULL;
}

enum it_status it_cuda_check(const struct it_cuda_driver *d, CUresult result, const char *device,
                             const char *doing)
{
    const char *words = NULL;
    if (result == CUDA_SUCCESS) { return IT_OK; }
    d->cuGetErrorString(result, &words);
    switch (result) {
    case CUDA_ERROR_OUT_OF_MEMORY:
        return it_fail(IT_NOMEM, "device %s: %s: out of memory; lower the batch, the number of "
                       "positions or --memory-limit, or close other programs on this GPU", device,
                       doing);
    case CUDA_ERROR_INVALID_IMAGE:
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
        return it_fail(IT_UNSUPPORTED, "device %s: %s: %s; this build has no kernels for this GPU "
                       "and driver: update the driver or build on this machine", device, doing,
                       words ? words : "no kernels");
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
        return it_fail(IT_FAILED, "device %s: %s: %s; the device is lost to this program: start "
                       "again with --resume, and with IT_SYNC=1 to learn the op", device, doing,
                       words ? words : "lost");
    default:
        return it_fail(IT_FAILED, "device %s: %s: %s (error %d)", device, doing,
                       words ? words : "unknown error", (int)result);
    }
}
