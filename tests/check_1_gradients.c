/* SPDX-License-Identifier: MIT */
/* Every backward op against central differences of its forward, in F64 on the reference device: the
 * scalar is a fixed random combination of the forward's outputs. */
#include "tests/box.h"

/* One forward-backward pair. Callers give inputs to vary, outputs whose gradients are `dy`, and the
 * gradients that the backward made. */
struct pair {
    enum it_status (*forward)(const struct pair *pair);
    struct it_tensor in[4];   /* differentiated */
    struct it_tensor grad[4]; /* what backward says, above what they held before */
    double before[4];
    int inputs;
    struct it_tensor out[1], dy[1]; /* loss = sum of out * dy */
    struct it_tensor extra[4];
    struct it_attn_shape shape;
    int64_t vocabulary;
    struct it_matmul_how how;
};

static double loss_of(const struct pair *pair)
{
    ck_ok(pair->forward(pair));
    double *y = box_get(pair->out[0]), *dy = box_get(pair->dy[0]), sum = 0;
    for (int64_t i = 0; i < it_tensor_count(&pair->out[0]); ++i) { sum += y[i] * dy[i]; }
    free(y);
    free(dy);
    return sum;
}

static void check_input(const struct pair *pair, int k)
{
    const double step = 1e-5;
    int64_t count = it_tensor_count(&pair->in[k]);
    double *x = box_get(pair->in[k]), *grad = box_get(pair->grad[k]);
    for (int64_t i = 0; i < count; ++i) {
        double kept = x[i];
        x[i] = kept + step;
        box_set(pair->in[k], x);
        double above = loss_of(pair);
        x[i] = kept - step;
        box_set(pair->in[k], x);
        double below = loss_of(pair);
        x[i] = kept;
        double want = (above - below) / (2 * step);
        double said = grad[i] - pair->before[k];
        ck_assert_msg(fabs(said - want) <= 1e-6 * (1 + fabs(want)),
                      "input %d, element %d: gradient %.9g, difference quotient %.9g", k, (int)i,
                      said, want);
    }
    box_set(pair->in[k], x);
    free(x);
    free(grad);
}

/* The gradient of a weight: backward adds to what is there. */
static void new_sum(struct pair *pair, int k, int64_t rows, int64_t columns)
{
    pair->before[k] = 0.5;
    pair->grad[k] = box_new(IT_F64, rows, columns);
    ck_ok(it_fill(pair->grad[k], pair->before[k]));
}

static void check_pair(const struct pair *pair)
{
    for (int k = 0; k < pair->inputs; ++k) { check_input(pair, k); }
    box_close();
}

static enum it_status rmsnorm(const struct pair *p)
{
    return it_rmsnorm(p->out[0], p->extra[0], p->in[0], box_flat(p->in[1]), 1e-3);
}

START_TEST(of_rmsnorm)
{
    enum { M = 3, N = 7 };
    box_open("reference");
    struct pair p = {.forward = rmsnorm, .inputs = 2};
    p.in[0] = box_random(IT_F64, M, N, 1);
    p.in[1] = box_random(IT_F64, 1, N, 1);
    p.out[0] = box_new(IT_F64, M, N);
    p.dy[0] = box_random(IT_F64, M, N, 1);
    p.extra[0] = box_flat(box_new(IT_F64, 1, M));
    p.grad[0] = box_random(IT_F64, M, N, 1); /* set, whatever it holds */
    new_sum(&p, 1, 1, N);
    ck_ok(rmsnorm(&p));
    ck_ok(it_rmsnorm_bwd(p.grad[0], box_flat(p.grad[1]), p.dy[0], p.in[0], box_flat(p.in[1]),
                         p.extra[0]));
    check_pair(&p);
}
END_TEST

static enum it_status swiglu(const struct pair *p)
{
    return it_swiglu(p->out[0], p->in[0]);
}

