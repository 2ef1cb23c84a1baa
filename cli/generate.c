/* SPDX-License-Identifier: MIT */
/* intuitor generate: completions of prompts, with what the sampler knew of them. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/prompt.h"
#include "cli/records.h"
#include "cli/sampler.h"
#include "core/base/json.h"
#include "core/base/mem.h"

struct generate_values {
    struct it_cli_common common;
    char *model, *adapter, *prompts, *output;
    bool chat;
    struct it_cli_chat_settings chat_settings;
    struct it_cli_sampling sampling;
    struct it_strs stop;
};

#define AT(field) offsetof(struct generate_values, field)
static const struct it_option rows[] = {
    IT_CLI_ROWS(generate_values),
    IT_CLI_JSON_ROW(generate_values),
    {"model", IT_OPT_STRING, NULL, "model folder", AT(model), NULL},
    {"adapter", IT_OPT_STRING, NULL, "folder with a LoRA adapter of that model", AT(adapter), NULL},
    {"prompts", IT_OPT_STRING, NULL,
     "JSONL records with \"prompt\" (text) or \"messages\"; -: standard input", AT(prompts), NULL},
    {"output", IT_OPT_STRING, NULL, "file for the records; unset: standard output", AT(output),
     NULL},
    {"chat", IT_OPT_BOOL, "false", "a plain prompt is the user's turn of a conversation", AT(chat),
     NULL},
    IT_CLI_CHAT_ROWS(generate_values),
    {"n", IT_OPT_INT, "1", "completions of each prompt", AT(sampling.n), NULL},
    {"temperature", IT_OPT_REAL, "1", "of the sampling; 0: greedy", AT(sampling.temperature), NULL},
    {"top-p", IT_OPT_REAL, "1", "sample among the likeliest tokens of this mass; 1: off",
     AT(sampling.top_p), NULL},
    {"top-k", IT_OPT_INT, "0", "sample among this many likeliest tokens; 0: off",
     AT(sampling.top_k), NULL},
    {"min-p", IT_OPT_REAL, "0", "sample among tokens of at least this share of the likeliest's "
     "probability; 0: off", AT(sampling.min_p), NULL},
    {"max-new-tokens", IT_OPT_INT, "256", "most tokens of a completion",
     AT(sampling.max_new_tokens), NULL},
    {"stop", IT_OPT_STRINGS, NULL,
     "texts that end a completion and are cut off; \\n, \\t, \\\\ and \\xHH stand for what cannot "
     "be written (\\x2c is a comma)", AT(stop), NULL},
    IT_CLI_BACKEND_ROW(generate_values),
    IT_CLI_DEVICE_ROWS(generate_values),
};

static const char notes[] =
    "Output: the input records, each with completions: [{text, token_ids, finish_reason (stop or\n"
    "length), logprob (sum), self_certainty, entropy and gini (means)}], in nats, of the\n"
    "unfiltered distribution at temperature 1, the end token included. Bare prompts on a\n"
    "terminal print the text alone; --json gives their records. A bad record is named and left\n"
    "out, and the exit code is then 1. A completion depends on its line number, the seed and the\n"
    "prompt, not on the other prompts.\n";

struct item {
    json_t *record;
    struct it_ids ids;
    uint64_t key; /* line number, or place on the command line: see it_gen_request */
};

struct job {
    const struct generate_values *v;
    struct it_model text;
    struct it_records records;
    struct it_output output;
    struct it_strs stop;
    bool plain;      /* text for people instead of records */
    bool chat_asked; /* the chat template was looked for */
    struct item *item;
    size_t n, cap;
    int64_t longest; /* tokens of a prompt */
};

/* ---- prompts ---- */

