/* SPDX-License-Identifier: MIT */
/* A transformer as data: an architecture is a recipe, an array of steps that forward reads from
 * left to right and backward from right to left. No tape, no compiler. Reading order: this
 * header, then steps.c (what a step does), pass.c (a block, a stack), head.c (statistics without
 * materialised logits), tape.c (training), decode.c (generation), optimizer.c. */
#ifndef IT_NN_NN_H
#define IT_NN_NN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/option.h"
#include "core/base/status.h"
#include "core/tensor/ops.h"
#include "core/tensor/tensor.h"

/* ---- configuration: the fields of config.json that the math needs ---- */

enum { IT_MAX_EOS = 8 };

/* How the rotary frequencies follow from rope_theta: rope_type of config.json. */
enum it_rope_kind { IT_ROPE_DEFAULT, IT_ROPE_LINEAR, IT_ROPE_LLAMA3 };
struct it_rope_scaling {
    enum it_rope_kind kind;
    double factor;    /* linear, llama3: frequencies are divided by it ... */
    double low, high; /* llama3: ... where fewer than `low` turns fit in `original` positions, and
                         kept where more than `high` do; a blend between */
    int64_t original; /* positions the unscaled model was trained for */
};

struct it_model_config {
    char *model_type; /* "qwen2"; owned */
    int64_t vocab;    /* rows of the embedding and the head, padding included */
    int64_t hidden, layers, heads, kv_heads, head_dim, ff;
    int64_t max_positions;
    int64_t window; /* keys a query sees, itself included (sliding attention); 0: all before it */
    double rms_eps, rope_theta;
    struct it_rope_scaling rope;
    double init_range;       /* standard deviation of random weights */
    bool tied;               /* the head is the embedding */
    int32_t eos[IT_MAX_EOS]; /* stop ids of generation_config, config and tokenizer together */
    int n_eos;
};

/* ---- weights ---- */

/* Tensors of a model, fused as the kernels want them. Layer slots first. */
enum it_slot {
    IT_SLOT_NORM1,    /* [hidden] before (or after) attention */
    IT_SLOT_QKV,      /* [(heads + 2 kv_heads) head_dim, hidden]: q rows, then k, then v */
    IT_SLOT_QKV_BIAS, /* [(heads + 2 kv_heads) head_dim] */
    IT_SLOT_QNORM,    /* [head_dim]: each head by itself, or [heads head_dim]: all as one row */
    IT_SLOT_KNORM,    /* [head_dim] or [kv_heads head_dim] */
    IT_SLOT_OUT,      /* [hidden, heads head_dim] */
    IT_SLOT_NORM2,    /* [hidden] before (or after) the feed-forward */
    IT_SLOT_GATE_UP,  /* [2 ff, hidden]: gate rows, then up */
    IT_SLOT_DOWN,     /* [hidden, ff] */
    IT_LAYER_SLOTS,
    IT_SLOT_EMBED = IT_LAYER_SLOTS, /* [vocab, hidden] */
    IT_SLOT_FINAL_NORM,             /* [hidden] */
    IT_SLOT_HEAD,                   /* [vocab, hidden]; absent when tied */
    IT_SLOT_COUNT
};

/* A size that depends on the configuration. */
enum it_dim {
    IT_DIM_ONE, /* a vector: rank 1 */
    IT_DIM_HIDDEN,
    IT_DIM_VOCAB,
    IT_DIM_FF,
    IT_DIM_2FF,
    IT_DIM_HEAD, /* head_dim */
    IT_DIM_Q,    /* heads * head_dim */
    IT_DIM_KV,   /* kv_heads * head_dim */
    IT_DIM_QKV   /* both and twice the second */
};
int64_t it_dim_size(const struct it_model_config *config, enum it_dim dim);

enum it_weight_flag {
    IT_WEIGHT_DECAY = 1 << 0,  /* weight decay applies */
    IT_WEIGHT_NORM = 1 << 1,   /* starts at one, not random */
    IT_WEIGHT_BIAS = 1 << 2,   /* starts at zero */
    IT_WEIGHT_UNTIED = 1 << 3, /* exists only when the head is not tied */
    IT_WEIGHT_FROZEN = 1 << 4  /* has adapters beside it: never written, memory of the net's */
};

