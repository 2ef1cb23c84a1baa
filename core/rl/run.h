/* SPDX-License-Identifier: MIT */
/* The run directory: metrics, TensorBoard events, completions, checkpoints. What is in it after a
 * kill at any point is a run that resumes to the same bits. */
#ifndef IT_RL_RUN_H
#define IT_RL_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/nn/nn.h"
#include "core/rl/recipe.h"
#include "core/rl/trainer.h"

struct it_run {
    char *folder;
    bool dry; /* replay: nothing is written */
    int64_t save_total_limit;
    int64_t saved; /* step of the checkpoint that is known to be whole: written last; -1: none */
    struct it_events *events;
};

/* A non-empty folder is refused unless resume or overwrite. Writes recipe.yaml and run.json (the
 * ledger); with resume they are left as they are, and differing fields of the recipe that change
 * the numbers are refused, named. Stale temporary checkpoints are removed. */
enum it_status it_run_open(const struct it_recipe *recipe, json_t *ledger, bool resume,
                           bool overwrite, struct it_run **run_out);
/* For replay and report: an existing folder, read only. */
enum it_status it_run_open_dry(const char *folder, struct it_run **run_out);
void it_run_close(struct it_run *run);

/* Cut metrics.jsonl, eval.jsonl, completions/ and the event files to what belongs to updates <=
 * step (resume). Torn last lines of a kill are cut too. */
enum it_status it_run_truncate(struct it_run *run, int64_t step);

/* Append to metrics.jsonl and the event file; flushed when they return. Borrowed records. */
enum it_status it_run_metrics(struct it_run *run, int64_t step, const json_t *record);
enum it_status it_run_eval(struct it_run *run, int64_t step, const json_t *record);
/* Is there an evaluation of that step? After an interruption in the middle of one there is not. */
bool it_run_evaluated(const struct it_run *run, int64_t step);
/* completions/completions_00010.jsonl: an array of records, atomically. */
enum it_status it_run_completions(struct it_run *run, int64_t step, const json_t *records);

/* ---- checkpoints ---- */

/* What goes into optimizer.safetensors besides the model folder: tensors by name, in order. */
struct it_state_tensor {
    char name[64];
    struct it_tensor t;
};

/* checkpoint-<step>/: the model folder through `folders`, optimizer.safetensors, trainer_state.json
 * (state, with sizes and CRC-32 of the files beside it). Written under a temporary name, synced,
 * renamed; then old ones beyond save_total_limit are removed. An existing one that is whole is
 * left, a damaged one replaced. */
enum it_status it_run_save(struct it_run *run, int64_t step, const struct it_rl_folders *folders,
                           const struct it_weights *weights, const struct it_state_tensor *tensors,
                           int64_t n_tensors, const json_t *state);
/* The newest checkpoint with step <= most (-1: any) that is whole: all files there with the sizes
 * and sums of its trainer_state.json; a damaged one is warned about and passed over. NULL when
 * there is none. The caller frees folder_out and state_out. */
enum it_status it_run_newest(const struct it_run *run, int64_t most, char **folder_out,
                             json_t **state_out);
enum it_status it_run_load(const char *checkpoint, const struct it_rl_folders *folders,
                           struct it_weights *weights, const struct it_state_tensor *tensors,
                           int64_t n_tensors);

/* ---- monitors and guards (docs/algorithm.md) ---- */

struct it_monitor {
    int64_t count[8];      /* updates in a row each guard was over its limit */
    double accuracy_start; /* of the first update where gold is known; NaN before */
};
/* Looks at a metrics record; true when a guard has fired, with its reason in why. */
bool it_monitor_check(struct it_monitor *monitor, const struct it_recipe *recipe,
                      const json_t *record, char *why, size_t why_size);
json_t *it_monitor_save(const struct it_monitor *monitor);
void it_monitor_load(struct it_monitor *monitor, const json_t *state);

/* Text monitors of one completion. */
double it_repetition(const int32_t *ids, int64_t n); /* share of the most frequent id */
double it_distinct3(const int32_t *ids, int64_t n);  /* distinct trigrams over trigrams */
int64_t it_count_boxes(const char *text);            /* complete \boxed{...} */

/* Name the first step and field where two metrics.jsonl differ, times and memory aside; IT_OK with
 * *same_out. */
enum it_status it_run_diff(const char *folder_a, const char *folder_b, bool *same_out,
                           struct it_str *what_out);
bool it_record_same(const json_t *a, const json_t *b, struct it_str *what_out);

#endif
