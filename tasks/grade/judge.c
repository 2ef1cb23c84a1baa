/* SPDX-License-Identifier: MIT */
/* Asking the judge: several requests at once, retries, a rate, a budget. */
#include "tasks/grade/judge.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/http.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tasks/embedded.h"
#include "tasks/grade/judge_internal.h"

enum { PARALLEL = 4, PARALLEL_MOST = 64, RETRIES = 6, REFUSALS = 5 };
static const double longest_wait_s = 300;

struct it_judge {
    char *url, *model, *key, *cache;
    struct it_judge_template template;
    double cost_limit, price_in, price_out, interval_s, backoff_s;
    int64_t parallel, retries;
    struct it_judge_totals totals;
};

/* ---- opening ---- */

static char *endpoint(const char *url)
{
    static const char tail[] = "/chat/completions";
    size_t n = strlen(url);
    struct it_str whole = {0};
    while (n > 0 && url[n - 1] == '/') { n--; }
    it_str_add(&whole, url, n);
    if (!it_ends_with(it_str_c(&whole), tail)) { it_str_puts(&whole, tail); }
    return it_str_take(&whole);
}

static char *cache_folder(const char *given)
{
    const char *root = getenv("INTUITOR_CACHE"), *home = getenv("HOME");
    if (given != NULL) { return it_strdup(given); }
    if (root != NULL && *root != '\0') { return it_path_join(root, "judge"); }
    if (home != NULL && *home != '\0') { return it_path_join(home, ".cache/intuitor/judge"); }
    return it_strdup("judge-cache");
}

static enum it_status check(const struct it_judge_options *o)
{
    if (o->url == NULL || o->url[0] == '\0') {
        return it_fail(IT_INVALID, "judge: no address given (https://api.openai.com/v1)");
    }
    if (!(o->cost_limit >= 0) || !(o->price_in >= 0) || !(o->price_out >= 0) ||
        !(o->requests_per_minute >= 0) || !(o->backoff_s >= 0)) {
        return it_fail(IT_INVALID, "judge: limits, prices and rates are 0 or more");
    }
    if (o->parallel < 0 || o->parallel > PARALLEL_MOST) {
        return it_fail(IT_INVALID, "judge: expected 1 to %d requests at once", PARALLEL_MOST);
    }
    return IT_OK;
}

enum it_status it_judge_open(const struct it_judge_options *o, struct it_judge **judge_out)
{
    IT_TRY(check(o));
    const char *text =
        o->template != NULL ? o->template : it_embedded_find("prompts/alpaca_eval.judge.txt", NULL);
    struct it_judge_template template;
    struct it_http *http; /* says now, not after an hour, that there is no network here */
    IT_TRY(it_http_open(&http));
    it_http_close(http);
    IT_TRY(it_judge_template_open(text, &template));
    struct it_judge *judge = it_calloc(1, sizeof *judge);
    *judge = (struct it_judge){
        .url = endpoint(o->url),
        .model = it_strdup(o->model != NULL ? o->model : "gpt-4-1106-preview"),
        .key = it_strdup(o->key),
        .cache = cache_folder(o->cache),
        .template = template,
        .cost_limit = o->cost_limit,
        .price_in = o->price_in > 0 ? o->price_in : 10,
        .price_out = o->price_out > 0 ? o->price_out : 30,
        .interval_s = o->requests_per_minute > 0 ? 60 / o->requests_per_minute : 0,
        .backoff_s = o->backoff_s > 0 ? o->backoff_s : 1,
        .parallel = o->parallel > 0 ? o->parallel : PARALLEL,
        .retries = o->retries == 0  ? RETRIES
                   : o->retries < 0 ? 0
                                    : o->retries,
    };
    if (!template.official) {
        it_info("judge: the prompt is not AlpacaEval's own: scores are not comparable with the "
                "leaderboard");
    }
    *judge_out = judge;
    return IT_OK;
}

void it_judge_close(struct it_judge *judge)
{
    if (judge == NULL) { return; }
    it_judge_template_close(&judge->template);
    it_free(judge->url);
    it_free(judge->model);
    it_free(judge->key);
    it_free(judge->cache);
    it_free(judge);
}

