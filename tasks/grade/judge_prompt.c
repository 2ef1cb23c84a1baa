/* SPDX-License-Identifier: MIT */
/* What the judge is asked and what its answer means. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/grade/judge_internal.h"
#include "tasks/grade/mersenne.h"

/* ---- the template ---- */

/* Of alpaca_eval_clf.txt, the prompt behind the published leaderboard. */
static const char official_sha256[] =
    "784227e6dc2832fc08c43d2c8ea3a308e7523780187a1aaad2f85e30bac85f62";
static const char begin_mark[] = "<|im_start|>", end_mark[] = "<|im_end|>";
static const char *const fields[] = {"{instruction}", "{output_1}", "{output_2}"};
enum { FIELDS = sizeof fields / sizeof *fields };

static void add_message(struct it_judge_template *t, const char *role, size_t role_size,
                        const char *content, size_t size)
{
    t->message = it_grow(t->message, &t->cap, t->n + 1, sizeof *t->message);
    t->message[t->n++] = (struct it_judge_message){
        .role = it_trimmed(role, role_size),
        .content = it_trimmed(content, size),
    };
}

static void split(const char *text, struct it_judge_template *t)
{
    const char *at = strstr(text, begin_mark);
    if (at == NULL) { add_message(t, "user", 4, text, strlen(text)); }
    while (at != NULL) {
        const char *role = at + sizeof begin_mark - 1, *next = strstr(role, begin_mark);
        const char *end = strstr(role, end_mark);
        if (end == NULL || (next != NULL && next < end)) { end = next; }
        if (end == NULL) { end = role + strlen(role); }
        const char *line = memchr(role, '\n', (size_t)(end - role));
        if (line == NULL) { line = end; }
        if (line < end) { /* an empty turn asks for the answer, and is no message */
            add_message(t, role, (size_t)(line - role), line, (size_t)(end - line));
        }
        at = next;
    }
}

static void hash(const char *text, char hex_out[IT_SHA256_TEXT])
{
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    it_sha256_begin(&sha);
    it_sha256_add(&sha, text, strlen(text));
    it_sha256_end(&sha, digest);
    it_sha256_hex(digest, hex_out);
}

enum it_status it_judge_template_open(const char *text, struct it_judge_template *template_out)
{
    char hex[IT_SHA256_TEXT];
    for (int i = 0; i < FIELDS; i++) {
        if (strstr(text, fields[i]) == NULL) {
            return it_fail(IT_INVALID, "the judge's prompt has no %s", fields[i]);
        }
    }
    struct it_judge_template t = {0};
    hash(text, hex);
    t.official = strcmp(hex, official_sha256) == 0;
    split(text, &t);
    *template_out = t;
    return IT_OK;
}

void it_judge_template_close(struct it_judge_template *template)
{
    for (size_t i = 0; i < template->n; i++) {
        it_free(template->message[i].role);
        it_free(template->message[i].content);
    }
    it_free(template->message);
    *template = (struct it_judge_template){0};
}

/* In one pass: what stands in an instruction or an output is never taken for a placeholder, nor
 * for the end of a message. */
static json_t *filled(const char *content, const struct it_judge_pair *pair)
{
    const char *const values[] = {pair->instruction, pair->output_1, pair->output_2};
    struct it_str text = {0};
    while (*content != '\0') {
        int found = 0;
        while (found < FIELDS && !it_starts_with(content, fields[found])) { found++; }
        if (found < FIELDS) {
            it_str_puts(&text, values[found]);
            content += strlen(fields[found]);
        } else {
            it_str_putc(&text, *content++);
        }
    }
    json_t *string = it_json_text(it_str_c(&text), text.len);
    it_str_free(&text);
    return string;
}

