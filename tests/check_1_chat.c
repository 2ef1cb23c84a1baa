/* SPDX-License-Identifier: MIT */
/* Conversations rendered by hand, and the templates that are told from others. */
#include "core/base/json.h"
#include "core/text/template_internal.h"
#include "core/text/text.h"
#include "tests/scratch.h"

static json_t *parsed(const char *text)
{
    json_t *value = NULL;
    ck_assert_int_eq(it_json_parse("messages", text, strlen(text), &value), IT_OK);
    return value;
}

static void ck_renders(const char *system, const char *messages, bool prompt, const char *expected)
{
    struct it_chat_template template = {system};
    struct it_str text = {0};
    json_t *list = parsed(messages);
    it_str_puts(&text, "before ");
    ck_assert_int_eq(it_chat_render(&template, list, prompt, &text), IT_OK);
    ck_assert_int_eq(strncmp(text.data, "before ", 7), 0);
    ck_assert_str_eq(text.data + 7, expected);
    json_decref(list);
    it_str_free(&text);
}

START_TEST(conversations)
{
    const char *user = "[{\"role\": \"user\", \"content\": \"1+1?\"}]";
    ck_renders(NULL, user, true, "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n");
    ck_renders(NULL, user, false, "<|im_start|>user\n1+1?<|im_end|>\n");
    ck_renders("Be brief.", user, true,
               "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n"
               "<|im_start|>assistant\n");
    ck_renders("Be brief.",
               "[{\"role\": \"system\", \"content\": \"Be kind.\"},"
               "{\"role\": \"user\", \"content\": \"a\\nb \"},"
               "{\"role\": \"assistant\", \"content\": \"\"},"
               "{\"role\": \"user\", \"content\": \"\\u00e9\"}]",
               false,
               "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\na\nb <|im_end|>\n"
               "<|im_start|>assistant\n<|im_end|>\n<|im_start|>user\n\xC3\xA9<|im_end|>\n");
    /* the templates ask the first message only */
    ck_renders(
        "S",
        "[{\"role\": \"user\", \"content\": \"u\"}, {\"role\": \"system\", \"content\": \"s\","
        "\"tool_calls\": []}]",
        false,
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nu<|im_end|>\n"
        "<|im_start|>system\ns<|im_end|>\n");
}
END_TEST

START_TEST(conversations_refused)
{
    static const struct {
        const char *messages;
        enum it_status status;
        const char *words;
    } row[] = {
        {"[]", IT_INVALID, "at least one"},
        {"{}", IT_INVALID, "at least one"},
        {"[1]", IT_INVALID, "message 0"},
        {"[{\"role\": \"user\"}]", IT_INVALID, "message 0"},
        {"[{\"role\": \"user\", \"content\": 3}]", IT_INVALID, "message 0"},
        {"[{\"role\": \"user\", \"content\": \"\"}, {\"content\": \"\"}]", IT_INVALID, "message 1"},
        {"[{\"role\": \"tool\", \"content\": \"\"}]", IT_UNSUPPORTED, "role \"tool\""},
        {"[{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{}]}]", IT_UNSUPPORTED,
         "calls of tools"},
    };
    struct it_chat_template template = {NULL};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct it_str text = {0};
        json_t *list = parsed(row[i].messages);
        ck_assert_fails(it_chat_render(&template, list, true, &text), row[i].status, row[i].words);
        ck_assert_uint_eq(text.len, 0);
        json_decref(list);
        it_str_free(&text);
    }
}
END_TEST

/* Write a tokenizer_config.json with this template. */
static void give_template(const char *template)
{
    json_t *config = json_pack("{s:s}", "chat_template", template);
    ck_assert_int_eq(it_json_write(scratch_path("tokenizer_config.json"), config), IT_OK);
    json_decref(config);
}

static const char *system_of(const char *template)
{
    struct it_chat_template opened = {"unset"};
    give_template(template);
    ck_assert_int_eq(it_chat_template_open(scratch, &opened), IT_OK);
    return opened.default_system;
}

