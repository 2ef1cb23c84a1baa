/* SPDX-License-Identifier: MIT */
/* From options to a judge. */
#include "cli/judge.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "tasks/grade/judge.h"

/* The prompt behind the published leaderboard, where the data folder has it; else NULL. */
static char *official_prompt(const char *data)
{
    static const char *const names[] = {"alpaca_eval/annotator_prompt_alpaca_eval_clf.txt",
                                        "alpaca_eval/alpaca_eval_clf.txt"};
    for (size_t i = 0; data && i < sizeof names / sizeof *names; i++) {
        char *path = it_path_join(data, names[i]);
        if (it_path_exists(path)) { return path; }
        it_free(path);
    }
    return NULL;
}

static enum it_status read_prompt(const char *path, struct it_str *text)
{
    IT_TRY(it_file_read(path, text));
    if (memchr(it_str_c(text), '\0', text->len) ||
        it_utf8_valid_prefix(it_str_c(text), text->len) != text->len) {
        return it_fail(IT_INVALID, "%s: expected a prompt as UTF-8 text", path);
    }
    return IT_OK;
}

enum it_status it_cli_judge_open(const struct it_cli_judge *v, const char *data,
                                 struct it_judge **judge_out)
{
    *judge_out = NULL;
    if (!v->url) { return IT_OK; }
    if (v->retries < 0 || v->parallel < 1) {
        return it_fail(IT_INVALID, "judge-retries: expected 0 or more, judge-parallel: 1 or more");
    }
    struct it_str text = {0};
    enum it_status status = IT_OK;
    char *path = v->prompt ? it_strdup(v->prompt) : official_prompt(data);
    if (path) { status = read_prompt(path, &text); }
    if (status == IT_OK) {
        struct it_judge_options options = {
            .url = v->url,
            .model = v->model,
            .key = getenv("OPENAI_API_KEY"),
            .template = path ? it_str_c(&text) : NULL,
            .cache = v->cache,
            .cost_limit = v->cost_limit,
            .price_in = v->price_in,
            .price_out = v->price_out,
            .requests_per_minute = v->rate,
            .parallel = v->parallel,
            .retries = v->retries ? v->retries : -1,
        };
        status = it_judge_open(&options, judge_out);
    }
    it_str_free(&text);
    it_free(path);
    return status;
}
