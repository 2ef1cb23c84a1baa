/* SPDX-License-Identifier: MIT */
/* Attention: which kernels, how many groups. */
#include "backends/vulkan/vulkan.h"

enum { MOST_WIDTH = 256 };

/* Heads go along y, and two counts of them share a word. */
static bool fits(const struct it_args *args, int64_t width)
{
    return width <= MOST_WIDTH && args->i[0] < INT16_MAX;
}

static int64_t width_of(const struct it_args *args, const struct it_tensor *q)
{
    return q->shape[1] / args->i[0];
}

enum it_status it_vulkan_attn(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *lse = &args->t[1], *q = &args->t[2],
                           *k = &args->t[3], *v = &args->t[4], *segs = &args->t[5];
    enum it_vulkan_type type;
    int64_t rows = q->shape[0], heads = args->i[0], width = width_of(args, q);
    if (!it_vulkan_pick(device, args, q->dtype, &type) || !fits(args, width)) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_attention p = {
        .y = it_vulkan_at(y), .q = it_vulkan_at(q), .k = it_vulkan_at(k), .v = it_vulkan_at(v),
        .lse = it_vulkan_at(lse), .segs = it_vulkan_at(segs), .y_row = it_vulkan_row(y),
        .q_row = it_vulkan_row(q), .k_row = it_vulkan_row(k), .v_row = it_vulkan_row(v),
        .lse_row = it_vulkan_row(lse), .segs_row = it_vulkan_row(segs), .rows = (int)rows,
        .key_rows = (int)k->shape[0], .segments = (int)segs->shape[0], .heads = (int)heads,
        .kv_heads = (int)args->i[1], .width = (int)width, .scale = (float)args->f[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_attn, it_vulkan_groups(rows), heads, p);
}

enum it_status it_vulkan_attn_decode(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *y = &args->t[0], *q = &args->t[1], *k = &args->t[2], *v = &args->t[3],
                           *table = &args->t[4], *length = &args->t[5];
    enum it_vulkan_type type;
    int64_t rows = q->shape[0], heads = args->i[0], width = width_of(args, q);
    if (!it_vulkan_pick(device, args, q->dtype, &type) || !fits(args, width) ||
        args->i[2] > INT32_MAX) {
        return IT_UNSUPPORTED;
    }
    const struct it_vulkan_paged p = {
        .y = it_vulkan_at(y), .q = it_vulkan_at(q), .k = it_vulkan_at(k), .v = it_vulkan_at(v),
        .table = it_vulkan_at(table), .lengths = it_vulkan_at(length), .y_row = it_vulkan_row(y),
        .q_row = it_vulkan_row(q), .k_row = it_vulkan_row(k), .v_row = it_vulkan_row(v),
        .table_row = it_vulkan_row(table), .rows = (int)rows, .key_rows = (int)k->shape[0],
        .heads = (int)heads, .kv_heads = (int)args->i[1], .width = (int)width,
        .page = (int)args->i[2], .pages = (int)table->shape[1], .scale = (float)args->f[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_attn_decode, it_vulkan_groups(rows), heads, p);
}

/* delta and dq; delta [rows, heads] is left in the scratch */
static enum it_status queries_bwd(struct it_device *device, const struct it_args *args,
                                  enum it_vulkan_type type)
{
    const struct it_tensor *dq = &args->t[0], *dy = &args->t[3], *q = &args->t[4], *k = &args->t[5],
                           *v = &args->t[6], *y = &args->t[7], *lse = &args->t[8],
                           *segs = &args->t[9];
    int64_t rows = q->shape[0], heads = args->i[0];
    struct it_vulkan_attention p = {
        .y = it_vulkan_at(y), .q = it_vulkan_at(q), .k = it_vulkan_at(k), .v = it_vulkan_at(v),
        .dy = it_vulkan_at(dy), .lse = it_vulkan_at(lse),
        .delta = it_vulkan_of(device)->scratch.address, .segs = it_vulkan_at(segs),
        .y_row = it_vulkan_row(y), .q_row = it_vulkan_row(q), .k_row = it_vulkan_row(k),
        .v_row = it_vulkan_row(v), .dy_row = it_vulkan_row(dy), .lse_row = it_vulkan_row(lse),
        .segs_row = it_vulkan_row(segs), .rows = (int)rows, .key_rows = (int)k->shape[0],
        .segments = (int)segs->shape[0], .heads = (int)heads, .kv_heads = (int)args->i[1],
        .width = (int)width_of(args, q), .scale = (float)args->f[0]};
    int64_t groups = it_vulkan_blocks(rows * heads, IT_VULKAN_GROUP);
    IT_TRY(IT_VULKAN_LAUNCH(device, type, IT_VULKAN_attn_delta, it_vulkan_groups(groups), 1, p));
    p.y = it_vulkan_at(dq);
    p.y_row = it_vulkan_row(dq);
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_attn_dq, it_vulkan_groups(rows), heads, p);
}

enum it_status it_vulkan_attn_bwd(struct it_device *device, const struct it_args *args)
{
    const struct it_tensor *dk = &args->t[1], *dv = &args->t[2], *dy = &args->t[3],
                           *q = &args->t[4], *k = &args->t[5], *v = &args->t[6],
                           *lse = &args->t[8], *segs = &args->t[9];
    enum it_vulkan_type type;
    int64_t rows = q->shape[0], heads = args->i[0], kv_heads = args->i[1];
    int64_t width = width_of(args, q);
    if (!it_vulkan_pick(device, args, q->dtype, &type) || !fits(args, width) ||
        rows * heads > IT_VULKAN_SCRATCH / (int64_t)sizeof(float)) {
        return IT_UNSUPPORTED;
    }
    IT_TRY(queries_bwd(device, args, type));
    const struct it_vulkan_attention_keys p = {
        .dk = it_vulkan_at(dk), .dv = it_vulkan_at(dv), .q = it_vulkan_at(q), .k = it_vulkan_at(k),
        .v = it_vulkan_at(v), .dy = it_vulkan_at(dy), .lse = it_vulkan_at(lse),
        .delta = it_vulkan_of(device)->scratch.address, .segs = it_vulkan_at(segs),
        .dk_row = it_vulkan_row(dk), .dv_row = it_vulkan_row(dv), .q_row = it_vulkan_row(q),
        .k_row = it_vulkan_row(k), .v_row = it_vulkan_row(v), .dy_row = it_vulkan_row(dy),
        .lse_row = it_vulkan_row(lse), .segs_row = it_vulkan_row(segs), .rows = (int)rows,
        .key_rows = (int)k->shape[0], .segments = (int)segs->shape[0],
        .heads = (int)(heads << 16 | kv_heads), .width = (int)width, .scale = (float)args->f[0]};
    return IT_VULKAN_LAUNCH(device, type, IT_VULKAN_attn_dkv, it_vulkan_groups(k->shape[0]),
                            kv_heads, p);
}
