/* SPDX-License-Identifier: MIT */
/* The door: every op goes check, trace, kernel, fallback, record. */
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/tensor/internal.h"

static void trace(enum it_op op, const struct it_args *args, const struct it_device *device)
{
    const struct it_signature *signature = it_signature(op);
    struct it_str text = {0};
    for (int k = 0; k < signature->count; ++k) {
        const struct it_tensor *t = &args->t[k];
        if (t->dtype == IT_NONE) { continue; }
        it_str_printf(&text, " %s:%s", signature->operand[k].name, it_dtype_name(t->dtype));
        for (int axis = 0; axis < t->rank; ++axis) {
            it_str_printf(&text, "%s%lld", axis ? "," : "[", (long long)t->shape[axis]);
        }
        it_str_putc(&text, ']');
    }
    it_trace("device %s: op %s%s", device ? device->info.name : "none (measuring)",
             it_op_info(op)->name, it_str_c(&text));
    it_str_free(&text);
}

enum it_status it_door_execute(struct it_device *device, enum it_op op,
                               const struct it_args *args)
{
    enum it_status status = device->kernel[op](device, args);
    if (status == IT_UNSUPPORTED) { status = it_door_fall_back(device, op, args); }
    if (status == IT_OK && device->door->sync) {
        status = device->ops->finish(device);
        if (status != IT_OK) {
            return it_fail(status, "device %s: failed at op %s", device->info.name,
                           it_op_info(op)->name);
        }
    }
    return status;
}

enum it_status it_run(enum it_op op, const struct it_args *args)
{
    struct it_device *device = NULL;
    IT_TRY(it_door_check(op, args, &device));
    if (it_log_level() >= IT_LOG_TRACE) { trace(op, args, device); }
    if (!device) { return IT_OK; }
    IT_TRY(it_door_execute(device, op, args));
    if (device->door->recording) { it_door_record(device->door->recording, op, args); }
    return IT_OK;
}