const char *it_judge_model(const struct it_judge *judge)
{
    return judge->model;
}

bool it_judge_is_official(const struct it_judge *judge)
{
    return judge->template.official;
}

void it_judge_totals(const struct it_judge *judge, struct it_judge_totals *totals_out)
{
    *totals_out = judge->totals;
}

/* ---- a run ---- */

/* A pair that has to be asked. */
struct question {
    struct it_judge_pair *pair;
    char *body;
    char key[IT_SHA256_TEXT];
};

struct run {
    struct it_judge *judge;
    struct question *question;
    size_t n, next;
    pthread_mutex_t lock; /* of all below, next and the judge's totals */
    double free_at;       /* when the next request may begin */
    size_t answered, refused;
    enum it_status status;
    struct it_progress progress;
};

static double cost_of(const struct it_judge *judge, double tokens_in, double tokens_out)
{
    return 1e-6 * (tokens_in * judge->price_in + tokens_out * judge->price_out);
}

static bool is_over(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    bool over = run->status != IT_OK || it_interrupted();
    pthread_mutex_unlock(&run->lock);
    return over;
}

/* The first failure is the run's. */
static enum it_status end_run(struct run *run, enum it_status status)
{
    pthread_mutex_lock(&run->lock);
    if (run->status == IT_OK) { run->status = status; }
    pthread_mutex_unlock(&run->lock);
    return status;
}

/* In short naps, so that an interruption is heard. */
static void sleep_until(struct run *run, double when)
{
    for (double left; (left = when - it_now()) > 0 && !is_over(run);) {
        double nap = left < 0.05 ? left : 0.05;
        nanosleep(&(struct timespec){.tv_nsec = (long)(nap * 1e9)}, NULL);
    }
}

/* Waits for a place in the rate, and for the pause that the server asked for. */
static void wait_turn(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    double now = it_now(), turn = run->free_at > now ? run->free_at : now;
    run->free_at = turn + run->judge->interval_s;
    pthread_mutex_unlock(&run->lock);
    sleep_until(run, turn);
}

/* Nobody asks before then: the server's limits are for all of us. */
static void pause_all(struct run *run, double seconds)
{
    pthread_mutex_lock(&run->lock);
    run->free_at = fmax(run->free_at, it_now() + seconds);
    run->judge->totals.retried++;
    pthread_mutex_unlock(&run->lock);
}

/* ---- one answer ---- */

static void take_share(struct it_judge_pair *pair, const json_t *choice)
{
    double share = it_judge_share(choice, &pair->binary);
    pair->preference = it_judge_preference(share, pair->switched);
    if (isnan(share)) { pair->problem = it_strdup("the judge said neither m nor M"); }
}

static void count_cost(struct run *run, const json_t *reply)
{
    const json_t *usage = json_object_get(reply, "usage");
    struct it_judge *judge = run->judge;
    double in = json_number_value(json_object_get(usage, "prompt_tokens"));
    double out = json_number_value(json_object_get(usage, "completion_tokens"));
    in = in >= 0 && in < 1e9 ? in : 0;
    out = out >= 0 && out < 1e9 ? out : 0;
    pthread_mutex_lock(&run->lock);
    struct it_judge_totals *totals = &judge->totals;
    run->answered++;
    totals->asked++;
    totals->tokens_in += (int64_t)in;
    totals->tokens_out += (int64_t)out;
    totals->cost += cost_of(judge, in, out);
    bool broke = judge->cost_limit > 0 && totals->cost > judge->cost_limit;
    double cost = totals->cost;
    pthread_mutex_unlock(&run->lock);
    if (broke) {
        end_run(run, it_fail(IT_GUARD,
                             "judge: $%.4f were spent, the limit is $%.4f; what was answered is "
                             "kept in %s",
                             cost, judge->cost_limit, judge->cache));
    }
}

/* False when the body is no answer. */
static bool take_reply(struct run *run, struct question *q, const struct it_str *body)
{
    json_t *reply = json_loadb(it_str_c(body), body->len, 0, NULL);
    json_t *choice = json_array_get(json_object_get(reply, "choices"), 0);
    bool good = it_judge_is_answer(choice);
    if (good) {
        enum it_status status = it_judge_cache_put(run->judge->cache, q->key, choice);
        take_share(q->pair, choice);
        if (status != IT_OK) { end_run(run, status); }
        count_cost(run, reply);
    }
    json_decref(reply);
    return good;
}

