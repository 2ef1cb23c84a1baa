/* SPDX-License-Identifier: MIT */
/* A whole model of every architecture: gradients against central differences in double, block
 * checkpoints against none, shared prompts against unshared ones, the optimizer against its
 * formula. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/nn.h"
#include "models/models.h"

static struct it_device *device;
static struct it_net *net;
static struct it_arena *arena;
static struct it_weights grads;

enum { N_GROUPS = 4 }; /* of 1, 2, 4 and 8 query heads */

static size_t count_archs(void)
{
    size_t n = 0;
    while (it_arch_at(n)) { n++; }
    return n;
}

static struct it_model_config small(const struct it_arch *arch, int64_t heads, int64_t kv_heads,
                                    bool tied)
{
    static char type[32];
    strcpy(type, arch->model_type);
    return (struct it_model_config){.model_type = type,
                                    .vocab = 29,
                                    .hidden = 16,
                                    .layers = 2,
                                    .heads = heads,
                                    .kv_heads = kv_heads,
                                    .head_dim = 4,
                                    .ff = 20,
                                    .max_positions = 64,
                                    .rms_eps = 1e-6,
                                    .rope_theta = 1e4,
                                    .init_range = 0.4,
                                    .tied = tied};
}

/* Norms start at one, where a gradient that forgets them would not show. */
static void move_norms(void)
{
    struct it_rng rng;
    it_rng_init(&rng, 11, 0);
    for (int w = 0; w < net->weights.n; w++) {
        const struct it_weight *item = &net->weights.item[w];
        double values[64];
        float narrow[64];
        if (!(item->flags & IT_WEIGHT_NORM) || item->t.dtype == IT_BF16) { continue; }
        for (int i = 0; i < item->t.shape[0]; i++) {
            values[i] = 0.5 + it_rng_uniform(&rng);
            narrow[i] = (float)values[i];
        }
        bool wide = item->t.dtype == IT_F64;
        ck_assert_int_eq(it_upload(item->t, wide ? (void *)values : (void *)narrow), IT_OK);
    }
}

static void open_net_of(const struct it_arch *arch, const struct it_model_config *config,
                        const char *name, enum it_dtype dtype)
{
    struct it_device_options options = {.threads = 1, .exact = true};
    struct it_net_options net_options = {.dtype = dtype};
    ck_assert_int_eq(it_device_open(name, &options, &device), IT_OK);
    ck_assert_int_eq(it_net_open(device, arch, config, &net_options, &net), IT_OK);
    ck_assert_int_eq(it_weights_init(net, &net->weights, 7), IT_OK);
    move_norms();
    ck_assert_int_eq(it_arena_open(device, "test", 64 << 20, &arena), IT_OK);
    ck_assert_int_eq(it_weights_open(net, "gradients", it_dtype_accumulation(dtype), arena, &grads),
                     IT_OK);
}

static void open_net(const char *name, enum it_dtype dtype)
{
    const struct it_arch *arch = it_arch_find("qwen2");
    struct it_model_config config = small(arch, 4, 2, true);
    open_net_of(arch, &config, name, dtype);
}

static void close_net(void)
{
    it_weights_close(&grads);
    it_arena_close(arena);
    it_net_close(net);
    it_device_close(device);
}

/* A prompt of 5 with two completions that share it, and one sequence of its own. */
static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2};
static const int32_t positions[] = {0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 0, 1, 2, 3, 4, 5, 6};
static const int32_t segments[][5] = {
    {0, 5, 0, 0, 0}, {5, 3, 0, 5, 5}, {8, 2, 0, 5, 8}, {10, 7, 0, 0, 10}};
static const int32_t rows[] = {4, 5, 6, 7, 4, 8, 9, 12, 13, 14, 15};
static const int32_t targets[] = {9, 2, 6, 0, 5, 3, 28, 7, 9, 3, 2};
enum { N_ROWS = sizeof rows / sizeof *rows };
static const struct it_pack pack = {.n_tokens = 17,
                                    .ids = ids,
                                    .positions = positions,
                                    .n_segments = 4,
                                    .segments = &segments[0][0],
                                    .n_rows = N_ROWS,
                                    .rows = rows,
                                    .targets = targets};
static const struct it_head_options head = {.temperature = 0.9, .stat_temperature = 1.1};
static const double factor[3] = {0.7, -0.3, 0.2};

static struct it_tape *new_tape(enum it_checkpoint checkpoint)
{
    struct it_tape *tape;
    struct it_tape_options options = {.max_tokens = 17,
                                      .max_segments = 4,
                                      .max_rows = N_ROWS,
                                      .checkpoint = checkpoint,
                                      .head_rows = 4,
                                      .train = true};
    ck_assert_int_eq(it_tape_open(net, arena, &options, &tape), IT_OK);
    return tape;
}

