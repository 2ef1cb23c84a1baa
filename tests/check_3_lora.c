/* SPDX-License-Identifier: MIT */
/* Adapters in a net of every architecture: gradients against central differences in double, the
 * base to the bit where B is zero or the adapters are off, merged against adapted, and what is
 * frozen. */
#include <math.h>

#include "core/base/rng.h"
#include "models/internal.h"
#include "tests/scratch.h"

#define ck_ok(call) ck_assert_int_eq((call), IT_OK)

static struct it_device *device;
static struct it_net *net;
static struct it_arena *arena;

static const struct {
    const char *device;
    enum it_dtype dtype;
} places[] = {{"reference", IT_F64}, {"reference", IT_F32}, {"reference", IT_BF16},
              {"cpu", IT_F32},       {"cpu", IT_BF16}};
enum { N_PLACES = sizeof places / sizeof places[0] };

static const char *const targets[] = {"all-linear", "q_proj,v_proj", "k_proj,down_proj,gate_proj"};
enum { N_TARGETS = sizeof targets / sizeof targets[0] };

static int count_archs(void)
{
    int n = 0;
    while (it_arch_at((size_t)n)) { n++; }
    return n;
}

static void open_net(int arch, int place)
{
    struct it_device_options options = {.threads = 2, .exact = true};
    struct it_net_options how = {.dtype = places[place].dtype};
    char type[32];
    snprintf(type, sizeof type, "%s", it_arch_at((size_t)arch)->model_type);
    struct it_model_config config = {.model_type = type, .vocab = 29, .hidden = 16, .layers = 2,
                                     .heads = 4, .kv_heads = 2, .head_dim = 4, .ff = 20,
                                     .max_positions = 64, .rms_eps = 1e-6, .rope_theta = 1e4,
                                     .init_range = 0.4, .tied = arch % 2};
    ck_ok(it_device_open(places[place].device, &options, &device));
    ck_ok(it_net_open(device, it_arch_at((size_t)arch), &config, &how, &net));
    ck_ok(it_weights_init(net, &net->weights, 7));
    ck_ok(it_arena_open(device, "test", 16 << 20, &arena));
}

static void close_net(void)
{
    it_arena_close(arena);
    it_net_close(net);
    it_device_close(device);
}

static struct it_lora lora_of(const char *names)
{
    struct it_lora lora = {.r = 3, .alpha = 5.0};
    struct it_strs list = {0};
    char *copy = it_strdup(names), *state = NULL;
    for (char *word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state)) {
        it_strs_add(&list, word);
    }
    ck_ok(it_lora_targets(net->arch, "test", &list, &lora.modules));
    it_strs_free(&list);
    it_free(copy);
    return lora;
}

/* B starts at zero, where A has no gradient. */
static void move_b(void)
{
    struct it_rng rng;
    it_rng_init(&rng, 11, 0);
    for (int i = net->weights.n_base + 1; i < net->weights.n; i += 2) {
        struct it_tensor t = net->weights.item[i].t;
        int64_t n = t.dtype == IT_NONE ? 0 : it_tensor_count(&t);
        double wide[256];
        float narrow[256];
        uint16_t half[256];
        ck_assert_int_le(n, 256);
        for (int64_t k = 0; k < n; k++) {
            wide[k] = it_rng_uniform(&rng) - 0.5;
            narrow[k] = (float)wide[k];
            uint32_t bits;
            memcpy(&bits, &narrow[k], sizeof bits);
            half[k] = (uint16_t)(bits >> 16);
        }
        const void *values = t.dtype == IT_F64 ? (void *)wide
                             : t.dtype == IT_F32 ? (void *)narrow : (void *)half;
        if (n) { ck_ok(it_upload(t, values)); }
    }
}

/* A prompt of 5 with two completions that share it, and one sequence of its own. */
static const int32_t ids[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2};
static const int32_t positions[] = {0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 0, 1, 2, 3, 4, 5, 6};
static const int32_t segments[][5] = {
    {0, 5, 0, 0, 0}, {5, 3, 0, 5, 5}, {8, 2, 0, 5, 8}, {10, 7, 0, 0, 10}};
static const int32_t rows[] = {4, 5, 6, 7, 4, 8, 9, 12, 13, 14, 15};
static const int32_t goals[] = {9, 2, 6, 0, 5, 3, 28, 7, 9, 3, 2};
enum { N_ROWS = sizeof rows / sizeof *rows, N_STATS = N_ROWS * IT_STAT_COUNT };
static const struct it_pack pack = {.n_tokens = 17, .ids = ids, .positions = positions,
                                    .n_segments = 4, .segments = &segments[0][0],
                                    .n_rows = N_ROWS, .rows = rows, .targets = goals};
