/* SPDX-License-Identifier: MIT */
/* Scoring and one update on a device of CUDA kernels, against the same on the CPU: completions are
 * sampled on the CPU; their statistics, the loss, the gradients, their norm and the weights after
 * AdamW then agree within what rounding leaves. And what the device's own sampler records is what
 * its training computes. Compiled with UPDATE_DEVICE for a GPU, else for the kernels on the
 * host. */
#include <math.h>
#include <stdio.h>

#include "core/rl/internal.h"
#include "models/models.h"
#include "tests/box.h"
#ifndef UPDATE_DEVICE
#    define UPDATE_DEVICE "cuda-on-host"
#    include "tests/cuda_device.h"
enum { GROUPS = 1, SIZE = 3, NEW = 7, FIRST_WAY = 3 }; /* fibers are slow */
#else
enum { GROUPS = 4, SIZE = 6, NEW = 40, FIRST_WAY = 0 };
#endif

enum { N = GROUPS * SIZE, POSITIONS = 64 };

/* ---- what is compared ---- */

static const struct way {
    bool embedded; /* the embedded model, else random weights with heads for tensor cores */
    enum it_dtype dtype;
    bool exact;
    double stats, grads, weights; /* tolerances: nats; shares of the norm, of the step */
} ways[] = {
    {true, IT_F32, true, 2e-4, 1e-4, 1e-2},  {true, IT_BF16, true, 0.05, 0.02, 0.2},
    {true, IT_BF16, false, 0.05, 0.02, 0.2}, {true, IT_F32, false, 2e-4, 1e-4, 1e-2},
    {false, IT_BF16, true, 0.05, 0.02, 0.2}, {false, IT_BF16, false, 0.05, 0.03, 0.3},
};
enum { WAYS = sizeof ways / sizeof *ways };

/* Two layers of the shape that the tensor cores' attention is for. */
static const struct it_model_config wide = {.vocab = 258, .hidden = 128, .layers = 2, .heads = 4,
                                            .kv_heads = 2, .head_dim = 64, .ff = 192,
                                            .max_positions = 128, .rms_eps = 1e-6,
                                            .rope_theta = 1e4, .init_range = 0.06, .tied = true};

struct side {
    struct it_device *device;
    struct it_model *model; /* NULL: the net is random */
    struct it_net *net;
    double stats[N * NEW][IT_STAT_COUNT];
    double loss, norm;
    double *grads, *before, *after; /* all tensors, one after the other */
    int64_t count;
};

static void open_side(struct side *side, const char *name, const struct way *way)
{
    const struct it_device_options options = {.threads = 2, .exact = way->exact};
    memset(side, 0, sizeof *side);
    ck_ok(it_device_open(name, &options, &side->device));
    if (way->embedded) {
        const char *top = getenv("top_srcdir");
        char folder[4096];
        struct it_model_options how = {.device = side->device, .dtype = way->dtype,
                                       .positions = POSITIONS};
        snprintf(folder, sizeof folder, "%s/models/embedded", top ? top : ".");
        ck_ok(it_model_open(folder, &how, &side->model));
        side->net = side->model->net;
        return;
    }
    const struct it_net_options how = {.dtype = way->dtype, .positions = POSITIONS};
    char type[] = "qwen2";
    struct it_model_config config = wide;
    config.model_type = type;
    ck_ok(it_net_open(side->device, it_arch_find(type), &config, &how, &side->net));
    ck_ok(it_weights_init(side->net, &side->net->weights, 11));
}

static void close_side(struct side *side)
{
    if (side->model) {
        it_model_close(side->model);
    } else {
        it_net_close(side->net);
    }
    it_device_close(side->device);
    free(side->grads);
    free(side->before);
    free(side->after);
}

/* ---- completions ---- */

static const char *const questions[4] = {"7+8-3+9=", "1+2+3+4=", "9-9+1+6=", "5+5+5-2="};
static int32_t prompt_ids[GROUPS][8];
static struct it_rl_prompt prompt[GROUPS];
static const struct it_rl_prompt *prompts[GROUPS];
static struct it_completion completion[N];

