/* SPDX-License-Identifier: MIT */
/* A hostile adapter_config.json: it is refused, or describes adapters that a net can be given. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/file.h"
#include "core/base/mem.h"
#include "models/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char folder[] = "/dev/shm/it-fuzz-XXXXXX", path[64];
static struct it_device *device;

static void finish(void)
{
    it_dir_remove(folder);
    it_device_close(device);
}

static void start(void)
{
    struct it_device_options options = {.threads = 1};
    if (device) { return; }
    if (!mkdtemp(folder)) { abort(); }
    snprintf(path, sizeof path, "%s/adapter_config.json", folder);
    if (it_device_open("reference", &options, &device) != IT_OK) { abort(); }
    atexit(finish);
}

/* Over views without memory: the rank is a number of the file. */
static void give(const struct it_arch *arch, const struct it_lora *lora)
{
    char type[] = "qwen2";
    struct it_model_config config = {.model_type = type, .vocab = 11, .hidden = 8, .layers = 2,
                                     .heads = 2, .kv_heads = 1, .head_dim = 4, .ff = 6,
                                     .max_positions = 8, .rms_eps = 1e-6, .rope_theta = 1e4};
    struct it_net_options how = {.dtype = IT_F32, .measure = true};
    struct it_net *net;
    if (it_net_open(device, arch, &config, &how, &net) != IT_OK) { abort(); }
    if (it_lora_open(net, lora, "input") == IT_OK) {
        json_t *written = it_lora_config(net, "base");
        assert(written && it_lora_parameters(net) > 0);
        json_decref(written);
        assert(it_lora_merge(net) == IT_OK);
    }
    it_net_close(net);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const struct it_arch *arch = it_arch_find("qwen2");
    struct it_lora lora;
    char *base = NULL;
    start();
    FILE *stream = fopen(path, "w");
    if (!stream) { return 0; }
    bool whole = fwrite(bytes, 1, n, stream) == n;
    if (fclose(stream) || !whole) { return 0; }
    if (it_lora_base(folder, &base) == IT_OK) { assert(base); }
    it_free(base);
    if (it_lora_read(folder, arch, &lora) == IT_OK) { give(arch, &lora); }
    return 0;
}
