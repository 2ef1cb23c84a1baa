/* SPDX-License-Identifier: MIT */
/* A judge that says which of two outputs is better: a model behind an OpenAI-compatible endpoint
 * (POST URL/chat/completions), asked as AlpacaEval 2.0 asks, with log-probabilities. Answers are
 * kept on disk under the hash of their request: the same question is never paid for twice. */
#ifndef IT_TASKS_GRADE_JUDGE_H
#define IT_TASKS_GRADE_JUDGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/status.h"

struct it_judge;

/* 0 and NULL: the default in brackets. Strings are copied. */
struct it_judge_options {
    const char *url;         /* required: https://api.openai.com/v1, http://localhost:8000/v1 */
    const char *model;       /* [gpt-4-1106-preview] */
    const char *key;         /* token of the service [none] */
    const char *template;    /* the prompt as text, with <|im_start|> and {instruction}, {output_1},
                              * {output_2} [ours] */
    const char *cache;       /* folder [INTUITOR_CACHE/judge, ~/.cache/intuitor/judge] */
    double cost_limit;       /* dollars: IT_GUARD where more is to be expected [none] */
    double price_in, price_out; /* dollars for a million tokens [10, 30] */
    double requests_per_minute; /* [no limit] */
    int64_t parallel;        /* requests at once [4] */
    int64_t retries;         /* of one request; -1: none [6] */
    double backoff_s;        /* before the first retry, doubling [1] */
};
enum it_status it_judge_open(const struct it_judge_options *options, struct it_judge **judge_out);
void it_judge_close(struct it_judge *judge);
const char *it_judge_model(const struct it_judge *judge);
/* The template is AlpacaEval's own, to the byte: scores may be set beside the leaderboard's. */
bool it_judge_is_official(const struct it_judge *judge);

struct it_judge_pair {
    const char *instruction, *output_1, *output_2; /* the caller's; UTF-8 */
    double preference; /* 1: output_1 is better, 2: output_2; NaN: the judge did not say */
    bool switched;     /* output_2 was shown first */
    bool binary;       /* no log-probabilities came: the preference is 1 or 2 */
    bool cached;       /* nothing was asked now */
    char *problem;     /* why there is no preference; the caller frees */
};
/* Prints what it will cost, then asks. Failures that more of the same would meet (no such host, a
 * wrong token, no end of 429 and 5xx) end it; what was answered until then is in the cache. */
enum it_status it_judge_run(struct it_judge *judge, struct it_judge_pair *pair, size_t n);

struct it_judge_totals {
    int64_t asked, cached, retried, tokens_in, tokens_out;
    double cost; /* dollars */
};
void it_judge_totals(const struct it_judge *judge, struct it_judge_totals *totals_out);

/* ---- the rules alone ---- */

/* Whether AlpacaEval shows this instruction's outputs the other way round: a coin of Python's
 * random, seeded with the instruction. */
bool it_judge_is_switched(const char *instruction, double *random_out);
/* The share of "m" among the first token's "m" and "M" in an element of a response's `choices`;
 * NaN when it has neither. Without log-probabilities the text decides, and binary_out is set. */
double it_judge_share(const json_t *choice, bool *binary_out);
/* The share as a preference between 1 and 2, the order undone. */
double it_judge_preference(double share, bool switched);

#endif
