/* SPDX-License-Identifier: MIT */
/* The backward of attention: delta, then dq a query's group, then dk and dv a key's. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
#ifdef IT_KERNEL_attn_dkv
layout(push_constant) uniform Push { attention_keys p; };
#else
layout(push_constant) uniform Push { attention p; };
#endif
#include "backends/vulkan/shaders/attention.glsl"

#define EACH (MOST_WIDTH / GROUP)

#if defined(IT_KERNEL_attn_delta)
/* delta[r][head] = dy . y: an invocation a row and head */
void main()
{
    int across = int(gl_NumWorkGroups.x) * GROUP;
    for (int i = int(gl_GlobalInvocationID.x); i < p.rows * p.heads; i += across) {
        int r = i / p.heads, column = i % p.heads * p.width;
        float sum = 0.0;
        for (int c = 0; c < p.width; c++) {
            sum = fma(get(p.dy, r * p.dy_row + column + c), get(p.y, r * p.y_row + column + c),
                      sum);
        }
        put_f32(p.delta, i, sum);
    }
}

#elif defined(IT_KERNEL_attn_dq)
shared float query[MOST_WIDTH], grad[MOST_WIDTH], ds[GROUP];
shared int row_of[GROUP];
float sum[EACH];

void block(keys seen, int first, int n, int kv_column, float lse, float delta)
{
    int me = int(gl_LocalInvocationID.x);
    if (me < n) {
        int key = key_row(seen, first + me), in_k = key * p.k_row + kv_column;
        int in_v = key * p.v_row + kv_column;
        float score = 0.0, dp = 0.0;
        for (int c = 0; c < p.width; c++) {
            score = fma(query[c], get(p.k, in_k + c), score);
            dp = fma(grad[c], get(p.v, in_v + c), dp);
        }
        row_of[me] = key;
        ds[me] = p.scale * k_exp(p.scale * score - lse) * (dp - delta);
    }
    barrier();
    for (int i = 0; i < EACH; i++) {
        int c = me + i * GROUP;
        if (c >= p.width) { break; }
        float x = sum[i];
        for (int j = 0; j < n; j++) {
            x = fma(ds[j], get(p.k, row_of[j] * p.k_row + kv_column + c), x);
        }
        sum[i] = x;
    }
    barrier();
}

/* dq = scale sum_j p_j (dy . v_j - delta) k_j; rows in no segment get zeros. p.y is dq. */
void row(int r, int head)
{
    int me = int(gl_LocalInvocationID.x), column = head * p.width;
    int kv_column = head / (p.heads / p.kv_heads) * p.width;
    keys seen = keys_of(r);
    for (int i = 0; i < EACH; i++) { sum[i] = 0.0; }
    for (int c = me; c < p.width; c += GROUP) {
        query[c] = get(p.q, r * p.q_row + column + c);
        grad[c] = get(p.dy, r * p.dy_row + column + c);
    }
    barrier();
    float lse = seen.count > 0 ? get_f32(p.lse, r * p.lse_row + head) : 0.0;
    float delta = get_f32(p.delta, r * p.heads + head);
    for (int first = 0; first < seen.count; first += GROUP) {
        block(seen, first, min(GROUP, seen.count - first), kv_column, lse, delta);
    }
    for (int i = 0; i < EACH; i++) {
        int c = me + i * GROUP;
        if (c < p.width) { put(p.y, r * p.y_row + column + c, sum[i]); }
    }
    barrier();
}

void main()
{
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) {
        row(r, int(gl_WorkGroupID.y));
    }
}

#else
shared float key[MOST_WIDTH], value[MOST_WIDTH], weight[GROUP], ds[GROUP];
float sum_k[EACH], sum_v[EACH];

/* Queries first .. first + n - 1 of one head. */
void block(int first, int n, int head, int heads)
{
    int me = int(gl_LocalInvocationID.x), column = head * p.width;
    if (me < n) {
        int r = first + me, in_q = r * p.q_row + column, in_dy = r * p.dy_row + column;
        float score = 0.0, dp = 0.0;
        for (int c = 0; c < p.width; c++) {
            score = fma(key[c], get(p.q, in_q + c), score);
            dp = fma(value[c], get(p.dy, in_dy + c), dp);
        }
        float w = k_exp(p.scale * score - get_f32(p.lse, r * p.lse_row + head));
        weight[me] = w;
        ds[me] = p.scale * w * (dp - get_f32(p.delta, r * heads + head));
    }
    barrier();
    for (int i = 0; i < EACH; i++) {
        int c = me + i * GROUP;
        if (c >= p.width) { break; }
        float x = sum_k[i], z = sum_v[i];
        for (int j = 0; j < n; j++) {
            x = fma(ds[j], get(p.q, (first + j) * p.q_row + column + c), x);
            z = fma(weight[j], get(p.dy, (first + j) * p.dy_row + column + c), z);
        }
        sum_k[i] = x;
        sum_v[i] = z;
    }
    barrier();
}

/* The first of a segment's queries that sees key u; its count where none does. */
int first_user(segment g, int u)
{
    if (!segment_fits(g)) { return g.count; }
    if (u >= g.prefix_start && u - g.prefix_start < g.prefix) { return 0; }
    return u >= g.own && u - g.own < g.count ? u - g.own : g.count;
}

/* dk and dv of one key and key head: queries in the order of segments, heads, rows. */
void row(int u, int kv_head)
{
    int heads = p.heads >> 16, kv_heads = p.heads & 0xffff, each = heads / kv_heads;
    int me = int(gl_LocalInvocationID.x), kv_column = kv_head * p.width;
    for (int i = 0; i < EACH; i++) { sum_k[i] = sum_v[i] = 0.0; }
    for (int c = me; c < p.width; c += GROUP) {
        key[c] = get(p.k, u * p.k_row + kv_column + c);
        value[c] = get(p.v, u * p.v_row + kv_column + c);
    }
    barrier();
    for (int s = 0; s < p.segments; s++) {
        segment g = segment_at(s);
        int skip = first_user(g, u);
        for (int head = kv_head * each; head < (kv_head + 1) * each; head++) {
            for (int i = skip; i < g.count; i += GROUP) {
                block(g.query + i, min(GROUP, g.count - i), head, heads);
            }
        }
    }
    for (int i = 0; i < EACH; i++) {
        int c = me + i * GROUP;
        if (c >= p.width) { break; }
        put(p.dk, u * p.dk_row + kv_column + c, sum_k[i]);
        put(p.dv, u * p.dv_row + kv_column + c, sum_v[i]);
    }
    barrier();
}

void main()
{
    for (int u = int(gl_WorkGroupID.x); u < p.key_rows; u += int(gl_NumWorkGroups.x)) {
        row(u, int(gl_WorkGroupID.y));
    }
}
#endif
