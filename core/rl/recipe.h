/* SPDX-License-Identifier: MIT */
/* A run as a recipe: keys keep the names of TRL's GRPOConfig and open-r1; ours come beside them.
 * One table of options gives keys, overrides, --help, the resolved dump and docs/options.md. Keys
 * left unset come from the profile, then from the table. */
#ifndef IT_RL_RECIPE_H
#define IT_RL_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/option.h"

/* Choices are indices into the table's "a|b|c" strings, in the order of these enums. */
enum it_profile {
    IT_PROFILE_RECOMMENDED,
    IT_PROFILE_PAPER_OPENR1,
    IT_PROFILE_PAPER_MATH,
    IT_PROFILE_VERL
};
enum it_advantage_kind {
    IT_ADVANTAGE_GROUP,
    IT_ADVANTAGE_BATCH,
    IT_ADVANTAGE_NONE,
    IT_ADVANTAGE_LOO
};
enum it_reward_scale { IT_SCALE_GROUP, IT_SCALE_BATCH, IT_SCALE_NONE };
enum it_reward_combine { IT_COMBINE_SUM, IT_COMBINE_SEPARATE, IT_COMBINE_GDPO };
enum it_loss_type { IT_LOSS_GRPO, IT_LOSS_BNPO, IT_LOSS_DAPO, IT_LOSS_DR_GRPO };
enum it_ratio_level { IT_RATIO_TOKEN, IT_RATIO_SEQUENCE };
enum it_kl_estimator { IT_KL_K1, IT_KL_K2, IT_KL_K3 };
enum it_schedule {
    IT_SCHEDULE_COSINE,
    IT_SCHEDULE_LINEAR,
    IT_SCHEDULE_CONSTANT,
    IT_SCHEDULE_CONSTANT_WITH_WARMUP
};
enum it_sc_shift { IT_SC_ALIGNED, IT_SC_OR1_COMPAT };
enum it_sc_vocab { IT_SC_LM_HEAD, IT_SC_TOKENIZER };
enum it_sc_dtype { IT_SC_F32, IT_SC_BF16 };
enum it_sc_source { IT_SC_SAMPLER, IT_SC_TRAIN_RECOMPUTE };
enum it_sc_annotator { IT_SC_POLICY, IT_SC_FROZEN, IT_SC_EMA, IT_SC_PERIODIC };
enum it_sc_agg { IT_SC_MEAN, IT_SC_SUM, IT_SC_MIN_WINDOW, IT_SC_TAIL };
enum it_overlong { IT_OVERLONG_DROP, IT_OVERLONG_TRUNCATE, IT_OVERLONG_ERROR };
enum it_plurality_tie { IT_TIE_FIRST, IT_TIE_RANDOM, IT_TIE_ZERO, IT_TIE_SPLIT };
enum it_reference_place { IT_REFERENCE_AUTO, IT_REFERENCE_RESIDENT, IT_REFERENCE_STREAMED };
enum it_recipe_dtype { IT_RECIPE_AUTO, IT_RECIPE_F32, IT_RECIPE_BF16 };
enum it_optim { IT_OPTIM_ADAMW, IT_OPTIM_ADAMW_8BIT };