/* A tensor of the model: the shape of a slot. */
struct it_slot_row {
    enum it_slot slot;
    enum it_dim rows, columns; /* a vector has columns IT_DIM_ONE: shape [rows] */
    unsigned flags;
};

/* A tensor of the file: where it lies in a slot. "%d" is the layer. */
struct it_name_row {
    const char *pattern; /* "model.layers.%d.self_attn.k_proj.weight" */
    enum it_slot slot;
    enum it_dim rows;     /* its own rows */
    enum it_dim after[2]; /* rows of the slot before it: the sum of these (IT_DIM_ONE: none) */
};

/* ---- recipes ---- */

enum it_step_kind {
    IT_STEP_END,
    IT_STEP_BRANCH, /* remember x as the residual */
    IT_STEP_NORM,
    IT_STEP_QKV,
    IT_STEP_QKNORM, /* of queries and keys; a head or all heads at once, as the slots are sized */
    IT_STEP_ROPE,
    IT_STEP_ATTN,
    IT_STEP_OUT,
    IT_STEP_MERGE, /* x + residual */
    IT_STEP_MLP,
    IT_STEP_COUNT
};
struct it_step {
    enum it_step_kind kind;
    enum it_slot slot; /* of the norm; the others know theirs */
};

enum { IT_MAX_STEPS = 16 };

struct it_arch {
    const char *model_type;      /* as in config.json */
    const char *class_name;      /* "Qwen2ForCausalLM", written to config.json */
    const struct it_step *steps; /* ends with IT_STEP_END */
    const struct it_slot_row *slots;
    int n_slots;
    const struct it_name_row *names;
    int n_names;
    const struct it_option *config; /* config.json keys; offsets into struct it_model_config */
    int n_config;
};

/* ---- weight sets ---- */

struct it_weight {
    struct it_tensor t; /* absent (dtype NONE) where the architecture has none */
    enum it_slot slot;
    int layer; /* -1 for the global slots */
    unsigned flags;
};

/* Policy, reference, gradients, moments: the same tensors in the same order. */
struct it_weights {
    struct it_arena *arena; /* owned when `owned` */
    bool owned;
    struct it_weight *item; /* [n]; layer l's slot s is item[l * IT_LAYER_SLOTS + s] */
    int n_base;             /* items of the model itself; adapters follow, where there are any */
    int n;
    struct it_arrival *arrival; /* of a recalled set, owned; NULL: all is there */
};

/* Low-rank adapters (LoRA, arXiv 2106.09685): a matrix W [out, in] of the file is used as
 * W + scale * B A with A [r, in], B [out, r]. A and B are trained, all else is frozen. */
struct it_lora {
    int64_t r;        /* rank; 0: no adapters, all weights are trained */
    double alpha;     /* scale = alpha / r */
    bool rslora;      /* scale = alpha / sqrt(r) (arXiv 2312.03732) */
    uint64_t modules; /* bit i: row i of arch->names has an adapter */
};

struct it_net {
    struct it_device *device; /* borrowed */
    const struct it_arch *arch;
    struct it_model_config config; /* owned copy */
    enum it_dtype dtype;           /* of weights and activations: F32, BF16 (F64 in checks) */
    struct it_arena *constants;
    struct it_tensor rope;     /* [positions, head_dim]: cos, then sin */
    int64_t positions;         /* the longest sequence */
    struct it_weights weights; /* the policy: one copy, sampled from and trained in place */
    struct it_lora lora;
    struct it_arena *adapters; /* of the policy's A and B; NULL: none */
};

/* Weights are allocated, contents undefined: load or initialise next. `positions` bounds the length
 * of any sequence (0: the configuration's max_positions, at most 4096 and the window then; more
 * than the window is refused, since attention here is to all earlier tokens). With `measure`,
 * weights are measuring views: the net can be planned with, not run. The configuration is copied.
 * */
