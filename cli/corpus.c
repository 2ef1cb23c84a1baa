/* SPDX-License-Identifier: MIT */
/* Texts for `pretrain`: {"text"}, {"prompt", "completion"} or {"messages"} records of a file, or
 * the arithmetic corpus that the program makes itself. The end token is put after each example. */
#include "cli/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/data.h"
#include "tasks/arithmetic.h"

struct builder {
    const struct it_model *model;
    const struct it_recipe *recipe;
    struct it_corpus *corpus;
    int64_t dropped;
};

/* What ends an example: the first stop id. */
static int32_t end_id(const struct it_model *model)
{
    return model->net->config.n_eos ? model->net->config.eos[0] : -1;
}

static enum it_status add(struct builder *b, const char *prompt, const char *completion,
                          int32_t end)
{
    struct it_corpus *c = b->corpus;
    struct it_ids ids = {0};
    size_t n_prompt;
    enum it_status status =
        it_tokenizer_encode(b->model->tokenizer, prompt, strlen(prompt), &ids);
    n_prompt = ids.n;
    if (status == IT_OK) {
        status = it_tokenizer_encode(b->model->tokenizer, completion, strlen(completion), &ids);
    }
    if (status == IT_OK && end >= 0) { it_ids_add(&ids, end); }
    bool fits = ids.n >= 2 && n_prompt < ids.n && (int64_t)ids.n <= b->model->net->positions;
    if (status != IT_OK || !fits) {
        b->dropped += status == IT_OK;
        it_ids_free(&ids);
        return status;
    }
    c->example = it_grow(c->example, &c->cap, (size_t)c->n + 1, sizeof *c->example);
    c->example[c->n++] = (struct it_text_example){.ids = ids.item, .n = (int64_t)ids.n,
                                                  .n_prompt = (int64_t)n_prompt};
    return IT_OK;
}

/* The conversation but its last turn is the prompt; without a chat template there is no such
 * form. */
static enum it_status add_messages(struct builder *b, const char *where, const json_t *messages)
{
    size_t n = json_array_size(messages);
    struct it_str prompt = {0};
    const char *answer = NULL;
    if (!b->model->chat || n < 2) {
        return it_fail(IT_INVALID, "%s: \"messages\" need a chat template and two turns or more",
                       where);
    }
    int32_t end = it_chat_turn_end(b->model->chat);
    if (end < 0) { end = end_id(b->model); }
    json_t *head = json_copy((json_t *)(uintptr_t)messages);
    json_t *last = json_incref(json_array_get(messages, n - 1));
    json_array_remove(head, n - 1);
    enum it_status status = it_json_get_string(last, where, "content", &answer);
    if (status == IT_OK && !answer) {
        status = it_fail(IT_INVALID, "%s: the last message has no content", where);
    }
    if (status == IT_OK) { status = it_chat_render(b->model->chat, where, head, true, &prompt); }
    if (status == IT_OK) { status = add(b, it_str_c(&prompt), answer, end); }
    json_decref(head);
    json_decref(last);
    it_str_free(&prompt);
    return status;
}

static enum it_status add_record(struct builder *b, const char *where, const json_t *record)
{
    const char *text, *prompt, *completion;
    const json_t *messages = json_object_get(record, "messages");
    if (json_is_array(messages)) { return add_messages(b, where, messages); }
    IT_TRY(it_json_get_string(record, where, "text", &text));
    IT_TRY(it_json_get_string(record, where, "prompt", &prompt));
    IT_TRY(it_json_get_string(record, where, "completion", &completion));
    if (text) { return add(b, "", text, end_id(b->model)); }
    if (prompt && completion) { return add(b, prompt, completion, end_id(b->model)); }
    return it_fail(IT_INVALID, "%s: expected \"text\", \"prompt\" and \"completion\", or "
                   "\"messages\"", where);
}

static enum it_status read_records(struct builder *b, const char *path)
{
    static const char *const columns[] = {"text", "prompt", "completion", "messages"};
    const char *split = b->recipe->dataset_train_split;
    struct it_data_options options = {.split = split ? split : "train", .columns = columns,
                                      .n_columns = sizeof columns / sizeof *columns};
    struct it_data *data;
    int64_t limit = b->recipe->dataset_limit;
    IT_TRY(it_data_open(path, &options, &data));
    enum it_status status = IT_OK;
    while (status == IT_OK && (!limit || b->corpus->n < limit)) {
        json_t *record;
        status = it_data_next(data, &record);
        if (status != IT_OK) { break; }
        status = add_record(b, it_data_where(data), record);
        json_decref(record);
    }
    it_data_close(data);
    return status == IT_END ? IT_OK : status;
}

