/* SPDX-License-Identifier: MIT */
/* Published shapes have the published number of parameters. Skipped without the data: INTUITOR_DATA
 * names its folder. */
#include "core/base/json.h"
#include "models/models.h"
#include "tests/scratch.h"

static struct it_device *device;

static int64_t parameters_of(const char *path)
{
    struct it_model_options how = {.device = device, .measure = true};
    struct it_model *model = NULL;
    ck_assert_int_eq(it_model_open(path, &how, &model), IT_OK);
    int64_t n = it_net_parameters(model->net);
    it_model_close(model);
    return n;
}

START_TEST(shapes_have_their_parameters)
{
    struct it_str path = {0};
    json_t *list = NULL;
    struct it_device_options options = {0};
    it_str_printf(&path, "%s/model_configs/configs.json", getenv("INTUITOR_DATA"));
    ck_assert_int_eq(it_json_read(it_str_c(&path), &list), IT_OK);
    ck_assert_int_eq(it_device_open("reference", &options, &device), IT_OK);
    ck_assert_uint_ge(json_array_size(list), 9);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        json_int_t expected = json_integer_value(json_object_get(entry, "parameters"));
        const char *file = scratch_path("config.json");
        ck_assert_int_eq(it_json_write(file, json_object_get(entry, "config")), IT_OK);
        ck_assert_int_eq(parameters_of(file), expected);
        it_str_clear(&path); /* and the same as a folder */
        it_str_printf(&path, "%s/model_configs/%s", getenv("INTUITOR_DATA"),
                      json_string_value(json_object_get(entry, "model")));
        ck_assert_int_eq(parameters_of(it_str_c(&path)), expected);
    }
    it_device_close(device);
    json_decref(list);
    it_str_free(&path);
}
END_TEST

int main(void)
{
    if (!getenv("INTUITOR_DATA")) { return 77; }
    Suite *suite = suite_create("published");
    TCase *tests = tcase_create("published");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, shapes_have_their_parameters);
    suite_add_tcase(suite, tests);
    return scratch_run(suite);
}
