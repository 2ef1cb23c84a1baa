/* SPDX-License-Identifier: MIT */
/* Recording and replay: a graph is the list of what the door saw, and, where the device has graphs
 * of its own, that list captured. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/tensor/internal.h"

struct entry {
    enum it_op op;
    struct it_args args;
};

struct it_graph {
    struct it_device *device;
    struct entry *entry;
    size_t count, capacity;
    void *native; /* the device's own; NULL: replayed op by op */
};

void it_door_record(struct it_graph *graph, enum it_op op, const struct it_args *args)
{
    graph->entry = it_grow(graph->entry, &graph->capacity, graph->count + 1, sizeof *graph->entry);
    graph->entry[graph->count++] = (struct entry){op, *args};
}

enum it_status it_record_begin(struct it_device *device)
{
    if (device->door->recording) {
        return it_fail(IT_INVALID, "device %s: a recording is already open", device->info.name);
    }
    struct it_graph *graph = it_calloc(1, sizeof *graph);
    graph->device = device;
    device->door->recording = graph;
    return IT_OK;
}

/* The list as a graph of the device; left as a list when a kernel refuses, for a fallback cannot be
 * captured. */
static enum it_status capture(struct it_graph *graph)
{
    struct it_device *device = graph->device;
    enum it_status status = IT_OK;
    size_t i = 0;
    IT_TRY(device->ops->capture_begin(device));
    for (; i < graph->count && status == IT_OK; i++) {
        status = device->kernel[graph->entry[i].op](device, &graph->entry[i].args);
    }
    if (status == IT_OK) { return device->ops->capture_end(device, &graph->native); }
    IT_TRY(device->ops->capture_end(device, NULL));
    if (status != IT_UNSUPPORTED) { return status; }
    it_info("device %s: op %s cannot be captured: its graph is replayed op by op",
            device->info.name, it_op_info(graph->entry[i - 1].op)->name);
    return IT_OK;
}

enum it_status it_record_end(struct it_device *device, struct it_graph **graph_out)
{
    struct it_graph *graph = device->door->recording;
    if (!graph) {
        return it_fail(IT_INVALID, "device %s: no recording is open", device->info.name);
    }
    device->door->recording = NULL;
    if ((device->info.flags & IT_DEVICE_CAPTURE) && !device->door->sync && graph->count > 0) {
        enum it_status status = capture(graph);
        if (status != IT_OK) {
            it_graph_close(graph);
            return status;
        }
    }
    *graph_out = graph;
    return IT_OK;
}

enum it_status it_graph_replay(struct it_graph *graph)
{
    if (graph->device->door->recording) {
        return it_fail(IT_INVALID, "device %s: replay while a recording is open",
                       graph->device->info.name);
    }
    if (graph->native) { return graph->device->ops->graph_launch(graph->device, graph->native); }
    for (size_t i = 0; i < graph->count; ++i) {
        const struct entry *entry = &graph->entry[i];
        IT_TRY(it_door_execute(graph->device, entry->op, &entry->args));
    }
    return IT_OK;
}

int64_t it_graph_length(const struct it_graph *graph)
{
    return (int64_t)graph->count;
}

void it_graph_close(struct it_graph *graph)
{
    if (!graph) { return; }
    if (graph->native) { graph->device->ops->graph_close(graph->device, graph->native); }
    it_free(graph->entry);
    it_free(graph);
}
