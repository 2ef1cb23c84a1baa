/* SPDX-License-Identifier: MIT */
/* matmul: tiles in local memory on a GPU, packed panels in the scratch on a processor; few rows
 * have kernels of their own on both. */
#include "backends/opencl/launch.h"

struct call {
    struct it_device *device;
    enum it_opencl_type type;
    bool to_f32; /* y is f32, a and b are not */
    struct product p;
    cl_mem y, a, b, bias;
};

static enum it_status of_few_rows(const struct call *c)
{
    size_t across = (size_t)blocks(c->p.n, FEW_COLUMNS);
    if (c->to_f32) {
        return LAUNCH(c->device, c->type, matmul_few_to_f32, across, 1, c->p, c->y, c->a, c->b,
                      c->bias);
    }
    return LAUNCH(c->device, c->type, matmul_few, across, 1, c->p, c->y, c->a, c->b, c->bias);
}

static enum it_status in_tiles(const struct call *c)
{
    int64_t tile = it_opencl_of(c->device)->wide == 256 ? MOST_TILE : MOST_TILE / 2;
    size_t across = (size_t)blocks(c->p.n, tile), down = (size_t)blocks(c->p.m, tile);
    if (c->to_f32) {
        return LAUNCH(c->device, c->type, matmul_to_f32, across, down, c->p, c->y, c->a, c->b,
                      c->bias);
    }
    return LAUNCH(c->device, c->type, matmul, across, down, c->p, c->y, c->a, c->b, c->bias);
}

/* ---- panels: a's are at the start of the scratch, b's after them ---- */

static int64_t round_up(int64_t count, int64_t each)
{
    return blocks(count, each) * each;
}

/* Rows `first` to `first + count` of a matrix [rows,k], or columns of one [k,columns]. */
static enum it_status pack(const struct call *c, cl_mem from, struct place m, bool across,
                           int64_t first, int64_t count, int64_t width, int64_t to)
{
    m.at += first * (across ? 1 : m.row);
    struct packing p = {.m = m, .count = count, .k = c->p.k, .to = to, .across = across,
                        .width = (int)width};
    return LAUNCH(c->device, c->type, pack, (size_t)blocks(count, width),
                  (size_t)blocks(c->p.k, PACK_K), p, it_opencl_of(c->device)->scratch, from);
}

static enum it_status multiply(const struct call *c, struct product p, int64_t panel)
{
    cl_mem scratch = it_opencl_of(c->device)->scratch;
    size_t across = (size_t)blocks(p.n, panel), down = (size_t)blocks(p.m, PACK_BLOCK);
    if (c->to_f32) {
        return LAUNCH(c->device, c->type, matmul_packed_to_f32, across, down, p, c->y, scratch,
                      c->bias);
    }
    return LAUNCH(c->device, c->type, matmul_packed, across, down, p, c->y, scratch, c->bias);
}

/* b is read where it lies, once for all rows. */
static enum it_status in_strips(const struct call *c)
{
    struct it_opencl *o = it_opencl_of(c->device);
    int64_t tall = c->p.m == 1 ? 1 : CPU_ROWS(o->lanes);
    size_t across = (size_t)blocks(c->p.n, 2 * o->lanes);
    IT_TRY(pack(c, c->a, c->p.a, c->p.trans_a, 0, c->p.m, tall, 0));
    if (c->to_f32) {
        return LAUNCH(c->device, c->type, matmul_strip_to_f32, across, 1, c->p, c->y, o->scratch,
                      c->b, c->bias);
    }
    return LAUNCH(c->device, c->type, matmul_strip, across, 1, c->p, c->y, o->scratch, c->b,
                  c->bias);
}

/* As many rows, then columns, at a time as the scratch has room for; k is never cut. */
static enum it_status in_panels(const struct call *c)
{
    const struct product *p = &c->p;
    int64_t lanes = it_opencl_of(c->device)->lanes, tall = CPU_ROWS(lanes), wide = 2 * lanes;
    int64_t vectors = IT_OPENCL_SCRATCH / (int64_t)sizeof(float) / (p->k ? p->k : 1);
    int64_t rows = vectors / 2 / tall * tall;
    if (rows > p->m) { rows = round_up(p->m, tall); }
    int64_t columns = (vectors - rows) / wide * wide;
    if ((rows == 0 && p->m > 0) || columns == 0) { return IT_UNSUPPORTED; }
    for (int64_t i = 0; i < p->m; i += rows) {
        int64_t height = p->m - i < rows ? p->m - i : rows;
        IT_TRY(pack(c, c->a, p->a, p->trans_a, i, height, tall, 0));
        for (int64_t j = 0; j < p->n; j += columns) {
            struct product part = *p;
            part.m = height;
            part.n = p->n - j < columns ? p->n - j : columns;
            part.y.at += i * p->y.row + j;
            part.bias.at += j;
            part.a.at = 0;
            part.b.at = round_up(height, tall) * p->k;
            IT_TRY(pack(c, c->b, p->b, !p->trans_b, j, part.n, wide, part.b.at));
            IT_TRY(multiply(c, part, wide));
        }
    }
    return IT_OK;
}

enum it_status it_opencl_matmul(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *a = &args->t[1], *b = &args->t[2],
                           *bias = &args->t[3];
    struct call c = {.device = device, .to_f32 = y->dtype != a->dtype, .y = memory(y),
                     .a = memory(a), .b = memory(b), .bias = memory(bias)};
    bool biased = bias->dtype != IT_NONE;
    if (!pick(a->dtype, &c.type) || b->dtype != a->dtype || (biased && bias->dtype != a->dtype) ||
        (y->dtype != IT_F32 && y->dtype != a->dtype)) {
        return IT_UNSUPPORTED;
    }
    c.p = (struct product){.y = place_of(y), .a = place_of(a), .b = place_of(b),
                           .bias = place_of(bias), .m = y->shape[0], .n = y->shape[1],
                           .k = a->shape[args->i[0] ? 0 : 1], .trans_a = (int)args->i[0],
                           .trans_b = (int)args->i[1], .accumulate = args->f[0] != 0.0,
                           .biased = biased};
    bool few = c.p.m <= FEW_ROWS;
    if (it_opencl_of(device)->is_cpu) {
        bool fits = c.p.k <= IT_OPENCL_SCRATCH / (int64_t)sizeof(float) / FEW_ROWS; /* a's panels */
        return few && fits ? in_strips(&c) : in_panels(&c);
    }
    return few ? of_few_rows(&c) : in_tiles(&c);
}
