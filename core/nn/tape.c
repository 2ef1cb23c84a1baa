/* SPDX-License-Identifier: MIT */
/* Training: forward over a pack, keeping what backward needs, then backward through it. With block
 * checkpoints only each block's input is kept and the block is read forward again before it is read
 * backward: the same ops on the same numbers, hence the same gradients to the bit. */
#include <assert.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/nn/internal.h"

struct it_tape {
    struct it_net *net;
    struct it_arena *arena;
    struct it_tape_options options;
    struct it_head head;
    struct it_tensor ids, positions, segments; /* at their largest */
    int64_t mark;                              /* activations begin here */
    struct it_saved *saved;                    /* [layers or 1][IT_MAX_STEPS] */
    struct it_tensor *input;                   /* [layers]: with block checkpoints */
    struct it_tensor hidden;                   /* [tokens, hidden] of the last block */
    struct it_pass pass;                       /* of the last forward */
};

static enum it_status tape_tensors(struct it_tape *tape)
{
    const struct it_tape_options *o = &tape->options;
    IT_TRY(it_tensor1(tape->arena, IT_I32, o->max_tokens, &tape->ids));
    IT_TRY(it_tensor1(tape->arena, IT_I32, o->max_tokens, &tape->positions));
    IT_TRY(it_tensor2(tape->arena, IT_I32, o->max_segments, 5, &tape->segments));
    const struct it_head_sizes sizes = {
        .use = o->train ? IT_HEAD_TRAIN : IT_HEAD_SCORE, .most = o->max_rows, .rows = o->head_rows};
    IT_TRY(it_head_open(tape->net, tape->arena, &sizes, &tape->head));
    tape->mark = it_arena_mark(tape->arena);
    return IT_OK;
}

enum it_status it_tape_open(struct it_net *net, struct it_arena *arena,
                            const struct it_tape_options *options, struct it_tape **tape_out)
{
    struct it_tape *tape = it_calloc(1, sizeof *tape);
    tape->net = net;
    tape->arena = arena;
    tape->options = *options;
    tape->saved = it_calloc((size_t)net->config.layers * IT_MAX_STEPS, sizeof *tape->saved);
    tape->input = it_calloc((size_t)net->config.layers, sizeof *tape->input);
    enum it_status status = tape_tensors(tape);
    if (status != IT_OK) {
        it_tape_close(tape);
        return status;
    }
    *tape_out = tape;
    return IT_OK;
}

void it_tape_close(struct it_tape *tape)
{
    if (!tape) { return; }
    it_head_close(&tape->head);
    it_free(tape->saved);
    it_free(tape->input);
    it_free(tape);
}

static enum it_status begin(struct it_tape *tape, const struct it_weights *weights,
                            const struct it_pack *pack)
{
    assert(pack->n_tokens <= tape->options.max_tokens && pack->n_tokens > 0);
    assert(pack->n_segments <= tape->options.max_segments);
    assert(pack->n_rows <= tape->options.max_rows);
    it_arena_reset(tape->arena, tape->mark);
    tape->pass = (struct it_pass){
        .net = tape->net,
        .weights = weights,
        .arena = tape->arena,
        .mode = IT_PASS_SCORE,
        .tokens = pack->n_tokens,
        .ids = it_rows(tape->ids, 0, pack->n_tokens),
        .positions = it_rows(tape->positions, 0, pack->n_tokens),
        .segments = it_rows(tape->segments, 0, pack->n_segments),
    };
    IT_TRY(it_upload(tape->pass.ids, pack->ids));
    IT_TRY(it_upload(tape->pass.positions, pack->positions));
    return it_upload(tape->pass.segments, pack->segments);
}

/* Blocks whose activations are not kept: the stream x is updated in place. */
static enum it_status forward_in_place(struct it_tape *tape, struct it_tensor x, bool keep_inputs)
{
    struct it_pass *pass = &tape->pass;
    for (pass->layer = 0; pass->layer < tape->net->config.layers; pass->layer++) {
        if (keep_inputs) {
            struct it_tensor *input = &tape->input[pass->layer];
            IT_TRY(it_tensor2(tape->arena, x.dtype, x.shape[0], x.shape[1], input));
            IT_TRY(it_copy(*input, x));
        }
        int64_t mark = it_arena_mark(tape->arena);
        IT_TRY(it_weights_arrive(pass->weights, pass->layer + 1));
        IT_TRY(it_pass_block(pass, x, NULL, &x));
        it_arena_reset(tape->arena, mark);
    }
    tape->hidden = x;
    return IT_OK;
}

static enum it_status forward_keeping(struct it_tape *tape, struct it_tensor x)
{
    struct it_pass *pass = &tape->pass;
    pass->mode = IT_PASS_KEEP;
    for (pass->layer = 0; pass->layer < tape->net->config.layers; pass->layer++) {
        IT_TRY(it_pass_block(pass, x, tape->saved + pass->layer * IT_MAX_STEPS, &x));
    }
    tape->hidden = x;
    return IT_OK;
}

