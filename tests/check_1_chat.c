/* SPDX-License-Identifier: MIT */
/* Chat templates against what the transformers library makes of them (tests/golden/chat.json), the
 * places where a folder keeps them, settings, and templates that mean harm. */
#include "core/base/json.h"
#include "core/base/sha256.h"
#include "core/text/jinja.h"
#include "core/text/text.h"
#include "tests/scratch.h"

static json_t *golden;

static json_t *parsed(const char *text)
{
    json_t *value = NULL;
    ck_assert_int_eq(it_json_parse("messages", text, strlen(text), &value), IT_OK);
    return value;
}

static void load_golden(void)
{
    const char *folder = getenv("top_srcdir");
    char *path = it_path_join(folder ? folder : ".", "tests/golden/chat.json");
    ck_assert_int_eq(it_json_read(path, &golden), IT_OK);
    it_free(path);
}

static void begin(void)
{
    scratch_begin();
    load_golden();
}

static void end(void)
{
    json_decref(golden);
    scratch_end();
}

/* ---- one construct each ---- */

static enum it_status render_snippet(const char *template, size_t n, const json_t *variables,
                                     struct it_str *out)
{
    struct it_jinja *jinja = NULL;
    struct it_jinja_job job = {.variables = variables};
    job.now = (struct tm){.tm_year = 125, .tm_mday = 31, .tm_wday = 5, .tm_yday = 30};
    IT_TRY(it_jinja_open("snippet", template, n, &jinja));
    enum it_status status = it_jinja_render(jinja, &job, out);
    it_jinja_close(jinja);
    return status;
}

START_TEST(snippets)
{
    const json_t *variables = json_object_get(golden, "variables"), *snippet;
    size_t i;
    json_array_foreach(json_object_get(golden, "snippets"), i, snippet)
    {
        const json_t *template = json_object_get(snippet, "template");
        const json_t *expected = json_object_get(snippet, "text");
        const char *text = json_string_value(template);
        struct it_str out = {0};
        capture_begin();
        enum it_status status =
            render_snippet(text, json_string_length(template), variables, &out);
        const char *said = capture_end();
        if (expected) {
            ck_assert_msg(status == IT_OK, "%s: %s", text, said);
            ck_assert_msg(strcmp(it_str_c(&out), json_string_value(expected)) == 0,
                          "%s: \"%s\", expected \"%s\"", text, it_str_c(&out),
                          json_string_value(expected));
        } else {
            ck_assert_msg(status != IT_OK, "%s: \"%s\", expected a failure", text, it_str_c(&out));
            ck_assert_msg(strstr(said, "chat template, line "), "%s: said %s", text, said);
            ck_assert_uint_eq(out.len, 0);
        }
        it_str_free(&out);
    }
}
END_TEST

START_TEST(unknown_constructs_are_refused)
{
    const json_t *variables = json_object_get(golden, "variables"), *template;
    size_t i;
    json_array_foreach(json_object_get(golden, "refused"), i, template)
    {
        struct it_str out = {0};
        capture_begin();
        enum it_status status = render_snippet(json_string_value(template),
                                               json_string_length(template), variables, &out);
        const char *said = capture_end();
        ck_assert_msg(status == IT_INVALID, "%s: not refused", json_string_value(template));
        ck_assert_msg(strstr(said, "line 1: "), "%s: %s", json_string_value(template), said);
        it_str_free(&out);
    }
}
END_TEST

