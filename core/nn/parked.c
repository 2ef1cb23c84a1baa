/* SPDX-License-Identifier: MIT */
/* Weight sets that wait in host memory, and come to the device where there is room for them: a pass
 * over many packs brings each tensor once, a layer while the one before it computes. */
#include <assert.h>

#include "core/base/mem.h"
#include "core/nn/internal.h"

/* In the order of use: the embedding, the layers, then what is left of the globals. */
struct it_arrival {
    const struct it_net *net;
    const struct it_weights *from; /* parked */
    int stages, begun, ready;      /* of them: on their way or there; there */
};

static int stage_of(const struct it_weight *w, const struct it_net *net)
{
    if (w->layer >= 0) { return w->layer + 1; }
    return w->slot == IT_SLOT_EMBED ? 0 : (int)net->config.layers + 1;
}

enum it_status it_weights_park(const struct it_net *net, const char *label,
                               struct it_weights *weights_out)
{
    struct it_device *host;
    struct it_arena *arena, *views;
    struct it_weights w = {0}, plan = {0};
    IT_TRY(it_device_host(net->device, &host));
    IT_TRY(it_arena_measure(host, label, &views));
    enum it_status status = it_weights_open(net, label, IT_NONE, views, &plan);
    int64_t bytes = it_arena_peak(views);
    it_weights_close(&plan);
    it_arena_close(views);
    IT_TRY(status);
    IT_TRY(it_arena_open(host, label, bytes, &arena));
    status = it_weights_open(net, label, IT_NONE, arena, &w);
    if (status != IT_OK) {
        it_arena_close(arena);
        return status;
    }
    w.owned = true;
    status = it_weights_store(&w, &net->weights);
    if (status != IT_OK) {
        it_weights_close(&w);
        return status;
    }
    *weights_out = w;
    return IT_OK;
}

enum it_status it_weights_store(struct it_weights *parked, const struct it_weights *from)
{
    for (int i = 0; i < parked->n; i++) {
        const struct it_tensor *to = &parked->item[i].t;
        if (to->dtype != IT_NONE) { IT_TRY(it_download(it_tensor_host(to), from->item[i].t)); }
    }
    return IT_OK;
}

enum it_status it_weights_recall(const struct it_net *net, const struct it_weights *parked,
                                 struct it_arena *arena, struct it_weights *weights_out)
{
    struct it_weights w;
    assert(!net->lora.r); /* the frozen part would have to come from elsewhere */
    IT_TRY(it_weights_open(net, "recalled", IT_NONE, arena, &w));
    w.arrival = it_alloc(sizeof *w.arrival);
    *w.arrival = (struct it_arrival){
        .net = net, .from = parked, .stages = (int)net->config.layers + 2};
    *weights_out = w;
    return IT_OK;
}

static enum it_status begin_stage(const struct it_weights *weights, int stage)
{
    const struct it_arrival *a = weights->arrival;
    for (int i = 0; i < weights->n; i++) {
        const struct it_weight *w = &weights->item[i];
        if (w->t.dtype == IT_NONE || stage_of(w, a->net) != stage) { continue; }
        IT_TRY(it_prefetch(w->t, a->from->item[i].t));
    }
    return IT_OK;
}

enum it_status it_weights_arrive(const struct it_weights *weights, int stage)
{
    struct it_arrival *a = weights->arrival;
    if (!a || stage < a->ready) { return IT_OK; }
    assert(stage < a->stages);
    while (a->begun <= stage) { IT_TRY(begin_stage(weights, a->begun++)); }
    IT_TRY(it_prefetch_wait(a->net->device));
    a->ready = a->begun;
    return a->begun < a->stages ? begin_stage(weights, a->begun++) : IT_OK;
}

enum it_status it_weights_mix_parked(const struct it_net *net, struct it_weights *parked,
                                     struct it_arena *arena, double mix,
                                     const struct it_weights *from)
{
    struct it_weights w;
    if (mix == 1.0) { return it_weights_store(parked, from); }
    int64_t mark = it_arena_mark(arena);
    IT_TRY(it_weights_recall(net, parked, arena, &w));
    enum it_status status = it_weights_arrive(&w, w.arrival->stages - 1);
    if (status == IT_OK) { status = it_weights_mix(&w, mix, from); }
    if (status == IT_OK) { status = it_weights_store(parked, &w); }
    it_weights_close(&w);
    it_arena_reset(arena, mark);
    return status;
}

void it_arrival_close(struct it_arrival *arrival)
{
    if (!arrival) { return; }
    if (arrival->begun > arrival->ready) { /* after a failure, which was reported */
        /* what is on its way must not land in memory that serves something else by then */
        (void)it_prefetch_wait(arrival->net->device);
        (void)it_device_finish(arrival->net->device);
    }
    it_free(arrival);
}
