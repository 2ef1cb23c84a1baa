/* SPDX-License-Identifier: MIT */
/* A block read forward, and backward. */
#include "core/nn/internal.h"

enum it_status it_pass_embed(struct it_pass *pass, struct it_tensor *x_out)
{
    struct it_tensor x;
    IT_TRY(it_tensor2(pass->arena, pass->net->dtype, pass->tokens, pass->net->config.hidden, &x));
    IT_TRY(it_gather_rows(x, it_weight(pass->weights, -1, IT_SLOT_EMBED), pass->ids));
    *x_out = x;
    return IT_OK;
}

enum it_status it_pass_block(struct it_pass *pass, struct it_tensor x, struct it_saved *saved,
                             struct it_tensor *x_out)
{
    struct it_flow flow = {.x = x};
    struct it_saved unused;
    const struct it_step *steps = pass->net->arch->steps;
    for (int s = 0, done = 0; steps[s].kind != IT_STEP_END; s += done) {
        IT_TRY(it_step_fused(pass, &steps[s], &flow, &done));
        if (done > 0) { continue; }
        IT_TRY(it_step_forward(pass, &steps[s], &flow,
                               pass->mode == IT_PASS_KEEP ? &saved[s] : &unused));
        done = 1;
    }
    *x_out = flow.x;
    return IT_OK;
}

/* The stream's gradient stays in one buffer, dx: MERGE hands it on, BRANCH adds the branch's share
 * into it, so that it holds the gradient of the block's input when the walk ends. */
enum it_status it_pass_block_backward(struct it_pass *pass, struct it_tensor dx,
                                      const struct it_saved *saved)
{
    const struct it_step *steps = pass->net->arch->steps;
    struct it_flow flow = {.x = dx};
    int n = 0;
    while (steps[n].kind != IT_STEP_END) { n++; }
    while (n-- > 0) { IT_TRY(it_step_backward(pass, &steps[n], &flow, &saved[n])); }
    return IT_OK;
}