START_TEST(of_swiglu)
{
    enum { M = 3, N = 5 };
    box_open("reference");
    struct pair p = {.forward = swiglu, .inputs = 1};
    p.in[0] = box_random(IT_F64, M, 2 * N, 2);
    p.out[0] = box_new(IT_F64, M, N);
    p.dy[0] = box_random(IT_F64, M, N, 1);
    p.grad[0] = box_random(IT_F64, M, 2 * N, 1);
    ck_ok(it_swiglu_bwd(p.grad[0], p.dy[0], p.in[0]));
    check_pair(&p);
}
END_TEST

static enum it_status attn(const struct pair *p)
{
    return it_attn(p->out[0], p->extra[0], p->in[0], p->in[1], p->in[2], p->extra[1], p->shape);
}

/* Two segments share a prefix of two keys, the third has none; one query row is in none. */
START_TEST(of_attn)
{
    enum { T = 7, U = 9, WIDTH = 3, HEADS = 4, KV = 2 };
    static const double segments[] = {0, 3, 0, 2, 2, 3, 1, 0, 2, 5, 4, 2, 0, 0, 6};
    box_open("reference");
    struct pair p = {.forward = attn, .inputs = 3,
                     .shape = {.heads = HEADS, .kv_heads = KV, .scale = 0.7}};
    p.in[0] = box_random(IT_F64, T, HEADS * WIDTH, 1);
    p.in[1] = box_random(IT_F64, U, KV * WIDTH, 1);
    p.in[2] = box_random(IT_F64, U, KV * WIDTH, 1);
    p.out[0] = box_zeros(IT_F64, T, HEADS * WIDTH);
    p.dy[0] = box_random(IT_F64, T, HEADS * WIDTH, 1);
    p.extra[0] = box_zeros(IT_F64, T, HEADS);
    p.extra[1] = box_segments(3, segments);
    p.grad[0] = box_random(IT_F64, T, HEADS * WIDTH, 1);
    p.grad[1] = box_random(IT_F64, U, KV * WIDTH, 1);
    p.grad[2] = box_random(IT_F64, U, KV * WIDTH, 1);
    ck_ok(attn(&p));
    ck_ok(it_attn_bwd((struct it_attn_grads){p.grad[0], p.grad[1], p.grad[2]}, p.dy[0],
                      (struct it_attn_saved){p.in[0], p.in[1], p.in[2], p.out[0], p.extra[0],
                                             p.extra[1]},
                      p.shape));
    check_pair(&p);
}
END_TEST

static enum it_status token_stats(const struct pair *p)
{
    return it_token_stats(p->out[0], p->in[0], p->extra[0], p->extra[1], p->vocabulary);
}

/* The first three statistics, at two temperatures; a target outside the statistics' vocabulary and
 * one outside of all. */
START_TEST(of_token_stats)
{
    enum { T = 4, V = 11 };
    static const double targets[] = {3, 10, -1, 0}, temperatures[] = {0.8, 1.3};
    box_open("reference");
    struct pair p = {.forward = token_stats, .inputs = 1, .vocabulary = _i};
    p.in[0] = box_random(IT_F64, T, V, 2);
    p.out[0] = box_new(IT_F64, T, IT_STAT_COUNT);
    p.dy[0] = box_zeros(IT_F64, T, IT_STAT_COUNT);
    struct it_tensor coefs = box_random(IT_F64, T, 3, 1);
    ck_ok(it_copy(it_columns(p.dy[0], 0, 3), coefs));
    p.extra[0] = box_list(IT_I32, T, targets);
    p.extra[1] = box_list(IT_F64, 2, temperatures);
    p.grad[0] = box_random(IT_F64, T, V, 1);
    ck_ok(token_stats(&p));
    ck_ok(it_token_stats_bwd(p.grad[0], p.in[0], p.extra[0], p.out[0], coefs, p.extra[1], _i));
    check_pair(&p);
}
END_TEST

static enum it_status matmul(const struct pair *p)
{
    struct it_tensor bias = box_flat(p->in[2]);
    ck_ok(it_fill(p->out[0], 0.25));
    return it_matmul(p->out[0], p->in[0], p->in[1], bias, p->how);
}

