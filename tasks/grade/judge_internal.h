/* SPDX-License-Identifier: MIT */
/* What the files of judge.h share. */
#ifndef IT_TASKS_GRADE_JUDGE_INTERNAL_H
#define IT_TASKS_GRADE_JUDGE_INTERNAL_H

#include "core/base/sha256.h"
#include "core/base/str.h"
#include "tasks/grade/judge.h"

/* A prompt template: texts with placeholders, each the content of one message. */
struct it_judge_template {
    struct it_judge_message {
        char *role, *content;
    } *message;
    size_t n, cap;
    bool official;
};
enum it_status it_judge_template_open(const char *text, struct it_judge_template *template_out);
void it_judge_template_close(struct it_judge_template *template);

/* The body of the request for a pair, already in the order to be shown. */
char *it_judge_body(const struct it_judge_template *template, const char *model,
                    const struct it_judge_pair *pair);

/* Whether it_judge_share has something to read. */
bool it_judge_is_answer(const json_t *choice);

/* Answers by the hash of their request's body. */
void it_judge_cache_key(const char *body, char key_out[IT_SHA256_TEXT]);
json_t *it_judge_cache_get(const char *folder, const char *key); /* NULL: none that can be read */
enum it_status it_judge_cache_put(const char *folder, const char *key, const json_t *answer);

#endif
