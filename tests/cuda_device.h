/* SPDX-License-Identifier: MIT */
/* The kernels of the CUDA backend as a device on the host; register it, open "cuda-on-host". */
#ifndef IT_TESTS_CUDA_DEVICE_H
#define IT_TESTS_CUDA_DEVICE_H

#include "core/tensor/backend.h"

extern const struct it_backend cuda_on_host_backend;
extern int64_t cuda_on_host_launches; /* so far */

#endif
