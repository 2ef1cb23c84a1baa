/* SPDX-License-Identifier: MIT */
/* JSONL, JSON arrays, CSV, TSV, plain and gzip, and folders of splits: every record comes out once,
 * a bad one is named and those behind it are read. */
#include <zlib.h>

#include "core/data/data.h"
#include "core/data/hub.h"
#include "tests/scratch.h"

static struct it_data *open_data(const char *path, const char *split)
{
    struct it_data *data = NULL;
    struct it_data_options options = {.split = split};
    ck_assert_int_eq(it_data_open(path, &options, &data), IT_OK);
    return data;
}

/* The next record is what `expected` says. */
static void next_is(struct it_data *data, const char *expected, const char *where)
{
    json_t *record = NULL, *wanted = json_loads(expected, 0, NULL);
    ck_assert_int_eq(it_data_next(data, &record), IT_OK);
    char *text = json_dumps(record, JSON_COMPACT);
    ck_assert_msg(json_equal(record, wanted), "%s, expected %s", text, expected);
    ck_assert_msg(it_ends_with(it_data_where(data), where), "at %s", it_data_where(data));
    free(text);
    json_decref(record);
    json_decref(wanted);
}

static void next_fails(struct it_data *data, const char *words)
{
    json_t *record;
    ck_assert_fails(it_data_next(data, &record), IT_INVALID, words);
}

static void ends(struct it_data *data)
{
    json_t *record;
    ck_assert_int_eq(it_data_next(data, &record), IT_END);
    ck_assert_int_eq(it_data_next(data, &record), IT_END);
    it_data_close(data);
}

static void refuse(const char *path, const char *split, enum it_status status, const char *words)
{
    struct it_data *data;
    struct it_data_options options = {.split = split};
    ck_assert_fails(it_data_open(path, &options, &data), status, words);
}

static const char *zipped(const char *name, const char *text, size_t kept)
{
    const char *path = scratch_path(name);
    gzFile gz = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(gz, text, (unsigned)strlen(text)), (int)strlen(text));
    gzclose(gz);
    if (kept) { ck_assert_int_eq(truncate(path, (off_t)kept), 0); }
    return path;
}

START_TEST(lines)
{
    const char *text = "\xEF\xBB\xBF{\"a\": 1}\r\n\n{\"a\":\n[2]\n{\"a\": \"\\u0000\"}\n{\"a\": 3}";
    struct it_data *d = open_data(scratch_text("a.jsonl", text), NULL);
    next_is(d, "{\"a\": 1}", "a.jsonl:1");
    next_fails(d, "a.jsonl:3: not valid JSON");
    next_fails(d, "a.jsonl:4: expected an object");
    json_t *record;
    ck_assert_int_eq(it_data_next(d, &record), IT_OK);
    ck_assert_uint_eq(json_string_length(json_object_get(record, "a")), 1);
    json_decref(record);
    next_is(d, "{\"a\": 3}", "a.jsonl:6");
    ends(d);
    ends(open_data(scratch_text("empty.jsonl", ""), NULL));
    d = open_data(zipped("b.jsonl.gz", "{\"a\": 1}\n{\"a\": 2}\n", 0), NULL);
    next_is(d, "{\"a\": 1}", "b.jsonl.gz:1");
    next_is(d, "{\"a\": 2}", "b.jsonl.gz:2");
    ends(d);
    struct it_str many = {0};
    for (int i = 0; i < 50000; i++) { it_str_printf(&many, "{\"a\": %d}\n", i * 7919 % 65537); }
    d = open_data(zipped("c.jsonl.gz", many.data, 30000), NULL);
    enum it_status status;
    capture_begin();
    while ((status = it_data_next(d, &record)) == IT_OK) { json_decref(record); }
    ck_assert_ptr_nonnull(strstr(capture_end(), "the gzip data end too early"));
    ck_assert_int_eq(status, IT_INVALID);
    ends(d);
    it_str_free(&many);
}
END_TEST

