/* SPDX-License-Identifier: MIT */
/* Models against what transformers computed: scripts/golden_models.py makes the folders. */
#include <math.h>

#include "core/base/json.h"
#include "core/nn/safetensors.h"
#include "models/internal.h"
#include "tests/scratch.h"

static const char *const folders[] = {
    "llama-tied",   "llama-untied", "mistral-tied", "mistral-untied", "olmo2-tied",
    "olmo2-untied", "qwen2-tied",   "qwen2-untied", "qwen3-tied",     "qwen3-untied"};
enum { N_FOLDERS = sizeof folders / sizeof folders[0], MAX_TOKENS = 64 };

/* The reference in both types, then every backend that was built. */
struct place {
    const char *device;
    enum it_dtype dtype;
};
static struct place place_at(int index)
{
    if (index < 2) { return (struct place){"reference", index == 0 ? IT_F64 : IT_F32}; }
    const struct it_backend *backend = it_backend_at((size_t)index - 2);
    return (struct place){backend ? it_backend_name(backend) : NULL, IT_F32};
}

/* All that one comparison needs: the sequences as one pack, one prediction for each token but each
 * sequence's last. */
struct golden {
    char *folder;
    json_t *root;
    struct it_device *device;
    struct it_model *model;
    struct it_arena *arena;
    struct it_tape *tape;
    struct it_pack pack;
    int32_t ids[MAX_TOKENS], positions[MAX_TOKENS], segments[4][5];
    int32_t rows[MAX_TOKENS], targets[MAX_TOKENS];
};

static const struct it_head_options head = {.temperature = 1.0, .stat_temperature = 1.0};

static char *golden_path(const char *folder, const char *name)
{
    const char *top = getenv("top_srcdir");
    struct it_str path = {0};
    it_str_printf(&path, "%s/tests/golden/%s%s%s", top ? top : ".", folder, name ? "/" : "",
                  name ? name : "");
    return it_str_take(&path);
}

static void read_sequences(struct golden *g)
{
    const json_t *sequences = json_object_get(g->root, "sequences");
    int32_t n = 0, rows = 0;
    for (size_t s = 0; s < json_array_size(sequences); s++) {
        const json_t *ids = json_array_get(sequences, s);
        int32_t length = (int32_t)json_array_size(ids);
        int32_t segment[5] = {n, length, 0, 0, n};
        memcpy(g->segments[s], segment, sizeof segment);
        for (int32_t i = 0; i < length; i++, n++) {
            g->ids[n] = (int32_t)json_integer_value(json_array_get(ids, (size_t)i));
            g->positions[n] = i;
            if (i > 0) {
                g->rows[rows] = n - 1;
                g->targets[rows++] = g->ids[n];
            }
        }
    }
    g->pack = (struct it_pack){.n_tokens = n,
                               .ids = g->ids,
                               .positions = g->positions,
                               .n_segments = (int64_t)json_array_size(sequences),
                               .segments = g->segments[0],
                               .n_rows = rows,
                               .rows = g->rows,
                               .targets = g->targets};
}

/* False where the device is not there. */
static bool golden_open(struct golden *g, int folder, int place, enum it_checkpoint checkpoint)
{
    struct it_device_options device = {.exact = true};
    enum it_status status = it_device_open(place_at(place).device, &device, &g->device);
    if (status == IT_NOT_FOUND) { return false; }
    ck_assert_int_eq(status, IT_OK);
    g->folder = golden_path(folders[folder], NULL);
    char *path = golden_path(folders[folder], "golden.json");
    ck_assert_int_eq(it_json_read(path, &g->root), IT_OK);
    it_free(path);
    read_sequences(g);
    struct it_model_options how = {.device = g->device, .dtype = place_at(place).dtype};
    ck_assert_int_eq(it_model_open(g->folder, &how, &g->model), IT_OK);
    struct it_tape_options options = {.max_tokens = MAX_TOKENS,
                                      .max_segments = 4,
                                      .max_rows = MAX_TOKENS,
                                      .head_rows = 5, /* several chunks, the last one short */
                                      .checkpoint = checkpoint,
                                      .train = true};
    int64_t bytes;
    ck_assert_int_eq(it_tape_plan(g->model->net, &options, &bytes), IT_OK);
    ck_assert_int_eq(it_arena_open(g->device, "phase", bytes, &g->arena), IT_OK);
    ck_assert_int_eq(it_tape_open(g->model->net, g->arena, &options, &g->tape), IT_OK);
    return true;
}

