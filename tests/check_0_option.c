/* SPDX-License-Identifier: MIT */
/* Options by type, and recipes in YAML. */
#include "core/base/json.h"
#include "core/base/option.h"
#include "tests/scratch.h"

struct options {
    bool flag;
    int64_t count, memory;
    double rate;
    char *name;
    int loss;
    struct it_strs rewards;
    struct it_reals weights;
};

#define AT(field) offsetof(struct options, field)

static const struct it_option rows[] = {
    {"flag", IT_OPT_BOOL, "true", "Whether.", AT(flag), NULL},
    {"count", IT_OPT_INT, "7", "How many.", AT(count), NULL},
    {"learning_rate", IT_OPT_REAL, "3.0e-06", "Step size.", AT(rate), NULL},
    {"memory_limit", IT_OPT_SIZE, NULL, "Bytes at most.", AT(memory), NULL},
    {"name", IT_OPT_STRING, NULL, "What it is called.", AT(name), NULL},
    {"loss_type", IT_OPT_CHOICE, "bnpo", "Which loss.", AT(loss), "grpo|bnpo|dr_grpo"},
    {"reward_funcs", IT_OPT_STRINGS, "a, b", "Rewards.", AT(rewards), NULL},
    {"reward_weights", IT_OPT_REALS, "0.5,1", "Their weights.", AT(weights), NULL},
    {"use_vllm", IT_OPT_IGNORED, NULL, "Means nothing here.", 0, NULL},
};
static const struct it_option_table table = {rows, sizeof rows / sizeof rows[0]};

static struct options values;

static void begin(void)
{
    scratch_begin();
    values = (struct options){0};
    ck_assert_int_eq(it_options_init(&table, &values), IT_OK);
}

static void end(void)
{
    it_options_free(&table, &values);
    ck_assert_ptr_null(values.name);
    scratch_end();
}

static void set(const char *key, const char *text)
{
    ck_assert_int_eq(it_option_set(&table, &values, "test", key, text), IT_OK);
}

#define ck_assert_refused(key, text, words)                                                        \
    ck_assert_fails(it_option_set(&table, &values, "recipe.yaml:12", key, text), IT_INVALID,       \
                    "recipe.yaml:12: " words)

START_TEST(fallbacks)
{
    ck_assert(values.flag);
    ck_assert_int_eq(values.count, 7);
    ck_assert_double_eq(values.rate, 3e-6);
    ck_assert_int_eq(values.memory, 0);
    ck_assert_ptr_null(values.name);
    ck_assert_int_eq(values.loss, 1);
    ck_assert_uint_eq(values.rewards.n, 2);
    ck_assert_str_eq(values.rewards.item[1], "b");
    ck_assert_uint_eq(values.weights.n, 2);
    ck_assert_double_eq(values.weights.item[0], 0.5);
}
END_TEST

START_TEST(booleans)
{
    static const char *const yes[] = {"true", "True", "yes", "on", "1", "ON"};
    static const char *const no[] = {"false", "FALSE", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        values.flag = false;
        set("flag", yes[i]);
        ck_assert(values.flag);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        values.flag = true;
        set("flag", no[i]);
        ck_assert(!values.flag);
    }
    ck_assert_refused("flag", "maybe", "flag: expected true or false, found \"maybe\"");
    ck_assert_refused("flag", "", "flag: expected true or false");
}
END_TEST

START_TEST(integers)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"3", 3}, {"-1", -1}, {"+4", 4}, {"1e3", 1000}, {"2.0", 2}, {"1.5e1", 15},
                {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN},
                {"9007199254740993", INT64_C(9007199254740993)}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        set("count", good[i].text);
        ck_assert_int_eq(values.count, good[i].value);
    }
    static const char *const bad[] = {"", "1.5", "1e-3", "0x10", " 3", "3 ", "three", "1e30",
                                      "9223372036854775808", "nan", "inf", "1_000", "--1", "1e"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_refused("count", bad[i], "count: expected an integer, found \"");
    }
    ck_assert_int_eq(values.count, INT64_C(9007199254740993));
}
END_TEST