static const struct it_head_options head = {.temperature = 0.9, .stat_temperature = 1.1};

static struct it_tape_options tape_options(enum it_checkpoint checkpoint)
{
    return (struct it_tape_options){.max_tokens = 17, .max_segments = 4, .max_rows = N_ROWS,
                                    .checkpoint = checkpoint, .head_rows = 4, .train = true};
}

static struct it_tape *new_tape(enum it_checkpoint checkpoint)
{
    struct it_tape_options options = tape_options(checkpoint);
    struct it_tape *tape;
    ck_ok(it_tape_open(net, arena, &options, &tape));
    return tape;
}

static void statistics(const struct it_weights *weights, double *stats)
{
    int64_t mark = it_arena_mark(arena);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    ck_ok(it_tape_forward(tape, weights, &pack, &head, stats));
    it_tape_close(tape);
    it_arena_reset(arena, mark);
}

/* ---- gradients ---- */

static double loss_of(struct it_tape *tape)
{
    double stats[N_STATS], loss = 0.0;
    ck_ok(it_tape_forward(tape, &net->weights, &pack, &head, stats));
    for (int i = 0; i < N_ROWS; i++) {
        const double *s = stats + i * IT_STAT_COUNT;
        loss += (1.0 + 0.1 * i) * (0.7 * s[IT_STAT_LOGPROB] - 0.3 * s[IT_STAT_ENTROPY] +
                                   0.2 * s[IT_STAT_CERTAINTY]);
    }
    return loss;
}

static void gradients_of(struct it_tape *tape, struct it_weights *grads)
{
    static const double factor[3] = {0.7, -0.3, 0.2};
    double coefs[N_ROWS * 3];
    for (int i = 0; i < N_ROWS * 3; i++) { coefs[i] = factor[i % 3] * (1.0 + 0.1 * (i / 3)); }
    ck_ok(it_weights_fill(grads, 0.0));
    loss_of(tape);
    ck_ok(it_tape_backward(tape, &net->weights, &pack, &head, coefs, grads));
}

static void open_grads(struct it_weights *grads)
{
    ck_ok(it_weights_open(net, "gradients", it_dtype_accumulation(net->dtype), NULL, grads));
}

START_TEST(gradients_are_differences)
{
    struct it_weights grads;
    int checked = 0;
    open_net(_i / N_TARGETS, 0);
    struct it_lora lora = lora_of(targets[_i % N_TARGETS]);
    lora.rslora = _i % 2;
    ck_ok(it_lora_open(net, &lora, "test"));
    ck_ok(it_lora_init(net, 5));
    move_b();
    open_grads(&grads);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    gradients_of(tape, &grads);
    for (int w = 0; w < net->weights.n; w++) {
        const struct it_tensor *t = &net->weights.item[w].t;
        ck_assert(w >= net->weights.n_base || grads.item[w].t.dtype == IT_NONE);
        if (w < net->weights.n_base || t->dtype == IT_NONE) { continue; }
        double *value = it_tensor_host(t), *gradient = it_tensor_host(&grads.item[w].t);
        for (int64_t i = 0; i < it_tensor_count(t); i += 1 + it_tensor_count(t) / 12) {
            double *x = value + i, kept = *x, step = 1e-5;
            *x = kept + step;
            double up = loss_of(tape);
            *x = kept - step;
            double down = loss_of(tape);
            *x = kept;
            ck_assert_double_eq_tol((up - down) / (2.0 * step), gradient[i],
                                    1e-6 * (1.0 + fabs(gradient[i])));
            checked++;
        }
    }
    ck_assert_int_gt(checked, 30);
    it_tape_close(tape);
    it_weights_close(&grads);
    close_net();
}
END_TEST

/* Every architecture in every place, all modules. */
static void open_adapted(int index)
{
    open_net(index / N_PLACES, index % N_PLACES);
    struct it_lora lora = lora_of("all-linear");
    ck_ok(it_lora_open(net, &lora, "test"));
    ck_ok(it_lora_init(net, 5));
}