/* The gradients of y = a b + bias are matmuls themselves and a sum of rows: as a layer calls them,
 * adding into the gradient of the weight. */
START_TEST(of_matmul)
{
    enum { M = 3, N = 4, K = 5 };
    const struct it_tensor none = {0};
    box_open("reference");
    struct pair p = {.forward = matmul, .inputs = 3,
                     .how = {.trans_b = true, .accumulate = true}};
    p.in[0] = box_random(IT_F64, M, K, 1);
    p.in[1] = box_random(IT_F64, N, K, 1);
    p.in[2] = box_random(IT_F64, 1, N, 1);
    p.out[0] = box_new(IT_F64, M, N);
    p.dy[0] = box_random(IT_F64, M, N, 1);
    p.grad[0] = box_new(IT_F64, M, K);
    new_sum(&p, 1, N, K);
    new_sum(&p, 2, 1, N);
    ck_ok(it_matmul(p.grad[0], p.dy[0], p.in[1], none, (struct it_matmul_how){0}));
    ck_ok(it_matmul(p.grad[1], p.dy[0], p.in[0], none,
                    (struct it_matmul_how){.trans_a = true, .accumulate = true}));
    ck_ok(it_sum_rows(box_flat(p.grad[2]), p.dy[0]));
    check_pair(&p);
}
END_TEST

static enum it_status rope(const struct pair *p)
{
    ck_ok(it_copy(p->out[0], p->in[0]));
    return it_rope(p->out[0], p->extra[0], p->extra[1], 1);
}

/* A turn's gradient is the turn back. */
START_TEST(of_rope)
{
    enum { T = 3, WIDTH = 4, HEADS = 2 };
    static const double positions[] = {5, 0, 3};
    box_open("reference");
    struct pair p = {.forward = rope, .inputs = 1};
    p.in[0] = box_random(IT_F64, T, HEADS * WIDTH, 1);
    p.out[0] = box_new(IT_F64, T, HEADS * WIDTH);
    p.dy[0] = box_random(IT_F64, T, HEADS * WIDTH, 1);
    p.extra[0] = box_rope(IT_F64, 6, WIDTH);
    p.extra[1] = box_list(IT_I32, T, positions);
    p.grad[0] = box_new(IT_F64, T, HEADS * WIDTH);
    ck_ok(it_copy(p.grad[0], p.dy[0]));
    ck_ok(it_rope(p.grad[0], p.extra[0], p.extra[1], -1));
    check_pair(&p);
}
END_TEST

static enum it_status gather(const struct pair *p)
{
    return it_gather_rows(p->out[0], p->in[0], p->extra[0]);
}

START_TEST(of_gather_rows)
{
    enum { T = 6, V = 4, N = 3 };
    static const double ids[] = {2, 0, 3, 2, -1, 4};
    box_open("reference");
    struct pair p = {.forward = gather, .inputs = 1};
    p.in[0] = box_random(IT_F64, V, N, 1);
    p.out[0] = box_new(IT_F64, T, N);
    p.dy[0] = box_random(IT_F64, T, N, 1);
    p.extra[0] = box_list(IT_I32, T, ids);
    new_sum(&p, 0, V, N);
    ck_ok(it_scatter_add_rows(p.grad[0], p.dy[0], p.extra[0]));
    check_pair(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tests = tcase_create("gradients");
    tcase_add_test(tests, of_rmsnorm);
    tcase_add_test(tests, of_swiglu);
    tcase_add_test(tests, of_attn);
    tcase_add_test(tests, of_matmul);
    tcase_add_test(tests, of_rope);
    tcase_add_test(tests, of_gather_rows);
    tcase_add_loop_test(tests, of_token_stats, 0, 1); /* all of the vocabulary */
    tcase_add_loop_test(tests, of_token_stats, 8, 9); /* the first 8 of 11 */
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
