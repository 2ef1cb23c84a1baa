/* SPDX-License-Identifier: MIT */
/* A hostile chat template: compiling it succeeds or fails cleanly, and what compiles renders a
 * conversation, or fails, within the limits. */
#include "core/text/jinja.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static json_t *variables(void)
{
    return json_pack("{s:[{s:s,s:s},{s:s,s:s,s:[{s:{s:s,s:{s:i,s:f}}}]}],s:n,s:b,s:s,s:s,s:[iii],"
                     "s:{s:s,s:[s,s]},s:s}",
                     "messages", "role", "user", "content", " What is \xC3\xA9? ", "role",
                     "assistant", "content", "<think>x</think>\n\nA, b", "tool_calls", "function",
                     "name", "f", "arguments", "x", 1, "y", 2.5, "tools", "yes", 1, "a", "alpha",
                     "bos_token", "<s>", "l", 3, 1, 2, "d", "k", "v", "z", "a", "B", "text",
                     "  \xF0\x9F\x98\x80 Ab\nc\xC3\x9F ");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct it_jinja *jinja = NULL;
    struct it_str text = {0};
    struct it_jinja_job job = {.where = "input"};
    if (it_jinja_open("template", (const char *)bytes, n, &jinja) != IT_OK) { return 0; }
    json_t *values = variables();
    assert(values);
    job.variables = values;
    if (it_jinja_render(jinja, &job, &text) == IT_OK) {
        assert(it_utf8_valid_prefix(it_str_c(&text), text.len) == text.len);
    } else {
        assert(text.len == 0);
    }
    it_str_free(&text);
    it_jinja_close(jinja);
    json_decref(values);
    return 0;
}
