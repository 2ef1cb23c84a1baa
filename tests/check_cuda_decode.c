/* SPDX-License-Identifier: MIT */
/* Decode steps on the kernels of the CUDA backend, run on the host: how many launches a layer
 * takes, that fused and single ops give the same bits, and replayed steps what recorded ones
 * gave. */
#include <stdio.h>

#include "models/models.h"
#include "tests/box.h"
#include "tests/cuda_device.h"

enum { PAGE = 4, SLOTS = 17, SLOT_PAGES = 3, PAGES = SLOTS * SLOT_PAGES, PROMPT = 3 };

static const struct {
    const char *type;
    int launches; /* a layer; of single ops there are 13 and more */
} archs[] = {{"qwen2", 4}, {"qwen3", 4}, {"llama", 4}, {"olmo2", 8}};
enum { ARCHS = sizeof archs / sizeof *archs };

static const struct it_model_config config = {.vocab = 130, .hidden = 72, .layers = 1, .heads = 4,
                                              .kv_heads = 2, .head_dim = 64, .ff = 104,
                                              .max_positions = 64, .rms_eps = 1e-6,
                                              .rope_theta = 1e4, .init_range = 0.08, .tied = true};

struct run {
    struct it_device *device;
    struct it_net *net;
    struct it_arena *arena;
    struct it_decoder *decoder;
};

static void open_run(struct run *run, const char *type, enum it_dtype dtype, bool exact, int layers,
                     bool fused)
{
    const struct it_device_options how = {.threads = 1, .exact = exact, .strict = true};
    const struct it_decoder_options options = {.slots = SLOTS, .page = PAGE, .pages = PAGES,
                                               .slot_pages = SLOT_PAGES,
                                               .prefill_tokens = SLOTS * PROMPT};
    const struct it_net_options net = {.dtype = dtype, .positions = 64};
    char name[16];
    struct it_model_config c = config;
    int64_t bytes;
    snprintf(name, sizeof name, "%s", type);
    c.model_type = name;
    c.layers = layers;
    ck_ok(it_device_open("cuda-on-host", &how, &run->device));
    if (!fused) { run->device->info.fused_rows = 0; }
    ck_ok(it_net_open(run->device, it_arch_find(name), &c, &net, &run->net));
    ck_ok(it_weights_init(run->net, &run->net->weights, 5));
    ck_ok(it_decoder_plan(run->net, &options, &bytes));
    ck_ok(it_arena_open(run->device, "decoding", bytes, &run->arena));
    ck_ok(it_decoder_open(run->net, run->arena, &options, &run->decoder));
}

static void close_run(struct run *run)
{
    it_decoder_close(run->decoder);
    it_arena_close(run->arena);
    it_net_close(run->net);
    it_device_close(run->device);
}

static int32_t ids[SLOTS], positions[SLOTS], rows[SLOTS], tables[SLOTS * SLOT_PAGES];
static float params[SLOTS * 4];
static uint32_t keys[SLOTS * 6];

/* Every slot has pages of its own and a prompt of `prompt_ids` ids, and slot 1 is nobody's. */
static void prepare(struct run *run, int prompt_ids)
{
    int32_t prompt[SLOTS * PROMPT], at[SLOTS * PROMPT], to[SLOTS * PROMPT], segments[SLOTS * 5];
    const struct it_pack pack = {.n_tokens = SLOTS * PROMPT, .ids = prompt, .positions = at,
                                 .n_segments = SLOTS, .segments = segments};
    for (int r = 0; r < SLOTS; r++) {
        int first = r * SLOT_PAGES * PAGE;
        for (int i = 0; i < PROMPT; i++) {
            prompt[r * PROMPT + i] = (r * 31 + i * 7) % 130;
            at[r * PROMPT + i] = i;
            to[r * PROMPT + i] = first + i;
        }
        const int32_t segment[5] = {r * PROMPT, PROMPT, 0, 0, r * PROMPT};
        memcpy(segments + 5 * r, segment, sizeof segment);
        ids[r] = 3 + r;
        positions[r] = prompt_ids;
        rows[r] = r == 1 ? -1 : first + prompt_ids;
        for (int p = 0; p < SLOT_PAGES; p++) { tables[r * SLOT_PAGES + p] = r * SLOT_PAGES + p; }
        params[4 * r] = 0.9f;
        params[4 * r + 2] = 1.0f;
        for (int k = 0; k < 6; k++) { keys[6 * r + k] = (uint32_t)(r * 77 + k); }
    }
    if (prompt_ids == 0) { return; }
    ck_assert_int_eq(prompt_ids, PROMPT);
    ck_ok(it_decoder_prefill(run->decoder, &run->net->weights, &pack, to));
}

/* Queues a step of n rows; the launches it took. */
static int64_t step(struct run *run, int64_t n, const int32_t *from, int32_t *ids_out,
                    double *stats_out)
{
    const struct it_decode_step request = {.n = n, .ids = from, .positions = positions,
                                           .kv_rows = rows, .tables = tables, .params = params,
                                           .keys = keys, .head = {1, 1, 0}};
    int64_t before = cuda_on_host_launches;
    ck_ok(it_decoder_step(run->decoder, &run->net->weights, &request, ids_out, stats_out));
    return cuda_on_host_launches - before;
}

