/* SPDX-License-Identifier: MIT */
/* TensorBoard event files, so that the dashboards people have carry over. */
#ifndef IT_RL_EVENTS_H
#define IT_RL_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "core/base/status.h"

struct it_events;

/* A new events.out.tfevents.* in the folder. */
enum it_status it_events_open(const char *folder, struct it_events **events_out);
/* Every number of the record as a scalar named prefix + key; flushed. NULL events: nothing. */
enum it_status it_events_put(struct it_events *events, int64_t step, const char *prefix,
                             const json_t *record);
void it_events_close(struct it_events *events);
/* Remove the folder's event files: the records are written again from metrics.jsonl. */
enum it_status it_events_remove(const char *folder);

#endif
