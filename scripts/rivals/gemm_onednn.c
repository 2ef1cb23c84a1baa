/* SPDX-License-Identifier: MIT */
/* gemm.h by matmul of oneDNN 2.x (C interface). b is brought into the layout that the library asks
 * for beforehand, so that no repacking of it is timed, for gradients of weights neither, where a
 * real step has to; a and y lie as they do in a step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <oneapi/dnnl/dnnl.h>

#include "gemm.h"

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_t matmul;
static dnnl_memory_t y, a, b;
static bool half_y;

static void must(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) { gemm_stop(what, (int)status); }
}

/* The thread count is the environment's: OMP_NUM_THREADS. */
void gemm_open(int threads, bool exact)
{
    const char *said = getenv("OMP_NUM_THREADS");
    (void)exact;
    if (!said || atoi(said) != threads) { gemm_stop("OMP_NUM_THREADS, not", threads); }
    const dnnl_version_t *version = dnnl_version();
    fprintf(stderr, "oneDNN %d.%d.%d\n", version->major, version->minor, version->patch);
    must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
}

void gemm_close(void)
{
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
}

/* [rows, columns], in memory the other way round if `turned` */
static dnnl_memory_desc_t plain(int64_t rows, int64_t columns, bool turned, bool half)
{
    dnnl_memory_desc_t desc;
    dnnl_dims_t dims = {rows, columns}, strides = {turned ? 1 : columns, turned ? rows : 1};
    must(dnnl_memory_desc_init_by_strides(&desc, 2, dims, half ? dnnl_bf16 : dnnl_f32, strides),
         "layout");
    return desc;
}

static dnnl_memory_t memory(const dnnl_memory_desc_t *desc, const void *from)
{
    dnnl_memory_t to;
    void *handle;
    must(dnnl_memory_create(&to, desc, engine, DNNL_MEMORY_ALLOCATE), "memory");
    must(dnnl_memory_get_data_handle(to, &handle), "memory");
    if (from) {
        memcpy(handle, from, dnnl_memory_desc_get_size(desc));
    } else {
        memset(handle, 0, dnnl_memory_desc_get_size(desc));
    }
    return to;
}

/* The same numbers in another layout. */
static dnnl_memory_t reordered(dnnl_memory_t from, const dnnl_memory_desc_t *from_desc,
                               const dnnl_memory_desc_t *to_desc)
{
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t reorder;
    dnnl_memory_t to = memory(to_desc, NULL);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    must(dnnl_reorder_primitive_desc_create(&desc, from_desc, engine, to_desc, engine, NULL),
         "reorder");
    must(dnnl_primitive_create(&reorder, desc), "reorder");
    must(dnnl_primitive_execute(reorder, stream, 2, args), "reorder");
    must(dnnl_stream_wait(stream), "reorder");
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(desc);
    return to;
}

void gemm_prepare(const struct product *p, const void *from_a, const void *from_b)
{
    dnnl_memory_desc_t a_desc = plain(p->m, p->k, p->trans_a, p->half), any;
    dnnl_memory_desc_t b_desc = plain(p->k, p->n, p->trans_b, p->half);
    dnnl_memory_desc_t y_desc = plain(p->m, p->n, false, p->half_y);
    dnnl_matmul_desc_t how;
    dnnl_primitive_desc_t desc;
    dnnl_dims_t b_dims = {p->k, p->n};
    must(dnnl_memory_desc_init_by_tag(&any, 2, b_dims, p->half ? dnnl_bf16 : dnnl_f32,
                                      dnnl_format_tag_any),
         "layout");
    must(dnnl_matmul_desc_init(&how, &a_desc, &any, NULL, &y_desc), "matmul");
    must(dnnl_primitive_desc_create(&desc, &how, NULL, engine, NULL), "matmul");
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    dnnl_memory_t as_given = memory(&b_desc, from_b);
    a = memory(&a_desc, from_a);
    b = reordered(as_given, &b_desc, wanted);
    y = memory(&y_desc, NULL);
    dnnl_memory_destroy(as_given);
    must(dnnl_primitive_create(&matmul, desc), "matmul");
    dnnl_primitive_desc_destroy(desc);
    half_y = p->half_y;
}

void gemm_run(void)
{
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, y}};
    must(dnnl_primitive_execute(matmul, stream, 3, args), "matmul");
    must(dnnl_stream_wait(stream), "matmul");
}

void gemm_read(float *y_out, int64_t n)
{
    void *handle;
    must(dnnl_memory_get_data_handle(y, &handle), "y");
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = half_y ? (uint32_t)((uint16_t *)handle)[i] << 16 : ((uint32_t *)handle)[i];
        memcpy(&y_out[i], &bits, sizeof bits);
    }
}

void gemm_release(void)
{
    dnnl_primitive_destroy(matmul);
    dnnl_memory_destroy(y);
    dnnl_memory_destroy(a);
    dnnl_memory_destroy(b);
}