START_TEST(failures_are_named_with_their_line)
{
    static const char *const row[][2] = {
        {"a\n\n{% include 'x' %}", "line 3: the statement {% include %} is not known here"},
        {"\n{{ x|nope }}", "line 2: the filter \"nope\" is not known here"},
        {"\n\n\n{{ 'x' is nope }}", "line 4: the test \"is nope\" is not known here"},
        {"{% if x %}\n{% for y in z %}\n", "line 2: a block without its {% endfor %}"},
        {"{% if x %}\n", "line 1: a block without its {% endif %}"},
        {"\n{{ 'a'.encode() }}", "line 2: encode of a text is not known here"},
        {"\n{{ raise_exception('roles\nalternate') }}", "line 2: the template refuses this: roles"},
        {"{{ x.y }}", "x is undefined, and has no y"},
        {"{{ x() }}", "x is called, but there is no function of that name"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct it_str out = {0};
        json_t *none = json_object();
        ck_assert_fails(render_snippet(row[i][0], strlen(row[i][0]), none, &out), IT_INVALID,
                        row[i][1]);
        json_decref(none);
        it_str_free(&out);
    }
}
END_TEST

/* ---- templates that mean harm ---- */

static void ck_stopped(const char *template, const char *words)
{
    struct it_str out = {0};
    json_t *none = json_object();
    ck_assert_fails(render_snippet(template, strlen(template), none, &out), IT_INVALID, words);
    json_decref(none);
    it_str_free(&out);
}

static void ck_deep(const char *open, const char *inner, const char *close, int depth)
{
    struct it_str text = {0};
    for (int i = 0; i < depth; i++) { it_str_puts(&text, open); }
    it_str_puts(&text, inner);
    for (int i = 0; i < depth; i++) { it_str_puts(&text, close); }
    ck_stopped(it_str_c(&text), "");
    it_str_free(&text);
}

START_TEST(hostile_templates)
{
    ck_stopped("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "does a macro call itself");
    ck_stopped("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}"
               "{{ a() }}", "does a macro call itself");
    ck_stopped("{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
               "{% endfor %}{% endfor %}{% endfor %}", "");
    ck_stopped("{% set n = namespace(x='aaaaaaaa') %}{% for i in range(99) %}"
               "{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}", "MiB");
    ck_stopped("{{ 'a' * 999999999999 }}", "MiB");
    ck_stopped("{{ [1] * 999999999999 }}", "MiB");
    ck_stopped("{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}"
               "{% endfor %}{{ n.x }}", "too deep");
    ck_stopped("{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}"
               "{% endfor %}{{ n.x|tojson }}", "too deep");
    ck_stopped("{% set n = namespace(x=[], y=[]) %}{% for i in range(9999) %}"
               "{% set n.x = [n.x] %}{% set n.y = [n.y] %}{% endfor %}{{ n.x == n.y }}",
               "too deep");
    ck_stopped("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
               "");
    ck_stopped("{{ 'a' * 60000000 + 'a' * 60000000 }}", "MiB");
    ck_deep("{{ ", "1", " }}", 20000);
    ck_deep("{% if 1 %}", "1", "{% endif %}", 20000);
    ck_deep("{{ not ", "", "", 20000);
    ck_deep("{{ -", "", "", 20000);
    ck_deep("{{ [", "", "", 20000);
    ck_deep("{{ x", "|trim", "", 20000);
    ck_stopped("{{ a\xff }}", "not UTF-8");
    ck_stopped("{%", "");
    ck_stopped("{{", "");
    ck_stopped("{#", "");
    ck_stopped("{{ '\\", "");
}
END_TEST

/* ---- whole templates ---- */

static struct it_tokenizer *open_tokenizer(void)
{
    struct it_tokenizer *tokenizer = NULL;
    scratch_text("vocab.json", "{\"a\": 0, \"b\": 1}");
    scratch_text("merges.txt", "#version: 0.2\n");
    scratch_text("added_tokens.json",
                 "{\"<|im_start|>\": 2, \"<|im_end|>\": 3, \"<|endoftext|>\": 4, \"<|eot_id|>\": 5,"
                 "\"<|begin_of_text|>\": 6}");
    ck_assert_int_eq(it_tokenizer_open(scratch, &tokenizer), IT_OK);
    return tokenizer;
}

/* Write a tokenizer_config.json with this template and the special tokens. */
static void give(const json_t *template, const json_t *specials)
{
    json_t *config = specials ? json_deep_copy(specials) : json_object();
    json_object_set_new(config, "chat_template", json_deep_copy(template));
    ck_assert_int_eq(it_json_write(scratch_path("tokenizer_config.json"), config), IT_OK);
    json_decref(config);
}

static const json_t *kept_elsewhere(const json_t *entry, json_t **owned)
{
    const char *data = getenv("INTUITOR_DATA"), *path =
        json_string_value(json_object_get(entry, "path"));
    const json_t *here = json_object_get(entry, "template");
    struct it_str text = {0};
    if (here || !data || !*data) { return here; }
    char *whole = it_path_join(data, path);
    ck_assert_int_eq(it_file_read(whole, &text), IT_OK);
    *owned = json_stringn(it_str_c(&text), text.len);
    it_free(whole);
    it_str_free(&text);
    return *owned;
}

static const char *digest_of(const struct it_str *text, char hash[IT_SHA256_TEXT])
{
    struct it_sha256 sha;
    uint8_t digest[IT_SHA256_BYTES];
    it_sha256_begin(&sha);
    it_sha256_add(&sha, it_str_c(text), text->len);
    it_sha256_end(&sha, digest);
    return it_sha256_hex(digest, hash);
}

static void ck_rendered(const struct it_chat_template *chat, const char *name, size_t i,
                        const json_t *conversation, const json_t *expected, bool digest)
{
    json_t *asked = json_copy((json_t *)(uintptr_t)conversation);
    const json_t *prompt = json_object_get(conversation, "prompt");
    struct it_str text = {0};
    json_object_set(asked, "chat_template_kwargs", json_object_get(conversation, "kwargs"));
    capture_begin();
    enum it_status status = it_chat_render(chat, "f:7", asked, !json_is_false(prompt), &text);
    const char *said = capture_end();
    if (json_is_null(expected)) {
        ck_assert_msg(status == IT_INVALID, "%s, %zu: \"%s\"", name, i, it_str_c(&text));
        ck_assert_msg(strstr(said, "f:7: "), "%s, %zu: said %s", name, i, said);
    } else {
        const char *got = it_str_c(&text);
        char hash[IT_SHA256_TEXT];
        if (digest) { got = digest_of(&text, hash); }
        ck_assert_msg(status == IT_OK, "%s, %zu: %s", name, i, said);
        ck_assert_msg(strcmp(got, json_string_value(expected)) == 0,
                      "%s, %zu: \"%s\", expected \"%s\"", name, i, it_str_c(&text),
                      json_string_value(expected));
    }
    json_decref(asked);
    it_str_free(&text);
}

START_TEST(conversations)
{
    const json_t *entry, *conversation;
    size_t i, k;
    struct it_tokenizer *tokenizer = open_tokenizer();
    const struct it_chat_settings settings = {.date = "2025-01-31"};
    json_array_foreach(json_object_get(golden, "templates"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "name"));
        json_t *owned = NULL;
        struct it_chat_template *chat = NULL;
        const json_t *template = kept_elsewhere(entry, &owned);
        if (!template) { continue; }
        give(template, json_object_get(entry, "specials"));
        ck_assert_int_eq(it_chat_template_open(scratch, tokenizer, &settings, &chat), IT_OK);
        ck_assert_int_eq(it_chat_turn_end(chat), strncmp(name, "qwen", 4) == 0    ? 3
                                                 : strncmp(name, "llama", 5) == 0 ? 5
                                                                                  : 4);
        json_array_foreach(json_object_get(golden, "conversations"), k, conversation)
        {
            ck_rendered(chat, name, k, conversation,
                        json_array_get(json_object_get(entry, "rendered"), k),
                        !json_object_get(entry, "template"));
        }
        it_chat_template_close(chat);
        json_decref(owned);
    }
    it_tokenizer_close(tokenizer);
}
END_TEST

/* ---- where templates lie, and what they are told ---- */

static char *rendered(const struct it_tokenizer *tokenizer, const struct it_chat_settings *settings,
                      const char *conversation)
{
    struct it_chat_template *chat = NULL;
    struct it_str text = {0};
    json_t *value = parsed(conversation);
    ck_assert_int_eq(it_chat_template_open(scratch, tokenizer, settings, &chat), IT_OK);
    ck_assert_ptr_nonnull(chat);
    ck_assert_int_eq(it_chat_render(chat, NULL, value, true, &text), IT_OK);
    json_decref(value);
    it_chat_template_close(chat);
    return it_str_take(&text);
}

#define ck_renders(tokenizer, settings, conversation, expected)                                    \
    do {                                                                                           \
        char *got_ = rendered(tokenizer, settings, conversation);                                  \
        ck_assert_str_eq(got_, expected);                                                          \
        it_free(got_);                                                                             \
    } while (0)

static const char hello[] = "[{\"role\": \"user\", \"content\": \"hi\"}]";

START_TEST(places_of_templates)
{
    struct it_tokenizer *tokenizer = open_tokenizer();
    const char *tools = "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}],"
                        "\"tools\": []}";
    /* none: the vocabulary is ChatML's */
    ck_renders(tokenizer, NULL, hello,
               "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    scratch_text("chat_template.json", "{\"chat_template\": \"processor\"}");
    ck_renders(tokenizer, NULL, hello, "processor");
    scratch_text("tokenizer_config.json", "{\"chat_template\": \"config\"}");
    ck_renders(tokenizer, NULL, hello, "config");
    scratch_text("tokenizer_config.json",
                 "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"tools\"},"
                 "{\"name\": \"rag\", \"template\": \"{% nope %}\"},"
                 "{\"name\": \"default\", \"template\": \"plain\"}]}");
    ck_renders(tokenizer, NULL, hello, "plain");
    ck_renders(tokenizer, NULL, tools, "tools");
    scratch_text("chat_template.jinja", "{{ []|select|list }}"); /* of nothing, a part */
    ck_renders(tokenizer, NULL, hello, "[]");
    scratch_text("chat_template.jinja", "file\n");
    ck_renders(tokenizer, NULL, hello, "file");
    ck_renders(tokenizer, NULL, tools, "file");
    it_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(null_fields_are_left_out)
{
    struct it_tokenizer *tokenizer = open_tokenizer();
    scratch_text("chat_template.jinja",
                 "{{ messages[0].name is defined }}{{ messages[0].n is defined }}");
    ck_renders(tokenizer, NULL,
               "[{\"role\": \"user\", \"content\": \"\", \"name\": null, \"n\": 1}]", "FalseTrue");
    it_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(broken_places)
{
    static const char *const row[][2] = {
        {"{\"chat_template\": 3}", "neither a text nor a list"},
        {"{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"}]}", "\"default\""},
        {"{\"chat_template\": [{\"name\": \"default\"}]}", "neither a text nor a list"},
        {"{\"chat_template\": \"{{ x\"}", "tokenizer_config.json: chat template, line 1"},
        {"[]", "not an object"},
    };
    struct it_tokenizer *tokenizer = open_tokenizer();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct it_chat_template *chat = NULL;
        scratch_text("tokenizer_config.json", row[i][0]);
        ck_assert_fails(it_chat_template_open(scratch, tokenizer, NULL, &chat), IT_INVALID,
                        row[i][1]);
        ck_assert_ptr_null(chat);
    }
    it_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(no_template)
{
    struct it_tokenizer *tokenizer = NULL;
    struct it_chat_template *chat = NULL;
    scratch_text("vocab.json", "{\"a\": 0, \"b\": 1}");
    scratch_text("merges.txt", "#version: 0.2\n");
    ck_assert_int_eq(it_tokenizer_open(scratch, &tokenizer), IT_OK);
    ck_assert_int_eq(it_chat_template_open(scratch, tokenizer, NULL, &chat), IT_OK);
    ck_assert_ptr_null(chat);
    it_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(settings_of_templates)
{
    struct it_tokenizer *tokenizer = open_tokenizer();
    struct it_chat_settings settings = {.date = "2024-02-29"};
    struct it_chat_template *chat = NULL;
    scratch_text("chat_template.jinja", "{{ strftime_now('%d %B %Y %A') }} {{ think }}"
                                        "{{ bos_token }}{{ tools is none }}{{ documents }}");
    scratch_text("special_tokens_map.json", "{\"bos_token\": {\"content\": \"<|endoftext|>\"}}");
    ck_renders(tokenizer, &settings, hello, "29 February 2024 Thursday <|endoftext|>TrueNone");
    settings.variables = "{\"think\": false, \"tools\": [1]}";
    ck_renders(tokenizer, &settings, hello,
               "29 February 2024 Thursday False<|endoftext|>FalseNone");
    capture_begin();
    settings.date = NULL;
    char *text = rendered(tokenizer, &settings, hello);
    ck_assert_ptr_nonnull(strstr(capture_end(), "26 July 2024"));
    ck_assert(it_starts_with(text, "26 July 2024 Friday"));
    it_free(text);
    static const char *const dates[] = {"2023-02-29", "2024-13-01", "2024-1", "x", "2024-01-01x",
                                        "99999-01-01", "2024-00-10"};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        settings.date = dates[i];
        ck_assert_fails(it_chat_template_open(scratch, tokenizer, &settings, &chat), IT_INVALID,
                        "template_date");
    }
    settings.date = NULL;
    static const char *const variables[] = {"[1]", "{", "{\"messages\": []}"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        settings.variables = variables[i];
        ck_assert_fails(it_chat_template_open(scratch, tokenizer, &settings, &chat), IT_INVALID,
                        "chat_template_kwargs");
    }
    it_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(conversations_refused)
{
    static const char *const row[][2] = {
        {"[]", "at least one"},
        {"{}", "at least one"},
        {"3", "at least one"},
        {"[1]", "message 1"},
        {"[{\"role\": \"user\"}]", "message 1"},
        {"[{\"role\": \"user\", \"content\": null}]", "message 1"},
        {"[{\"role\": \"user\", \"content\": 3}]", "message 1"},
        {"[{\"role\": \"user\", \"content\": \"\"}, {\"content\": \"\"}]", "message 2"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"\"}], \"tools\": 3}", "tools"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"\"}],"
         "\"chat_template_kwargs\": [3]}", "chat_template_kwargs"},
    };
    struct it_tokenizer *tokenizer = open_tokenizer();
    struct it_chat_template *chat = NULL;
    ck_assert_int_eq(it_chat_template_open(scratch, tokenizer, NULL, &chat), IT_OK);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct it_str text = {0}, words = {0};
        json_t *value = NULL;
        ck_assert_int_eq(it_json_parse("x", row[i][0], strlen(row[i][0]), &value), IT_OK);
        it_str_printf(&words, "f:7: ");
        ck_assert_fails(it_chat_render(chat, "f:7", value, true, &text), IT_INVALID,
                        it_str_c(&words));
        ck_assert_msg(strstr(it_str_c(&spoken), row[i][1]), "%s", it_str_c(&spoken));
        ck_assert_uint_eq(text.len, 0);
        json_decref(value);
        it_str_free(&words);
        it_str_free(&text);
    }
    it_chat_template_close(chat);
    it_tokenizer_close(tokenizer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chat");
    TCase *tests = tcase_create("chat");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, snippets);
    tcase_add_test(tests, unknown_constructs_are_refused);
    tcase_add_test(tests, failures_are_named_with_their_line);
    tcase_add_test(tests, hostile_templates);
    tcase_add_test(tests, conversations);
    tcase_add_test(tests, places_of_templates);
    tcase_add_test(tests, null_fields_are_left_out);
    tcase_add_test(tests, broken_places);
    tcase_add_test(tests, no_template);
    tcase_add_test(tests, settings_of_templates);
    tcase_add_test(tests, conversations_refused);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