START_TEST(checkpoints_change_no_bit)
{
    struct it_weights plain, again;
    open_adapted(_i);
    move_b();
    open_grads(&plain);
    open_grads(&again);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    gradients_of(tape, &plain);
    it_tape_close(tape);
    it_arena_reset(arena, 0);
    tape = new_tape(IT_CHECKPOINT_BLOCK);
    gradients_of(tape, &again);
    it_tape_close(tape);
    for (int w = plain.n_base; w < plain.n; w++) {
        const struct it_tensor *t = &plain.item[w].t;
        size_t bytes = (size_t)it_tensor_count(t) * it_dtype_size(t->dtype);
        ck_assert_mem_eq(it_tensor_host(t), it_tensor_host(&again.item[w].t), bytes);
    }
    it_weights_close(&plain);
    it_weights_close(&again);
    close_net();
}
END_TEST

/* ---- the base ---- */

START_TEST(off_is_the_base)
{
    double base[N_STATS], zero[N_STATS], moved[N_STATS], off[N_STATS], copy[N_STATS];
    struct it_weights without, fork;
    open_net(_i / N_PLACES, _i % N_PLACES);
    statistics(&net->weights, base);
    struct it_lora lora = lora_of("all-linear");
    ck_ok(it_lora_open(net, &lora, "test"));
    ck_ok(it_lora_init(net, 5));
    statistics(&net->weights, zero);
    ck_assert_mem_eq(base, zero, sizeof base);
    move_b();
    int64_t used = it_device_memory_used(device);
    ck_ok(it_weights_fork(net, "reference", false, &without));
    ck_assert_int_eq(it_device_memory_used(device), used); /* costs nothing */
    ck_ok(it_weights_fork(net, "annotator", true, &fork));
    ck_assert_int_le(it_device_memory_used(device) - used, it_weights_bytes(net, net->dtype) + 64);
    statistics(&net->weights, moved);
    statistics(&without, off);
    statistics(&fork, copy);
    ck_assert_mem_eq(base, off, sizeof base);
    ck_assert_mem_eq(moved, copy, sizeof moved);
    ck_assert_double_ne(base[0], moved[0]);
    it_weights_close(&without);
    it_weights_close(&fork);
    close_net();
}
END_TEST

START_TEST(merged_is_adapted)
{
    double adapted[N_STATS], merged[N_STATS];
    open_adapted(_i);
    move_b();
    double limit = net->dtype == IT_F64 ? 1e-9 : net->dtype == IT_F32 ? 2e-4 : 0.5;
    statistics(&net->weights, adapted);
    int64_t all = it_net_parameters(net), own = it_lora_parameters(net);
    ck_ok(it_lora_merge(net));
    ck_assert_int_eq(it_net_parameters(net), all - own);
    ck_assert_int_eq(net->lora.r, 0);
    statistics(&net->weights, merged);
    for (int i = 0; i < N_STATS; i++) {
        ck_assert_double_eq_tol(adapted[i], merged[i], limit * (1.0 + fabs(adapted[i])));
    }
    close_net();
}
END_TEST

/* ---- what is trained ---- */

static uint64_t sum_of(const struct it_weights *w, int first, int end)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (int i = first; i < end; i++) {
        const struct it_tensor *t = &w->item[i].t;
        const unsigned char *at = t->dtype == IT_NONE ? NULL : it_tensor_host(t);
        size_t n = at ? (size_t)it_tensor_count(t) * it_dtype_size(t->dtype) : 0;
        for (size_t k = 0; k < n; k++) { sum = (sum ^ at[k]) * 1099511628211u; }
    }
    return sum;
}

START_TEST(only_adapters_are_trained)
{
    struct it_adamw_options adamw = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
    struct it_optimizer *optimizer;
    struct it_weights grads;
    double norm, square = 0.0;
    open_adapted(_i);
    struct it_weights *w = &net->weights;
    int64_t set = it_weights_bytes(net, it_dtype_accumulation(net->dtype));
    ck_assert_int_le(it_optimizer_bytes(net, &adamw), 3 * set + 4096);
    ck_assert_int_eq(it_weights_bytes(net, net->dtype), it_arena_peak(net->adapters));
    ck_ok(it_optimizer_open(net, &adamw, &optimizer));
    open_grads(&grads);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_NONE);
    uint64_t base = sum_of(w, 0, w->n_base), a = sum_of(w, w->n_base, w->n);
    gradients_of(tape, &grads);
    ck_ok(it_grad_norm(optimizer, &grads, &norm));
    for (int i = 0; i < grads.n; i++) {
        const struct it_tensor *t = &grads.item[i].t;
        const void *g = t->dtype == IT_NONE ? NULL : it_tensor_host(t);
        for (int64_t k = 0; g && k < it_tensor_count(t); k++) {
            double x = t->dtype == IT_F64 ? ((const double *)g)[k] : (double)((const float *)g)[k];
            square += x * x;
        }
    }
    ck_assert_double_gt(norm, 0.0);
    ck_assert_double_eq_tol(norm, sqrt(square), 1e-5 * norm);
    ck_ok(it_optimizer_step(optimizer, &grads, 0.01, 1.0));
    ck_assert_uint_eq(sum_of(w, 0, w->n_base), base);
    ck_assert_uint_ne(sum_of(w, w->n_base, w->n), a);
    it_tape_close(tape);
    it_weights_close(&grads);
    it_optimizer_close(optimizer);
    close_net();
}
END_TEST

