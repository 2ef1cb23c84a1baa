/* SPDX-License-Identifier: MIT */
/* Devices, ledgers and model folders, for every command. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/base/mem.h"
#include "core/base/pool.h"
#include "version.h"

enum it_status it_cli_device(const struct it_cli_common *common, bool exact, bool strict,
                             struct it_device **device_out)
{
    const char *name = common->backend, *environment = getenv("INTUITOR_BACKEND");
    struct it_device_options options = {.threads = (int)common->threads, .exact = exact,
                                        .strict = strict, .memory_limit = common->memory_limit};
    bool automatic = !name || strcmp(name, "auto") == 0;
    if (automatic && environment && *environment) { name = environment; }
    IT_TRY(it_device_open(name ? name : "auto", &options, device_out));
    const struct it_device_info *info = it_device_info(*device_out);
    it_info("device %s: %s%s", info->name, info->description,
            automatic && !(environment && *environment) ? " (the fastest usable here)" : "");
    return IT_OK;
}

enum it_dtype it_cli_dtype(const struct it_cli_common *common)
{
    static const enum it_dtype choice[] = {IT_NONE, IT_F32, IT_BF16};
    return choice[common->dtype];
}

void it_cli_add_seed(const struct it_cli_common *common, struct it_strs *overrides)
{
    char seed[32];
    if (!common->seed) { return; }
    snprintf(seed, sizeof seed, "seed=%lld", (long long)common->seed);
    it_strs_add(overrides, seed);
}

json_t *it_cli_ledger(const struct it_device *device)
{
    json_t *ledger = json_object();
    struct it_topology topology;
    it_topology_read(&topology);
    json_object_set_new(ledger, "version", json_string(IT_VERSION));
    json_object_set_new(ledger, "git", json_string(IT_GIT_HASH));
    json_object_set_new(ledger, "compiler", json_string(__VERSION__));
    json_object_set_new(ledger, "cpu", json_string(topology.cpu));
    json_object_set_new(ledger, "cores", json_integer(topology.cores));
    json_object_set_new(ledger, "memory_bytes", json_integer((json_int_t)it_mem_total()));
    if (device) {
        const struct it_device_info *info = it_device_info(device);
        json_object_set_new(ledger, "device", json_string(info->name));
        json_object_set_new(ledger, "device_description", json_string(info->description));
        json_object_set_new(ledger, "exact", json_boolean(it_device_exact(device)));
    }
    return ledger;
}

enum it_status it_cli_adapters(const struct it_recipe *r, struct it_adapter_options *adapters,
                               struct it_model_options *options)
{
    char *folder = it_model_path(r->model_name_or_path);
    bool is_adapter = it_model_is_adapter(folder);
    it_free(folder);
    if (is_adapter && !r->use_peft) {
        return it_fail(IT_INVALID, "model_name_or_path %s is an adapter: set use_peft: true to go "
                       "on training it, or write the whole model with export --merge",
                       r->model_name_or_path);
    }
    *adapters = (struct it_adapter_options){.r = r->lora_r,
                                            .alpha = r->lora_alpha,
                                            .rslora = r->use_rslora,
                                            .targets = &r->lora_target_modules,
                                            .seed = (uint64_t)r->seed};
    options->adapters = r->use_peft ? adapters : NULL;
    return IT_OK;
}

static enum it_status save(void *context, const struct it_weights *weights, const char *folder)
{
    const struct it_model *model = context;
    struct it_save_options options = {.text_from = model->folder};
    return it_model_save(model->net, weights, folder, &options);
}

static enum it_status load(void *context, struct it_weights *weights, const char *folder)
{
    const struct it_model *model = context;
    return it_weights_load(model->net, folder, weights);
}

struct it_rl_folders it_cli_folders(struct it_model *model)
{
    return (struct it_rl_folders){.context = model, .save = save, .load = load};
}
