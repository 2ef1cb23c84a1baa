/* SPDX-License-Identifier: MIT */
/* intuitor devices: what could run a model here. */
#include <string.h>

#include "cli/cli.h"
#include "cli/device_ops.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/tensor/backend.h"
#include "version.h"

struct devices_values {
    struct it_cli_common common;
    bool ops;
};

static const struct it_option rows[] = {
    IT_CLI_ROWS(devices_values),
    IT_CLI_JSON_ROW(devices_values),
    {"ops", IT_OPT_BOOL, "false", "list each operation as native or fallback, by device and type",
     offsetof(struct devices_values, ops), NULL},
};

/* ---- the document: the table is printed from it ---- */

static void put_int(json_t *object, const char *name, int64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *host(void)
{
    struct it_topology t;
    json_t *object = json_object();
    it_topology_read(&t);
    json_object_set_new(object, "cpu", json_string(t.cpu));
    put_int(object, "packages", t.packages);
    put_int(object, "numa_nodes", t.numa_nodes);
    put_int(object, "cores", t.cores);
    put_int(object, "threads", t.threads);
    put_int(object, "l1d_bytes", t.l1d);
    put_int(object, "l2_bytes", t.l2);
    put_int(object, "l3_bytes", t.l3);
    put_int(object, "memory_bytes", it_mem_total());
    return object;
}

static json_t *dtypes(unsigned bits)
{
    json_t *list = json_array();
    for (int d = 1; d < IT_DTYPE_COUNT; d++) {
        if (bits & (1u << d)) {
            json_array_append_new(list, json_string(it_dtype_name((enum it_dtype)d)));
        }
    }
    return list;
}

static json_t *features(unsigned flags)
{
    static const struct {
        enum it_device_flag flag;
        const char *name;
    } known[] = {{IT_DEVICE_UNIFIED, "unified"},
                 {IT_DEVICE_DETERMINISTIC, "deterministic"},
                 {IT_DEVICE_CAPTURE, "capture"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (flags & known[i].flag) { json_array_append_new(list, json_string(known[i].name)); }
    }
    return list;
}

/* NULL when the device cannot be opened: the reason is logged. */
static json_t *device_document(const char *name, bool ops)
{
    struct it_device_options options = {0};
    struct it_device *device;
    if (it_device_open(name, &options, &device) != IT_OK) { return NULL; }
    const struct it_device_info *info = it_device_info(device);
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(info->name));
    json_object_set_new(object, "description",
                        it_json_text(info->description, strlen(info->description)));
    put_int(object, "memory_total_bytes", info->memory_total);
    put_int(object, "memory_free_bytes", info->memory_free);
    put_int(object, "memory_held_bytes", info->memory_held);
    put_int(object, "max_slab_bytes", info->max_slab);
    put_int(object, "max_tensor_bytes", info->max_tensor_bytes);
    put_int(object, "offset_align", info->offset_align);
    json_object_set_new(object, "dtypes", dtypes(info->dtypes));
    json_object_set_new(object, "features", features(info->flags));
    json_t *by_dtype = ops ? it_device_ops_by_dtype(device) : NULL;
    if (by_dtype) {
        json_object_set_new(object, "ops", it_device_ops_in_short(by_dtype));
        json_object_set_new(object, "ops_by_dtype", by_dtype);
    }
    it_device_close(device);
    return object;
}

static void add_device(json_t *devices, const char *name, bool ops)
{
    json_t *object = device_document(name, ops);
    if (object) { json_array_append_new(devices, object); }
}

static json_t *backend_document(const struct it_backend *backend, bool ops)
{
    char why[160] = "";
    json_t *object = json_object(), *devices = json_array();
    int n = backend->probe(why, sizeof why);
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.40s:%d", backend->name, i);
        add_device(devices, name, ops);
    }
    json_object_set_new(object, "name", json_string(backend->name));
    json_object_set_new(object, "summary", json_string(backend->summary));
    json_object_set_new(object, "usable", json_boolean(json_array_size(devices) > 0));
    if (n <= 0) { json_object_set_new(object, "why", it_json_text(why, strlen(why))); }
    json_object_set_new(object, "devices", devices);
    return object;
}