START_TEST(numbers_sizes_and_texts)
{
    set("learning_rate", "1");
    ck_assert_double_eq(values.rate, 1);
    set("learning_rate", "-2.5E-3");
    ck_assert_double_eq(values.rate, -2.5e-3);
    set("learning_rate", ".5");
    ck_assert_double_eq(values.rate, 0.5);
    static const char *const bad[] = {"", "nan", "inf", "1e999", "0x1p3", "1,5", "abc", "1 "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_refused("learning_rate", bad[i], "learning_rate: expected a number, found \"");
    }
    ck_assert_double_eq(values.rate, 0.5);
    set("memory_limit", "38GiB");
    ck_assert_int_eq(values.memory, INT64_C(38) << 30);
    ck_assert_refused("memory_limit", "lots", "memory_limit: expected a size such as 38GiB");
    set("name", "first");
    set("name", "second = x");
    ck_assert_str_eq(values.name, "second = x");
    set("name", "");
    ck_assert_str_eq(values.name, "");
}
END_TEST

START_TEST(choices_and_lists)
{
    set("loss_type", "dr_grpo");
    ck_assert_int_eq(values.loss, 2);
    ck_assert_refused("loss_type", "bnop",
                      "loss_type: expected one of grpo, bnpo, dr_grpo, found \"bnop\"; "
                      "did you mean \"bnpo\"?");
    ck_assert_refused("loss_type", "ppo2000", "loss_type: expected one of grpo, bnpo, dr_grpo, ");
    ck_assert_int_eq(values.loss, 2);
    set("reward_funcs", "accuracy");
    ck_assert_uint_eq(values.rewards.n, 1);
    set("reward_funcs", "");
    ck_assert_uint_eq(values.rewards.n, 0);
    set("reward_weights", "1, 2.5 ,-3e0");
    ck_assert_uint_eq(values.weights.n, 3);
    ck_assert_double_eq(values.weights.item[2], -3);
    ck_assert_refused("reward_weights", "1,x", "reward_weights: expected a list of numbers");
    ck_assert_uint_eq(values.weights.n, 3);
    struct it_strs list = {0};
    it_strs_add(&list, "a,b");
    it_strs_add(&list, "c");
    ck_assert_int_eq(it_option_set_list(&table, &values, "w", "reward_funcs", &list), IT_OK);
    ck_assert_uint_eq(values.rewards.n, 2);
    ck_assert_str_eq(values.rewards.item[0], "a,b");
    ck_assert_int_eq(it_option_set_list(&table, &values, "w", "use_vllm", &list), IT_OK);
    ck_assert_fails(it_option_set_list(&table, &values, "w", "reward_weights", &list), IT_INVALID,
                    "w: reward_weights: expected a list of numbers, found \"a,b\"");
    ck_assert_fails(it_option_set_list(&table, &values, "w", "count", &list), IT_INVALID,
                    "w: count: expected an integer, found a list");
    ck_assert_fails(it_option_set_list(&table, &values, "w", "cuont", &list), IT_INVALID,
                    "unknown key \"cuont\"; did you mean \"count\"?");
    it_strs_free(&list);
}
END_TEST

START_TEST(unknown_keys_name_the_closest)
{
    ck_assert_refused("learing_rate", "1",
                      "unknown key \"learing_rate\"; did you mean \"learning_rate\"?\n");
    ck_assert_refused("zzz", "1", "unknown key \"zzz\"; --help lists the known ones\n");
    ck_assert_ptr_eq(it_option_find(&table, "name"), &rows[4]);
    ck_assert_ptr_null(it_option_find(&table, "nam"));
    set("use_vllm", "whatever");
}
END_TEST

