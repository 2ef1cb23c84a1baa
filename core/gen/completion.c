/* SPDX-License-Identifier: MIT */
/* A completion: ids and what the sampler knew of each. */
#include "core/base/mem.h"
#include "core/gen/internal.h"

const char *it_finish_name(enum it_finish finish)
{
    switch (finish) {
    case IT_FINISH_STOP:
    case IT_FINISH_STOP_STRING: return "stop";
    case IT_FINISH_LENGTH: return "length";
    case IT_FINISH_INTERRUPTED: break;
    }
    return "interrupted";
}

void it_completion_free(struct it_completion *completion)
{
    it_free(completion->ids);
    it_free(completion->logprob);
    it_free(completion->entropy);
    it_free(completion->certainty);
    it_free(completion->sum_p2);
    it_free(completion->margin);
    *completion = (struct it_completion){0};
}

static void resize(struct it_completion *c, int64_t capacity)
{
    size_t floats = (size_t)capacity * sizeof(float);
    c->ids = it_realloc(c->ids, (size_t)capacity * sizeof *c->ids);
    c->logprob = it_realloc(c->logprob, floats);
    c->entropy = it_realloc(c->entropy, floats);
    c->certainty = it_realloc(c->certainty, floats);
    c->sum_p2 = it_realloc(c->sum_p2, floats);
    c->margin = it_realloc(c->margin, floats);
}

void it_completion_add(struct it_completion *completion, int64_t *capacity, int32_t id,
                       const double stats[IT_STAT_COUNT])
{
    if (completion->n == *capacity) {
        *capacity = *capacity < 32 ? 32 : 2 * *capacity;
        resize(completion, *capacity);
    }
    int64_t i = completion->n++;
    completion->ids[i] = id;
    completion->logprob[i] = (float)stats[IT_STAT_LOGPROB];
    completion->entropy[i] = (float)stats[IT_STAT_ENTROPY];
    completion->certainty[i] = (float)stats[IT_STAT_CERTAINTY];
    completion->sum_p2[i] = (float)stats[IT_STAT_SUM_P2];
    completion->margin[i] = (float)stats[IT_STAT_MARGIN];
}

void it_completion_trim(struct it_completion *completion)
{
    if (completion->n > 0) { resize(completion, completion->n); }
}