static json_t *reference_document(bool ops)
{
    json_t *object = json_object(), *devices = json_array();
    add_device(devices, "reference", ops);
    json_object_set_new(object, "name", json_string("reference"));
    json_object_set_new(object, "summary", json_string("plain C on the host, slow: the judge of "
                                                       "the others"));
    json_object_set_new(object, "usable", json_true());
    json_object_set_new(object, "devices", devices);
    return object;
}

static enum it_status collect(bool ops, json_t **document_out)
{
    struct it_device_options options = {0};
    struct it_device *device;
    json_t *document = json_object(), *backends = json_array();
    for (size_t i = 0; it_backend_at(i); i++) {
        json_array_append_new(backends, backend_document(it_backend_at(i), ops));
    }
    json_array_append_new(backends, reference_document(ops));
    json_object_set_new(document, "version", json_string(IT_VERSION));
    json_object_set_new(document, "git", json_string(IT_GIT_HASH));
    json_object_set_new(document, "host", host());
    json_object_set_new(document, "backends", backends);
    enum it_status status = it_device_open("auto", &options, &device);
    if (status != IT_OK) {
        json_decref(document);
        return status;
    }
    json_object_set_new(document, "auto", json_string(it_device_info(device)->name));
    it_device_close(device);
    *document_out = document;
    return IT_OK;
}

/* ---- the table ---- */

static int64_t integer(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

static const char *string(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static const char *size(const json_t *object, const char *name, char buffer[24])
{
    int64_t bytes = integer(object, name);
    return bytes ? it_format_size(bytes, buffer, 24) : "unknown";
}

/* "f32 bf16" */
static void print_words(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        printf("%s%s", i ? " " : "", json_string_value(json_array_get(list, i)));
    }
}

static void print_device(const json_t *device)
{
    char total[24], free_now[24];
    printf("  %-10s %s\n", string(device, "name"), string(device, "description"));
    printf("  %-10s memory %s, %s free; dtypes ", "", size(device, "memory_total_bytes", total),
           size(device, "memory_free_bytes", free_now));
    print_words(json_object_get(device, "dtypes"));
    printf("; ");
    print_words(json_object_get(device, "features"));
    printf("\n");
}

static void print_host(const json_t *h)
{
    char l1[24], l2[24], l3[24], memory[24];
    printf("host: %s\n  packages %lld, NUMA nodes %lld, cores %lld, threads %lld; L1d %s, L2 %s, "
           "L3 %s; memory %s\n", string(h, "cpu"), (long long)integer(h, "packages"),
           (long long)integer(h, "numa_nodes"), (long long)integer(h, "cores"),
           (long long)integer(h, "threads"), size(h, "l1d_bytes", l1), size(h, "l2_bytes", l2),
           size(h, "l3_bytes", l3), size(h, "memory_bytes", memory));
}

static void print_table(const json_t *document, bool ops)
{
    size_t b, d;
    const json_t *backend, *device, *backends = json_object_get(document, "backends");
    json_array_foreach(backends, b, backend)
    {
        printf("%s: %s\n", string(backend, "name"), string(backend, "summary"));
        json_array_foreach(json_object_get(backend, "devices"), d, device)
        {
            print_device(device);
        }
        if (!json_is_true(json_object_get(backend, "usable"))) {
            const char *why = string(backend, "why");
            printf("  not usable here%s%s\n", *why ? ": " : "", why);
        }
    }
    print_host(json_object_get(document, "host"));
    printf("auto: %s\n", string(document, "auto"));
    if (ops) { it_device_ops_print(backends); }
}

static enum it_status run(const void *values, const struct it_strs *arguments)
{
    const struct devices_values *v = values;
    json_t *document;
    enum it_status status = IT_OK;
    if (arguments->n) {
        return it_cli_usage(&it_command_devices, "nothing but options is expected");
    }
    IT_TRY(collect(v->ops, &document));
    if (v->common.json) {
        status = it_jsonl_put(stdout, document);
    } else {
        print_table(document, v->ops);
    }
    json_decref(document);
    return status;
}

const struct it_command it_command_devices = {
    .name = "devices",
    .summary = "backends, devices and the host: memory, types, features",
    .usage = "[--ops] [--json]",
    .example = "intuitor devices --ops",
    .table = {rows, sizeof rows / sizeof *rows},
    .values_size = sizeof(struct devices_values),
    .run = run,
};