struct it_net_options {
    enum it_dtype dtype;
    int64_t positions;
    bool measure;
};
enum it_status it_net_open(struct it_device *device, const struct it_arch *arch,
                           const struct it_model_config *config,
                           const struct it_net_options *options, struct it_net **net_out);
void it_net_close(struct it_net *net);
int64_t it_net_parameters(const struct it_net *net);
/* The angle that one position turns each of a head's head_dim / 2 pairs by. */
void it_rope_frequencies(const struct it_model_config *config, float *frequencies_out);
enum it_status it_config_copy(const struct it_model_config *from, struct it_model_config *to_out);
void it_config_free(struct it_model_config *config);
/* What the math requires (positive sizes, heads divisible, even head_dim ...); IT_INVALID says
 * what is wrong, beginning with `where`. */
enum it_status it_config_check(const struct it_model_config *config, const char *where);

/* A set of what is trained, as gradients and moments are: all tensors, or with adapters theirs
 * alone. Contents are undefined. arena NULL: an arena of its own. dtype NONE: the net's. */
enum it_status it_weights_open(const struct it_net *net, const char *label, enum it_dtype dtype,
                               struct it_arena *arena, struct it_weights *weights_out);
void it_weights_close(struct it_weights *weights);
int64_t it_weights_bytes(const struct it_net *net, enum it_dtype dtype);
struct it_tensor it_weight(const struct it_weights *weights, int layer, enum it_slot slot);
/* Another model: the net's weights as they are now. Frozen tensors are the net's own memory,
 * trained ones are copied. `adapted` false: the model without adapters, which costs nothing. */
enum it_status it_weights_fork(const struct it_net *net, const char *label, bool adapted,
                               struct it_weights *weights_out);
/* Trained tensors; frozen ones are the same memory. */
enum it_status it_weights_copy(struct it_weights *to, const struct it_weights *from);
enum it_status it_weights_fill(struct it_weights *weights, double value);
/* N(0, init_range), norms one, biases zero; the numbers depend on seed, slot and layer only. */
enum it_status it_weights_init(const struct it_net *net, struct it_weights *weights, uint64_t seed);
/* reference <- mix * policy + (1 - mix) * reference (TR-DPO; mix 1 copies) */
enum it_status it_weights_mix(struct it_weights *to, double mix, const struct it_weights *from);

/* ---- weights that wait in host memory: parked.c; nets without adapters ---- */

/* The net's weights as they are now, in host memory (it_device_host): a set to keep and to recall,
 * not to compute with. */
enum it_status it_weights_park(const struct it_net *net, const char *label,
                               struct it_weights *weights_out);
/* parked <- from, a set of the device */
enum it_status it_weights_store(struct it_weights *parked, const struct it_weights *from);
/* The parked set in `arena`, for forward passes: the first brings each layer while it computes the
 * one before, those after it find all there. `parked` outlives it. */
enum it_status it_weights_recall(const struct it_net *net, const struct it_weights *parked,
                                 struct it_arena *arena, struct it_weights *weights_out);
/* it_weights_mix of a parked set: `arena` has room for it meanwhile. */
enum it_status it_weights_mix_parked(const struct it_net *net, struct it_weights *parked,
                                     struct it_arena *arena, double mix,
                                     const struct it_weights *from);

/* ---- adapters: lora.c ---- */

enum { IT_LORA_SLOTS = 4, IT_LORA_PARTS = 8 };
extern const enum it_slot it_lora_slots[IT_LORA_SLOTS]; /* those that can have adapters */

/* A module's share of the tensors of its slot: A [parts * r, in] and B [rows of them all, r]. */
struct it_lora_part {
    int name;      /* row of arch->names */
    int64_t index; /* rows [index * r, (index + 1) * r) of A */
    int64_t b;     /* its first row of B ... */
    int64_t first; /* ... and of the slot */
    int64_t rows;
};
int it_lora_parts(const struct it_net *net, enum it_slot slot,
                  struct it_lora_part parts_out[IT_LORA_PARTS]);
