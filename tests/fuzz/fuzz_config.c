/* SPDX-License-Identifier: MIT */
/* A hostile config.json: it is refused, or describes a model whose sizes can be worked with. */
#define _GNU_SOURCE
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/models.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const struct it_arch *arch, const struct it_model_config *config)
{
    assert(arch && config->model_type);
    assert(it_config_check(config, "input") == IT_OK);
    assert(config->n_eos >= 0 && config->n_eos <= IT_MAX_EOS);
    for (int i = 0; i < config->n_eos; i++) {
        assert(config->eos[i] >= 0 && config->eos[i] < config->vocab);
    }
    for (int i = 0; i < arch->n_slots; i++) {
        assert(it_dim_size(config, arch->slots[i].rows) > 0);
        assert(it_dim_size(config, arch->slots[i].columns) > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char path[32];
    const struct it_arch *arch = NULL;
    struct it_model_config config;
    enum it_dtype dtype;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) { return 0; }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, bytes, n) == (ssize_t)n &&
        it_config_read(path, &arch, &config, &dtype) == IT_OK) {
        check(arch, &config);
        it_config_free(&config);
    }
    close(fd);
    return 0;
}
