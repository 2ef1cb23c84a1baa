/* SPDX-License-Identifier: MIT */
/* Options of the commands that may ask a judge (tasks/grade/judge.h). */
#ifndef IT_CLI_JUDGE_H
#define IT_CLI_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/option.h"
#include "core/base/status.h"

struct it_judge;

struct it_cli_judge {
    char *url, *model, *prompt, *cache;
    double cost_limit, price_in, price_out, rate;
    int64_t parallel, retries;
};

/* Rows for a struct with a field `judge` of that type. */
#define IT_CLI_JUDGE_ROWS(v)                                                                       \
    {"judge-url", IT_OPT_STRING, NULL,                                                             \
     "alpaca_eval: OpenAI-compatible endpoint of the judge, as https://api.openai.com/v1; the "    \
     "token is OPENAI_API_KEY's; unset: nobody is asked",                                          \
     offsetof(struct v, judge.url), NULL},                                                         \
    {"judge-model", IT_OPT_STRING, "gpt-4-1106-preview", "the judge's name there",                 \
     offsetof(struct v, judge.model), NULL},                                                       \
    {"judge-prompt", IT_OPT_STRING, NULL,                                                          \
     "file with the judge's prompt; unset: annotator_prompt_alpaca_eval_clf.txt of the data "      \
     "folder, else our own wording",                                                               \
     offsetof(struct v, judge.prompt), NULL},                                                      \
    {"judge-cache", IT_OPT_STRING, NULL,                                                           \
     "folder for its answers; unset: judge in INTUITOR_CACHE or ~/.cache/intuitor",                \
     offsetof(struct v, judge.cache), NULL},                                                       \
    {"judge-cost-limit", IT_OPT_REAL, "0",                                                         \
     "dollars: stop (exit 3) before more is spent; 0: no limit",                                   \
     offsetof(struct v, judge.cost_limit), NULL},                                                  \
    {"judge-price-in", IT_OPT_REAL, "10", "dollars for a million tokens of a prompt",              \
     offsetof(struct v, judge.price_in), NULL},                                                    \
    {"judge-price-out", IT_OPT_REAL, "30", "dollars for a million tokens of an answer",            \
     offsetof(struct v, judge.price_out), NULL},                                                   \
    {"judge-rate", IT_OPT_REAL, "0", "most requests a minute; 0: no limit",                        \
     offsetof(struct v, judge.rate), NULL},                                                        \
    {"judge-parallel", IT_OPT_INT, "4", "requests at once",                                        \
     offsetof(struct v, judge.parallel), NULL},                                                    \
    {"judge-retries", IT_OPT_INT, "6", "of a request that fails for now",                          \
     offsetof(struct v, judge.retries), NULL}

/* NULL where no address was given. `data`: the dataset root, or NULL. */
enum it_status it_cli_judge_open(const struct it_cli_judge *values, const char *data,
                                 struct it_judge **judge_out);

#endif