/* The stacked A and B of a slot; absent where there are none. */
struct it_lora_pair {
    struct it_tensor a, b;
};
struct it_lora_pair it_lora_pair(const struct it_weights *weights, int layer, enum it_slot slot);

/* Gives the net adapters, contents undefined; from here the rest is frozen. IT_INVALID, beginning
 * with `where`, for a rank or a scale that makes no sense, or no module. */
enum it_status it_lora_open(struct it_net *net, const struct it_lora *lora, const char *where);
/* A from U(-1/sqrt(in), 1/sqrt(in)), B zero: the model computes what it did without. */
enum it_status it_lora_init(struct it_net *net, uint64_t seed);
/* W += scale * B A, and the adapters are gone. */
enum it_status it_lora_merge(struct it_net *net);
int64_t it_lora_parameters(const struct it_net *net); /* trained ones */

/* ---- a packed batch, on the host ---- */

struct it_pack {
    int64_t n_tokens;
    const int32_t *ids, *positions; /* [n_tokens] */
    int64_t n_segments;
    const int32_t *segments; /* [n_segments][5], rows of attn in ops.def */
    int64_t n_rows;          /* predictions asked for */
    const int32_t *rows;     /* [n_rows] token row whose hidden state predicts ... */
    const int32_t *targets;  /* [n_rows] ... this id; rows may repeat (a shared prompt's last) */
};

struct it_head_options {
    double temperature;      /* of the log-prob and its gradient */
    double stat_temperature; /* of entropy, certainty, ... */
    int64_t stat_vocab;      /* leading entries the statistics are over; 0: all */
};

/* ---- training: forward, then backward through the same pack ---- */

enum it_checkpoint { IT_CHECKPOINT_NONE, IT_CHECKPOINT_BLOCK };

struct it_tape_options {
    int64_t max_tokens, max_segments, max_rows; /* of one pack */
    enum it_checkpoint checkpoint;
    int64_t head_rows; /* rows of a tile of logits; 0: so that the head's scratch is below 64 MB */
    bool train;        /* false: forward only, activations are not kept */
};
struct it_tape;

/* Lives in the phase arena `arena` (borrowed; reset it after closing). */
enum it_status it_tape_open(struct it_net *net, struct it_arena *arena,
                            const struct it_tape_options *options, struct it_tape **tape_out);
void it_tape_close(struct it_tape *tape);
/* Bytes of arena the tape needs beyond gradients, by measuring. */
enum it_status it_tape_plan(struct it_net *net, const struct it_tape_options *options,
                            int64_t *bytes_out);
/* stats_out [n_rows][IT_STAT_COUNT]. `weights` may be any set of this net (reference, policy). */
enum it_status it_tape_forward(struct it_tape *tape, const struct it_weights *weights,
                               const struct it_pack *pack, const struct it_head_options *head,
                               double *stats_out);
/* After it_tape_forward of the same pack with options.train. coefs [n_rows][3]: d loss / d
 * {log-prob, entropy, certainty} of each row. Adds into `grads`. */
enum it_status it_tape_backward(struct it_tape *tape, const struct it_weights *weights,
                                const struct it_pack *pack, const struct it_head_options *head,
                                const double *coefs, struct it_weights *grads);

/* ---- generation ---- */

struct it_decoder_options {
    int64_t slots;          /* most sequences decoded at once */
    int64_t page;           /* positions a page */
    int64_t pages;          /* KV pages in all */
    int64_t slot_pages;     /* most pages of one sequence */
    int64_t prefill_tokens; /* most tokens of one prefill pack */
};
struct it_decoder;

enum it_status it_decoder_open(struct it_net *net, struct it_arena *arena,
                               const struct it_decoder_options *options,
                               struct it_decoder **decoder_out);
void it_decoder_close(struct it_decoder *decoder);
enum it_status it_decoder_plan(struct it_net *net, const struct it_decoder_options *options,
                               int64_t *bytes_out);
const struct it_decoder_options *it_decoder_limits(const struct it_decoder *decoder);

