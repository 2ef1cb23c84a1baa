/* SPDX-License-Identifier: MIT */
/* intuitor score: how likely, how certain, how open a model finds given completions. */
#include <string.h>

#include "cli/cli.h"
#include "cli/prompt.h"
#include "cli/records.h"
#include "cli/sampler.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct score_values {
    struct it_cli_common common;
    char *model, *adapter, *input, *output;
    bool per_token;
};

#define AT(field) offsetof(struct score_values, field)
static const struct it_option rows[] = {
    IT_CLI_ROWS(score_values),
    {"model", IT_OPT_STRING, NULL, "model folder", AT(model), NULL},
    {"adapter", IT_OPT_STRING, NULL, "folder with a LoRA adapter of that model", AT(adapter), NULL},
    {"input", IT_OPT_STRING, NULL,
     "JSONL records with \"prompt\" and \"completion\", or \"prompt_ids\" and \"completion_ids\"; "
     "-: standard input", AT(input), NULL},
    {"output", IT_OPT_STRING, NULL, "file for the records; unset: standard output", AT(output),
     NULL},
    {"per-token", IT_OPT_BOOL, "false",
     "add token_ids, logprobs, self_certainties and entropies, one entry a token", AT(per_token),
     NULL},
    IT_CLI_BACKEND_ROW(score_values),
    IT_CLI_DEVICE_ROWS(score_values),
};

static const char notes[] =
    "Output: the input records, each with n_tokens, logprob (sum), self_certainty and entropy\n"
    "(means; null for an empty completion), in nats, at temperature 1. Prompt and completion are\n"
    "tokenised one by one and joined; no end token is added: give its text or id to count it. A\n"
    "bad record is named and left out, and the exit code is then 1.\n";

struct item {
    json_t *record;
    struct it_ids ids; /* prompt, then completion */
    int64_t n_prompt;
};

struct job {
    const struct score_values *v;
    struct it_model text;
    int64_t vocab;
    struct it_records records;
    struct it_output output;
    struct item *item;
    size_t n, cap;
    int64_t budget; /* tokens of a pack, unless one record is longer */
};

/* ---- records ---- */

static int64_t completion_length(const struct item *item)
{
    return (int64_t)item->ids.n - item->n_prompt;
}

/* Tokens that go through the model: the last is predicted, never read. */
static int64_t tokens_read(const struct item *item)
{
    return completion_length(item) ? (int64_t)item->ids.n - 1 : 0;
}

/* The side called `name`, as "NAME" or "NAME_ids". */
static enum it_status add_side(const struct job *j, const char *where, const json_t *record,
                               const char *name, struct it_ids *ids)
{
    char name_ids[32];
    const json_t *text;
    snprintf(name_ids, sizeof name_ids, "%s_ids", name);
    if (json_object_get(record, name_ids)) {
        return it_record_ids(record, where, name_ids, j->vocab, ids);
    }
    IT_TRY(it_record_text(record, where, name, &text));
    if (!text) {
        return it_fail(IT_INVALID, "%s: expected a field \"%s\" (text) or \"%s\" (a list of ids)",
                       where, name, name_ids);
    }
    if (!j->text.tokenizer) {
        return it_fail(IT_INVALID, "%s: the model has no tokenizer: give \"%s\" instead of \"%s\"",
                       where, name_ids, name);
    }
    return it_cli_encode(&j->text, text, ids);
}

static enum it_status add(struct job *j, const char *where, json_t *record)
{
    struct item item = {0};
    enum it_status status = add_side(j, where, record, "prompt", &item.ids);
    item.n_prompt = (int64_t)item.ids.n;
    if (status == IT_OK) { status = add_side(j, where, record, "completion", &item.ids); }
    if (status == IT_OK && item.n_prompt == 0 && completion_length(&item)) {
        status = it_fail(IT_INVALID, "%s: the prompt is empty: nothing predicts the first token",
                         where);
    }
    if (status == IT_OK && item.ids.n > INT32_MAX / 2) {
        status = it_fail(IT_INVALID, "%s: %zu tokens are too many", where, item.ids.n);
    }
    if (status != IT_OK) {
        it_ids_free(&item.ids);
        return status;
    }
    item.record = json_incref(record);
    j->item = it_grow(j->item, &j->cap, j->n + 1, sizeof *j->item);
    j->item[j->n++] = item;
    return IT_OK;
}

static enum it_status read_file(struct job *j)
{
    const struct it_arch *arch;
    struct it_model_config config = {0};
    enum it_dtype dtype;
    IT_TRY(it_config_read(j->v->model, &arch, &config, &dtype));
    j->vocab = config.vocab;
    it_config_free(&config);
    IT_TRY(it_records_open(j->v->input, &j->records));
    enum it_status status = IT_OK;
    while (status == IT_OK) {
        json_t *record;
        status = it_records_next(&j->records, &record);
        if (status != IT_OK) { break; }
        status = add(j, it_str_c(&j->records.where), record);
        status = it_records_judge(&j->records, status);
        json_decref(record);
    }
    return status == IT_END ? IT_OK : status;
}

/* ---- packs: consecutive records, each a segment of its own ---- */