static enum it_status encode(struct job *j, const char *where, const json_t *record,
                             struct it_ids *ids)
{
    const json_t *messages = json_object_get(record, "messages"), *prompt;
    IT_TRY(it_record_text(record, where, "prompt", &prompt));
    if (prompt && !j->v->chat) { return it_cli_encode(&j->text, prompt, ids); }
    if (!prompt) {
        if (!messages) {
            return it_fail(IT_INVALID, "%s: expected a field \"prompt\" or \"messages\"", where);
        }
        if (!j->chat_asked) { /* the record says what comes of a failure */
            (void)it_cli_text_try_chat(&j->text, &j->v->chat_settings);
        }
        j->chat_asked = true;
        return it_cli_encode_chat(&j->text, where, record, ids);
    }
    json_t *turn = json_object(), *turns = json_array();
    json_object_set_new(turn, "role", json_string("user"));
    json_object_set_new(turn, "content",
                        it_json_text(json_string_value(prompt), json_string_length(prompt)));
    json_array_append_new(turns, turn);
    enum it_status status = it_cli_encode_chat(&j->text, where, turns, ids);
    json_decref(turns);
    return status;
}

static enum it_status add(struct job *j, const char *where, json_t *record, uint64_t key)
{
    struct it_ids ids = {0};
    enum it_status status = encode(j, where, record, &ids);
    if (status == IT_OK && ids.n == 0) {
        status = it_fail(IT_INVALID, "%s: the prompt is empty", where);
    }
    if (status != IT_OK) {
        it_ids_free(&ids);
        return status;
    }
    j->item = it_grow(j->item, &j->cap, j->n + 1, sizeof *j->item);
    j->item[j->n++] = (struct item){.record = json_incref(record), .ids = ids, .key = key};
    if ((int64_t)ids.n > j->longest) { j->longest = (int64_t)ids.n; }
    return IT_OK;
}

static enum it_status read_file(struct job *j)
{
    IT_TRY(it_records_open(j->v->prompts, &j->records));
    enum it_status status = IT_OK;
    while (status == IT_OK) {
        json_t *record;
        status = it_records_next(&j->records, &record);
        if (status != IT_OK) { break; }
        uint64_t key = (uint64_t)j->records.number - 1;
        status = add(j, it_str_c(&j->records.where), record, key);
        status = it_records_judge(&j->records, status);
        json_decref(record);
    }
    return status == IT_END ? IT_OK : status;
}

static enum it_status read_arguments(struct job *j, const struct it_strs *arguments)
{
    enum it_status status = IT_OK;
    for (size_t i = 0; i < arguments->n && status == IT_OK; i++) {
        char where[48];
        const char *text = arguments->item[i];
        json_t *record = json_object();
        snprintf(where, sizeof where, "generate: prompt %zu", i + 1);
        json_object_set_new(record, "prompt", it_json_text(text, strlen(text)));
        status = add(j, where, record, i);
        json_decref(record);
    }
    return status;
}

/* ---- completions ---- */

/* Records are written in the order of the input, each as soon as it and all before it are done. */
struct writer {
    struct job *j;
    const struct it_completion *completion; /* [n * samples] */
    int64_t *left;                          /* [n] completions that have not ended */
    int64_t next;                           /* record to be written */
    enum it_status status;
};

static json_t *completion_json(const struct job *j, const struct it_completion *c)
{
    json_t *object = json_object(), *ids = json_array();
    for (int64_t i = 0; i < c->n; i++) { json_array_append_new(ids, json_integer(c->ids[i])); }
    json_object_set_new(object, "text",
                        it_cli_completion_text(j->text.tokenizer, c, &j->stop));
    json_object_set_new(object, "token_ids", ids);
    it_cli_completion_stats(object, c);
    return object;
}

/* With one completion in all its text alone; else each under a line that says which it is. */
static void print(const struct job *j, int64_t index, const json_t *completions)
{
    size_t s;
    const json_t *c;
    json_array_foreach(completions, s, c)
    {
        const json_t *text = json_object_get(c, "text");
        if (j->n * json_array_size(completions) > 1) {
            printf("-- prompt %lld, completion %zu (%s, self-certainty %.3f)\n",
                   (long long)index + 1, s + 1,
                   json_string_value(json_object_get(c, "finish_reason")),
                   json_number_value(json_object_get(c, "self_certainty")));
        }
        fwrite(json_string_value(text), 1, json_string_length(text), stdout);
        printf("\n");
    }
    fflush(stdout);
}