/* Write the keys and values of prompts: kv_rows [n_tokens] is the cache row of each token
 * (page * options.page + offset). Targets and rows of the pack are not used. */
enum it_status it_decoder_prefill(struct it_decoder *decoder, const struct it_weights *weights,
                                  const struct it_pack *pack, const int32_t *kv_rows);
/* Copy cache rows in every layer (a prompt's last, partly filled page, for each of its samples). */
enum it_status it_decoder_copy(struct it_decoder *decoder, int64_t n, const int32_t *from,
                               const int32_t *to);

/* One token for each of n <= slots sequences. Arrays are the caller's, [n] or [n][...]. */
struct it_decode_step {
    int64_t n;
    const int32_t *ids;       /* [n] the last token of each; -1: what its row drew last */
    const int32_t *positions; /* [n] its position */
    const int32_t *kv_rows;   /* [n] its cache row; -1: nobody's row, as rows from n on are */
    const int32_t *tables;    /* [n][slot_pages] page numbers */
    const float *params;      /* [n][4] sampling: see sample in ops.def */
    const uint32_t *keys;     /* [n][6] */
    struct it_head_options head;
};
/* Steps are queued and their results collected in that order: each before the next is queued, or,
 * where the decoder runs ahead, after the next one at the latest. Uploads what changed since the
 * last step. ids_out [n]; stats_out [n][IT_STAT_COUNT] of the sampled ids, unfiltered
 * distribution. */
bool it_decoder_runs_ahead(const struct it_decoder *decoder);
enum it_status it_decoder_submit(struct it_decoder *decoder, const struct it_weights *weights,
                                 const struct it_decode_step *step);
enum it_status it_decoder_collect(struct it_decoder *decoder, int32_t *ids_out, double *stats_out);
/* Both. */
enum it_status it_decoder_step(struct it_decoder *decoder, const struct it_weights *weights,
                               const struct it_decode_step *step, int32_t *ids_out,
                               double *stats_out);

/* ---- optimizer: AdamW on masters ---- */

struct it_adamw_options {
    double beta1, beta2, eps, weight_decay;
    bool eight_bit;  /* moments in 8 bits, but for tensors below IT_SMALLEST_CODED elements */
    bool stochastic; /* BF16 weights are rounded at random and have no masters */
    uint64_t seed;   /* of that */
};
enum { IT_SMALLEST_CODED = 4096 };
struct it_optimizer {
    struct it_net *net;
    struct it_weights m, v;             /* accumulation type, or U8 codes (adamw8 in ops.def) ... */
    struct it_weights m_scale, v_scale; /* ... with their scales; tensors absent otherwise */
    struct it_weights lo;               /* I16 low halves of BF16 weights; n 0: none */
    struct it_arena *arena;
    struct it_tensor keys;       /* [tensors, 4] of rounding at random; absent otherwise */
    struct it_tensor scalars[2]; /* without and with weight decay */
    struct it_tensor sumsq;
    struct it_adamw_options options;
    int64_t step; /* updates done */
};
/* Moments start at zero, low halves at zero (the master is the weight as loaded). IT_INVALID:
 * `stochastic` and weights that are not BF16. */
enum it_status it_optimizer_open(struct it_net *net, const struct it_adamw_options *options,
                                 struct it_optimizer **optimizer_out);
void it_optimizer_close(struct it_optimizer *optimizer);
/* What it_optimizer_open refuses, before anything is allocated. */
enum it_status it_adamw_check(const struct it_net *net, const struct it_adamw_options *options);
int64_t it_optimizer_bytes(const struct it_net *net, const struct it_adamw_options *options);
/* The global 2-norm of the gradients: not finite when any gradient is not. */
enum it_status it_grad_norm(struct it_optimizer *optimizer, const struct it_weights *grads,
                            double *norm_out);
/* One AdamW update of the net's weights with gradients multiplied by `scale` (clipping). */
enum it_status it_optimizer_step(struct it_optimizer *optimizer, const struct it_weights *grads,
                                 double learning_rate, double scale);

#endif