/* A loss that weighs each row differently and uses all three differentiable statistics. */
static double loss_of(struct it_tape *tape)
{
    static const int column[3] = {IT_STAT_LOGPROB, IT_STAT_ENTROPY, IT_STAT_CERTAINTY};
    double stats[N_ROWS * IT_STAT_COUNT], loss = 0.0;
    ck_assert_int_eq(it_tape_forward(tape, &net->weights, &pack, &head, stats), IT_OK);
    for (int i = 0; i < N_ROWS; i++) {
        for (int c = 0; c < 3; c++) {
            loss += factor[c] * (1.0 + 0.1 * i) * stats[i * IT_STAT_COUNT + column[c]];
        }
    }
    return loss;
}

static void gradients_of(struct it_tape *tape)
{
    double coefs[N_ROWS * 3];
    for (int i = 0; i < N_ROWS * 3; i++) { coefs[i] = factor[i % 3] * (1.0 + 0.1 * (i / 3)); }
    ck_assert_int_eq(it_weights_fill(&grads, 0.0), IT_OK);
    loss_of(tape);
    ck_assert_int_eq(it_tape_backward(tape, &net->weights, &pack, &head, coefs, &grads), IT_OK);
}

static double *host(const struct it_weights *w, int item)
{
    return it_tensor_host(&w->item[item].t);
}

/* Every architecture, its head tied and not, in groups of 1 to 8 heads. */
START_TEST(gradients_are_differences)
{
    const struct it_arch *arch = it_arch_at((size_t)_i / (2 * N_GROUPS));
    struct it_model_config config = small(arch, 8, 8 >> (_i / 2 % N_GROUPS), _i % 2);
    config.layers = _i % 2 + 1;
    open_net_of(arch, &config, "reference", IT_F64);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    int checked = 0;
    gradients_of(tape);
    for (int w = 0; w < net->weights.n; w++) {
        const struct it_tensor *t = &net->weights.item[w].t;
        if (t->dtype == IT_NONE) { continue; }
        for (int64_t i = 0; i < it_tensor_count(t); i += 1 + it_tensor_count(t) / 12) {
            double *x = host(&net->weights, w) + i, kept = *x, step = 1e-5;
            double expected = host(&grads, w)[i];
            *x = kept + step;
            double up = loss_of(tape);
            *x = kept - step;
            double down = loss_of(tape);
            *x = kept;
            ck_assert_double_eq_tol((up - down) / (2.0 * step), expected,
                                    1e-6 * (1.0 + fabs(expected)));
            checked++;
        }
    }
    ck_assert_int_gt(checked, 90);
    it_tape_close(tape);
    close_net();
}
END_TEST

static void copy_gradients(double **out)
{
    for (int w = 0; w < grads.n; w++) {
        const struct it_tensor *t = &grads.item[w].t;
        out[w] = NULL;
        if (t->dtype == IT_NONE) { continue; }
        size_t bytes = (size_t)it_tensor_count(t) * it_dtype_size(t->dtype);
        out[w] = it_alloc(bytes);
        ck_assert_int_eq(it_download(out[w], *t), IT_OK);
    }
}

static const struct {
    const char *device;
    enum it_dtype dtype;
} places[] = {{"reference", IT_F32}, {"reference", IT_BF16}, {"cpu", IT_F32}, {"cpu", IT_BF16}};
enum { N_PLACES = sizeof places / sizeof places[0] };

/* Every architecture in every place. */
static void open_case(int index)
{
    const struct it_arch *arch = it_arch_at((size_t)index / N_PLACES);
    struct it_model_config config = small(arch, 4, 2, true);
    open_net_of(arch, &config, places[index % N_PLACES].device, places[index % N_PLACES].dtype);
}

START_TEST(checkpoints_change_no_bit)
{
    double *plain[64], *again[64];
    open_case(_i);
    int64_t mark = it_arena_mark(arena);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    gradients_of(tape);
    copy_gradients(plain);
    it_tape_close(tape);
    it_arena_reset(arena, mark);
    tape = new_tape(IT_CHECKPOINT_BLOCK);
    gradients_of(tape);
    copy_gradients(again);
    it_tape_close(tape);
    for (int w = 0; w < grads.n; w++) {
        const struct it_tensor *t = &grads.item[w].t;
        if (!plain[w]) { continue; }
        size_t bytes = (size_t)it_tensor_count(t) * it_dtype_size(t->dtype);
        ck_assert_msg(memcmp(plain[w], again[w], bytes) == 0, "gradient %d differs", w);
        it_free(plain[w]);
        it_free(again[w]);
    }
    close_net();
}
END_TEST

