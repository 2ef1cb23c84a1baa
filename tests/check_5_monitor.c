/* SPDX-License-Identifier: MIT */
/* Guards: which side of which field, how long, and across a save; the monitors of text. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/rl/run.h"
#include "tests/scratch.h"

static struct it_monitor fresh(void)
{
    return (struct it_monitor){.accuracy_start = NAN};
}

static bool check(struct it_monitor *m, const struct it_recipe *r, const char *field, double value,
                  char *why)
{
    json_t *record = json_object();
    json_object_set_new(record, field, it_json_real(value));
    bool fired = it_monitor_check(m, r, record, why, 256);
    json_decref(record);
    return fired;
}

/* good does not fire, bad does; `bad` is over the limit of 0.5. */
static const struct {
    const char *field, *key;
    size_t limit;
    double good, bad;
} guards[] = {
    {"entropy", "guard_entropy", offsetof(struct it_recipe, guard_entropy), 0.5, 0.4},
    {"kl", "guard_kl", offsetof(struct it_recipe, guard_kl), 0.5, 0.6},
    {"guard/eos_rate", "guard_eos_rate", offsetof(struct it_recipe, guard_eos_rate), 0.5, 0.1},
    {"guard/repetition", "guard_repetition", offsetof(struct it_recipe, guard_repetition), 0.5,
     0.9},
};

START_TEST(each_guard)
{
    struct it_recipe r = {.guard_patience = 1};
    struct it_monitor m = fresh();
    char why[256] = "";
    ck_assert(!check(&m, &r, guards[_i].field, guards[_i].bad, why)); /* off */
    memcpy((char *)&r + guards[_i].limit, &(double){0.5}, sizeof(double));
    ck_assert(!check(&m, &r, guards[_i].field, guards[_i].good, why));
    ck_assert(!check(&m, &r, "another", guards[_i].bad, why));
    ck_assert(!check(&m, &r, guards[_i].field, NAN, why)); /* null in the record */
    ck_assert(check(&m, &r, guards[_i].field, guards[_i].bad, why));
    ck_assert_msg(strstr(why, guards[_i].field) && strstr(why, guards[_i].key), "%s", why);
}
END_TEST

START_TEST(accuracy_drop)
{
    struct it_recipe r = {.guard_patience = 1, .guard_accuracy_drop = 0.2};
    struct it_monitor m = fresh();
    char why[256];
    ck_assert(!check(&m, &r, "entropy", 1.0, why));
    ck_assert(isnan(m.accuracy_start));
    ck_assert(!check(&m, &r, "guard/accuracy", 0.6, why));
    ck_assert(!check(&m, &r, "guard/accuracy", 0.9, why)); /* from the start, not from the best */
    ck_assert(!check(&m, &r, "guard/accuracy", 0.41, why));
    ck_assert(check(&m, &r, "guard/accuracy", 0.39, why));
    ck_assert_double_eq(m.accuracy_start, 0.6);
}
END_TEST

START_TEST(patience)
{
    struct it_recipe r = {.guard_patience = 3, .guard_entropy = 0.5};
    struct it_monitor m = fresh();
    char why[256];
    for (int i = 0; i < 2; i++) { ck_assert(!check(&m, &r, "entropy", 0.1, why)); }
    ck_assert(!check(&m, &r, "entropy", 0.7, why)); /* begins anew */
    for (int i = 0; i < 2; i++) { ck_assert(!check(&m, &r, "entropy", 0.1, why)); }
    ck_assert(check(&m, &r, "entropy", 0.1, why));
    ck_assert(strstr(why, "for 3 updates"));
}
END_TEST

START_TEST(guards_count_beside_each_other)
{
    struct it_recipe r = {.guard_patience = 2, .guard_entropy = 0.5, .guard_repetition = 0.5};
    struct it_monitor m = fresh();
    char why[256];
    json_t *both = json_pack("{sfsf}", "entropy", 0.1, "guard/repetition", 0.9);
    ck_assert(!it_monitor_check(&m, &r, both, why, sizeof why));
    ck_assert(it_monitor_check(&m, &r, both, why, sizeof why));
    ck_assert(strstr(why, "guard_entropy")); /* the first is named, the other has counted too */
    ck_assert_int_eq(m.count[0], 2);
    ck_assert_int_eq(m.count[4], 2);
    json_decref(both);
}
END_TEST

START_TEST(saved_and_loaded)
{
    struct it_recipe r = {.guard_patience = 3, .guard_kl = 0.5, .guard_accuracy_drop = 0.1};
    struct it_monitor m = fresh(), again = fresh();
    char why[256];
    json_t *state = it_monitor_save(&m);
    again.accuracy_start = 1.0;
    it_monitor_load(&again, state);
    ck_assert(isnan(again.accuracy_start));
    json_decref(state);
    check(&m, &r, "guard/accuracy", 1.0 / 3.0, why);
    for (int i = 0; i < 2; i++) { ck_assert(!check(&m, &r, "kl", 1.0, why)); }
    state = it_monitor_save(&m);
    char *text = json_dumps(state, 0); /* as in trainer_state.json */
    json_decref(state);
    state = json_loads(text, 0, NULL);
    it_monitor_load(&again, state);
    ck_assert_double_eq(again.accuracy_start, 1.0 / 3.0);
    ck_assert(check(&again, &r, "kl", 1.0, why));
    json_decref(state);
    free(text);
    it_monitor_load(&again, NULL); /* a state without one */
    ck_assert_int_eq(again.count[1], 0);
}
END_TEST

START_TEST(repetition)
{
    const int32_t ids[] = {5, 1, 5, 2, 5, 5, -7, 1};
    ck_assert_double_eq(it_repetition(ids, 8), 0.5);
    ck_assert_double_eq(it_repetition(ids, 1), 1.0);
    ck_assert_double_eq(it_repetition(ids, 2), 0.5);
    ck_assert_double_eq(it_repetition(NULL, 0), 0.0);
}
END_TEST

START_TEST(distinct)
{
    const int32_t all[] = {1, 2, 3, 4, 5}, none[] = {9, 9, 9, 9, 9, 9}, half[] = {1, 2, 1, 2, 1, 2};
    ck_assert_double_eq(it_distinct3(all, 5), 1.0);
    ck_assert_double_eq(it_distinct3(none, 6), 0.25);
    ck_assert_double_eq(it_distinct3(half, 6), 0.5);
    ck_assert_double_eq(it_distinct3(all, 2), 1.0); /* no trigram: nothing is repeated */
    ck_assert_double_eq(it_distinct3(NULL, 0), 1.0);
}
END_TEST

START_TEST(boxes)
{
    ck_assert_int_eq(it_count_boxes(""), 0);
    ck_assert_int_eq(it_count_boxes("\\boxed{1} and \\boxed{\\frac{1}{2}}"), 2);
    ck_assert_int_eq(it_count_boxes("\\boxed{1} and \\boxed{2"), 1);
    ck_assert_int_eq(it_count_boxes("\\boxed 1, boxed{2}, \\boxed{}"), 1);
    ck_assert_int_eq(it_count_boxes("\\boxed{\\boxed{3}}"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tests = tcase_create("monitor");
    tcase_add_loop_test(tests, each_guard, 0, sizeof guards / sizeof *guards);
    tcase_add_test(tests, accuracy_drop);
    tcase_add_test(tests, patience);
    tcase_add_test(tests, guards_count_beside_each_other);
    tcase_add_test(tests, saved_and_loaded);
    tcase_add_test(tests, repetition);
    tcase_add_test(tests, distinct);
    tcase_add_test(tests, boxes);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
