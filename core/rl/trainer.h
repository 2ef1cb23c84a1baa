/* SPDX-License-Identifier: MIT */
/* The loop: roll out, score, advantage, train, log. Reading order of core/rl: recipe.h, reward.h,
 * objective.h, this header, run.h; then trainer.c, rollout.c, update.c. */
#ifndef IT_RL_TRAINER_H
#define IT_RL_TRAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/gen/gen.h"
#include "core/nn/nn.h"
#include "core/rl/recipe.h"
#include "core/text/text.h"

/* A prompt as the trainer sees it: rendered and tokenised by the caller. All owned by the caller.
 * */
struct it_rl_prompt {
    const char *id;
    const char *text; /* the question, for the log */
    const char *gold; /* NULL: none */
    const int32_t *ids;
    int64_t n;
    const void *problem; /* the grader's own */
};

struct it_rl_grade {
    char *extracted; /* owned; NULL: none */
    bool gradable, correct;
};

/* core/rl declares the grading callback, the caller implements it. */
struct it_rl_grader {
    void *context;
    /* Grades n completions, completion[i] of *prompt[i], at once or in turn: a grade depends on its
     * own completion alone. After a failure there is nothing to free. */
    enum it_status (*grade)(void *context, const struct it_rl_prompt *const *prompt,
                            const char *const *completion, int64_t n,
                            struct it_rl_grade *grade_out);
    bool (*equal)(void *context, const char *a, const char *b);
};

/* Reading and writing model folders, lent by the caller (core/rl does not know models/). */
struct it_rl_folders {
    void *context;
    enum it_status (*save)(void *context, const struct it_weights *weights, const char *folder);
    enum it_status (*load)(void *context, struct it_weights *weights, const char *folder);
};

struct it_trainer_setup {
    const struct it_recipe *recipe;
    struct it_net *net;
    const struct it_tokenizer *tokenizer;
    const int32_t *stop_ids;
    int n_stop_ids;
    const struct it_rl_prompt *prompts;
    int64_t n_prompts;
    const struct it_rl_prompt *eval_prompts; /* held out; may be none */
    int64_t n_eval_prompts;
    struct it_rl_grader grader, eval_grader;
    struct it_rl_folders folders;
    int64_t devices;
    bool resume;    /* go on from the newest valid checkpoint of output_dir */
    bool overwrite; /* delete what is in output_dir */
    json_t *ledger; /* facts for run.json: version, device, compiler, checksums; borrowed */
};

/* Everything about a run's memory, before it is allocated. */
struct it_memory_plan {
    int64_t device; /* what the open device takes for itself: memory_held */
    int64_t weights, reference, annotator, optimizer, gradients, activations, kv, constants;
    int64_t scoring; /* passes without gradient, streamed models included; 0: none */
    int64_t phase;   /* the largest of generation, scoring and training (gradients included), which
                        overlay */
    int64_t total;   /* of the device */
    int64_t host;    /* of the host, for streamed models */
    bool streamed;   /* reference and annotator wait in host memory, and count in `scoring` */
    int64_t micro_tokens, slots; /* chosen within the limit */
};
enum it_status it_trainer_plan(const struct it_trainer_setup *setup,
                               struct it_memory_plan *plan_out);

/* Runs to the end, or to a guard (IT_GUARD), an interruption (IT_INTERRUPTED, state saved) or a
 * failure. */
enum it_status it_train(const struct it_trainer_setup *setup);

/* Compute update `step` of the run in output_dir again, from the newest checkpoint before it,
 * without writing anything; record_out is the metrics record. */
enum it_status it_train_replay(const struct it_trainer_setup *setup, int64_t step,
                               json_t **record_out);

/* One batch of one prompt group: sampler log-probs against trainer log-probs, for `doctor`. */
enum it_status it_train_probe(const struct it_trainer_setup *setup, double *ratio_dev_mean_out,
                              double *ratio_dev_max_out);

/* ---- next-token training on {prompt, completion} sequences, in the same run directory ---- */

struct it_text_example {
    const int32_t *ids;
    int64_t n;
    int64_t n_prompt; /* leading ids without loss (completion_only_loss) */
};
struct it_pretrain_setup {
    const struct it_recipe *recipe;
    struct it_net *net;
    const struct it_tokenizer *tokenizer;
    const struct it_text_example *examples;
    int64_t n_examples;
    struct it_rl_folders folders;
    bool resume, overwrite;
    json_t *ledger;
};
enum it_status it_pretrain(const struct it_pretrain_setup *setup);

#endif