START_TEST(arrays)
{
    struct it_data *d = open_data(
        scratch_text("a.json", " [ {\"a\": \"]\\\"}\"},\n{\"a\" 2}, 5,\n{\"a\": [{}]} ]\n"), NULL);
    next_is(d, "{\"a\": \"]\\\"}\"}", "a.json: row 1");
    next_fails(d, "a.json: row 2: not valid JSON");
    next_fails(d, "a.json: row 3: expected an object");
    next_is(d, "{\"a\": [{}]}", "a.json: row 4");
    ends(d);
    ends(open_data(scratch_text("b.json", "[]"), NULL));
    static const struct {
        const char *text, *words;
    } bad[] = {{"[{}", "b.json:1: the file ends inside the array"},
               {"[{},", "b.json:1: the file ends inside the array"},
               {"[{} {}]", "b.json:1: expected a comma or the end of the array"},
               {"[{},\n,{}]", "b.json:2: expected a value"},
               {"[{}] {}", "b.json:1: something follows the end"},
               {"[{}, {\"a\": [{}]", "b.json: row 2: the file ends inside this value"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        d = open_data(scratch_text("b.json", bad[i].text), NULL);
        next_is(d, "{}", "b.json: row 1");
        next_fails(d, bad[i].words);
        ends(d);
    }
}
END_TEST

/* Files named .json that hold no array: JSONL, or one pretty-printed object, or several. */
START_TEST(objects)
{
    const char *text = "{\"a\": 1}\n{\"a\" 2}\n{\"a\": 3}\n";
    struct it_data *d = open_data(scratch_text("a.json", text), NULL);
    next_is(d, "{\"a\": 1}", "a.json:1");
    next_fails(d, "a.json:2: not valid JSON");
    next_is(d, "{\"a\": 3}", "a.json:3");
    ends(d);
    d = open_data(scratch_text("b.json", "{\n \"a\": 1\n}\n{\n\"a\": {\n}}\n"), NULL);
    next_is(d, "{\"a\": 1}", "b.json:1");
    next_is(d, "{\"a\": {}}", "b.json:4");
    ends(d);
    d = open_data(scratch_text("c.json", "{\n \"a\": 1\n"), NULL);
    next_fails(d, "c.json:1: the file ends inside this value");
    ends(d);
    d = open_data(scratch_text("plain", "[{\"a\": 1}]"), NULL);
    next_is(d, "{\"a\": 1}", "plain: row 1");
    ends(d);
    struct it_str deep = {0};
    for (int i = 0; i < 100000; i++) { it_str_putc(&deep, '['); }
    d = open_data(scratch_text("d.json", deep.data), NULL);
    next_fails(d, "the file ends inside");
    ends(d);
    it_str_free(&deep);
}
END_TEST

START_TEST(csv)
{
    const char *text = "\xEF\xBB\xBFq,\"the \"\"answer\"\"\",n\r\n"
                       "\"1, 2\r\nand 3\",\"say \"\"hi\"\"\",007\r\n"
                       "\r\n"
                       ",a\"b,\"\"\n"
                       "x,y\n"
                       "x,y,z,w\n"
                       "\xC3\xA9,\xE2\x82\xAC, 1.0 ";
    struct it_data *d = open_data(scratch_text("a.csv", text), NULL);
    next_is(d, "{\"q\": \"1, 2\\r\\nand 3\", \"the \\\"answer\\\"\": \"say \\\"hi\\\"\", "
               "\"n\": \"007\"}", "a.csv: row 1");
    next_is(d, "{\"q\": \"\", \"the \\\"answer\\\"\": \"a\\\"b\", \"n\": \"\"}", "a.csv: row 2");
    next_fails(d, "a.csv: row 3 (line 6), column 3: the row has 2 columns, the header 3; no value "
                  "for \"n\"");
    next_fails(d, "a.csv: row 4 (line 7), column 4: the row has 4 columns, the header 3");
    next_is(d, "{\"q\": \"\u00e9\", \"the \\\"answer\\\"\": \"\u20ac\", \"n\": \" 1.0 \"}",
            "a.csv: row 5");
    ends(d);
    d = open_data(scratch_text("b.tsv", "a\tb\n1,5\t\"x\ty\"\n"), NULL);
    next_is(d, "{\"a\": \"1,5\", \"b\": \"x\\ty\"}", "b.tsv: row 1");
    ends(d);
    d = open_data(zipped("c.csv.gz", "a\n\"\"\n\n2\n", 0), NULL);
    next_is(d, "{\"a\": \"\"}", "c.csv.gz: row 1");
    next_is(d, "{\"a\": \"2\"}", "c.csv.gz: row 2");
    ends(d);
    d = open_data(scratch_text("d.csv", "a,b\n1,\"open\n2,3\n"), NULL);
    next_fails(d, "d.csv: row 1 (line 2), column 2 \"b\": the quote that opens this value");
    ends(d);
    d = open_data(scratch_text("e.csv", "a,b\n1,\"x\"y\n"), NULL);
    next_fails(d, "row 1 (line 2), column 2 \"b\": text behind the closing quote");
    ends(d);
    d = open_data(scratch_text("f.csv", "a\n\xFF\nb\n"), NULL);
    next_fails(d, "row 1 (line 2), column \"a\": not UTF-8");
    next_is(d, "{\"a\": \"b\"}", "row 2");
    ends(d);
    refuse(scratch_text("g.csv", "a,b,a\n"), NULL, IT_INVALID,
           "g.csv:1: columns 1 and 3 have the same name \"a\"");
    refuse(scratch_text("h.csv", "\n\n"), NULL, IT_INVALID, "h.csv: empty");
    refuse(scratch_text("i.csv", "\xFF\xFE" "a"), NULL, IT_INVALID, "column 1 is not UTF-8");
}
END_TEST

START_TEST(chosen_columns)
{
    static const char *const columns[] = {"b", "absent"};
    struct it_data_options options = {.columns = columns, .n_columns = 2};
    struct it_data *d;
    struct it_strs all;
    const char *path = scratch_text("a.csv", "a,b\n1,2\n");
    ck_assert_int_eq(it_data_open(path, &options, &d), IT_OK);
    it_data_columns(d, &all);
    ck_assert_uint_eq(all.n, 2);
    it_strs_free(&all);
    next_is(d, "{\"b\": \"2\"}", "row 1");
    ends(d);
}
END_TEST

static void put(const char *name, const char *text)
{
    char *path = it_strdup(scratch_path(name)), *slash = strrchr(path, '/');
    *slash = '\0';
    ck_assert_int_eq(it_dir_make(path), IT_OK);
    it_free(path);
    (void)scratch_text(name, text);
}

START_TEST(folders)
{
    put("one/train-00001-of-00002.jsonl", "{\"a\": 2}\n");
    put("one/train-00000-of-00002.jsonl", "{\"a\": 1}\n");
    put("one/test.csv", "a\n9\n");
    put("one/README.md", "no data");
    struct it_data *d = open_data(scratch_path("one"), "train");
    next_is(d, "{\"a\": 1}", "train-00000-of-00002.jsonl:1");
    next_is(d, "{\"a\": 2}", "train-00001-of-00002.jsonl:1");
    ends(d);
    struct it_strs splits;
    ck_assert_int_eq(it_data_splits(scratch_path("one"), &splits), IT_OK);
    ck_assert_uint_eq(splits.n, 2);
    ck_assert_str_eq(splits.item[0], "test");
    it_strs_free(&splits);
    refuse(scratch_path("one"), "dev", IT_NOT_FOUND, "no split \"dev\"");
    refuse(scratch_path("one"), "dev", IT_NOT_FOUND, "there is: test, train");
    refuse(scratch_path("one"), NULL, IT_INVALID, "several splits; name one of: test, train");
    ck_assert(it_data_has(scratch_path("one"), "test"));
    ck_assert(!it_data_has(scratch_path("one"), "dev"));
    ck_assert(!it_data_has(scratch_path("nowhere"), NULL));

    put("hub/data/train-00000-of-00001-0a1b2c.jsonl", "{\"a\": 1}\n");
    put("hub/data/test-00000-of-00003.jsonl", "{\"a\": 5}\n");
    put("hub/data/test-00002-of-00003.jsonl", "{\"a\": 7}\n");
    d = open_data(scratch_path("hub"), "train");
    next_is(d, "{\"a\": 1}", "train-00000-of-00001-0a1b2c.jsonl:1");
    ends(d);
    refuse(scratch_path("hub"), "test", IT_NOT_FOUND, "shard 1 of split \"test\" is missing");

    put("conf/main/test.jsonl", "{\"a\": 1}\n");
    put("conf/other/test.jsonl", "{\"a\": 2}\n");
    put("conf/other/train/0000.jsonl", "{\"a\": 3}\n");
    put("conf/other/train/0001.jsonl", "{\"a\": 4}\n");
    d = open_data(scratch_path("conf"), "test");
    next_is(d, "{\"a\": 1}", "conf/main/test.jsonl:1");
    ends(d);
    d = open_data(scratch_path("conf"), "train");
    next_is(d, "{\"a\": 3}", "train/0000.jsonl:1");
    next_is(d, "{\"a\": 4}", "train/0001.jsonl:1");
    ends(d);
    ck_assert(it_data_has(scratch_path("conf"), "test"));
    ck_assert(!it_data_has(scratch_path("conf"), "train")); /* of a configuration not named */
    put("conf2/x/test.jsonl", "{}");
    put("conf2/y/test.jsonl", "{}");
    refuse(scratch_path("conf2"), "test", IT_INVALID, "2 configurations; name one");
    const struct {
        const char *config, *folder;
    } configs[] = {{"other", "conf/other"}, {"main", "conf/main"}, {"default", "conf"},
                   {NULL, "conf"}};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char *found = NULL;
        ck_assert_int_eq(it_data_config(scratch_path("conf"), configs[i].config, &found), IT_OK);
        ck_assert(it_ends_with(found, configs[i].folder));
        it_free(found);
    }
    char *path = NULL;
    ck_assert_fails(it_data_config(scratch_path("conf"), "nope", &path), IT_NOT_FOUND,
                    "conf: no configuration \"nope\" (a folder); there is: main, other");
    ck_assert_fails(it_data_config(scratch_path("conf"), "../one", &path), IT_NOT_FOUND,
                    "no configuration");
    put("none/notes.txt", "");
    refuse(scratch_path("none"), "train", IT_NOT_FOUND, "no .jsonl, .json, .csv, .tsv or .parquet");
    refuse(scratch_path("nowhere"), "train", IT_NOT_FOUND, "nowhere: cannot open");
}
END_TEST