/* The first line of what a server says about a failure. */
static void excerpt(const struct it_http_response *response, char *text_out, size_t size)
{
    snprintf(text_out, size, "%s", it_str_c(&response->body));
    for (char *at = text_out; *at != '\0'; at++) {
        if ((unsigned char)*at < 32) { *at = ' '; }
    }
    text_out[it_utf8_valid_prefix(text_out, strlen(text_out))] = '\0';
}

/* The server will not have this one question. Where it has none at all, the cause is common. */
static void refuse(struct run *run, struct question *q, const struct it_http_response *response)
{
    char said[240];
    struct it_str problem = {0};
    excerpt(response, said, sizeof said);
    it_str_printf(&problem, "refused by the judge (%d): %s", response->status, said);
    pthread_mutex_lock(&run->lock);
    run->refused++;
    bool hopeless = run->answered == 0 && run->refused >= REFUSALS;
    pthread_mutex_unlock(&run->lock);
    if (hopeless) {
        end_run(run, it_fail(IT_FAILED, "judge: %s: every request is %s", run->judge->url,
                             it_str_c(&problem)));
    }
    q->pair->preference = NAN;
    q->pair->problem = it_str_take(&problem);
}

enum outcome { DONE, AGAIN };

static enum outcome judge_reply(struct run *run, struct question *q,
                                const struct it_http_response *response, const char **why_out)
{
    int status = response->status;
    if (status == 200) {
        *why_out = "an answer that is none";
        return take_reply(run, q, &response->body) ? DONE : AGAIN;
    }
    if (status == 408 || status == 409 || status == 429 || status >= 500) {
        *why_out = status == 429 ? "too many requests" : "the server fails";
        return AGAIN;
    }
    if (status == 400 || status == 413 || status == 422) {
        refuse(run, q, response);
        return DONE;
    }
    char said[240];
    excerpt(response, said, sizeof said);
    end_run(run,
            it_fail(IT_FAILED, "judge: %s answers %d%s: %s", run->judge->url, status,
                    status == 401 || status == 403 ? " (the token: OPENAI_API_KEY)" : "", said));
    return DONE;
}

static enum outcome ask_once(struct run *run, struct it_http *http, struct question *q,
                             const char **why_out, double *pause_out)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    const struct it_http_request request = {
        .url = run->judge->url,
        .headers = headers,
        .bearer = run->judge->key,
        .body = q->body,
        .body_size = strlen(q->body),
        .total_s = 600,
        .body_limit = 1 << 20,
    };
    struct it_http_response response;
    enum outcome outcome = AGAIN;
    enum it_status status = it_http_send(http, &request, &response);
    *why_out = "no answer";
    *pause_out = response.retry_after_s;
    if (status == IT_OK) {
        outcome = judge_reply(run, q, &response, why_out);
    } else if (status != IT_FAILED) {
        end_run(run, status);
        outcome = DONE;
    }
    it_http_response_free(&response);
    return outcome;
}

static void ask(struct run *run, struct it_http *http, struct question *q)
{
    const struct it_judge *judge = run->judge;
    double backoff = judge->backoff_s;
    for (int64_t attempt = 0;; attempt++, backoff *= 2) {
        const char *why;
        double wanted;
        wait_turn(run);
        if (is_over(run)) { return; }
        if (ask_once(run, http, q, &why, &wanted) == DONE) { return; }
        double pause = wanted >= 0 ? wanted : fmin(backoff, 60);
        if (attempt >= judge->retries || pause > longest_wait_s) {
            end_run(run, it_fail(IT_FAILED,
                                 "judge: %s: %s after %lld attempts%s; what was answered is kept: "
                                 "the same command goes on",
                                 judge->url, why, (long long)attempt + 1,
                                 pause > longest_wait_s ? ", and a long wait is asked for" : ""));
            return;
        }
        it_warn("judge: %s; again in %.1f s", why, pause);
        pause_all(run, pause);
    }
}

