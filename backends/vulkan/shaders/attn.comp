/* SPDX-License-Identifier: MIT */
/* attn and attn_decode: a group a query and head. Keys are walked in blocks of GROUP from the start
 * of the sequence, whichever rows they lie in: a decode step is equal to the bit to the last row of
 * a long one, and a shared prefix to one that is not. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"

layout(local_size_x = GROUP) in;
#ifdef IT_KERNEL_attn
layout(push_constant) uniform Push { attention p; };
#    include "backends/vulkan/shaders/attention.glsl"
#else
#    define MOST_WIDTH 256
layout(push_constant) uniform Push { paged p; };

/* `own` is where the row of the table begins. */
struct keys {
    int count, own;
};

keys keys_of(int r)
{
    int most = p.pages > 0x7fffff00 / p.page ? 0x7fffff00 : p.pages * p.page;
    return keys(clamp(get_int(p.lengths, r), 0, most), r * p.table_row);
}

int key_row(keys seen, int j)
{
    int page = get_int(p.table, seen.own + j / p.page);
    if (page < 0 || page > (p.key_rows - 1) / p.page) { return 0; }
    return min(page * p.page + j % p.page, p.key_rows - 1);
}
#endif

#define EACH (MOST_WIDTH / GROUP) /* columns of the output an invocation holds */
shared float query[MOST_WIDTH], weight[GROUP];
shared int row_of[GROUP];
float value_sum[EACH];

float score_of(int row, int kv_column)
{
    int at = row * p.k_row + kv_column;
    precise float sum = 0.0;
    for (int c = 0; c < p.width; c++) { sum = fma(query[c], get(p.k, at + c), sum); }
    precise float score = p.scale * sum;
    return score;
}

void add_values(int n, float shrink, int kv_column)
{
    for (int i = 0; i < EACH; i++) {
        int c = int(gl_LocalInvocationID.x) + i * GROUP;
        if (c >= p.width) { break; }
        precise float x = value_sum[i] * shrink;
        for (int j = 0; j < n; j++) {
            x = fma(weight[j], get(p.v, row_of[j] * p.v_row + kv_column + c), x);
        }
        value_sum[i] = x;
    }
}

/* y = softmax(q . k) v for one query and head; returns the logsumexp. */
float attend(keys seen, int from, int to, int kv_column)
{
    int me = int(gl_LocalInvocationID.x);
    precise float most = LOWEST, total = 0.0;
    for (int i = 0; i < EACH; i++) { value_sum[i] = 0.0; }
    barrier(); /* the last head's are no longer read */
    for (int c = me; c < p.width; c += GROUP) { query[c] = get(p.q, from + c); }
    barrier();
    for (int first = 0; first < seen.count; first += GROUP) {
        int n = min(GROUP, seen.count - first);
        float mine = LOWEST;
        if (me < n) {
            row_of[me] = key_row(seen, first + me);
            mine = score_of(row_of[me], kv_column);
        }
        float before = most;
        most = max(most, group_max(mine));
        precise float shrink = k_exp(before - most);
        precise float w = me < n ? k_exp(mine - most) : 0.0;
        weight[me] = w;
        total = total * shrink + group_sum(w);
        add_values(n, shrink, kv_column);
        barrier();
    }
    for (int i = 0; i < EACH; i++) {
        int c = me + i * GROUP;
        precise float x = seen.count > 0 ? value_sum[i] / total : 0.0;
        if (c < p.width) { put(p.y, to + c, x); }
    }
    return most + k_log(total);
}

void main()
{
    int head = int(gl_WorkGroupID.y), column = head * p.width;
    int kv_column = head / (p.heads / p.kv_heads) * p.width;
    for (int r = int(gl_WorkGroupID.x); r < p.rows; r += int(gl_NumWorkGroups.x)) {
        keys seen = keys_of(r);
#ifdef IT_KERNEL_attn
        if (seen.count == 0) { continue; }
#endif
        float lse = attend(seen, r * p.q_row + column, r * p.y_row + column, kv_column);
#ifdef IT_KERNEL_attn
        if (gl_LocalInvocationID.x == 0) { put_f32(p.lse, r * p.lse_row + head, lse); }
#endif
    }
}