/* Behind a file that breaks off, the next one is read. */
START_TEST(next_file)
{
    put("two/train-00000-of-00002.json", "[{\"a\": 1}");
    put("two/train-00001-of-00002.json", "[{\"a\": 2}]");
    struct it_data *d = open_data(scratch_path("two"), "train");
    next_is(d, "{\"a\": 1}", "row 1");
    next_fails(d, "the file ends inside the array");
    next_is(d, "{\"a\": 2}", "train-00001-of-00002.json: row 1");
    ends(d);
}
END_TEST

START_TEST(hub)
{
    char *folder = NULL;
    put("c/datasets--org--set/snapshots/abc123/test.jsonl", "{}");
    put("c/datasets--org--set/refs/main", "abc123\n");
    put("c/models--org--net/snapshots/def456/config.json", "{}");
    setenv("HF_HUB_CACHE", scratch_path("c"), 1);
    unsetenv("INTUITOR_CACHE");
    ck_assert_int_eq(it_hub_find("dataset", "org/set", NULL, &folder), IT_OK);
    ck_assert(it_ends_with(folder, "/c/datasets--org--set/snapshots/abc123"));
    it_free(folder);
    ck_assert_int_eq(it_hub_find("dataset", "org/set", "abc123", &folder), IT_OK);
    it_free(folder);
    setenv("INTUITOR_CACHE", scratch_path("empty"), 1); /* asked first, then the others */
    ck_assert_int_eq(it_hub_find("model", "org/net", "def456", &folder), IT_OK);
    it_free(folder);
    folder = NULL;
    ck_assert_int_eq(it_hub_find("model", "org/net", NULL, &folder), IT_END);
    ck_assert_int_eq(it_hub_find("model", "org/other", NULL, &folder), IT_END);
    ck_assert_int_eq(it_hub_find("model", "../c/org", NULL, &folder), IT_END);
    ck_assert_int_eq(it_hub_find("dataset", "org/set", "../../..", &folder), IT_END);
    ck_assert_ptr_null(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data");
    TCase *tests = tcase_create("data");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, lines);
    tcase_add_test(tests, arrays);
    tcase_add_test(tests, objects);
    tcase_add_test(tests, csv);
    tcase_add_test(tests, chosen_columns);
    tcase_add_test(tests, folders);
    tcase_add_test(tests, next_file);
    tcase_add_test(tests, hub);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
