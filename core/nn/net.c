/* SPDX-License-Identifier: MIT */
/* A net: a configuration, a recipe, a weight set and the table of rotary angles. */
#include <math.h>

#include "core/base/mem.h"
#include "core/nn/nn.h"

enum it_status it_config_copy(const struct it_model_config *from, struct it_model_config *to_out)
{
    *to_out = *from;
    to_out->model_type = it_strdup(from->model_type);
    return IT_OK;
}

void it_config_free(struct it_model_config *config)
{
    it_free(config->model_type);
    config->model_type = NULL;
}

static enum it_status positive(const char *where, const char *name, int64_t value, int64_t most)
{
    if (value >= 1 && value <= most) { return IT_OK; }
    return it_fail(IT_INVALID, "%s: %s is %lld; expected 1 to %lld", where, name, (long long)value,
                   (long long)most);
}

static enum it_status check_rope(const struct it_model_config *c, const char *where)
{
    const struct it_rope_scaling *r = &c->rope;
    if (r->kind != IT_ROPE_DEFAULT && !(r->factor >= 1.0 && r->factor <= 1e6)) {
        return it_fail(IT_INVALID, "%s: factor of the rotary scaling is %g; expected 1 to 1e6",
                       where, r->factor);
    }
    if (r->kind != IT_ROPE_LLAMA3) { return IT_OK; }
    if (!(r->low > 0.0) || !(r->high > r->low) || !(r->high <= 1e6)) {
        return it_fail(IT_INVALID, "%s: low_freq_factor %g and high_freq_factor %g of the rotary "
                       "scaling; expected 0 < low < high", where, r->low, r->high);
    }
    return positive(where, "original_max_position_embeddings", r->original, (int64_t)1 << 24);
}

enum it_status it_config_check(const struct it_model_config *c, const char *where)
{
    const int64_t big = (int64_t)1 << 24;
    IT_TRY(positive(where, "vocab_size", c->vocab, big));
    IT_TRY(positive(where, "hidden_size", c->hidden, big));
    IT_TRY(positive(where, "num_hidden_layers", c->layers, 4096));
    IT_TRY(positive(where, "num_attention_heads", c->heads, 65536));
    IT_TRY(positive(where, "num_key_value_heads", c->kv_heads, c->heads));
    IT_TRY(positive(where, "head_dim", c->head_dim, 65536));
    IT_TRY(positive(where, "intermediate_size", c->ff, big));
    IT_TRY(positive(where, "max_position_embeddings", c->max_positions, big));
    if (c->heads % c->kv_heads) {
        return it_fail(IT_INVALID, "%s: num_attention_heads %lld is not a multiple of "
                       "num_key_value_heads %lld", where, (long long)c->heads,
                       (long long)c->kv_heads);
    }
    if (c->head_dim % 2) {
        return it_fail(IT_INVALID, "%s: head_dim %lld is odd; rotary embeddings turn pairs", where,
                       (long long)c->head_dim);
    }
    if (!(c->rms_eps > 0.0) || !(c->rope_theta > 0.0) || !(c->init_range >= 0.0)) {
        return it_fail(IT_INVALID, "%s: rms_norm_eps and rope_theta must be above 0, "
                       "initializer_range not below", where);
    }
    return check_rope(c, where);
}

int64_t it_dim_size(const struct it_model_config *c, enum it_dim dim)
{
    switch (dim) {
    case IT_DIM_ONE: return 1;
    case IT_DIM_HIDDEN: return c->hidden;
    case IT_DIM_VOCAB: return c->vocab;
    case IT_DIM_FF: return c->ff;
    case IT_DIM_2FF: return 2 * c->ff;
    case IT_DIM_HEAD: return c->head_dim;
    case IT_DIM_Q: return c->heads * c->head_dim;
    case IT_DIM_KV: return c->kv_heads * c->head_dim;
    case IT_DIM_QKV: return (c->heads + 2 * c->kv_heads) * c->head_dim;
    }
    return 0;
}