static void golden_close(struct golden *g)
{
    it_tape_close(g->tape);
    it_arena_close(g->arena);
    it_model_close(g->model);
    it_device_close(g->device);
    json_decref(g->root);
    it_free(g->folder);
}

static void forward(struct golden *g, double stats[][IT_STAT_COUNT])
{
    ck_assert_int_eq(it_tape_forward(g->tape, &g->model->net->weights, &g->pack, &head, stats[0]),
                     IT_OK);
}

START_TEST(statistics)
{
    static const enum it_stat columns[] = {IT_STAT_LOGPROB, IT_STAT_ENTROPY, IT_STAT_CERTAINTY};
    static double stats[MAX_TOKENS][IT_STAT_COUNT];
    struct golden g = {0};
    if (!golden_open(&g, _i % N_FOLDERS, _i / N_FOLDERS, IT_CHECKPOINT_NONE)) { return; }
    const json_t *rows = json_object_get(g.root, "rows");
    ck_assert_int_eq((int64_t)json_array_size(rows), g.pack.n_rows);
    forward(&g, stats);
    double loss = 0.0;
    for (size_t r = 0; r < json_array_size(rows); r++) {
        for (size_t c = 0; c < 3; c++) {
            const json_t *row = json_array_get(rows, r);
            double expected = json_number_value(json_array_get(row, c));
            ck_assert_double_eq_tol(stats[r][columns[c]], expected, 1e-5);
        }
        loss -= stats[r][IT_STAT_LOGPROB] / (double)g.pack.n_rows;
    }
    ck_assert_double_eq_tol(loss, json_number_value(json_object_get(g.root, "loss")), 1e-5);
    golden_close(&g);
}
END_TEST

/* The row of the pack that stands for a position of a sequence. */
static int32_t token_row(const struct golden *g, const json_t *entry)
{
    json_int_t sequence = json_integer_value(json_object_get(entry, "sequence"));
    json_int_t position = json_integer_value(json_object_get(entry, "position"));
    return g->segments[sequence][0] + (int32_t)position;
}

/* Every logit of a few positions: log p + logsumexp, asking for each id in turn. */
START_TEST(logits)
{
    static double stats[MAX_TOKENS][IT_STAT_COUNT];
    struct golden g = {0};
    if (!golden_open(&g, _i % N_FOLDERS, _i / N_FOLDERS, IT_CHECKPOINT_NONE)) { return; }
    const json_t *list = json_object_get(g.root, "logits");
    for (size_t e = 0; e < json_array_size(list); e++) {
        const json_t *entry = json_array_get(list, e);
        const json_t *values = json_object_get(entry, "values");
        int32_t row = token_row(&g, entry);
        for (size_t first = 0; first < json_array_size(values); first += MAX_TOKENS) {
            size_t n = json_array_size(values) - first;
            if (n > MAX_TOKENS) { n = MAX_TOKENS; }
            for (size_t i = 0; i < n; i++) {
                g.rows[i] = row;
                g.targets[i] = (int32_t)(first + i);
            }
            g.pack.n_rows = (int64_t)n;
            forward(&g, stats);
            for (size_t i = 0; i < n; i++) {
                double logit = stats[i][IT_STAT_LOGPROB] + stats[i][IT_STAT_LSE];
                double expected = json_number_value(json_array_get(values, first + i));
                ck_assert_double_eq_tol(logit, expected, 1e-5 * (1.0 + fabs(expected)));
            }
        }
    }
    golden_close(&g);
}
END_TEST

static double value_at(const void *data, enum it_dtype dtype, int64_t i)
{
    return dtype == IT_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

/* ||got - expected|| <= 1e-4 ||expected||, and the same for the largest entries. */
static void compare(const struct it_place *place, const struct it_safetensor *expected)
{
    int64_t n = it_tensor_count(&place->view);
    void *got = it_alloc((size_t)n * it_dtype_size(place->view.dtype));
    ck_assert_uint_eq(expected->size, (size_t)n * sizeof(float));
    ck_assert_int_eq(it_download(got, place->view), IT_OK);
    double error = 0.0, norm = 0.0, worst = 0.0, most = 0.0;
    for (int64_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, expected->data + (size_t)i * sizeof x, sizeof x);
        double d = fabs(value_at(got, place->view.dtype, i) - (double)x);
        error += d * d;
        norm += (double)x * (double)x;
        worst = fmax(worst, d);
        most = fmax(most, fabs((double)x));
    }
    it_free(got);
    ck_assert_msg(sqrt(error) <= 1e-4 * sqrt(norm), "%s: relative error %g of norm %g",
                  place->name, sqrt(error / norm), sqrt(norm));
    ck_assert_msg(worst <= 1e-4 * most, "%s: error %g of %g", place->name, worst, most);
}

