/* SPDX-License-Identifier: MIT */
/* Matrix products through cuBLASLt. Matrices here are row-major and the library's column-major:
 * y = op(a) op(b) is asked for as y' = op(b)' op(a)', which needs no copies. What the library
 * chooses for a case is kept and reused: the same case then gives the same bits. */
#include <cublasLt.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backends/cuda/driver.h"
#include "core/base/log.h"
#include "core/base/mem.h"

#define BLAS_FUNCTIONS(X)                                                                          \
    X(cublasLtCreate)                                                                              \
    X(cublasLtDestroy)                                                                             \
    X(cublasLtGetVersion)                                                                          \
    X(cublasLtMatmul)                                                                              \
    X(cublasLtMatmulDescCreate)                                                                    \
    X(cublasLtMatmulDescDestroy)                                                                   \
    X(cublasLtMatmulDescSetAttribute)                                                              \
    X(cublasLtMatrixLayoutCreate)                                                                  \
    X(cublasLtMatrixLayoutDestroy)                                                                 \
    X(cublasLtMatmulPreferenceCreate)                                                              \
    X(cublasLtMatmulPreferenceDestroy)                                                             \
    X(cublasLtMatmulPreferenceSetAttribute)                                                        \
    X(cublasLtMatmulAlgoGetHeuristic)

/* What makes two products the same case. */
struct key {
    int64_t m, n, k, row_y, row_a, row_b;
    int32_t trans_a, trans_b, accumulate, type_ab, type_y, type_bias; /* 0: no bias */
    uint32_t align_y, align_a, align_b, align_bias;
};

struct plan {
    struct key key;
    bool possible;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, y;
    cublasLtMatmulAlgo_t algorithm;
};

struct it_cuda_blas {
#define X(name) __typeof__(name) *name;
    BLAS_FUNCTIONS(X)
#undef X
    cublasLtHandle_t handle;
    void *workspace;
    size_t workspace_bytes;
    struct plan **slot; /* [slots], by hash; a power of two */
    size_t slots, plans;
};

/* Half a gigabyte of kernels: opened once and never closed. Beside the loader's own places it is
 * looked for where the toolkit is put. */
static void *library;

static void open_library(void)
{
    static const char *const folders[] = {"", "/usr/local/cuda/lib64/"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders && !library; f++) {
        for (int version = 13; version >= 11 && !library; version--) {
            char name[64];
            snprintf(name, sizeof name, "%slibcublasLt.so.%d", folders[f], version);
            library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        }
    }
}

struct it_cuda_blas *it_cuda_blas_open(void *workspace, size_t workspace_bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    if (!library) { return NULL; }
    struct it_cuda_blas *blas = it_calloc(1, sizeof *blas);
    bool whole = true;
#define X(name) whole = (*(void **)&blas->name = dlsym(library, #name)) != NULL && whole;
    BLAS_FUNCTIONS(X)
#undef X
    if (!whole || blas->cublasLtCreate(&blas->handle) != CUBLAS_STATUS_SUCCESS) {
        it_free(blas);
        return NULL;
    }
    blas->workspace = workspace;
    blas->workspace_bytes = workspace_bytes;
    blas->slots = 256;
    blas->slot = it_calloc(blas->slots, sizeof(struct plan *));
    return blas;
}

static void free_plan(struct it_cuda_blas *blas, struct plan *plan)
{
    if (plan->a) { blas->cublasLtMatrixLayoutDestroy(plan->a); }
    if (plan->b) { blas->cublasLtMatrixLayoutDestroy(plan->b); }
    if (plan->y) { blas->cublasLtMatrixLayoutDestroy(plan->y); }
    if (plan->operation) { blas->cublasLtMatmulDescDestroy(plan->operation); }
    it_free(plan);
}

void it_cuda_blas_close(struct it_cuda_blas *blas)
{
    if (!blas) { return; }
    for (size_t i = 0; i < blas->slots; i++) {
        if (blas->slot[i]) { free_plan(blas, blas->slot[i]); }
    }
    blas->cublasLtDestroy(blas->handle);
    it_free(blas->slot);
    it_free(blas);
}

