/* SPDX-License-Identifier: MIT */
/* matmul: which kernels, how many groups. */
#include "backends/vulkan/vulkan.h"

_Static_assert(sizeof(struct it_vulkan_product) <= IT_VULKAN_PUSH, "push constants");

enum {
    COLUMNS = 64, ROWS = 64,         /* of y, a group of matmul.comp */
    FEW_COLUMNS = 16, FEW_ROWS = 16, /* and of few.comp */
    DIRECT = 4, DIRECT_GROUP = 8, /* what an invocation of direct.comp makes; those in a group */
};

/* Kernels by what y is: of the operands' type, or f32. */
struct product_kernel {
    enum it_vulkan_kernel same, to_f32;
    int64_t columns, rows; /* of y a group makes */
};

/* An element of y is a sum in the same order in all but those of matrices, of which only the driver
 * knows the order: they serve where exactness is not asked for. */
static const struct product_kernel *product_kernel(const struct it_vulkan *v,
                                                   enum it_vulkan_type type,
                                                   const struct it_vulkan_product *p)
{
    static const struct product_kernel
        direct = {IT_VULKAN_matmul_direct, IT_VULKAN_matmul_direct_to_f32, DIRECT * DIRECT_GROUP,
                  DIRECT},
        few = {IT_VULKAN_matmul_few, IT_VULKAN_matmul_few_to_f32, FEW_COLUMNS, FEW_ROWS},
        many = {IT_VULKAN_matmul, IT_VULKAN_matmul_to_f32, COLUMNS, ROWS},
        bf16 = {IT_VULKAN_matrix, IT_VULKAN_matrix_to_f32, IT_VULKAN_MATRIX_COLUMNS,
                IT_VULKAN_MATRIX_ROWS},
        f16 = {IT_VULKAN_matrix_f16, IT_VULKAN_matrix_f16_to_f32, IT_VULKAN_MATRIX_COLUMNS,
               IT_VULKAN_MATRIX_ROWS};
    if (v->is_cpu) { return &direct; }
    if (p->m <= 2 * FEW_ROWS) { return &few; }
    if (v->exact || type != IT_VULKAN_BF16) { return &many; }
    switch (v->matrices.fragments) {
    case IT_VULKAN_BF16_FRAGMENTS: return &bf16;
    case IT_VULKAN_F16_FRAGMENTS:
        /* a scale for each row and column goes into the scratch */
        return (int64_t)p->m + p->n <= IT_VULKAN_SCRATCH / (int64_t)sizeof(float) ? &f16 : &many;
    default: return &many;
    }
}

/* May a line's elements be read four at a time, from where a line begins? */
static bool is_aligned(const struct it_tensor *t)
{
    return it_vulkan_at(t) % (4 * it_dtype_size(t->dtype)) == 0 && it_vulkan_row(t) % 4 == 0;
}

static enum it_status find_scales(struct it_device *device, const struct it_vulkan_product *p)
{
    int64_t most = p->m > p->n ? p->m : p->n;
    return IT_VULKAN_LAUNCH(device, IT_VULKAN_BF16, IT_VULKAN_matrix_scales,
                            it_vulkan_groups(most), 2, *p);
}

enum it_status it_vulkan_matmul(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2],
                           *bias = &args->t[3];
    enum it_vulkan_type type;
    bool biased = bias->dtype != IT_NONE;
    if (!it_vulkan_pick(device, args, a->dtype, &type) || b->dtype != a->dtype ||
        (biased && bias->dtype != a->dtype) || (y->dtype != IT_F32 && y->dtype != a->dtype)) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_product p = {
        .y = it_vulkan_at(y), .a = it_vulkan_at(a), .b = it_vulkan_at(b),
        .bias = it_vulkan_at(bias), .scales = it_vulkan_of(device)->scratch.address,
        .y_row = it_vulkan_row(y), .a_row = it_vulkan_row(a), .b_row = it_vulkan_row(b),
        .m = (int)y->shape[0], .n = (int)y->shape[1], .k = (int)a->shape[args->i[0] ? 0 : 1],
        .trans_a = (int)args->i[0], .trans_b = (int)args->i[1], .accumulate = args->f[0] != 0.0,
        .biased = biased, .a_aligned = is_aligned(a), .b_aligned = is_aligned(b)};
    const struct product_kernel *kernel = product_kernel(it_vulkan_of(device), type, &p);
    int64_t across = it_vulkan_blocks(p.n, kernel->columns);
    int64_t down = it_vulkan_blocks(p.m, kernel->rows);
    if (across > IT_VULKAN_MOST_GROUPS || down > IT_VULKAN_MOST_GROUPS) { return IT_UNSUPPORTED; }
    if (kernel->same == IT_VULKAN_matrix_f16) { IT_TRY(find_scales(device, &p)); }
    return IT_VULKAN_LAUNCH(device, type, y->dtype == a->dtype ? kernel->same : kernel->to_f32,
                            across, down, p);
}
