/* SPDX-License-Identifier: MIT */
/* Best of N: which of a problem's samples each method chooses, and how often it is right. */
#ifndef IT_CLI_SELECTION_H
#define IT_CLI_SELECTION_H

#include "cli/samples.h"
#include "core/base/option.h"

struct it_method {
    const char *name, *doc;
    int score; /* enum it_score that it needs; -1: none */
};
const struct it_method *it_method_at(size_t index); /* NULL past the end */
const struct it_method *it_method_find(const char *name);

struct it_selection_options {
    double power; /* of borda; below 0: as suits N */
    int score;    /* enum it_score by which borda ranks */
};
/* A problem without the statistic that the method ranks by: the first completion that lacks it;
 * -1 where all have it. */
int64_t it_selection_lacks(const struct it_method *method, const struct it_selection_options *o,
                           const struct it_sampled_problem *problem);
/* Index of the sample chosen among the first `n`. */
size_t it_selection_choose(const struct it_method *method, const struct it_selection_options *o,
                           struct it_sampled_problem *problem, size_t n);

struct it_selected {
    const struct it_method *method;
    int64_t n;                   /* samples of a problem */
    double power;                /* of borda */
    int64_t problems, correct;   /* with a gold */
    double accuracy, error;      /* NaN without golds; error over problems */
    size_t *chosen;              /* [file->n], owned */
};
/* Accuracy of a method that chooses among the first n samples of every problem. */
struct it_selected it_selection_measure(const struct it_method *method,
                                        const struct it_selection_options *o,
                                        struct it_sampled_file *file, int64_t n);
/* {"method","n","power","score","problems","correct","accuracy","stderr"} */
json_t *it_selected_json(const struct it_selected *selected, const struct it_selection_options *o);

/* 1, 2, 4 ... and the most samples that a problem has; or the list as it was given. */
enum it_status it_selection_sizes(const char *command, const struct it_reals *asked,
                                  const struct it_sampled_file *file, struct it_reals *sizes_out);

#endif