/* The two completions of the shared prompt, each with a copy of it: the same numbers to the bit. */
START_TEST(shared_prompts_change_no_bit)
{
    static const int32_t own_ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 3, 1, 4, 1, 5, 5, 3};
    static const int32_t own_positions[] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6};
    static const int32_t own_segments[][5] = {{0, 8, 0, 0, 0}, {8, 7, 0, 0, 8}};
    static const int32_t own_rows[] = {4, 5, 6, 7, 12, 13, 14};
    struct it_pack own = {.n_tokens = 15,
                          .ids = own_ids,
                          .positions = own_positions,
                          .n_segments = 2,
                          .segments = &own_segments[0][0],
                          .n_rows = 7,
                          .rows = own_rows,
                          .targets = targets};
    double shared[N_ROWS * IT_STAT_COUNT], unshared[7 * IT_STAT_COUNT];
    open_case(_i);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    ck_assert_int_eq(it_tape_forward(tape, &net->weights, &pack, &head, shared), IT_OK);
    ck_assert_int_eq(it_tape_forward(tape, &net->weights, &own, &head, unshared), IT_OK);
    ck_assert_mem_eq(shared, unshared, sizeof unshared);
    it_tape_close(tape);
    close_net();
}
END_TEST

START_TEST(plan_is_what_is_used)
{
    int64_t planned;
    open_net("reference", IT_F32);
    struct it_tape_options options = {
        .max_tokens = 17, .max_segments = 4, .max_rows = N_ROWS, .head_rows = 4, .train = true};
    ck_assert_int_eq(it_tape_plan(net, &options, &planned), IT_OK);
    int64_t before = it_arena_peak(arena);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    gradients_of(tape);
    ck_assert_int_eq(it_arena_peak(arena) - before, planned);
    it_tape_close(tape);
    close_net();
}
END_TEST

/* Attention here is to all earlier tokens: that is sliding attention within the window alone. */
START_TEST(a_window_bounds_the_sequence)
{
    const struct it_arch *arch = it_arch_find("mistral");
    struct it_model_config config = small(arch, 4, 2, true);
    struct it_device_options options = {.threads = 1};
    struct it_net_options how = {.dtype = IT_F32};
    config.window = 24;
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
    ck_assert_int_eq(it_net_open(device, arch, &config, &how, &net), IT_OK);
    ck_assert_int_eq(net->positions, 24);
    it_net_close(net);
    how.positions = 25;
    it_log_set_level(IT_LOG_ERROR);
    ck_assert_int_eq(it_net_open(device, arch, &config, &how, &net), IT_INVALID);
    how.positions = 24;
    ck_assert_int_eq(it_net_open(device, arch, &config, &how, &net), IT_OK);
    it_net_close(net);
    it_device_close(device);
}
END_TEST

START_TEST(adamw_is_its_formula)
{
    struct it_optimizer *optimizer;
    struct it_adamw_options adamw = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
    double norm, rate = 0.01, scale = 0.5, square = 0.0;
    open_net("reference", IT_F64);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    ck_assert_int_eq(it_optimizer_open(net, &adamw, &optimizer), IT_OK);
    gradients_of(tape);
    int item = 0; /* a norm: no decay; 1: a matrix: decay */
    double w0 = host(&net->weights, item)[3], w1 = host(&net->weights, 1)[5];
    double g0 = scale * host(&grads, item)[3], g1 = scale * host(&grads, 1)[5];
    for (int i = 0; i < grads.n; i++) {
        const struct it_tensor *t = &grads.item[i].t;
        for (int64_t k = 0; t->dtype != IT_NONE && k < it_tensor_count(t); k++) {
            square += host(&grads, i)[k] * host(&grads, i)[k];
        }
    }
    ck_assert_int_eq(it_grad_norm(optimizer, &grads, &norm), IT_OK);
    ck_assert_double_eq_tol(norm, sqrt(square), 1e-12 * norm);
    ck_assert_int_eq(it_optimizer_step(optimizer, &grads, rate, scale), IT_OK);
    /* the first step: both corrections cancel, m/(sqrt(v)+eps) is the gradient's sign but for eps
     * */
    ck_assert_double_eq_tol(host(&net->weights, item)[3], w0 - rate * g0 / (fabs(g0) + 1e-8), 1e-9);
    ck_assert_double_eq_tol(host(&net->weights, 1)[5],
                            w1 * (1.0 - rate * 0.1) - rate * g1 / (fabs(g1) + 1e-8), 1e-9);
    ck_assert_int_eq(optimizer->step, 1);
    it_optimizer_close(optimizer);
    it_tape_close(tape);
    close_net();
}
END_TEST