enum { BUDGET = 4096, LEAST_BUDGET = 64 }; /* tokens; the least is taken when memory is short */

struct pack {
    struct it_pack view;
    int32_t *ids, *positions, *segments, *rows, *targets;
};

/* The record after the last of the pack that begins with record `first`. */
static size_t pack_end(const struct job *j, size_t first)
{
    int64_t tokens = tokens_read(&j->item[first]);
    size_t end = first + 1;
    while (end < j->n && tokens + tokens_read(&j->item[end]) <= j->budget) {
        tokens += tokens_read(&j->item[end++]);
    }
    return end;
}

static struct it_tape_options largest_pack(const struct job *j)
{
    struct it_tape_options most = {0};
    for (size_t first = 0, end; first < j->n; first = end) {
        int64_t tokens = 0, records = 0, predictions = 0;
        end = pack_end(j, first);
        for (size_t i = first; i < end; i++) {
            tokens += tokens_read(&j->item[i]);
            records += completion_length(&j->item[i]) > 0;
            predictions += completion_length(&j->item[i]);
        }
        if (tokens > most.max_tokens) { most.max_tokens = tokens; }
        if (records > most.max_segments) { most.max_segments = records; }
        if (predictions > most.max_rows) { most.max_rows = predictions; }
    }
    return most;
}

static struct pack pack_open(const struct it_tape_options *most)
{
    size_t tokens = (size_t)most->max_tokens, predictions = (size_t)most->max_rows;
    struct pack p = {.ids = it_calloc(tokens, sizeof *p.ids),
                     .positions = it_calloc(tokens, sizeof *p.positions),
                     .segments = it_calloc((size_t)most->max_segments, 5 * sizeof *p.segments),
                     .rows = it_calloc(predictions, sizeof *p.rows),
                     .targets = it_calloc(predictions, sizeof *p.targets)};
    p.view = (struct it_pack){.ids = p.ids, .positions = p.positions, .segments = p.segments,
                              .rows = p.rows, .targets = p.targets};
    return p;
}

static void pack_close(struct pack *p)
{
    it_free(p->ids);
    it_free(p->positions);
    it_free(p->segments);
    it_free(p->rows);
    it_free(p->targets);
}

static void pack_add(struct pack *p, const struct item *item)
{
    int32_t start = (int32_t)p->view.n_tokens, n = (int32_t)tokens_read(item);
    int32_t *segment = p->segments + 5 * p->view.n_segments++;
    segment[0] = segment[4] = start;
    segment[1] = n;
    segment[2] = segment[3] = 0; /* no prefix is shared */
    for (int32_t i = 0; i < n; i++) {
        p->ids[start + i] = item->ids.item[i];
        p->positions[start + i] = i;
    }
    for (int32_t i = (int32_t)item->n_prompt; i <= n; i++) {
        p->rows[p->view.n_rows] = start + i - 1;
        p->targets[p->view.n_rows++] = item->ids.item[i];
    }
    p->view.n_tokens += n;
}

/* ---- scores ---- */

static json_t *column(const double *stats, int64_t n, enum it_stat stat)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) {
        json_array_append_new(list, it_json_real(stats[i * IT_STAT_COUNT + stat]));
    }
    return list;
}

static double sum(const double *stats, int64_t n, enum it_stat stat)
{
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) { total += stats[i * IT_STAT_COUNT + stat]; }
    return total;
}

/* stats [completion][IT_STAT_COUNT] */
static enum it_status write_record(struct job *j, const struct item *item, const double *stats)
{
    int64_t n = completion_length(item);
    json_t *r = item->record;
    json_object_set_new(r, "n_tokens", json_integer((json_int_t)n));
    json_object_set_new(r, "logprob", it_json_real(sum(stats, n, IT_STAT_LOGPROB)));
    json_object_set_new(r, "self_certainty",
                        it_json_real(sum(stats, n, IT_STAT_CERTAINTY) / (double)n));
    json_object_set_new(r, "entropy", it_json_real(sum(stats, n, IT_STAT_ENTROPY) / (double)n));
    if (j->v->per_token) {
        json_t *ids = json_array();
        for (size_t i = (size_t)item->n_prompt; i < item->ids.n; i++) {
            json_array_append_new(ids, json_integer(item->ids.item[i]));
        }
        json_object_set_new(r, "token_ids", ids);
        json_object_set_new(r, "logprobs", column(stats, n, IT_STAT_LOGPROB));
        json_object_set_new(r, "self_certainties", column(stats, n, IT_STAT_CERTAINTY));
        json_object_set_new(r, "entropies", column(stats, n, IT_STAT_ENTROPY));
    }
    return it_output_put(&j->output, r);
}

static enum it_status score_pack(struct job *j, struct it_tape *tape,
                                 const struct it_weights *weights, struct pack *p, double *stats,
                                 size_t first, size_t end)
{
    static const struct it_head_options head = {.temperature = 1.0, .stat_temperature = 1.0};
    p->view.n_tokens = p->view.n_segments = p->view.n_rows = 0;
    for (size_t i = first; i < end; i++) {
        if (completion_length(&j->item[i])) { pack_add(p, &j->item[i]); }
    }
    if (p->view.n_rows) { IT_TRY(it_tape_forward(tape, weights, &p->view, &head, stats)); }
    for (size_t i = first; i < end; i++) {
        IT_TRY(write_record(j, &j->item[i], stats));
        stats += completion_length(&j->item[i]) * IT_STAT_COUNT;
    }
    return IT_OK;
}