/* cos and sin of the angles. These are f32 products, as in transformers, so that long positions
 * agree with models trained there. */
static enum it_status rope_table(struct it_net *net)
{
    const struct it_model_config *c = &net->config;
    int64_t half = c->head_dim / 2, width = c->head_dim;
    double *row = it_alloc((size_t)width * sizeof *row);
    float *narrow = it_alloc((size_t)width * sizeof *narrow);
    float *frequency = it_alloc((size_t)half * sizeof *frequency);
    bool wide = net->rope.dtype == IT_F64;
    enum it_status status = IT_OK;
    it_rope_frequencies(c, frequency);
    for (int64_t p = 0; p < net->positions && status == IT_OK; p++) {
        for (int64_t j = 0; j < half; j++) {
            float angle = (float)p * frequency[j];
            row[j] = cos((double)angle);
            row[half + j] = sin((double)angle);
            narrow[j] = (float)row[j];
            narrow[half + j] = (float)row[half + j];
        }
        status = it_upload(it_rows(net->rope, p, 1), wide ? (void *)row : (void *)narrow);
    }
    it_free(row);
    it_free(narrow);
    it_free(frequency);
    return status;
}

static enum it_status constants(struct it_net *net, bool measure)
{
    enum it_dtype a = it_dtype_accumulation(net->dtype);
    int64_t bytes = net->positions * net->config.head_dim * (int64_t)it_dtype_size(a) + 4096;
    if (measure) {
        IT_TRY(it_arena_measure(net->device, "constants", &net->constants));
    } else {
        IT_TRY(it_arena_open(net->device, "constants", bytes, &net->constants));
    }
    IT_TRY(it_tensor2(net->constants, a, net->positions, net->config.head_dim, &net->rope));
    return measure ? IT_OK : rope_table(net);
}

/* `asked` 0: as many as the model is made for, within reason. */
static enum it_status choose_positions(const struct it_model_config *c, int64_t asked,
                                       int64_t *positions_out)
{
    int64_t most = c->max_positions < 4096 ? c->max_positions : 4096;
    if (c->window > 0 && asked > c->window) {
        return it_fail(IT_INVALID, "model: sliding_window %lld is shorter than a sequence of %lld; "
                       "attention is to all earlier tokens here: keep prompts and completions "
                       "within %lld tokens", (long long)c->window, (long long)asked,
                       (long long)c->window);
    }
    if (c->window > 0 && most > c->window) { most = c->window; }
    *positions_out = asked ? asked : most;
    return IT_OK;
}

enum it_status it_net_open(struct it_device *device, const struct it_arch *arch,
                           const struct it_model_config *config,
                           const struct it_net_options *options, struct it_net **net_out)
{
    struct it_net *net = it_calloc(1, sizeof *net);
    struct it_arena *views = NULL;
    enum it_status status;
    net->device = device;
    net->arch = arch;
    net->dtype = options->dtype;
    IT_TRY_GOTO(status, fail, it_config_copy(config, &net->config));
    IT_TRY_GOTO(status, fail, choose_positions(config, options->positions, &net->positions));
    IT_TRY_GOTO(status, fail, constants(net, options->measure));
    if (options->measure) {
        IT_TRY_GOTO(status, fail, it_arena_measure(device, "weights", &views));
    }
    IT_TRY_GOTO(status, fail, it_weights_open(net, "weights", net->dtype, views, &net->weights));
    net->weights.owned = true;
    *net_out = net;
    return IT_OK;
fail:
    it_arena_close(views);
    it_net_close(net);
    return status;
}

void it_net_close(struct it_net *net)
{
    if (!net) { return; }
    it_weights_close(&net->weights);
    it_arena_close(net->adapters);
    it_arena_close(net->constants);
    it_config_free(&net->config);
    it_free(net);
}