START_TEST(few_launches_a_layer)
{
    enum { FEW = 1, MORE = 3 };
    int64_t launches[2];
    int32_t drawn[SLOTS];
    double stats[SLOTS * IT_STAT_COUNT];
    for (int i = 0; i < 2; i++) {
        struct run run;
        open_run(&run, archs[_i].type, IT_BF16, false, i ? MORE : FEW, true);
        prepare(&run, 0);
        step(&run, 3, ids, drawn, stats);
        launches[i] = step(&run, 3, ids, drawn, stats); /* replayed */
        close_run(&run);
    }
    int64_t a_layer = (launches[1] - launches[0]) / (MORE - FEW);
    printf("%s: %lld launches a layer\n", archs[_i].type, (long long)a_layer);
    ck_assert_int_le(a_layer, archs[_i].launches);
}
END_TEST

/* Fused and not, recorded and replayed: the same ids and statistics. */
START_TEST(fused_and_single_ops_agree)
{
    static const int64_t sizes[] = {3, 17}; /* the last is too many for fused ops */
    const char *type = archs[_i % ARCHS].type;
    bool exact = _i / ARCHS;
    enum it_dtype dtype = exact ? IT_F32 : IT_BF16;
    struct run run[2];
    int32_t drawn[3][SLOTS];
    static double stats[3][SLOTS * IT_STAT_COUNT];
    for (int i = 0; i < 2; i++) {
        open_run(&run[i], type, dtype, exact, 1, i == 1);
        prepare(&run[i], PROMPT);
    }
    for (int s = 0; s < 2; s++) {
        int64_t n = sizes[s];
        step(&run[0], n, ids, drawn[0], stats[0]);
        step(&run[1], n, ids, drawn[1], stats[1]);
        step(&run[1], n, ids, drawn[2], stats[2]);
        for (int64_t r = 0; r < n; r++) {
            size_t row = IT_STAT_COUNT * sizeof(double), at = (size_t)r * IT_STAT_COUNT;
            if (rows[r] < 0) { continue; }
            for (int i = 1; i < 3; i++) {
                ck_assert_msg(drawn[0][r] == drawn[i][r] &&
                                  memcmp(stats[0] + at, stats[i] + at, row) == 0,
                              "%s, %d rows, row %d, run %d", type, (int)n, (int)r, i);
            }
        }
    }
    close_run(&run[0]);
    close_run(&run[1]);
}
END_TEST

/* What the device drew feeds the next step without the host: as if it had been sent back. */
START_TEST(a_step_ahead)
{
    enum { N = 3, STEPS = 5 };
    struct run in_turn, ahead;
    int32_t drawn[STEPS][N], seen[STEPS][N], from[N];
    static double stats[2][STEPS][N * IT_STAT_COUNT];
    open_run(&in_turn, "qwen2", IT_BF16, true, 1, true);
    open_run(&ahead, "qwen2", IT_BF16, true, 1, true);
    prepare(&in_turn, 0);
    prepare(&ahead, 0);
    ck_assert(it_decoder_runs_ahead(ahead.decoder));
    memcpy(from, ids, sizeof from);
    for (int s = 0; s < STEPS; s++) {
        const struct it_decode_step request = {.n = N, .ids = from, .positions = positions,
                                               .kv_rows = rows, .tables = tables,
                                               .params = params, .keys = keys, .head = {1, 1, 0}};
        step(&in_turn, N, s ? drawn[s - 1] : ids, drawn[s], stats[0][s]);
        ck_ok(it_decoder_submit(ahead.decoder, &ahead.net->weights, &request));
        if (s > 0) { ck_ok(it_decoder_collect(ahead.decoder, seen[s - 1], stats[1][s - 1])); }
        for (int r = 0; r < N; r++) {
            from[r] = -1;
            positions[r]++;
            if (rows[r] >= 0) { rows[r]++; }
        }
    }
    ck_ok(it_decoder_collect(ahead.decoder, seen[STEPS - 1], stats[1][STEPS - 1]));
    for (int s = 0; s < STEPS; s++) {
        for (int r = 0; r < N; r++) {
            if (rows[r] >= 0) { ck_assert_int_eq(seen[s][r], drawn[s][r]); }
        }
    }
    ck_assert(memcmp(stats[0][1], stats[1][1], IT_STAT_COUNT * sizeof(double)) == 0);
    close_run(&in_turn);
    close_run(&ahead);
}
END_TEST

int main(void)
{
    if (it_backend_register(&cuda_on_host_backend) != IT_OK) { return 1; }
    Suite *suite = suite_create("cuda_decode");
    TCase *tests = tcase_create("cuda_decode");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, few_launches_a_layer, 0, ARCHS);
    tcase_add_loop_test(tests, fused_and_single_ops_agree, 0, 2 * ARCHS);
    tcase_add_test(tests, a_step_ahead);
    suite_add_tcase(suite, tests);
    return box_run(suite);
}
