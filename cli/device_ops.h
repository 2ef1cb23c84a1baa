/* SPDX-License-Identifier: MIT */
/* Which operations a device has kernels for. */
#ifndef IT_CLI_DEVICE_OPS_H
#define IT_CLI_DEVICE_OPS_H

#include "core/base/json.h"
#include "core/tensor/backend.h"

/* {"matmul": {"f32": "native", "bf16": "fallback"}, ...}: found by asking each kernel to do a small
 * case of tests. A type that the op does not come in is left out. NULL: an error, logged. */
json_t *it_device_ops_by_dtype(struct it_device *device);
/* {"matmul": "native", ...}: so in every type it comes in; "fallback" in none, else "partly". */
json_t *it_device_ops_in_short(json_t *by_dtype);
/* Operations down; devices, and their types, across. */
void it_device_ops_print(const json_t *backends);

#endif