/* corpus_params: "worked=0.4,ramble=0.1,wrong=0,bare_wrong=0". */
static enum it_status parse_mix(const struct it_recipe *r, struct it_arithmetic_mix *mix)
{
    const struct {
        const char *name;
        double *value;
    } key[] = {{"worked", &mix->worked}, {"ramble", &mix->ramble}, {"wrong", &mix->wrong},
               {"bare_wrong", &mix->bare_wrong}};
    const char *at = r->corpus_params ? r->corpus_params : "";
    while (*at) {
        bool found = false;
        for (size_t i = 0; i < sizeof key / sizeof *key && !found; i++) {
            size_t n = strlen(key[i].name);
            char *end;
            if (strncmp(at, key[i].name, n) != 0 || at[n] != '=') { continue; }
            *key[i].value = strtod(at + n + 1, &end);
            found = end != at + n + 1 && (*end == ',' || *end == '\0') &&
                    *key[i].value >= 0.0 && *key[i].value <= 1.0;
            at = *end == ',' ? end + 1 : end;
        }
        if (!found) {
            return it_fail(IT_INVALID,
                           "corpus_params: at \"%s\": expected worked, ramble, wrong or "
                           "bare_wrong = a share from 0 to 1, with commas between",
                           at);
        }
    }
    return IT_OK;
}

static enum it_status make_arithmetic(struct builder *b)
{
    const struct it_recipe *r = b->recipe;
    struct it_arithmetic_mix mix = {.worked = 1.0, .seed = (uint64_t)r->seed};
    int64_t n = r->dataset_limit ? r->dataset_limit : 100000;
    IT_TRY(it_arithmetic_space_parse(r->task_params, &mix.space));
    IT_TRY(parse_mix(r, &mix));
    for (int64_t i = 0; i < n; i++) {
        struct it_str prompt = {0}, completion = {0};
        enum it_status status = it_arithmetic_example(&mix, (uint64_t)i, &prompt, &completion);
        if (status == IT_OK) {
            status = add(b, it_str_c(&prompt), it_str_c(&completion), end_id(b->model));
        }
        it_str_free(&prompt);
        it_str_free(&completion);
        IT_TRY(status);
    }
    return IT_OK;
}

static enum it_status open_records(struct builder *b)
{
    const char *name = b->recipe->dataset_name, *root = getenv("INTUITOR_DATA");
    char *found = it_data_find(name), *path = NULL;
    if (!found) {
        return it_fail(IT_INVALID, "dataset_name %s: no such file or folder, nor one under "
                       "INTUITOR_DATA (%s) or in the hub's cache", name, root ? root : "not set");
    }
    enum it_status status = it_data_config(found, b->recipe->dataset_config, &path);
    if (status == IT_OK) { status = read_records(b, path); }
    it_free(found);
    it_free(path);
    return status;
}

enum it_status it_corpus_open(const struct it_model *model, const struct it_recipe *recipe,
                              struct it_corpus *corpus_out)
{
    struct it_corpus corpus = {0};
    struct builder b = {.model = model, .recipe = recipe, .corpus = &corpus};
    enum it_status status;
    if (!recipe->dataset_name) {
        return it_fail(IT_INVALID, "dataset_name is not set: name a file or folder, or arithmetic");
    }
    bool made = strcmp(recipe->dataset_name, "arithmetic") == 0;
    IT_TRY_GOTO(status, fail, made ? make_arithmetic(&b) : open_records(&b));
    if (b.dropped) {
        it_warn("%lld examples are longer than %lld tokens (or empty) and were dropped",
                (long long)b.dropped, (long long)model->net->positions);
    }
    if (corpus.n == 0) {
        status = it_fail(IT_INVALID, "%s: no example is left to train on", recipe->dataset_name);
        goto fail;
    }
    *corpus_out = corpus;
    return IT_OK;
fail:
    it_corpus_close(&corpus);
    return status;
}

void it_corpus_close(struct it_corpus *corpus)
{
    for (int64_t i = 0; i < corpus->n; i++) { it_free((void *)(uintptr_t)corpus->example[i].ids); }
    it_free(corpus->example);
    memset(corpus, 0, sizeof *corpus);
}
