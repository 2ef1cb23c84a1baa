/* SPDX-License-Identifier: MIT */
/* Packing: every token of every completion is predicted once, from the right place, within the
 * budget, whatever the shapes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/rl/internal.h"
#include "tests/scratch.h"

enum { GROUPS = 5, SIZE = 4, SAMPLES = GROUPS * SIZE, LONGEST = 12 };

static int32_t prompt_ids[GROUPS][LONGEST], ids[SAMPLES][LONGEST];
static struct it_rl_prompt prompt[GROUPS];
static const struct it_rl_prompt *prompts[GROUPS];
static struct it_completion completion[SAMPLES];
static bool skip[SAMPLES];

/* Lengths from 0 (nothing was generated) on; ids say whose they are. */
static void make(uint64_t seed)
{
    struct it_rng rng;
    it_rng_init(&rng, seed, 0);
    for (int g = 0; g < GROUPS; g++) {
        int64_t n = 1 + (int64_t)it_rng_below(&rng, LONGEST);
        for (int i = 0; i < LONGEST; i++) { prompt_ids[g][i] = 1000 * g + i; }
        prompt[g] = (struct it_rl_prompt){.ids = prompt_ids[g], .n = n};
        prompts[g] = &prompt[g];
    }
    for (int s = 0; s < SAMPLES; s++) {
        int64_t n = (int64_t)it_rng_below(&rng, LONGEST + 1);
        for (int i = 0; i < LONGEST; i++) { ids[s][i] = 100000 + 100 * s + i; }
        completion[s] = (struct it_completion){.ids = ids[s], .n = n};
        skip[s] = it_rng_below(&rng, 4) == 0;
    }
}

/* The id that row t of the pack reads, and the ids that it attends to: its segment up to itself,
 * with the shared prompt before it. Written to seen_out; returns how many. */
static int64_t context(const struct it_pack *pack, int32_t t, int32_t *seen_out)
{
    int64_t n = 0;
    for (int64_t s = 0; s < pack->n_segments; s++) {
        const int32_t *g = pack->segments + 5 * s;
        if (t < g[0] || t >= g[0] + g[1]) { continue; }
        ck_assert_int_eq(g[4], g[0]);
        for (int32_t i = 0; i < g[3]; i++) { seen_out[n++] = pack->ids[g[2] + i]; }
        for (int32_t i = g[0]; i <= t; i++) { seen_out[n++] = pack->ids[i]; }
        ck_assert_int_eq(pack->positions[t], n - 1);
        return n;
    }
    ck_abort_msg("row %d is in no segment", (int)t);
    return 0;
}

static void check_part(const struct it_train_pack *p, const struct it_part *part, bool after)
{
    const struct it_completion *c = &completion[part->sample];
    const struct it_rl_prompt *q = &prompt[part->sample / SIZE];
    int32_t seen[2 * LONGEST];
    ck_assert_int_eq(part->n, c->n);
    for (int64_t i = 0; i < c->n + after; i++) {
        int64_t n = context(&p->pack, p->pack.rows[part->first + i], seen);
        ck_assert_int_eq(n, q->n + i);
        for (int64_t k = 0; k < n; k++) {
            ck_assert_int_eq(seen[k], k < q->n ? q->ids[k] : c->ids[k - q->n]);
        }
        if (i < c->n) { ck_assert_int_eq(p->pack.targets[part->first + i], c->ids[i]); }
    }
}

static void check_packs(int64_t budget, bool after, bool skipping)
{
    struct it_pack_source source = {.groups = GROUPS, .group_size = SIZE, .prompt = prompts,
                                    .completion = completion, .skip = skipping ? skip : NULL,
                                    .budget = budget, .after = after};
    struct it_packs packs;
    int times[SAMPLES] = {0};
    it_packs_build(&source, &packs);
    for (int64_t i = 0; i < packs.n; i++) {
        const struct it_train_pack *p = &packs.item[i];
        int64_t rows = 0;
        ck_assert_int_gt(p->n_parts, 0);
        ck_assert_int_le(p->pack.n_tokens, budget);
        ck_assert_int_le(p->pack.n_tokens, packs.max_tokens);
        ck_assert_int_le(p->pack.n_rows, packs.max_rows);
        ck_assert_int_le(p->pack.n_segments, packs.max_segments);
        ck_assert_int_le(p->pack.n_rows, it_packs_max_rows(p->pack.n_tokens, SAMPLES));
        for (int64_t k = 0; k < p->n_parts; k++) {
            ck_assert_int_eq(p->part[k].first, rows);
            rows += p->part[k].n + after;
            times[p->part[k].sample]++;
            check_part(p, &p->part[k], after);
        }
        ck_assert_int_eq(rows, p->pack.n_rows);
    }
    for (int s = 0; s < SAMPLES; s++) {
        bool wanted = completion[s].n > 0 && !(skipping && skip[s]);
        ck_assert_int_eq(times[s], wanted);
    }
    it_packs_free(&packs);
    ck_assert_int_eq(packs.n, 0);
}

START_TEST(every_token_once)
{
    make((uint64_t)_i);
    for (int64_t budget = 2 * LONGEST; budget <= 16 * LONGEST; budget += 7) {
        for (int how = 0; how < 4; how++) { check_packs(budget, how & 1, how & 2); }
    }
}
END_TEST

START_TEST(prompts_are_shared)
{
    make(1);
    int64_t tokens = 0;
    for (int g = 0; g < GROUPS; g++) { prompt[g].n = 5; }
    for (int s = 0; s < SAMPLES; s++) { completion[s].n = 3; }
    struct it_pack_source source = {.groups = GROUPS, .group_size = SIZE, .prompt = prompts,
                                    .completion = completion, .budget = 4096};
    struct it_packs packs;
    it_packs_build(&source, &packs);
    ck_assert_int_eq(packs.n, 1);
    tokens = GROUPS * 5 + SAMPLES * 2; /* the last token of a completion is not read */
    ck_assert_int_eq(packs.max_tokens, tokens);
    ck_assert_int_eq(packs.max_rows, SAMPLES * 3);
    ck_assert_int_eq(packs.max_segments, GROUPS + SAMPLES);
    it_packs_free(&packs);
}
END_TEST

START_TEST(nothing_to_pack)
{
    make(1);
    for (int s = 0; s < SAMPLES; s++) { skip[s] = true; }
    check_packs(64, false, true);
    for (int s = 0; s < SAMPLES; s++) { completion[s].n = 0; }
    check_packs(64, true, false);
}
END_TEST

/* A completion of one token reads nothing of its own: no segment of length 0. */
START_TEST(one_token_each)
{
    make(2);
    for (int s = 0; s < SAMPLES; s++) { completion[s].n = 1; }
    check_packs(LONGEST, false, false);
    check_packs(LONGEST + 1, true, false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack");
    TCase *tests = tcase_create("pack");
    tcase_add_loop_test(tests, every_token_once, 0, 8);
    tcase_add_test(tests, prompts_are_shared);
    tcase_add_test(tests, nothing_to_pack);
    tcase_add_test(tests, one_token_each);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