static enum it_status write_record(struct writer *w, int64_t index)
{
    struct job *j = w->j;
    int64_t samples = j->v->sampling.n;
    json_t *completions = json_array();
    for (int64_t s = 0; s < samples; s++) {
        json_array_append_new(completions, completion_json(j, &w->completion[index * samples + s]));
    }
    if (j->plain) {
        print(j, index, completions);
        json_decref(completions);
        return IT_OK;
    }
    json_object_set_new(j->item[index].record, "completions", completions);
    return it_output_put(&j->output, j->item[index].record);
}

static void done(void *context, const struct it_completion *completion)
{
    struct writer *w = context;
    w->left[completion->request]--;
    while (w->status == IT_OK && w->next < (int64_t)w->j->n && w->left[w->next] == 0) {
        w->status = write_record(w, w->next);
        w->next++;
    }
}

/* After an interruption: what is done behind one that is not. */
static void write_rest(struct writer *w)
{
    int64_t kept = 0, n = (int64_t)w->j->n;
    for (int64_t i = 0; i < n; i++) { kept += w->left[i] == 0; }
    for (int64_t i = w->next; i < n && w->status == IT_OK; i++) {
        if (w->left[i] == 0) { w->status = write_record(w, i); }
    }
    it_warn("interrupted: %lld of %lld records are done and written", (long long)kept,
            (long long)n);
}

static enum it_status sample(struct job *j, const struct it_cli_engine *engine,
                             struct it_generator *generator)
{
    const struct generate_values *v = j->v;
    size_t total = j->n * (size_t)v->sampling.n;
    struct it_gen_request *requests = it_calloc(j->n, sizeof *requests);
    struct it_completion *completions = it_calloc(total, sizeof *completions);
    struct writer writer = {.j = j, .completion = completions,
                            .left = it_calloc(j->n, sizeof *writer.left)};
    struct it_gen_totals totals;
    for (size_t i = 0; i < j->n; i++) {
        requests[i] = (struct it_gen_request){.prompt = j->item[i].ids.item,
                                              .n_prompt = (int64_t)j->item[i].ids.n,
                                              .n_samples = v->sampling.n, .key = j->item[i].key};
        writer.left[i] = v->sampling.n;
    }
    struct it_gen_run run = {.weights = &engine->model->net->weights, .requests = requests,
                             .n_requests = (int64_t)j->n, .done = done, .context = &writer,
                             .sampling = it_cli_sampling(&v->sampling, engine->model,
                                                         v->common.seed),
                             .progress = "generate"};
    run.sampling.stop_strings = &j->stop;
    enum it_status status = it_generator_run(generator, &run, completions, &totals);
    if (status == IT_INTERRUPTED) { write_rest(&writer); }
    if (status == IT_OK) {
        it_info("%lld tokens from %lld prompts: %.1f s of prefill, %.1f s of decoding, %.1f "
                "tokens/s", (long long)totals.new_tokens, (long long)j->n, totals.prefill_s,
                totals.decode_s, (double)totals.new_tokens / (totals.decode_s + 1e-9));
    }
    for (size_t i = 0; i < total; i++) { it_completion_free(&completions[i]); }
    it_free(completions);
    it_free(requests);
    it_free(writer.left);
    return writer.status == IT_OK ? status : writer.status;
}