static void ck_refused(const char *template, const char *words)
{
    struct it_chat_template opened = {"unset"};
    give_template(template);
    ck_assert_fails(it_chat_template_open(scratch, &opened), IT_UNSUPPORTED, words);
    ck_assert_str_eq(opened.default_system, "unset");
}

START_TEST(plain_templates)
{
    struct it_chat_template opened = {"unset"};
    ck_assert_int_eq(it_chat_template_open(scratch, &opened), IT_OK); /* no file */
    ck_assert_ptr_null(opened.default_system);
    scratch_text("tokenizer_config.json", "{\"chat_template\": null}");
    ck_assert_int_eq(it_chat_template_open(scratch, &opened), IT_OK);
    ck_assert_ptr_null(system_of(it_chat_template_chatml));
    /* other spellings of the same */
    ck_assert_ptr_null(system_of(
        "{%- for message in messages -%}\n    {{- \"<|im_start|>\" + message.role + \"\\n\" -}}\n"
        "    {{- message['content']+'<|im_end|>\\n' -}}\n{%- endfor -%}\n"
        "{#- the answer -#}\n{%- if add_generation_prompt -%}\n"
        "    {{- '<|im_start|>' + 'assistant\\n' -}}\n{%- endif -%}\n"));
    /* with text outside of tags; the line break after a block tag is removed */
    ck_assert_ptr_null(
        system_of("{% for message in messages %}\n<|im_start|>{{ message[\"role\"] }}\n"
                  "{{ message[\"content\"] }}<|im_end|>\n{% endfor %}\n"
                  "  {% if add_generation_prompt %}\n<|im_start|>assistant\n{% endif %}"));
    ck_assert_ptr_null(system_of(
        "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
        "{% endif %}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
        "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\\n' }}{% endif %}"));
}
END_TEST

#define QWEN2(system)                                                                          \
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"     \
    "{{ '<|im_start|>system\\n" system "<|im_end|>\\n' }}{% endif %}"                          \
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}" \
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/* The shape of Qwen2.5's: tools in a branch of their own, then the plain case. */
#define QWEN25(system, user)                                                                       \
    "{%- if tools %}\n    {{- 'T' }}\n    {%- if messages[0]['role'] == 'system' %}\n"             \
    "        {{- messages[0]['content'] }}\n    {%- else %}\n        {{- 'x' }}\n    {%- endif %}" \
    "\n    {%- for tool in tools %}\n        {{- tool | tojson }}\n    {%- endfor %}\n"            \
    "{%- else %}\n    {%- if messages[0]['role'] == 'system' %}\n"                                 \
    "        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"          \
    "    {%- else %}\n        {{- '<|im_start|>system\\n" system "<|im_end|>\\n' }}\n"             \
    "    {%- endif %}\n{%- endif %}\n{%- for message in messages %}\n    {%- if (message.role == " \
    "\"" user "\") or (message.role == \"system\" and not loop.first) or (message.role == "        \
    "\"assistant\" and not message.tool_calls) %}\n        {{- '<|im_start|>' + message.role + "   \
    "'\\n' + message.content + '<|im_end|>' + '\\n' }}\n    {%- elif message.role == \"tool\" %}"  \
    "\n        {{- message.content }}\n        {%- if loop.last %}\n            {{- 'y' }}\n"      \
    "        {%- endif %}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n"     \
    "    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n"

START_TEST(templates_with_a_system_message)
{
    const char *helpful = "You are a helpful assistant.";
    const char *qwen = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
    ck_assert_str_eq(system_of(QWEN2("You are a helpful assistant.")), helpful);
    ck_assert_str_eq(system_of(QWEN25("You are a helpful assistant.", "user")), helpful);
    ck_assert_str_eq(
        system_of(
            QWEN25("You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", "user")),
        qwen);
    ck_refused(QWEN25("Talk like a pirate.", "user"), "Talk like a pirate.");
    ck_refused(QWEN25("You are a helpful assistant.", "human"), "form of ChatML");
}
END_TEST