static enum it_status score_all(struct job *j, struct it_tape *tape, struct pack *p,
                                const struct it_weights *weights, int64_t most_rows)
{
    struct it_progress progress;
    double *stats = it_calloc((size_t)most_rows + 1, IT_STAT_COUNT * sizeof *stats);
    double start = it_now();
    int64_t tokens = 0;
    enum it_status status = IT_OK;
    it_progress_begin(&progress, "score", "records", (int64_t)j->n);
    for (size_t first = 0, end; first < j->n && status == IT_OK; first = end) {
        end = pack_end(j, first);
        status = it_interrupted() ? IT_INTERRUPTED
                                  : score_pack(j, tape, weights, p, stats, first, end);
        tokens += p->view.n_tokens;
        it_progress_set(&progress, (int64_t)end);
    }
    it_progress_end(&progress);
    it_free(stats);
    if (status == IT_INTERRUPTED) {
        it_warn("interrupted: %lld of %zu records are done and written", (long long)j->output.n,
                j->n);
    } else if (status == IT_OK) {
        it_info("%zu records, %lld tokens in %.1f s", j->n, (long long)tokens, it_now() - start);
    }
    return status;
}

/* Packs as large as memory allows. */
static enum it_status plan(struct job *j, const struct it_cli_engine *engine,
                           struct it_tape_options *options_out, int64_t *bytes_out)
{
    int64_t room = it_cli_engine_room(engine);
    for (j->budget = BUDGET;; j->budget /= 2) {
        *options_out = largest_pack(j);
        *bytes_out = 1;
        if (options_out->max_rows == 0) { return IT_OK; } /* every completion is empty */
        IT_TRY(it_tape_plan(engine->model->net, options_out, bytes_out));
        if (*bytes_out <= room || j->budget <= LEAST_BUDGET) { return IT_OK; }
    }
}

static enum it_status with_tape(struct job *j, const struct it_cli_engine *engine)
{
    struct it_net *net = engine->model->net;
    struct it_tape_options options;
    struct it_arena *arena;
    struct it_tape *tape = NULL;
    int64_t bytes;
    IT_TRY(plan(j, engine, &options, &bytes));
    IT_TRY(it_arena_open(engine->device, "scores", bytes, &arena));
    enum it_status status = IT_OK;
    if (options.max_rows) { status = it_tape_open(net, arena, &options, &tape); }
    if (status == IT_OK) {
        struct pack pack = pack_open(&options);
        status = score_all(j, tape, &pack, &net->weights, options.max_rows);
        pack_close(&pack);
    }
    it_tape_close(tape);
    it_arena_close(arena);
    return status;
}

static enum it_status score(struct job *j)
{
    struct it_cli_engine engine;
    /* exact: a record's score does not depend on what shares its pack */
    struct it_cli_engine_options options = {.folder = j->v->model,
                                            .adapter = j->v->adapter, .common = &j->v->common,
                                            .tokenizer = j->text.tokenizer,
                                            .positions = 1, .exact = true};
    if (j->n == 0) { return IT_OK; }
    for (size_t i = 0; i < j->n; i++) {
        int64_t length = tokens_read(&j->item[i]);
        if (length > options.positions) { options.positions = length; }
    }
    IT_TRY(it_cli_engine_open(&options, &engine));
    enum it_status status = with_tape(j, &engine);
    it_cli_engine_close(&engine);
    return status;
}

/* ---- the command ---- */

static void close_job(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        json_decref(j->item[i].record);
        it_ids_free(&j->item[i].ids);
    }
    it_free(j->item);
    it_records_close(&j->records);
    it_cli_text_close(&j->text);
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct score_values *v = values;
    struct job j = {.v = v};
    enum it_status status;
    if (arguments->n) { return it_cli_usage(&it_command_score, "nothing but options is expected"); }
    if (!v->model) { return it_cli_usage(&it_command_score, "no --model given"); }
    if (!v->input) { return it_cli_usage(&it_command_score, "no --input given"); }
    IT_TRY_GOTO(status, end, it_cli_text_open(v->model, false, &j.text));
    IT_TRY_GOTO(status, end, read_file(&j));
    IT_TRY_GOTO(status, end, it_output_open(v->output, &j.output));
    status = score(&j);
    if (status == IT_OK) { status = it_records_verdict(&j.records); }
    status = it_output_close(&j.output, status);
end:
    close_job(&j);
    return status;
}

const struct it_command it_command_score = {
    .name = "score",
    .summary = "log-probs, self-certainty and entropy of given completions",
    .usage = "--model DIR --input F.jsonl [--output F2.jsonl] [--per-token]",
    .example = "intuitor score --model models/tiny --input completions.jsonl --per-token",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct score_values),
    .run = run,
};