static void sample_on(struct side *side)
{
    const struct it_generator_options options = {.slots = N, .max_length = POSITIONS};
    struct it_gen_request requests[GROUPS];
    struct it_generator *generator;
    struct it_arena *arena;
    int64_t bytes;
    for (int g = 0; g < GROUPS; g++) {
        for (int i = 0; i < 8; i++) { prompt_ids[g][i] = questions[g][i]; }
        prompt[g] = (struct it_rl_prompt){.ids = prompt_ids[g], .n = 8};
        prompts[g] = &prompt[g];
        requests[g] = (struct it_gen_request){.prompt = prompt_ids[g], .n_prompt = 8,
                                              .n_samples = SIZE, .key = (uint64_t)g};
    }
    const struct it_gen_run run = {.weights = &side->net->weights, .requests = requests,
                                   .n_requests = GROUPS,
                                   .sampling = {.temperature = 1, .top_p = 1,
                                                .max_new_tokens = NEW, .logprob_temperature = 1,
                                                .stat_temperature = 1, .seed = 3, .update = 1}};
    ck_ok(it_generator_plan(side->net, &options, &bytes));
    ck_ok(it_arena_open(side->device, "generation", bytes, &arena));
    ck_ok(it_generator_open(side->net, arena, &options, NULL, &generator));
    ck_ok(it_generator_run(generator, &run, completion, NULL));
    it_generator_close(generator);
    it_arena_close(arena);
}

static void free_completions(void)
{
    for (int i = 0; i < N; i++) { it_completion_free(&completion[i]); }
}

/* ---- an update ---- */

static double *all_values(const struct it_weights *weights, int64_t *count_out)
{
    double *values = NULL;
    int64_t n = 0;
    for (int i = 0; i < weights->n; i++) {
        struct it_tensor t = weights->item[i].t;
        if (t.dtype == IT_NONE) { continue; }
        double *part = box_get(t);
        int64_t count = it_tensor_count(&t);
        values = realloc(values, (size_t)(n + count) * sizeof *values);
        ck_assert_ptr_nonnull(values);
        memcpy(values + n, part, (size_t)count * sizeof *values);
        n += count;
        free(part);
    }
    *count_out = n;
    return values;
}

/* Coefficients as an update has them: an advantage a completion, and a little of the others. */
static double coefficients(const struct it_train_pack *p, struct side *side,
                           double coefs[N * NEW][3])
{
    double loss = 0.0;
    for (int64_t k = 0; k < p->n_parts; k++) {
        const struct it_part *part = &p->part[k];
        double place = (double)(part->sample % SIZE);
        double advantage = (place - 0.5 * (SIZE - 1)) / (double)p->pack.n_rows;
        for (int64_t r = part->first; r < part->first + part->n; r++) {
            coefs[r][0] = -advantage;
            coefs[r][1] = 0.01 / (double)p->pack.n_rows;
            coefs[r][2] = 0.02 / (double)p->pack.n_rows;
            for (int c = 0; c < 3; c++) { loss += coefs[r][c] * side->stats[r][c]; }
        }
    }
    return loss;
}

static void update_on(struct side *side, const struct it_train_pack *p)
{
    static double coefs[N * NEW][3];
    const struct it_head_options head = {.temperature = 1, .stat_temperature = 1};
    const struct it_tape_options options = {.max_tokens = p->pack.n_tokens,
                                            .max_segments = p->pack.n_segments,
                                            .max_rows = p->pack.n_rows, .train = true};
    const struct it_adamw_options adam = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
    struct it_net *net = side->net;
    struct it_weights grads = {0};
    struct it_optimizer *optimizer;
    struct it_arena *arena;
    struct it_tape *tape;
    int64_t bytes;
    ck_ok(it_tape_plan(net, &options, &bytes));
    ck_ok(it_arena_open(side->device, "training", bytes, &arena));
    ck_ok(it_tape_open(net, arena, &options, &tape));
    ck_ok(it_weights_open(net, "gradients", it_dtype_accumulation(net->dtype), NULL, &grads));
    ck_ok(it_weights_fill(&grads, 0.0));
    ck_ok(it_optimizer_open(net, &adam, &optimizer));
    ck_ok(it_tape_forward(tape, &net->weights, &p->pack, &head, side->stats[0]));
    side->loss = coefficients(p, side, coefs);
    ck_ok(it_tape_backward(tape, &net->weights, &p->pack, &head, coefs[0], &grads));
    ck_ok(it_grad_norm(optimizer, &grads, &side->norm));
    side->grads = all_values(&grads, &side->count);
    side->before = all_values(&net->weights, &side->count);
    ck_ok(it_optimizer_step(optimizer, &grads, 1e-3, 1.0));
    side->after = all_values(&net->weights, &side->count);
    it_optimizer_close(optimizer);
    it_weights_close(&grads);
    it_tape_close(tape);
    it_arena_close(arena);
}