char *it_judge_body(const struct it_judge_template *template, const char *model,
                    const struct it_judge_pair *pair)
{
    json_t *messages = json_array();
    for (size_t i = 0; i < template->n; i++) {
        json_t *message = json_object();
        json_object_set_new(
            message, "role",
            it_json_text(template->message[i].role, strlen(template->message[i].role)));
        json_object_set_new(message, "content", filled(template->message[i].content, pair));
        json_array_append_new(messages, message);
    }
    json_t *body = json_object();
    json_object_set_new(body, "model", it_json_text(model, strlen(model)));
    json_object_set_new(body, "messages", messages);
    json_object_set_new(body, "max_tokens", json_integer(1));
    json_object_set_new(body, "temperature", json_real(1));
    json_object_set_new(body, "top_p", json_real(1));
    json_object_set_new(body, "logprobs", json_true());
    json_object_set_new(body, "top_logprobs", json_integer(5));
    char *dumped = json_dumps(body, JSON_COMPACT), *text = it_strdup(dumped);
    free(dumped);
    json_decref(body);
    return text;
}

/* ---- the order ---- */

bool it_judge_is_switched(const char *instruction, double *random_out)
{
    struct it_mersenne m;
    struct it_str seed = {0};
    it_str_printf(&seed, "is_switched_outputs%s0", instruction);
    it_mersenne_seed_text(&m, it_str_c(&seed), seed.len);
    it_str_free(&seed);
    double random = it_mersenne_uniform(&m);
    if (random_out != NULL) { *random_out = random; }
    return random >= 0.5; /* random.choices([False, True]) */
}

/* ---- the answer ---- */

static double chance(const json_t *tokens, const char *token)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(tokens, i, entry)
    {
        const char *text = json_string_value(json_object_get(entry, "token"));
        const json_t *logprob = json_object_get(entry, "logprob");
        if (text != NULL && strcmp(text, token) == 0 && json_is_number(logprob)) {
            return exp(json_number_value(logprob));
        }
    }
    return 0;
}

double it_judge_share(const json_t *choice, bool *binary_out)
{
    const json_t *content = json_object_get(json_object_get(choice, "logprobs"), "content");
    const json_t *tokens = json_object_get(json_array_get(content, 0), "top_logprobs");
    *binary_out = false;
    if (json_array_size(tokens) > 0) {
        double first = chance(tokens, "m"), second = chance(tokens, "M");
        return first + second > 0 ? first / (first + second) : NAN;
    }
    const char *text =
        json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
    if (text == NULL) { return NAN; }
    text += strspn(text, " \t\r\n");
    bool alone = text[0] != '\0' && text[1 + strspn(text + 1, " \t\r\n")] == '\0';
    if (!alone || (*text != 'm' && *text != 'M')) { return NAN; }
    *binary_out = true;
    return *text == 'm' ? 1 : 0;
}

double it_judge_preference(double share, bool switched)
{
    double preference = 2 - share;
    return switched ? 3 - preference : preference;
}

bool it_judge_is_answer(const json_t *choice)
{
    return json_is_object(json_object_get(choice, "message")) ||
           json_is_object(json_object_get(choice, "logprobs"));
}

/* ---- the cache ---- */

void it_judge_cache_key(const char *body, char key_out[IT_SHA256_TEXT])
{
    hash(body, key_out);
}

/* FOLDER/ab/abcdef....json; the folder FOLDER/ab in *inner_out. */
static char *cache_path(const char *folder, const char *key, char **inner_out)
{
    const char two[3] = {key[0], key[1], '\0'};
    struct it_str name = {0};
    char *inner = it_path_join(folder, two);
    it_str_printf(&name, "%s.json", key);
    char *path = it_path_join(inner, it_str_c(&name));
    it_str_free(&name);
    *inner_out = inner;
    return path;
}

json_t *it_judge_cache_get(const char *folder, const char *key)
{
    char *inner, *path = cache_path(folder, key, &inner);
    json_t *answer = it_path_exists(path) ? json_load_file(path, 0, NULL) : NULL;
    if (answer != NULL && !it_judge_is_answer(answer)) {
        json_decref(answer);
        answer = NULL;
    }
    it_free(inner);
    it_free(path);
    return answer;
}

enum it_status it_judge_cache_put(const char *folder, const char *key, const json_t *answer)
{
    char *inner, *path = cache_path(folder, key, &inner);
    enum it_status status = it_dir_make(inner);
    if (status == IT_OK) { status = it_json_write(path, answer); }
    it_free(inner);
    it_free(path);
    return status;
}