START_TEST(dump_and_help)
{
    json_t *dump = it_options_dump(&table, &values);
    char *text = json_dumps(dump, JSON_COMPACT | JSON_REAL_PRECISION(3));
    ck_assert_str_eq(text, "{\"flag\":true,\"count\":7,\"learning_rate\":3e-6,\"memory_limit\":0,"
                           "\"name\":null,\"loss_type\":\"bnpo\",\"reward_funcs\":[\"a\",\"b\"],"
                           "\"reward_weights\":[0.5,1.0]}");
    free(text);
    json_decref(dump);
    struct it_str help = {0};
    it_options_help(&table, &help);
    ck_assert_ptr_nonnull(strstr(help.data, "  count (integer, 7): How many.\n"));
    ck_assert_ptr_nonnull(
        strstr(help.data, "  loss_type (grpo|bnpo|dr_grpo, bnpo): Which loss.\n"));
    ck_assert_ptr_nonnull(strstr(help.data, "  name (text, unset): What it is called.\n"));
    ck_assert_ptr_null(strstr(help.data, "use_vllm"));
    it_str_free(&help);
}
END_TEST

/* What a recipe was read as: "LINE key=scalar;", "LINE key=[a|b|];", "LINE key={JSON};" for a map,
 * "LINE key~;" for null. */
static enum it_status note(void *context, const struct it_yaml_item *item)
{
    struct it_str *out = context;
    it_str_printf(out, "%s %s", strrchr(item->where, ':') + 1, item->key);
    if (item->map) {
        it_str_printf(out, "=%s", item->map);
    } else if (item->is_null) {
        it_str_puts(out, "~");
    } else if (item->list) {
        it_str_puts(out, "=[");
        for (size_t i = 0; i < item->list->n; i++) {
            it_str_printf(out, "%s|", item->list->item[i]);
        }
        it_str_puts(out, "]");
    } else {
        it_str_printf(out, "=%s", item->scalar);
    }
    it_str_putc(out, ';');
    return strcmp(item->key, "stop") == 0 ? IT_GUARD : IT_OK;
}

static const struct {
    const char *yaml;
    enum it_status status;
    const char *result; /* what was read, or part of the message */
} recipes[] = {
    {"", IT_OK, ""},
    {"# nothing\n---\n", IT_OK, ""},
    {"~", IT_OK, ""},
    {"a: 3.0e-06 # comment\nb: \"q: \\\\x\"\n\nc: true", IT_OK, "1 a=3.0e-06;2 b=q: \\x;4 c=true;"},
    {"a:\n- wandb \n- 0.0 # zero\nb: [x, 'y z']\nc: []\n", IT_OK,
     "1 a=[wandb|0.0|];4 b=[x|y z|];5 c=[];"},
    {"a:\nb: ~\nc: null\nd: 'null'\ne: ''\n", IT_OK, "1 a~;2 b~;3 c~;4 d=null;5 e=;"},
    {"kwargs:\n  deep:\n    - {x: [1, {y: 2}]}\nafter: 1\n", IT_OK,
     "1 kwargs={\"deep\":[{\"x\":[1,{\"y\":2}]}]};4 after=1;"},
    {"k: {a: false, b: No, c: 'no', d: ~, e: 2, f: 0.5, g: 1e3, h: 0x10, i: [], j: {}}\n", IT_OK,
     "1 k={\"a\":false,\"b\":false,\"c\":\"no\",\"d\":null,\"e\":2,\"f\":0.5,\"g\":1000.0,"
     "\"h\":\"0x10\",\"i\":[],\"j\":{}};"},
    {"k: {a: \"\\u00e9\\\"\"}\n", IT_OK, "1 k={\"a\":\"\xc3\xa9\\\"\"};"},
    {"k:\n  a: 1\n  a: 2\n", IT_INVALID, ":3: key \"a\" is given twice"},
    {"k:\n  ? [a]\n  : 2\n", IT_INVALID, ":2: expected a key"},
    {"k:\n  a: !!x y\n", IT_INVALID, ":2: tags"},
    {"{a: 1, b: 2}", IT_OK, "1 a=1;1 b=2;"},
    {"text: |\n  two\n  lines\n", IT_OK, "1 text=two\nlines\n;"},
    {"a: 1\nstop: 2\nb: 3\n", IT_GUARD, ""},
    {"a: 1\nb: 2\na: 3\n", IT_INVALID, ":3: key \"a\" is given twice"},
    {"a: &x 1\nb: 2\n", IT_INVALID, ":1: anchors"},
    {"a: &x [1]\n", IT_INVALID, ":1: anchors"},
    {"k:\n  a: &x {b: 1}\n", IT_INVALID, ":2: anchors"},
    {"a: 1\nb: *x\n", IT_INVALID, ":2: aliases"},
    {"a: !!python/object x\n", IT_INVALID, ":1: tags"},
    {"a: 1\n---\nb: 2\n", IT_INVALID, ":2: a second document"},
    {"- a\n- b\n", IT_INVALID, ":1: expected lines of the form \"key: value\", found a list"},
    {"just words\n", IT_INVALID, ":1: expected lines of the form"},
    {"a: [1, [2]]\n", IT_INVALID, ":1: expected a list of single values"},
    {"a:\n  - b: 1\n", IT_INVALID, ":2: expected a list of single values"},
    {"? [a]\n: 1\n", IT_INVALID, "expected a key"},
    {"\"\": 1\n", IT_INVALID, ":1: expected a key, found nothing"},
    {"a: 1\nb: [1, 2\nc: 3\n", IT_INVALID, ": not valid YAML: "},
    {"a: 1\n\tb: 2\n", IT_INVALID, ":2: not valid YAML: "},
    {"a: \"x\\0y\"\n", IT_INVALID, ":1: a NUL"},
    {"a: 1\nb: \xFF\n", IT_INVALID, ":2: not valid YAML: "},
};

