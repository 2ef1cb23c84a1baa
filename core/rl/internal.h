/* SPDX-License-Identifier: MIT */
/* Between the files of the trainer. */
#ifndef IT_RL_INTERNAL_H
#define IT_RL_INTERNAL_H

#include "core/rl/objective.h"
#include "core/rl/reward.h"
#include "core/rl/run.h"
#include "core/rl/trainer.h"

/* ---- packing: groups cut into packs of a token budget, prompts shared ---- */

/* A completion's predictions in a pack: rows [first, first + n), one a token, and with `after` one
 * more, of the distribution after the last token. */
struct it_part {
    int64_t sample, first, n;
};
struct it_train_pack {
    struct it_pack pack; /* points into what follows */
    int32_t *ids, *positions, *segments, *rows, *targets;
    struct it_part *part;
    int64_t n_parts;
};
struct it_packs {
    struct it_train_pack *item;
    int64_t n;
    int64_t max_tokens, max_segments, max_rows; /* over the packs */
};
struct it_pack_source {
    int64_t groups, group_size;
    const struct it_rl_prompt *const *prompt;  /* [groups] */
    const struct it_completion *completion;    /* [groups * group_size] */
    const bool *skip;                          /* completions without a gradient; NULL: none */
    int64_t budget;                            /* tokens; one completion with its prompt fits */
    bool after;                                /* see struct it_part */
};
void it_packs_build(const struct it_pack_source *source, struct it_packs *packs_out);
void it_packs_free(struct it_packs *packs);
/* Rows that a pack of so many tokens and completions can need at most. */
int64_t it_packs_max_rows(int64_t tokens, int64_t samples);

/* ---- one update's samples ---- */

struct it_batch {
    int64_t groups, size, n; /* n = groups * size */
    const struct it_rl_prompt **prompt; /* [groups] */
    struct it_completion *completion;   /* [n] */
    struct it_sample *sample;           /* [n]: views of what is beside it */
    char **text;                        /* [n] */
    struct it_rl_grade *grade;          /* [n] */
    float **certainty;                  /* [n] recomputed; NULL: the sampler's own */
    double **ref, **kept;               /* [n][tokens]; NULL: not wanted */
    bool *skip, *include;               /* [n]: no gradient; counts in the group's statistics */
    double **rewards;                   /* [reward_funcs][n] */
    double *reward, *advantage;         /* [n] */
    struct it_advantage_totals advantages;
    struct it_gen_totals generated;
    int64_t tokens;                     /* of all completions */
    double rollout_s, score_s, reward_s, train_s;
};
void it_batch_free(struct it_batch *batch, int64_t n_rewards);

/* ---- the trainer ---- */

struct it_trainer {
    const struct it_trainer_setup *setup;
    const struct it_recipe *recipe;
    struct it_net *net;
    struct it_batch_shape shape;
    struct it_memory_plan plan;
    int64_t updates; /* of the whole run */
    int64_t vocab;   /* the statistics are over */
    struct it_arena *phase;       /* generation and training overlay here */
    struct it_optimizer *optimizer;
    struct it_weights reference, annotator; /* n 0: not needed */
    struct it_run *run;
    struct it_monitor monitor;
    /* state of the run: all of it is in a checkpoint */
    int64_t update;    /* updates done */
    int64_t num_tokens;
    int64_t skipped, skipped_in_row;
    int64_t *order;    /* the epoch's permutation */
    int64_t epoch;     /* of `order`; -1: none yet */
};

/* What an update's optimizer part reports. */
struct it_update_totals {
    struct it_loss_totals loss;
    double grad_norm, learning_rate;
    double ratio_dev_sum, ratio_dev_max; /* sampler against trainer, first iteration */
    double ratio_tokens, ess_sum, ess_sq; /* effective sample size of the ratios */
    bool skipped;
};

/* plan.c: which models a recipe keeps beside the policy. */
bool it_needs_reference(const struct it_recipe *recipe);
bool it_needs_annotator(const struct it_recipe *recipe);
/* Self-certainty from a pass of its own, and not from the sampler. */
bool it_needs_certainty(const struct it_recipe *recipe);
/* May what waits beside the policy wait in host memory? */
bool it_can_stream(const struct it_recipe *recipe, const struct it_net *net);
/* The best plan within `limit`, or where total is above it the least there is. */
enum it_status it_plan_choose(const struct it_trainer_setup *setup, int64_t limit,
                              struct it_memory_plan *plan_out);
/* plan_refuse.c: IT_INVALID with what is needed, and the nearest settings that fit. */
enum it_status it_plan_refuse(const struct it_trainer_setup *setup,
                              const struct it_memory_plan *plan, int64_t limit);
/* update.c: the optimizer that a recipe asks for. */
struct it_adamw_options it_recipe_adamw(const struct it_recipe *recipe);
/* Its name in a checkpoint's state, and whether the state in `folder` is that optimizer's. */
const char *it_recipe_optim(const struct it_recipe *recipe);
enum it_status it_check_optim(const struct it_recipe *recipe, const char *folder,
                              const json_t *state);
struct it_head_options it_trainer_head(const struct it_trainer *t);
/* A run that writes; one computed again beside its folder; one batch without a folder. */
enum it_trainer_mode { IT_TRAINER_RUN, IT_TRAINER_REPLAY, IT_TRAINER_PROBE };
enum it_status it_trainer_open(const struct it_trainer_setup *setup, enum it_trainer_mode mode,
                               struct it_trainer *t_out);
void it_trainer_close(struct it_trainer *t);
/* Prompts of update u = 1, 2, ...; the order of an epoch depends on seed and epoch alone. */
void it_trainer_prompts(struct it_trainer *t, int64_t update, const struct it_rl_prompt **out);
/* Prompts of an epoch: the incomplete batch is left; fewer than a batch repeat. */
int64_t it_trainer_epoch(const struct it_trainer *t);
/* What a completion says: no special tokens, cut at the first stop string; the caller frees. */
char *it_trainer_text(const struct it_trainer *t, const struct it_completion *completion);
/* Sample, decode and grade; then scores and rewards; then the optimizer. */
enum it_status it_rollout(struct it_trainer *t, int64_t update, struct it_batch *batch_out);
enum it_status it_score(struct it_trainer *t, int64_t update, struct it_batch *batch);
enum it_status it_update(struct it_trainer *t, struct it_batch *batch,
                         struct it_update_totals *totals_out);
json_t *it_metrics_record(const struct it_trainer *t, int64_t update, const struct it_batch *batch,
                          const struct it_update_totals *totals, double step_time);
json_t *it_completion_records(const struct it_trainer *t, int64_t update,
                              const struct it_batch *batch);
/* Accuracy on the held-out prompts, sampled and greedy, appended to eval.jsonl. */
enum it_status it_evaluate(struct it_trainer *t, int64_t update);
struct it_sampling it_trainer_sampling(const struct it_trainer *t, uint64_t update);
int it_trainer_state_tensors(struct it_trainer *t, struct it_state_tensor **tensors_out);

#endif