size_t it_cuda_blas_version(const struct it_cuda_blas *blas)
{
    return blas->cublasLtGetVersion();
}

/* ---- plans ---- */

static cudaDataType_t data_type(int32_t dtype)
{
    return dtype == IT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* The largest power of two up to 256 that an address and its rows are multiples of. */
static uint32_t alignment(const struct it_tensor *t)
{
    uint64_t bits = (uint64_t)(uintptr_t)it_cuda_at(t) | 256;
    if (t->rank > 1) { bits |= (uint64_t)t->stride[0] * it_dtype_size(t->dtype); }
    return (uint32_t)(bits & -bits);
}

static struct key key_of(const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2],
                           *bias = &args->t[3];
    struct key key;
    memset(&key, 0, sizeof key); /* it is hashed and compared as bytes */
    key.m = y->shape[0];
    key.n = y->shape[1];
    key.k = a->shape[args->i[0] ? 0 : 1];
    key.row_y = y->stride[0];
    key.row_a = a->stride[0];
    key.row_b = b->stride[0];
    key.trans_a = args->i[0] != 0;
    key.trans_b = args->i[1] != 0;
    key.accumulate = args->f[0] != 0.0;
    key.type_ab = (int32_t)a->dtype;
    key.type_y = (int32_t)y->dtype;
    key.type_bias = (int32_t)bias->dtype;
    key.align_y = alignment(y);
    key.align_a = alignment(a);
    key.align_b = alignment(b);
    key.align_bias = bias->dtype == IT_NONE ? 0 : alignment(bias);
    return key;
}

static bool set_bias(struct it_cuda_blas *blas, struct plan *plan, const void *at)
{
    return blas->cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                &at, sizeof at) == CUBLAS_STATUS_SUCCESS;
}

static bool set_operation(struct it_cuda_blas *blas, struct plan *plan, const void *bias)
{
    const struct key *key = &plan->key;
    cublasOperation_t op_a = key->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N; /* the first is our b */
    cublasOperation_t op_b = key->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    bool done = blas->cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F) ==
                CUBLAS_STATUS_SUCCESS;
#define SET(name, value)                                                                           \
    done = done && blas->cublasLtMatmulDescSetAttribute(plan->operation, name, &(value),           \
                                                        sizeof(value)) == CUBLAS_STATUS_SUCCESS
    SET(CUBLASLT_MATMUL_DESC_TRANSA, op_a);
    SET(CUBLASLT_MATMUL_DESC_TRANSB, op_b);
    if (key->type_bias != IT_NONE) {
        /* along the rows of y', which are our columns */
        cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
        cudaDataType_t type = data_type(key->type_bias);
        SET(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
        SET(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type);
        done = done && set_bias(blas, plan, bias);
    }
#undef SET
    return done;
}

static bool layout(struct it_cuda_blas *blas, cublasLtMatrixLayout_t *out, int32_t dtype,
                   int64_t rows, int64_t columns, int64_t row)
{
    return blas->cublasLtMatrixLayoutCreate(out, data_type(dtype), (uint64_t)rows,
                                            (uint64_t)columns, row) == CUBLAS_STATUS_SUCCESS;
}

static bool choose(struct it_cuda_blas *blas, struct plan *plan)
{
    const struct key *key = &plan->key;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t found;
    int n = 0;
    bool done = blas->cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS;
#define SET(name, value)                                                                           \
    done = done && blas->cublasLtMatmulPreferenceSetAttribute(preference, name, &(value),          \
                                                              sizeof(value)) ==                    \
                       CUBLAS_STATUS_SUCCESS
    SET(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, blas->workspace_bytes);
    SET(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key->align_b);
    SET(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key->align_a);
    SET(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key->align_y);
    SET(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key->align_y);
#undef SET
    done = done && blas->cublasLtMatmulAlgoGetHeuristic(
                       blas->handle, plan->operation, plan->a, plan->b, plan->y, plan->y,
                       preference, 1, &found, &n) == CUBLAS_STATUS_SUCCESS && n > 0;
    if (preference) { blas->cublasLtMatmulPreferenceDestroy(preference); }
    if (done) { plan->algorithm = found.algo; }
    return done;
}