START_TEST(templates_refused)
{
    static const char *const row[][2] = {
        {"<|start_header_id|>{{ x }}", "Llama 3"},
        {"<|im_start|></think>", "reasoning"},
        {"[INST] {{ x }} [/INST]", "Mistral"},
        {"{{ messages }}", "not known"},
        {"", "not known"},
        {"{% if x", "not known"},
        {"{{ 'x }}", "not known"},
        {"{{ 'x\\", "not known"},
        {"{{ a['b'", "not known"},
        {"{% ] \"abcdefgh\" ] %}", "not known"},
        {"{% a['b']['c'][0]]] %}", "not known"},
        {"\x01", "not known"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) { ck_refused(row[i][0], row[i][1]); }
    /* plain ChatML but for one thing */
    ck_refused("{{ bos_token }}" QWEN2("You are a helpful assistant."), "form of ChatML");
    ck_refused("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
               "message['content'] | trim + '<|im_end|>' + '\\n'}}{% endfor %}",
               "form of ChatML");
    ck_refused("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
               "message['content'] + '<|im_end|>'}}{% endfor %}{% if add_generation_prompt %}"
               "{{ '<|im_start|>assistant\\n' }}{% endif %}",
               "form of ChatML");
    struct it_chat_template opened;
    scratch_text("tokenizer_config.json", "{\"chat_template\": 3}");
    ck_assert_fails(it_chat_template_open(scratch, &opened), IT_INVALID, "chat_template");
    scratch_text("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"tool_use\"}]}");
    ck_assert_fails(it_chat_template_open(scratch, &opened), IT_INVALID, "chat_template");
}
END_TEST

START_TEST(places_of_templates)
{
    struct it_chat_template opened = {"unset"};
    json_t *config =
        json_pack("{s:[{s:s,s:s},{s:s,s:s}]}", "chat_template", "name", "tool_use", "template",
                  "{{ x }}", "name", "default", "template", QWEN2("You are a helpful assistant."));
    ck_assert_int_eq(it_json_write(scratch_path("tokenizer_config.json"), config), IT_OK);
    json_decref(config);
    ck_assert_int_eq(it_chat_template_open(scratch, &opened), IT_OK);
    ck_assert_str_eq(opened.default_system, "You are a helpful assistant.");
    scratch_text("chat_template.jinja", it_chat_template_chatml); /* counts before the other */
    ck_assert_int_eq(it_chat_template_open(scratch, &opened), IT_OK);
    ck_assert_ptr_null(opened.default_system);
}
END_TEST

static const char *spelled(const char *template)
{
    static char said[512];
    struct it_str out = {0};
    ck_assert(it_template_spell(template, strlen(template), &out));
    snprintf(said, sizeof said, "%s", it_str_c(&out));
    it_str_free(&out);
    return said;
}

/* White space as Jinja removes it with trim_blocks and lstrip_blocks. */
START_TEST(white_space_of_templates)
{
    ck_assert_str_eq(spelled("a\n  {% if x %}\n  b\n  {% endif %}\nc\n"),
                     "\3\4\"a\\n\"\1 if x\2\3\4\"  b\\n\"\1 endif\2\3\4\"c\"");
    ck_assert_str_eq(spelled("a \n {%- if x -%} \n b {{- y -}} c\n\n"),
                     "\3\4\"a\"\1 if x\2\3\4\"b\"\4 y\4\"c\\n\"");
    ck_assert_str_eq(spelled("{{ x }}\n{{ y }}"), "\3\4 x\4\"\\n\"\4 y");
    ck_assert_str_eq(spelled("a {# b #}\nc"), "\3\4\"a c\"");
    ck_assert_str_eq(spelled("{{ a[\"b\"][0]['c d'] + \"x'\" + 'y\"' }}"),
                     "\3\4 a . b [ 0 ] [ \"c d\" ]\4\"x'y\\\"\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chat");
    TCase *tests = tcase_create("chat");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, conversations);
    tcase_add_test(tests, conversations_refused);
    tcase_add_test(tests, plain_templates);
    tcase_add_test(tests, templates_with_a_system_message);
    tcase_add_test(tests, templates_refused);
    tcase_add_test(tests, places_of_templates);
    tcase_add_test(tests, white_space_of_templates);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