START_TEST(recipes_are_read)
{
    const char *path = scratch_text("r.yaml", recipes[_i].yaml);
    struct it_str read = {0};
    if (recipes[_i].status == IT_INVALID) {
        ck_assert_fails(it_yaml_read(path, note, &read), IT_INVALID, recipes[_i].result);
        ck_assert_fails(it_yaml_read(path, note, &read), IT_INVALID, "/r.yaml:");
    } else {
        ck_assert_int_eq(it_yaml_read(path, note, &read), recipes[_i].status);
        if (recipes[_i].status == IT_OK) { ck_assert_str_eq(it_str_c(&read), recipes[_i].result); }
    }
    it_str_free(&read);
}
END_TEST

START_TEST(hostile_recipes)
{
    struct it_str text = {0}, read = {0};
    ck_assert_fails(it_yaml_read(scratch_path("missing"), note, &read), IT_NOT_FOUND, "missing");
    it_str_puts(&text, "a: ");
    for (int i = 0; i < 500; i++) { it_str_puts(&text, "{b: "); }
    ck_assert_fails(it_yaml_read(scratch_text("deep", text.data), note, &read), IT_INVALID,
                    "/deep:1: nested too deep");
    it_str_clear(&text);
    while (text.len <= 1 << 20) { it_str_puts(&text, "# a long comment\n"); }
    ck_assert_fails(it_yaml_read(scratch_text("long", text.data), note, &read), IT_INVALID,
                    "/long: larger than");
    it_str_clear(&text);
    for (int i = 0; i < 5000; i++) { it_str_printf(&text, "k%d: 1\n", i); }
    ck_assert_fails(it_yaml_read(scratch_text("many", text.data), note, &read), IT_INVALID,
                    "/many:4097: too many keys");
    it_str_free(&text);
    it_str_free(&read);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("option");
    TCase *tests = tcase_create("option");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, fallbacks);
    tcase_add_test(tests, booleans);
    tcase_add_test(tests, integers);
    tcase_add_test(tests, numbers_sizes_and_texts);
    tcase_add_test(tests, choices_and_lists);
    tcase_add_test(tests, unknown_keys_name_the_closest);
    tcase_add_test(tests, dump_and_help);
    tcase_add_loop_test(tests, recipes_are_read, 0, sizeof recipes / sizeof recipes[0]);
    tcase_add_test(tests, hostile_recipes);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
