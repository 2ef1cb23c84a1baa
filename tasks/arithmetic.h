/* SPDX-License-Identifier: MIT */
/* Arithmetic made by the program: what `pretrain` and the tests need beyond the task table. The
 * text is meant for models of a few million parameters with a byte-level vocabulary: every digit is
 * one character, there are no spaces and next to no letters.
 *
 *   kind   prompt          worked solution
 *   chain  7+8-3+9=        7+8=15;15-3=12;12+9=21;\boxed{21}
 *   add    47+85=          7+5=12;1+4+8=13;\boxed{132}             columns, carry first
 *   mul    7*86=           7*6=42;7*80=560;42+560=602;\boxed{602}
 *   max    max(34,71,29)=  71>34;71>29;\boxed{71}
 *
 * The bare solution is the box alone. A hash of the prompt decides which split a problem is in, so
 * that splits never meet whatever the seeds: 0 "test", 1 "fresh" (kept for a final report), 2 to 9
 * "train" (hash mod 10). The corpus of pre-training draws from "train" only. */
#ifndef IT_TASKS_ARITHMETIC_H
#define IT_TASKS_ARITHMETIC_H

#include <stdint.h>
#include <stdio.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "core/base/str.h"

enum it_arithmetic_kind {
    IT_ARITHMETIC_CHAIN,
    IT_ARITHMETIC_ADD,
    IT_ARITHMETIC_MUL,
    IT_ARITHMETIC_MAX,
    IT_ARITHMETIC_KINDS
};

/* Which problems there are. `terms` counts the operands of chain and max; `digits` those of an
 * operand (of the second factor of mul). Bounds are inclusive; each problem draws its own. */
struct it_arithmetic_space {
    unsigned kinds; /* bit (1 << kind); drawn with equal chances */
    int terms_min, terms_max;
    int digits_min, digits_max;
};

/* "kinds=chain+add,terms=3..5,digits=1"; NULL or "" gives kinds=chain,terms=4,digits=1. Terms 2 to
 * 9, digits 1 to 6. */
enum it_status it_arithmetic_space_parse(const char *params, struct it_arithmetic_space *space_out);

enum { IT_ARITHMETIC_TERMS = 9 };
struct it_arithmetic_problem {
    enum it_arithmetic_kind kind;
    int n;
    int64_t operand[IT_ARITHMETIC_TERMS];
    char sign[IT_ARITHMETIC_TERMS]; /* chain: '+' or '-' before operand i */
    int64_t gold;
};

/* One problem of `split` ("train", "test", "fresh"). IT_INVALID when the space is so small that
 * the split has none. */
enum it_status it_arithmetic_draw(const struct it_arithmetic_space *space, const char *split,
                                  struct it_rng *rng, struct it_arithmetic_problem *problem_out);
void it_arithmetic_text(const struct it_arithmetic_problem *problem, struct it_str *out);
/* Appends the worked solution. Each shown step is wrong with chance `wrong` and later steps go on
 * from its wrong result; `rng` may be NULL when `wrong` is 0. */
void it_arithmetic_worked(const struct it_arithmetic_problem *problem, double wrong,
                          struct it_rng *rng, struct it_str *out);
void it_arithmetic_bare(const struct it_arithmetic_problem *problem, struct it_str *out);

/* The corpus of pre-training: {"prompt","completion"}; the trainer puts its end-of-sequence token
 * right after the completion. Shares are chances in [0, 1], drawn for each example. */
struct it_arithmetic_mix {
    struct it_arithmetic_space space;
    double worked;     /* solutions that show their steps; the others are bare */
    double ramble;     /* completions that, after the box, go on with a question of their own and
                          its bare or worked solution, so that the last box is not the answer */
    double wrong;      /* chance of a shown step to be wrong */
    double bare_wrong; /* chance of a bare answer to be wrong */
    uint64_t seed;
};

/* Example `index` of the corpus: it depends on the mix and the index alone, so a run resumes by
 * counting. Appends to both strings. */
enum it_status it_arithmetic_example(const struct it_arithmetic_mix *mix, uint64_t index,
                                     struct it_str *prompt_out, struct it_str *completion_out);
/* Examples 0 .. n-1 as JSON lines. */
enum it_status it_arithmetic_corpus(const struct it_arithmetic_mix *mix, uint64_t n, FILE *stream);

#endif