/* Noise is told apart by seed, update and tensor, and by nothing else. */
START_TEST(keys_of_rounding)
{
    struct it_adamw_options adamw = {.beta1 = 0.9, .beta2 = 0.99, .stochastic = true};
    enum { ROWS = 64 };
    uint32_t keys[4][ROWS][4];
    open_net("reference", IT_BF16);
    struct it_weights zeros;
    ck_assert_int_eq(it_weights_open(net, "zeros", IT_F32, NULL, &zeros), IT_OK);
    ck_assert_int_eq(it_weights_fill(&zeros, 0.0), IT_OK);
    ck_assert_int_le(net->weights.n, ROWS);
    for (int run = 0; run < 4; run++) { /* seeds 5, 5, 6; a second step of the first */
        struct it_optimizer *optimizer;
        adamw.seed = run < 2 || run == 3 ? 5 : 6;
        ck_assert_int_eq(it_optimizer_open(net, &adamw, &optimizer), IT_OK);
        ck_assert_int_eq(optimizer->lo.n, 0);
        for (int step = 0; step < (run == 3 ? 2 : 1); step++) {
            ck_assert_int_eq(it_optimizer_step(optimizer, &zeros, 0.0, 1.0), IT_OK);
        }
        ck_assert_int_eq(it_download(keys[run], optimizer->keys), IT_OK);
        it_optimizer_close(optimizer);
    }
    for (int i = 0; i < net->weights.n; i++) {
        ck_assert_mem_eq(keys[0][i], keys[1][i], sizeof keys[0][i]);
        ck_assert(keys[0][i][0] != keys[2][i][0] && keys[0][i][1] != keys[2][i][1]);
        ck_assert_uint_ne(keys[0][i][2], keys[3][i][2]);
        ck_assert_uint_eq(keys[0][i][3], (unsigned)i);
    }
    it_weights_close(&zeros);
    close_net();
}
END_TEST

/* The plan of the optimizer is what it takes; moments in 8 bits take a quarter, and norms are not
 * worth it. */
START_TEST(small_optimizers_are_small)
{
    const struct it_adamw_options large = {.beta1 = 0.9}, small = {.eight_bit = true};
    struct it_optimizer *optimizer;
    open_net("reference", IT_BF16);
    ck_assert_int_lt(it_optimizer_bytes(net, &small), it_optimizer_bytes(net, &large) + 1);
    ck_assert_int_eq(it_optimizer_open(net, &small, &optimizer), IT_OK);
    ck_assert_int_eq(it_arena_peak(optimizer->arena), it_optimizer_bytes(net, &small));
    for (int i = 0; i < net->weights.n; i++) {
        struct it_tensor w = net->weights.item[i].t, m = optimizer->m.item[i].t;
        bool coded = it_tensor_count(&w) >= IT_SMALLEST_CODED && w.dtype != IT_NONE;
        ck_assert_int_eq(m.dtype, w.dtype == IT_NONE ? IT_NONE : coded ? IT_U8 : IT_F32);
        ck_assert_int_eq(optimizer->v_scale.item[i].t.dtype, coded ? IT_F32 : IT_NONE);
    }
    it_optimizer_close(optimizer);
    close_net();
}
END_TEST

/* Only what is rounded can be rounded at random. */
START_TEST(random_rounding_is_of_bf16)
{
    const struct it_adamw_options adamw = {.stochastic = true};
    struct it_optimizer *optimizer = NULL;
    open_net("reference", IT_F32);
    ck_assert_int_eq(it_optimizer_open(net, &adamw, &optimizer), IT_INVALID);
    ck_assert_ptr_null(optimizer);
    close_net();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *tcase = tcase_create("net");
    tcase_set_timeout(tcase, 60);
    int n = (int)count_archs();
    tcase_add_loop_test(tcase, gradients_are_differences, 0, n * 2 * N_GROUPS);
    tcase_add_loop_test(tcase, checkpoints_change_no_bit, 0, n * N_PLACES);
    tcase_add_loop_test(tcase, shared_prompts_change_no_bit, 0, n * N_PLACES);
    tcase_add_test(tcase, plan_is_what_is_used);
    tcase_add_test(tcase, a_window_bounds_the_sequence);
    tcase_add_test(tcase, adamw_is_its_formula);
    tcase_add_test(tcase, keys_of_rounding);
    tcase_add_test(tcase, small_optimizers_are_small);
    tcase_add_test(tcase, random_rounding_is_of_bf16);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
