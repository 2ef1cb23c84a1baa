/* SPDX-License-Identifier: MIT */
/* The parts of an analysis: each takes the samples and gives its numbers as JSON. */
#ifndef IT_CLI_ANALYZE_H
#define IT_CLI_ANALYZE_H

#include "cli/samples.h"
#include "cli/selection.h"

/* {"self_certainty": {"n_correct","n_wrong","mean_correct","mean_wrong","u","z","p","r",...}}: one
 * for each statistic that samples have. */
json_t *it_analyze_confidence(const struct it_sampled_file *file);
/* {"all","correct","wrong": {"n","mean","median","min","max"}, "cut"}, in tokens (bytes of text
 * where tokens are not known: "unit" says which). */
json_t *it_analyze_lengths(const struct it_sampled_file *file);
/* {"no_answer","no_reasoning","reasoning": {"n","share","accuracy"}}: Figure 6. */
json_t *it_analyze_categories(const struct it_sampled_file *file);
/* {"unique","majority_share","majority_correct","unanimous"}: means over problems. */
json_t *it_analyze_answers(const struct it_sampled_file *file);
/* Two files' sets of unique answers: {"problems","only_a","only_b","shared","jaccard"}. */
json_t *it_analyze_overlap(const struct it_sampled_file *a, const struct it_sampled_file *b);
/* [{"method","n","accuracy",...}] for every method that the samples allow. */
json_t *it_analyze_selection(struct it_sampled_file *file, const struct it_reals *sizes);

#endif
