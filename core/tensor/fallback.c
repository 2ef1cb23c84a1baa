/* SPDX-License-Identifier: MIT */
/* The fallback: finish the device, operands home, reference kernel, results back. Where buffers
 * are host memory the reference runs in place. Correct everywhere, fast nowhere, never silent. */
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/str.h"
#include "core/tensor/internal.h"
#include "core/tensor/ref_internal.h"

static it_kernel *const reference[2][IT_OP_COUNT] = {
    {
#define OP(ID, name, outputs, inputs, tier, signature, scalars) [IT_OP_##ID] = it_ref_f32_##name,
#include "core/tensor/ops.def"
#undef OP
    },
    {
#define OP(ID, name, outputs, inputs, tier, signature, scalars) [IT_OP_##ID] = it_ref_f64_##name,
#include "core/tensor/ops.def"
#undef OP
    },
};

it_kernel *it_reference_kernel(enum it_op op, bool in_double)
{
    return reference[in_double][op];
}

enum it_status it_reference_run(struct it_device *device, enum it_op op,
                                const struct it_args *args)
{
    bool in_double = false;
    for (int k = 0; k < it_signature(op)->count; ++k) {
        in_double = in_double || args->t[k].dtype == IT_F64;
    }
    return reference[in_double][op](device, args);
}

/* What stands in a device's table until the backend overwrites it. Refusing is enough: the door
 * falls back for whatever a kernel refuses. */
static enum it_status refuse(struct it_device *device, const struct it_args *args)
{
    (void)device;
    (void)args;
    return IT_UNSUPPORTED;
}

it_kernel *it_fallback(enum it_op op)
{
    (void)op;
    return refuse;
}

/* The type a person would name the call by: that of its first floating operand that is read. */
static enum it_dtype type_of_call(const struct it_args *args, const struct it_signature *s)
{
    for (int k = s->count - 1; k >= 0; --k) {
        char kind = s->operand[k].kind;
        if ((kind == 'x' || kind == 'f') && args->t[k].dtype != IT_NONE) {
            return args->t[k].dtype;
        }
    }
    return args->t[s->first_a >= 0 ? s->first_a : 0].dtype;
}

static int64_t bytes_moved(const struct it_args *args, const struct it_signature *s)
{
    int64_t bytes = 0;
    for (int k = 0; k < s->count; ++k) {
        int64_t size = it_tensor_count(&args->t[k]) * (int64_t)it_dtype_size(args->t[k].dtype);
        bytes += k < s->outputs ? 2 * size : size;
    }
    return bytes;
}

static enum it_status tell(struct it_device *device, enum it_op op, const struct it_args *args)
{
    const struct it_signature *s = it_signature(op);
    enum it_dtype dtype = type_of_call(args, s);
    const char *name = it_op_info(op)->name;
    if (device->options.strict) {
        return it_fail(IT_UNSUPPORTED, "device %s: no kernel for op %s in %s, and strict is set",
                       device->info.name, name, it_dtype_name(dtype));
    }
    unsigned bit = 1u << dtype;
    if (device->door->warned[op] & bit) { return IT_OK; }
    device->door->warned[op] |= bit;
    bool unified = device->info.flags & IT_DEVICE_UNIFIED;
    char moved[16];
    it_warn("device %s: no kernel for op %s in %s: the reference runs on the host, %s moved this "
            "time (told once)",
            device->info.name, name, it_dtype_name(dtype),
            it_format_size(unified ? 0 : bytes_moved(args, s), moved, sizeof moved));
    return IT_OK;
}

/* A dense host copy of a view. */
static enum it_status bring_home(struct it_device *device, const struct it_tensor *away,
                                 struct it_buffer *buffer, struct it_tensor *home)
{
    *home = *away;
    int64_t dense = 1;
    for (int axis = away->rank - 1; axis >= 0; --axis) {
        home->stride[axis] = dense;
        dense *= away->shape[axis];
    }
    size_t size = (size_t)dense * it_dtype_size(away->dtype);
    void *host = malloc(size ? size : 1);
    if (!host) {
        char asked[16];
        return it_fail(IT_NOMEM, "device %s: no host memory for a fallback: %s asked",
                       device->info.name, it_format_size((int64_t)size, asked, sizeof asked));
    }
    *buffer = (struct it_buffer){.device = device, .host = host, .size = size};
    home->buffer = buffer;
    home->offset = 0;
    return it_download(host, *away);
}

static enum it_status run_at_home(struct it_device *device, enum it_op op,
                                  const struct it_args *away)
{
    const struct it_signature *s = it_signature(op);
    struct it_buffer buffer[IT_MAX_OPERANDS] = {0};
    struct it_args home = *away;
    enum it_status status = IT_OK;
    for (int k = 0; k < s->count; ++k) {
        if (away->t[k].dtype == IT_NONE) { continue; }
        IT_TRY_GOTO(status, done, bring_home(device, &away->t[k], &buffer[k], &home.t[k]));
    }
    IT_TRY_GOTO(status, done, it_reference_run(device, op, &home));
    for (int k = 0; k < s->outputs; ++k) {
        if (away->t[k].dtype == IT_NONE) { continue; }
        IT_TRY_GOTO(status, done, it_upload(away->t[k], buffer[k].host));
    }
done:
    for (int k = 0; k < s->count; ++k) { free(buffer[k].host); }
    return status;
}

enum it_status it_door_fall_back(struct it_device *device, enum it_op op,
                                 const struct it_args *args)
{
    if (!device->door->reference) { IT_TRY(tell(device, op, args)); }
    IT_TRY(device->ops->finish(device));
    if (device->info.flags & IT_DEVICE_UNIFIED) { return it_reference_run(device, op, args); }
    return run_at_home(device, op, args);
}