static struct plan *make_plan(struct it_cuda_blas *blas, const struct key *key, const void *bias)
{
    struct plan *plan = it_calloc(1, sizeof *plan);
    plan->key = *key;
    int64_t rows_a = key->trans_a ? key->k : key->m, rows_b = key->trans_b ? key->n : key->k;
    int64_t columns_a = key->trans_a ? key->m : key->k, columns_b = key->trans_b ? key->k : key->n;
    plan->possible = set_operation(blas, plan, bias) &&
                     layout(blas, &plan->a, key->type_ab, columns_b, rows_b, key->row_b) &&
                     layout(blas, &plan->b, key->type_ab, columns_a, rows_a, key->row_a) &&
                     layout(blas, &plan->y, key->type_y, key->n, key->m, key->row_y) &&
                     choose(blas, plan);
    return plan;
}

/* FNV-1a */
static size_t hash_of(const struct key *key)
{
    const unsigned char *bytes = (const unsigned char *)key;
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < sizeof *key; i++) { hash = (hash ^ bytes[i]) * 1099511628211u; }
    return (size_t)(hash ^ hash >> 32);
}

static struct plan **find_slot(struct plan **slot, size_t slots, const struct key *key)
{
    size_t i = hash_of(key) & (slots - 1);
    while (slot[i] && memcmp(&slot[i]->key, key, sizeof *key) != 0) { i = (i + 1) & (slots - 1); }
    return &slot[i];
}

static void grow(struct it_cuda_blas *blas)
{
    size_t slots = blas->slots * 2;
    struct plan **slot = it_calloc(slots, sizeof(struct plan *));
    for (size_t i = 0; i < blas->slots; i++) {
        if (blas->slot[i]) { *find_slot(slot, slots, &blas->slot[i]->key) = blas->slot[i]; }
    }
    it_free(blas->slot);
    blas->slot = slot;
    blas->slots = slots;
}

enum it_status it_cuda_blas_matmul(struct it_cuda_blas *blas, CUstream stream,
                                   const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2],
                           *bias = &args->t[3];
    bool types = a->dtype == b->dtype && (a->dtype == IT_F32 || a->dtype == IT_BF16) &&
                 (y->dtype == IT_F32 || y->dtype == a->dtype) &&
                 (bias->dtype == IT_NONE || bias->dtype == IT_F32 || bias->dtype == IT_BF16);
    struct key key = key_of(args);
    if (!types || key.m == 0 || key.n == 0 || key.k == 0) { return IT_UNSUPPORTED; }
    if (blas->plans * 2 >= blas->slots) { grow(blas); }
    struct plan **slot = find_slot(blas->slot, blas->slots, &key);
    if (!*slot) {
        *slot = make_plan(blas, &key, it_cuda_at(bias));
        blas->plans++;
    }
    struct plan *plan = *slot;
    if (!plan->possible) { return IT_UNSUPPORTED; }
    if (bias->dtype != IT_NONE && !set_bias(blas, plan, it_cuda_at(bias))) {
        return IT_UNSUPPORTED;
    }
    float one = 1.0f, beta = key.accumulate ? 1.0f : 0.0f;
    cublasStatus_t status = blas->cublasLtMatmul(
        blas->handle, plan->operation, &one, it_cuda_at(b), plan->a, it_cuda_at(a), plan->b, &beta,
        it_cuda_at(y), plan->y, it_cuda_at(y), plan->y, &plan->algorithm, blas->workspace,
        blas->workspace_bytes, (cudaStream_t)stream);
    if (status == CUBLAS_STATUS_SUCCESS) { return IT_OK; }
    return it_fail(IT_FAILED, "cuBLASLt: product of %lld x %lld x %lld: error %d",
                   (long long)key.m, (long long)key.n, (long long)key.k, (int)status);
}
