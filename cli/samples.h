/* SPDX-License-Identifier: MIT */
/* Problems with several completions each, as `generate` and `eval` write them: read, graded and
 * their answers sorted into classes of equal ones. */
#ifndef IT_CLI_SAMPLES_H
#define IT_CLI_SAMPLES_H

#include "cli/grading.h"
#include "cli/records.h"
#include "tasks/metrics/metrics.h"

/* Statistics of a completion as scores: higher is better. */
enum it_score {
    IT_SCORE_CERTAINTY,  /* mean KL(U || p) */
    IT_SCORE_LOGPROB,    /* mean log p of the tokens */
    IT_SCORE_PERPLEXITY, /* -exp(-mean log p) */
    IT_SCORE_ENTROPY,    /* -mean H */
    IT_SCORE_GINI,       /* mean sum p^2 */
    IT_SCORES
};
const char *it_score_name(enum it_score score);

struct it_sampled {
    json_t *record;   /* what graders read: the problem's fields and `completion` */
    char *answer;     /* NULL: none was found */
    bool correct, gradable, bad;
    bool cut;         /* ended by length */
    bool broken;      /* its answer is a program that does not even parse */
    int64_t n_tokens; /* -1: not known */
    double score[IT_SCORES]; /* NaN: not known, or of no token */
    bool known[IT_SCORES];   /* the record has it */
};
struct it_sampled_problem {
    json_t *record; /* as it was read; the first of several with one id */
    char *where;    /* "FILE:LINE" */
    bool has_gold;
    bool list; /* one record holds all its completions: it is bad as a whole */
    bool bad;
    struct it_sampled *sample;
    struct it_metric_sample *vote; /* [n]: classes of answers; scores are the caller's */
    size_t n, cap;
};
struct it_sampled_file {
    struct it_sampled_problem *item;
    size_t n, cap;
    json_t *index; /* id as JSON text -> problem, for records of one completion each */
    int64_t records, bad;
    const struct it_task *task;
    const char *profile;
};

struct it_samples_options {
    const char *path;
    const char *task; /* NULL: math, and records that were graded already are not graded again */
    const char *profile, *data;
    int64_t threads;
    bool unsafe;
    bool syntax; /* find programs that do not parse, where graded in a sandbox */
};
/* Bad records are named, counted and left out. */
enum it_status it_samples_open(const char *command, const struct it_samples_options *options,
                               struct it_sampled_file *file_out);
/* Takes out problems that were marked bad since. */
void it_samples_drop(struct it_sampled_file *file);
void it_samples_close(struct it_sampled_file *file);
/* IT_FAILED, logged, when records were bad. */
enum it_status it_samples_verdict(const struct it_sampled_file *file, const char *path);

#endif