static struct it_packs pack(void)
{
    const struct it_pack_source source = {.groups = GROUPS, .group_size = SIZE, .prompt = prompts,
                                          .completion = completion, .budget = 1 << 20};
    struct it_packs packs;
    it_packs_build(&source, &packs);
    ck_assert_int_eq(packs.n, 1);
    return packs;
}

static double distance(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) { sum += (a[i] - b[i]) * (a[i] - b[i]); }
    return sqrt(sum);
}

static void compare(const struct side *want, const struct side *got, int64_t rows,
                    const struct way *way)
{
    double worst = 0.0, norm = want->norm;
    for (int64_t r = 0; r < rows; r++) {
        for (int c = 0; c < 3; c++) {
            worst = fmax(worst, fabs(want->stats[r][c] - got->stats[r][c]));
        }
    }
    double grads = distance(want->grads, got->grads, want->count) / norm;
    double step = distance(want->after, want->before, want->count);
    double weights = distance(want->after, got->after, want->count) / step;
    printf("%s %s exact %d: statistics %.2g, loss %.2g, norm %.2g of %.3g, gradients %.2g, "
           "weights %.2g of the step\n", way->embedded ? "embedded" : "wide",
           it_dtype_name(way->dtype), way->exact, worst, fabs(want->loss - got->loss),
           fabs(want->norm - got->norm) / norm, norm, grads, weights);
    ck_assert(norm > 0.0 && step > 0.0);
    ck_assert(worst <= way->stats);
    ck_assert(fabs(want->loss - got->loss) <= way->stats * 0.1);
    ck_assert(fabs(want->norm - got->norm) <= way->grads * norm);
    ck_assert(grads <= way->grads);
    ck_assert(weights <= way->weights);
}

START_TEST(an_update_equals_the_cpu)
{
    static struct side want, got;
    const struct way *way = &ways[_i];
    open_side(&want, box_has("cpu") ? "cpu" : "reference", way);
    open_side(&got, UPDATE_DEVICE, way);
    sample_on(&want);
    struct it_packs packs = pack();
    update_on(&want, &packs.item[0]);
    update_on(&got, &packs.item[0]);
    compare(&want, &got, packs.item[0].pack.n_rows, way);
    it_packs_free(&packs);
    free_completions();
    close_side(&want);
    close_side(&got);
}
END_TEST

/* Exact: equal to the bit. Else exp of the mean difference of log-probs is at most 1.01. */
START_TEST(the_sampler_and_the_trainer_agree)
{
    static struct side side;
    const struct way *way = &ways[_i];
    double sum = 0.0;
    int64_t tokens = 0;
    open_side(&side, UPDATE_DEVICE, way);
    sample_on(&side);
    struct it_packs packs = pack();
    const struct it_train_pack *p = &packs.item[0];
    update_on(&side, p);
    for (int64_t k = 0; k < p->n_parts; k++) {
        const struct it_part *part = &p->part[k];
        for (int64_t i = 0; i < part->n; i++, tokens++) {
            double trained = side.stats[part->first + i][IT_STAT_LOGPROB];
            double sampled = (double)completion[part->sample].logprob[i];
            if (way->exact) { ck_assert_double_eq(trained, sampled); }
            sum += fabs(trained - sampled);
        }
    }
    double ratio = exp(sum / (double)tokens);
    printf("%s %s exact %d: exp(mean |difference|) of log-probs %.6f over %lld tokens\n",
           way->embedded ? "embedded" : "wide", it_dtype_name(way->dtype), way->exact, ratio,
           (long long)tokens);
    ck_assert(tokens > 0 && ratio <= 1.01);
    it_packs_free(&packs);
    free_completions();
    close_side(&side);
}
END_TEST

int main(void)
{
#ifdef IT_TESTS_CUDA_DEVICE_H
    if (it_backend_register(&cuda_on_host_backend) != IT_OK) { return 1; }
#else
    struct it_device *device = NULL;
    enum it_status status = it_device_open(UPDATE_DEVICE, NULL, &device);
    if (status != IT_OK) { return status == IT_NOT_FOUND ? 77 : 1; }
    it_device_close(device);
#endif
    setenv("CK_FORK", "no", 1); /* drivers do not survive a fork */
    Suite *suite = suite_create("cuda_update");
    TCase *tests = tcase_create("cuda_update");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, an_update_equals_the_cpu, FIRST_WAY, WAYS);
    tcase_add_loop_test(tests, the_sampler_and_the_trainer_agree, FIRST_WAY, WAYS);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