struct it_recipe {
    /* model and data */
    char *model_name_or_path;
    int torch_dtype;    /* enum it_recipe_dtype: auto|float32|bfloat16 */
    char *dataset_name; /* a task ("arithmetic"), a file or folder, a name under the root */
    char *dataset_config; /* a configuration: its folder in the dataset's */
    char *dataset_prompt_column, *dataset_solution_column, *dataset_train_split;
    char *task_params; /* the task's own, see tasks/task.h */
    char *grading_profile;
    int64_t dataset_limit; /* 0: all */
    char *system_prompt;
    char *template_date, *chat_template_kwargs;
    int64_t max_prompt_length, max_completion_length;
    int overlong_prompts; /* enum it_overlong */
    bool shuffle_dataset;
    /* batch */
    int64_t num_generations, per_device_train_batch_size, gradient_accumulation_steps;
    int64_t num_processes; /* 0: worked out, see it_recipe_batch */
    int64_t max_steps;     /* updates; -1: num_train_epochs */
    double num_train_epochs;
    int64_t num_iterations;
    int64_t micro_tokens; /* most tokens of one packed forward; 0: from the memory plan */
    /* sampling */
    double temperature, top_p, min_p, repetition_penalty;
    int64_t top_k; /* 0 or -1: off */
    struct it_strs stop_strings;
    /* objective */
    char *method; /* "intuitor", "grpo", "grpo_pv", or the name of a reward */
    int profile;
    struct it_strs reward_funcs;
    struct it_reals reward_weights;
    int reward_combine, advantage, scale_rewards;
    double advantage_eps, min_std;
    int loss_type, importance_sampling_level, kl_estimator;
    double beta, epsilon, epsilon_high, delta, dual_clip, kl_clamp;
    double entropy_coef, direct_sc_coef;
    bool mask_truncated_completions, truncated_in_statistics;
    bool sync_ref_model;
    double ref_model_mixup_alpha;
    int64_t ref_model_sync_steps;
    int reference; /* enum it_reference_place: where models beside the policy wait */
    int plurality_tie;
    /* self-certainty */
    int sc_shift, sc_vocab, sc_dtype, sc_source, sc_annotator, sc_agg;
    bool sc_subtract_logv, sc_include_eos;
    double sc_temperature; /* 0: the sampling temperature */
    double sc_ema;         /* annotator <- ema * annotator + (1 - ema) * policy */
    int64_t sc_period, sc_window;
    /* optimizer */
    double learning_rate, warmup_ratio, adam_beta1, adam_beta2, adam_epsilon, weight_decay;
    double max_grad_norm;
    int optim; /* enum it_optim: adamw_torch|adamw_8bit */
    bool bf16_stochastic_round;
    int64_t warmup_steps;
    int lr_scheduler_type;
    bool lr_zero_first; /* the first update's rate is schedule(0), as in transformers */
    bool gradient_checkpointing, bf16;
    /* adapters */
    bool use_peft, use_rslora, use_dora;
    int64_t lora_r;
    double lora_alpha, lora_dropout;
    struct it_strs lora_target_modules; /* none: q_proj, v_proj */
    struct it_strs lora_modules_to_save;
    /* run */
    char *output_dir, *backend;
    bool exact, strict;
    int64_t seed, threads, memory_limit;
    int64_t save_steps, save_total_limit, logging_steps;
    char *save_strategy; /* "steps" or "no" */
    int64_t eval_steps,
        eval_limit;     /* held-out accuracy every so many updates; 0: before and after */
    char *eval_dataset; /* NULL: the training task's evaluation split; "none": no evaluation */
    char *eval_params;
    char *eval_split; /* of the task's problems: "test", or "fresh" for a final report */
    int64_t completions_logged; /* prompts a logged update writes in full; 0: all */
    /* guards: 0 is off; a guard that fires stops the run with exit 3, state saved */
    double guard_ratio_dev;     /* mean |ratio - 1| of sampler against trainer, exact: false */
    double guard_entropy;       /* mean token entropy below this, nats */
    double guard_kl;            /* mean KL to the reference above this */
    double guard_accuracy_drop; /* accuracy below its start by this much, where gold is known */
    double guard_eos_rate;      /* share of finished completions below this */
    double guard_repetition;    /* share of the most frequent token above this */
    int64_t guard_patience;     /* updates in a row before it fires */
    /* pretraining */
    char *corpus_params;        /* what tasks/arithmetic makes for `pretrain` */
    int64_t train_batch_tokens; /* tokens an update of `pretrain` */
    bool from_scratch;          /* begin at random weights of the model folder's shape */
    double label_smoothing, token_noise;
    bool completion_only_loss;
};

extern const struct it_option_table it_recipe_table;

/* Read a YAML recipe and `key=value` overrides (last wins), apply method and profile to keys left
 * unset, check everything that can be checked without data or model. Warnings and errors are said.
 * What method and profile chose, and keys without effect, are lines of `choices_out`, for who wants
 * to announce them (may be NULL). */
enum it_status it_recipe_load(const char *path, const char *const *overrides, int n_overrides,
                              struct it_recipe *recipe_out, struct it_strs *choices_out);
void it_recipe_free(struct it_recipe *recipe);
/* The resolved recipe as YAML text (what `recipe.yaml` of the run directory holds). */
enum it_status it_recipe_write(const struct it_recipe *recipe, const char *path);

/* Completions, prompts and logical micro-batches of an update. When num_processes is unset, the
 * smallest multiple of `devices` that makes the batch divisible by num_generations is taken and
 * said aloud; an explicit batch that does not divide is IT_INVALID. */
struct it_batch_shape {
    int64_t completions;   /* an update */
    int64_t prompts;       /* completions / num_generations */
    int64_t micro_batches; /* logical: of per_device_train_batch_size completions */
    int64_t processes;
};
enum it_status it_recipe_batch(const struct it_recipe *recipe, int64_t devices,
                               struct it_batch_shape *shape_out);
/* Updates of a run over n prompts. */
int64_t it_recipe_updates(const struct it_recipe *recipe, const struct it_batch_shape *shape,
                          int64_t n_prompts);
/* Learning rate of update k = 1, 2, ... of n: the schedule's factor of k - 1 times the rate. */
double it_recipe_learning_rate(const struct it_recipe *recipe, int64_t update, int64_t n);

#endif