static void check_gradients(int folder, int place, enum it_checkpoint checkpoint)
{
    static double stats[MAX_TOKENS][IT_STAT_COUNT], coefs[MAX_TOKENS][3];
    struct golden g = {0};
    if (!golden_open(&g, folder, place, checkpoint)) { return; }
    struct it_net *net = g.model->net;
    struct it_weights grads = {0};
    struct it_safetensors expected;
    struct it_places list;
    for (int64_t r = 0; r < g.pack.n_rows; r++) { coefs[r][0] = -1.0 / (double)g.pack.n_rows; }
    ck_assert_int_eq(it_weights_open(net, "gradients", it_dtype_accumulation(net->dtype), NULL,
                                     &grads), IT_OK);
    ck_assert_int_eq(it_weights_fill(&grads, 0.0), IT_OK);
    forward(&g, stats);
    ck_assert_int_eq(it_tape_backward(g.tape, &net->weights, &g.pack, &head, coefs[0], &grads),
                     IT_OK);
    char *path = golden_path(folders[folder], "grads.safetensors");
    ck_assert_int_eq(it_safetensors_open(path, &expected), IT_OK);
    it_places_open(net, &grads, &list);
    ck_assert_uint_eq(list.n, expected.n);
    for (size_t i = 0; i < list.n; i++) {
        const struct it_safetensor *t = it_safetensors_find(&expected, list.item[i].name);
        ck_assert_msg(t != NULL, "no gradient of %s", list.item[i].name);
        compare(&list.item[i], t);
    }
    it_places_close(&list);
    it_safetensors_close(&expected);
    it_weights_close(&grads);
    it_free(path);
    golden_close(&g);
}

START_TEST(gradients)
{
    check_gradients(_i % N_FOLDERS, _i / N_FOLDERS, IT_CHECKPOINT_NONE);
}
END_TEST

START_TEST(gradients_with_checkpoints)
{
    check_gradients(_i % N_FOLDERS, _i / N_FOLDERS, IT_CHECKPOINT_BLOCK);
}
END_TEST

/* The frequencies of published shapes, read from the fields that config.json has. torch raises to a
 * power to within one unit in the last place, which is the tolerance. */
START_TEST(rotary_frequencies)
{
    char *path = golden_path("rope.json", NULL);
    json_t *list = NULL;
    ck_assert_int_eq(it_json_read(path, &list), IT_OK);
    ck_assert_uint_ge(json_array_size(list), 8);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const json_t *expected = json_object_get(entry, "frequencies");
        struct it_model_config c = {.max_positions = 131072};
        float found[64];
        size_t exact = 0, n = json_array_size(expected);
        c.head_dim = json_integer_value(json_object_get(entry, "head_dim"));
        c.rope_theta = json_real_value(json_object_get(entry, "rope_theta"));
        ck_assert_int_eq(it_rope_read(entry, path, &c), IT_OK);
        ck_assert_uint_eq(n, (size_t)c.head_dim / 2);
        it_rope_frequencies(&c, found);
        for (size_t j = 0; j < n; j++) {
            double value = json_real_value(json_array_get(expected, j));
            ck_assert_double_eq_tol((double)found[j], value, 1.2e-7 * value);
            exact += (double)found[j] == value;
        }
        ck_assert_uint_ge(exact, n - 2);
    }
    json_decref(list);
    it_free(path);
}
END_TEST

int main(void)
{
    int n = 0;
    while (place_at(n).device) { n++; }
    Suite *suite = suite_create("golden");
    TCase *tests = tcase_create("golden");
    tcase_add_test(tests, rotary_frequencies);
    tcase_add_loop_test(tests, statistics, 0, N_FOLDERS * n);
    tcase_add_loop_test(tests, logits, 0, N_FOLDERS * n);
    tcase_add_loop_test(tests, gradients, 0, N_FOLDERS * n);
    tcase_add_loop_test(tests, gradients_with_checkpoints, 0, N_FOLDERS * n);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