static void *work(void *context)
{
    struct run *run = context;
    struct it_http *http;
    enum it_status status = it_http_open(&http);
    if (status != IT_OK) {
        end_run(run, status);
        return NULL;
    }
    while (!is_over(run)) {
        pthread_mutex_lock(&run->lock);
        size_t mine = run->next < run->n ? run->next++ : run->n;
        if (mine > 0) { it_progress_set(&run->progress, (int64_t)mine - 1); }
        pthread_mutex_unlock(&run->lock);
        if (mine == run->n) { break; }
        ask(run, http, &run->question[mine]);
    }
    it_http_close(http);
    return NULL;
}

/* ---- all of it ---- */

/* Fills in what needs no asking; true when the pair is to be asked. */
static bool is_question(struct it_judge *judge, struct it_judge_pair *pair, struct question *q)
{
    pair->preference = NAN;
    pair->problem = NULL;
    pair->binary = pair->cached = false;
    pair->switched = it_judge_is_switched(pair->instruction, NULL);
    if (strcmp(pair->output_1, pair->output_2) == 0) {
        pair->preference = 1.5;
        return false;
    }
    struct it_judge_pair shown = *pair;
    if (pair->switched) {
        shown.output_1 = pair->output_2;
        shown.output_2 = pair->output_1;
    }
    *q = (struct question){
        .pair = pair,
        .body = it_judge_body(&judge->template, judge->model, &shown),
    };
    it_judge_cache_key(q->body, q->key);
    json_t *answer = it_judge_cache_get(judge->cache, q->key);
    if (answer == NULL) { return true; }
    take_share(pair, answer);
    pair->cached = true;
    judge->totals.cached++;
    json_decref(answer);
    it_free(q->body);
    return false;
}

/* Four bytes make a token of English, about. */
static enum it_status estimate(const struct run *run, size_t pairs)
{
    const struct it_judge *judge = run->judge;
    double bytes = 0;
    for (size_t i = 0; i < run->n; i++) { bytes += (double)strlen(run->question[i].body); }
    double cost = cost_of(judge, bytes / 4, (double)run->n);
    it_info("judge %s: %zu pairs, %zu to be asked, about %.0f tokens, about $%.2f (at $%g and $%g "
            "a million tokens in and out)",
            judge->model, pairs, run->n, bytes / 4, cost, judge->price_in, judge->price_out);
    if (judge->cost_limit > 0 && judge->totals.cost + cost > judge->cost_limit) {
        return it_fail(IT_GUARD,
                       "judge: about $%.4f would be spent, the limit is $%.4f: nothing "
                       "was asked",
                       judge->totals.cost + cost, judge->cost_limit);
    }
    return IT_OK;
}

static enum it_status ask_all(struct run *run)
{
    pthread_t thread[PARALLEL_MOST];
    size_t wanted = (size_t)run->judge->parallel, started = 0;
    if (wanted > run->n) { wanted = run->n; }
    it_progress_begin(&run->progress, "judge", "pairs", (int64_t)run->n);
    while (started < wanted && pthread_create(&thread[started], NULL, work, run) == 0) {
        started++;
    }
    if (started == 0 && wanted > 0) { work(run); }
    for (size_t i = 0; i < started; i++) { pthread_join(thread[i], NULL); }
    it_progress_end(&run->progress);
    return it_interrupted() ? IT_INTERRUPTED : run->status;
}

enum it_status it_judge_run(struct it_judge *judge, struct it_judge_pair *pair, size_t n)
{
    struct run run = {.judge = judge, .question = it_alloc((n + 1) * sizeof *run.question)};
    pthread_mutex_init(&run.lock, NULL);
    for (size_t i = 0; i < n; i++) {
        if (is_question(judge, &pair[i], &run.question[run.n])) { run.n++; }
    }
    enum it_status status = estimate(&run, n);
    if (status == IT_OK && run.n > 0) {
        status = ask_all(&run);
        it_info("judge: %lld answers, %lld retries, $%.4f", (long long)judge->totals.asked,
                (long long)judge->totals.retried, judge->totals.cost);
    }
    for (size_t i = 0; i < run.n; i++) { it_free(run.question[i].body); }
    pthread_mutex_destroy(&run.lock);
    it_free(run.question);
    return status;
}