START_TEST(plan_is_what_is_used)
{
    int64_t planned;
    struct it_tape_options options = tape_options(IT_CHECKPOINT_BLOCK);
    struct it_weights grads;
    open_adapted(_i);
    ck_ok(it_tape_plan(net, &options, &planned));
    open_grads(&grads);
    struct it_tape *tape = new_tape(IT_CHECKPOINT_BLOCK);
    gradients_of(tape, &grads);
    ck_assert_int_eq(it_arena_peak(arena), planned);
    it_tape_close(tape);
    it_weights_close(&grads);
    close_net();
}
END_TEST

/* U(-1/sqrt(in), 1/sqrt(in)), its own numbers for each seed, layer and module. */
START_TEST(beginnings)
{
    open_adapted(1);
    double most = 0.0, sum = 0.0, squares = 0.0;
    int64_t n = 0;
    struct it_lora_pair first = it_lora_pair(&net->weights, 0, IT_SLOT_GATE_UP);
    struct it_lora_pair second = it_lora_pair(&net->weights, 1, IT_SLOT_GATE_UP);
    const float *a = it_tensor_host(&first.a), *b = it_tensor_host(&second.a);
    for (; n < it_tensor_count(&first.a); n++) {
        most = fmax(most, fabs((double)a[n]));
        sum += (double)a[n];
        squares += (double)a[n] * (double)a[n];
        ck_assert_float_ne(a[n], b[n]);
    }
    ck_assert(most <= 0.25 && most > 0.23); /* hidden is 16 */
    ck_assert_double_eq_tol(sum / (double)n, 0.0, 0.04);
    ck_assert_double_eq_tol(squares / (double)n, 0.0625 / 3.0, 0.006);
    float kept = a[5];
    ck_ok(it_lora_init(net, 6));
    ck_assert_float_ne(a[5], kept);
    ck_ok(it_lora_init(net, 5));
    ck_assert_float_eq(a[5], kept);
    close_net();
}
END_TEST

START_TEST(refused)
{
    open_net(0, 1);
    struct it_lora good = lora_of("q_proj"), bad = good;
    bad.r = 0;
    ck_assert_fails(it_lora_open(net, &bad, "x"), IT_INVALID, "rank r of the adapters is 0");
    bad.r = INT64_MAX;
    ck_assert_fails(it_lora_open(net, &bad, "x"), IT_INVALID, "expected 1 to 65536");
    bad = good;
    bad.alpha = NAN;
    ck_assert_fails(it_lora_open(net, &bad, "x"), IT_INVALID, "alpha");
    bad = good;
    bad.modules = 1; /* the embedding */
    ck_assert_fails(it_lora_open(net, &bad, "x"), IT_INVALID, "no module");
    ck_assert_int_eq(net->lora.r, 0);
    ck_ok(it_lora_open(net, &good, "x"));
    ck_assert_fails(it_lora_open(net, &good, "x"), IT_INVALID, "already");
    close_net();
}
END_TEST

static void with_scratch(void)
{
    scratch_begin();
}

int main(void)
{
    int n = count_archs();
    Suite *suite = suite_create("lora");
    TCase *tests = tcase_create("lora");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, with_scratch, scratch_end);
    tcase_add_loop_test(tests, gradients_are_differences, 0, n * N_TARGETS);
    tcase_add_loop_test(tests, checkpoints_change_no_bit, 0, n * N_PLACES);
    tcase_add_loop_test(tests, off_is_the_base, 0, n * N_PLACES);
    tcase_add_loop_test(tests, merged_is_adapted, 0, n * N_PLACES);
    tcase_add_loop_test(tests, only_adapters_are_trained, 0, n * N_PLACES);
    tcase_add_loop_test(tests, plan_is_what_is_used, 0, n * N_PLACES);
    tcase_add_test(tests, beginnings);
    tcase_add_test(tests, refused);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