enum it_status it_tape_forward(struct it_tape *tape, const struct it_weights *weights,
                               const struct it_pack *pack, const struct it_head_options *head,
                               double *stats_out)
{
    struct it_tensor x;
    assert(!weights->arrival || !tape->options.train);
    IT_TRY(begin(tape, weights, pack));
    IT_TRY(it_weights_arrive(weights, 0));
    IT_TRY(it_pass_embed(&tape->pass, &x));
    bool keep = tape->options.train && tape->options.checkpoint == IT_CHECKPOINT_NONE;
    if (keep) {
        IT_TRY(forward_keeping(tape, x));
    } else {
        IT_TRY(forward_in_place(tape, x, tape->options.train));
    }
    IT_TRY(it_weights_arrive(weights, (int)tape->net->config.layers + 1));
    return it_head_forward(&tape->head, weights, tape->hidden, pack, head, stats_out);
}

static enum it_status backward_blocks(struct it_tape *tape, struct it_tensor dx)
{
    struct it_pass *pass = &tape->pass;
    bool again = tape->options.checkpoint == IT_CHECKPOINT_BLOCK;
    pass->mode = IT_PASS_KEEP;
    for (pass->layer = (int)tape->net->config.layers - 1; pass->layer >= 0; pass->layer--) {
        struct it_saved *saved = tape->saved + pass->layer * IT_MAX_STEPS;
        int64_t mark = it_arena_mark(tape->arena);
        if (again) {
            struct it_tensor unused;
            IT_TRY(it_pass_block(pass, tape->input[pass->layer], saved, &unused));
        }
        IT_TRY(it_pass_block_backward(pass, dx, saved));
        it_arena_reset(tape->arena, mark);
    }
    return IT_OK;
}

enum it_status it_tape_backward(struct it_tape *tape, const struct it_weights *weights,
                                const struct it_pack *pack, const struct it_head_options *head,
                                const double *coefs, struct it_weights *grads)
{
    assert(tape->options.train && tape->pass.weights == weights);
    assert(tape->pass.tokens == pack->n_tokens);
    const struct it_net *net = tape->net;
    struct it_tensor dhidden, dx;
    IT_TRY(it_tensor2(tape->arena, it_dtype_accumulation(net->dtype), pack->n_tokens,
                      net->config.hidden, &dhidden));
    IT_TRY(it_fill(dhidden, 0.0));
    tape->pass.grads = grads;
    IT_TRY(it_head_backward(&tape->head, weights, tape->hidden, pack, head, coefs, grads, dhidden));
    dx = dhidden;
    if (dhidden.dtype != net->dtype) {
        IT_TRY(it_tensor2(tape->arena, net->dtype, pack->n_tokens, net->config.hidden, &dx));
        IT_TRY(it_copy(dx, dhidden));
    }
    IT_TRY(backward_blocks(tape, dx));
    struct it_tensor dembed = it_weight(grads, -1, IT_SLOT_EMBED);
    return dembed.dtype == IT_NONE ? IT_OK : it_scatter_add_rows(dembed, dx, tape->pass.ids);
}

/* A pack of the largest size, walked over views without memory. */
enum it_status it_tape_plan(struct it_net *net, const struct it_tape_options *options,
                            int64_t *bytes_out)
{
    struct it_arena *arena;
    struct it_tape *tape = NULL;
    struct it_weights grads = {0};
    IT_TRY(it_arena_measure(net->device, "training plan", &arena));
    struct it_pack pack = {.n_tokens = options->max_tokens,
                           .n_segments = options->max_segments,
                           .n_rows = options->max_rows};
    struct it_head_options head = {1.0, 1.0, 0};
    int32_t *zeros = it_calloc((size_t)(pack.n_tokens + 5 * pack.n_segments + pack.n_rows), 4);
    double *reals = it_calloc((size_t)pack.n_rows * IT_STAT_COUNT, sizeof *reals);
    pack.ids = pack.positions = pack.segments = pack.rows = pack.targets = zeros;
    enum it_status status;
    IT_TRY_GOTO(
        status, end,
        it_weights_open(net, "gradients", it_dtype_accumulation(net->dtype), arena, &grads));
    int64_t before = it_arena_mark(arena);
    IT_TRY_GOTO(status, end, it_tape_open(net, arena, options, &tape));
    IT_TRY_GOTO(status, end, it_tape_forward(tape, &net->weights, &pack, &head, reals));
    if (options->train) {
        IT_TRY_GOTO(status, end,
                    it_tape_backward(tape, &net->weights, &pack, &head, reals, &grads));
    }
    *bytes_out = it_arena_peak(arena) - before;
end:
    it_tape_close(tape);
    it_weights_close(&grads);
    it_arena_close(arena);
    it_free(zeros);
    it_free(reals);
    return status;
}