static enum it_status generate(struct job *j)
{
    const struct generate_values *v = j->v;
    struct it_cli_engine engine;
    struct it_cli_sampler sampler;
    int64_t length = j->longest + v->sampling.max_new_tokens;
    struct it_cli_engine_options options = {.folder = v->model, .adapter = v->adapter,
                                            .tokenizer = j->text.tokenizer,
                                            .common = &v->common, .positions = length};
    if (j->n == 0) { return IT_OK; }
    if (length > INT32_MAX / 2 || j->n > (size_t)(INT32_MAX / v->sampling.n)) {
        return it_fail(IT_INVALID, "generate: %zu prompts x %lld completions of up to %lld tokens "
                       "are too many", j->n, (long long)v->sampling.n, (long long)length);
    }
    IT_TRY(it_cli_engine_open(&options, &engine));
    enum it_status status = it_model_end_turns(engine.model, j->text.chat);
    if (status == IT_OK) {
        status = it_cli_sampler_open(&engine, (int64_t)j->n * v->sampling.n, length, &sampler);
    }
    if (status == IT_OK) {
        status = sample(j, &engine, sampler.generator);
        it_cli_sampler_close(&sampler);
    }
    it_cli_engine_close(&engine);
    return status;
}

/* ---- options ---- */

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* "\n" as written -> a newline. */
static enum it_status unescape(const char *text, struct it_strs *list)
{
    struct it_str out = {0};
    enum it_status status = *text ? IT_OK : IT_INVALID;
    for (const char *at = text; *at && status == IT_OK; at++) {
        if (*at != '\\') {
            it_str_putc(&out, *at);
            continue;
        }
        char c = *++at;
        if (c == 'x' && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
            it_str_putc(&out, (char)(16 * hex(at[1]) + hex(at[2])));
            at += 2;
        } else if (c == 'n' || c == 't' || c == '\\') {
            it_str_putc(&out, c == 'n' ? '\n' : c == 't' ? '\t' : '\\');
        } else {
            status = IT_INVALID;
            break;
        }
    }
    if (status == IT_OK) { it_strs_add(list, it_str_c(&out)); }
    it_str_free(&out);
    if (status == IT_OK) { return status; }
    return it_fail(status, "generate, command line: stop: expected a text in which \\ begins \\n, "
                   "\\t, \\\\ or \\xHH, found \"%s\"", text);
}

static enum it_status check(const struct generate_values *v, const struct it_strs *arguments,
                            struct job *j)
{
    if (!v->model) { return it_cli_usage(&it_command_generate, "no --model given"); }
    if (!v->prompts && arguments->n == 0) {
        return it_cli_usage(&it_command_generate, "no prompt given");
    }
    if (v->prompts && arguments->n) {
        return it_cli_usage(&it_command_generate, "prompts are arguments or in a file, not both");
    }
    for (size_t i = 0; i < v->stop.n; i++) { IT_TRY(unescape(v->stop.item[i], &j->stop)); }
    return it_cli_sampling_check("generate", &v->sampling);
}

static void close_job(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        json_decref(j->item[i].record);
        it_ids_free(&j->item[i].ids);
    }
    it_free(j->item);
    it_strs_free(&j->stop);
    it_records_close(&j->records);
    it_cli_text_close(&j->text);
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct generate_values *v = values;
    struct job j = {.v = v, .plain = !v->prompts && !v->common.json && !v->output &&
                                     isatty(STDOUT_FILENO) == 1};
    enum it_status status;
    IT_TRY_GOTO(status, end, check(v, arguments, &j));
    IT_TRY_GOTO(status, end, it_cli_text_open(v->model, true, &j.text));
    if (v->chat) { IT_TRY_GOTO(status, end, it_cli_text_chat(&j.text, &v->chat_settings)); }
    j.chat_asked = v->chat;
    IT_TRY_GOTO(status, end, v->prompts ? read_file(&j) : read_arguments(&j, arguments));
    IT_TRY_GOTO(status, end, it_output_open(v->output, &j.output));
    status = generate(&j);
    if (status == IT_OK && v->prompts) { status = it_records_verdict(&j.records); }
    status = it_output_close(&j.output, status);
end:
    close_job(&j);
    return status;
}

const struct it_command it_command_generate = {
    .name = "generate",
    .summary = "sample completions of prompts",
    .usage = "--model DIR [PROMPT ... | --prompts F.jsonl] [-n N] [--temperature T] ...",
    .example = "intuitor generate --model models/tiny --prompts in.jsonl -n 4 --output out.jsonl",
    .notes = notes,
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct generate_values),
    .run = run,
};
