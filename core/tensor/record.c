/* SPDX-License-Identifier: MIT */
/* Recording and replay: a graph is the list of what the door saw. */
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

enum it_status it_record_end(struct it_device *device, struct it_graph **graph_out)
{
    struct it_graph *graph = device->door->recording;
    if (!graph) {
        return it_fail(IT_INVALID, "device %s: no recording is open", device->info.name);
    }
    device->door->recording = NULL;
    *graph_out = graph;
    return IT_OK;
}

enum it_status it_graph_replay(struct it_graph *graph)
{
    if (graph->device->door->recording) {
        return it_fail(IT_INVALID, "device %s: replay while a recording is open",
                       graph->device->info.name);
    }
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
    it_free(graph->entry);
    it_free(graph);
}
