/* SPDX-License-Identifier: MIT */
/* Texts for `pretrain`. */
#ifndef IT_CLI_CORPUS_H
#define IT_CLI_CORPUS_H

#include "cli/cli.h"

struct it_corpus {
    struct it_text_example *example; /* ids owned */
    int64_t n;
    size_t cap;
};
enum it_status it_corpus_open(const struct it_model *model, const struct it_recipe *recipe,
                              struct it_corpus *corpus_out);
void it_corpus_close(struct it_corpus *corpus);

#endif
