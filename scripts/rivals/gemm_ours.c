/* SPDX-License-Identifier: MIT */
/* gemm.h by this project's own cpu backend, through the same door as a training step. */
#include <string.h>

#include "core/tensor/ops.h"
#include "gemm.h"

static struct it_device *device;
static struct it_arena *arena;
static struct it_tensor y, a, b;
static struct it_matmul_how how;

static void must(enum it_status status, const char *what)
{
    if (status != IT_OK) { gemm_stop(what, (int)status); }
}

void gemm_open(int threads, bool exact)
{
    struct it_device_options options = {.threads = threads, .exact = exact};
    must(it_device_open("cpu", &options, &device), "opening the device");
}

void gemm_close(void)
{
    it_device_close(device);
}

static void make_operands(const struct product *p)
{
    enum it_dtype in = p->half ? IT_BF16 : IT_F32, out = p->half_y ? IT_BF16 : IT_F32;
    must(it_tensor2(arena, out, p->m, p->n, &y), "y");
    must(it_tensor2(arena, in, p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, &a), "a");
    must(it_tensor2(arena, in, p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n, &b), "b");
}

void gemm_prepare(const struct product *p, const void *from_a, const void *from_b)
{
    must(it_arena_measure(device, "gemm", &arena), "measuring");
    make_operands(p);
    int64_t bytes = it_arena_peak(arena);
    it_arena_close(arena);
    must(it_arena_open(device, "gemm", bytes, &arena), "memory");
    make_operands(p);
    must(it_upload(a, from_a), "upload");
    must(it_upload(b, from_b), "upload");
    must(it_fill(y, 0.0), "fill");
    how = (struct it_matmul_how){.trans_a = p->trans_a, .trans_b = p->trans_b};
}

void gemm_run(void)
{
    must(it_matmul(y, a, b, (struct it_tensor){0}, how), "matmul");
    must(it_device_finish(device), "finish");
}

void gemm_read(float *y_out, int64_t n)
{
    const char *memory = it_tensor_host(&y);
    if (!memory) { gemm_stop("reading y", 0); }
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = 0;
        if (y.dtype == IT_BF16) {
            memcpy((char *)&bits + 2, memory + 2 * i, 2);
        } else {
            memcpy(&bits, memory + 4 * i, 4);
        }
        memcpy(&y_out[i], &bits, sizeof bits);
    }
}

void gemm_release(void)
{
    it_arena_close(arena);
}
