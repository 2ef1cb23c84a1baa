/* SPDX-License-Identifier: MIT */
/* rmsnorm and its backward, column sums, the sum of squares. A row is a group's; columns are summed
 * in chunks of rows, then chunk after chunk. */

kernel void rmsnorm(global T *y, global float *rstd, global const T *x, global const T *w,
                    local float *room, const struct norm p)
{
    for (long r = get_group_id(0); r < p.rows; r += get_num_groups(0)) {
        long from = p.x.at + r * p.x.row, to = p.y.at + r * p.y.row;
        float sum = 0.0f;
        EACH_IN_GROUP (c, p.columns) {
            float value = get(x, from + c);
            sum += value * value;
        }
        sum = sum_over(sum, room, GROUP);
        float scale = 1.0f / sqrt(sum / (float)p.columns + p.eps);
        if (get_local_id(0) == 0) { rstd[p.rstd.at + r] = scale; }
        EACH_IN_GROUP (c, p.columns) {
            put(y, to + c, get(x, from + c) * scale * get(w, p.w.at + c));
        }
    }
}

/* dx = rstd (g - z mean(g z)), with z = x rstd and g = dy w */
kernel void rmsnorm_dx(global T *dx, global const T *dy, global const T *x, global const T *w,
                       global const float *rstd, local float *room, const struct norm p)
{
    for (long r = get_group_id(0); r < p.rows; r += get_num_groups(0)) {
        long in_x = p.x.at + r * p.x.row, in_dy = p.dy.at + r * p.dy.row;
        float scale = rstd[p.rstd.at + r], sum = 0.0f;
        EACH_IN_GROUP (c, p.columns) {
            sum += get(dy, in_dy + c) * get(w, p.w.at + c) * (get(x, in_x + c) * scale);
        }
        float mean = sum_over(sum, room, GROUP) / (float)p.columns;
        EACH_IN_GROUP (c, p.columns) {
            float g = get(dy, in_dy + c) * get(w, p.w.at + c), z = get(x, in_x + c) * scale;
            put(dx, p.y.at + r * p.y.row + c, scale * (g - z * mean));
        }
    }
}

/* partial[chunk][c]; groups along y are chunks, added onto what is there where `onto` says so. The
 * sums of an item's columns are kept in registers. */
static inline int columns_from(long c, long columns)
{
    return (int)clamp(columns - c, 0L, (long)COLUMNS);
}

kernel void rmsnorm_dw(global float *partial, global const T *dy, global const T *x,
                       global const float *rstd, const struct norm p)
{
    long c = get_global_id(0) * COLUMNS, first = get_global_id(1) * p.chunk;
    long last = min(first + (long)p.chunk, (long)p.rows);
    int n = columns_from(c, p.columns);
    float sum[COLUMNS];
    partial += p.partial + get_global_id(1) * p.columns + c;
    for (int i = 0; i < n; i++) { sum[i] = p.onto ? partial[i] : 0.0f; }
    for (long r = first; r < last; r++) {
        long in_dy = p.dy.at + r * p.dy.row + c, in_x = p.x.at + r * p.x.row + c;
        float scale = rstd[p.rstd.at + r];
        for (int i = 0; i < n; i++) { sum[i] += get(dy, in_dy + i) * (get(x, in_x + i) * scale); }
    }
    for (int i = 0; i < n; i++) { partial[i] = sum[i]; }
}

kernel void sum_rows(global float *partial, global const T *x, const struct sums p)
{
    long c = get_global_id(0) * COLUMNS, first = get_global_id(1) * p.chunk;
    long last = min(first + (long)p.chunk, (long)p.rows);
    int n = columns_from(c, p.columns);
    float sum[COLUMNS];
    partial += p.partial + get_global_id(1) * p.columns + c;
    for (int i = 0; i < n; i++) { sum[i] = p.onto ? partial[i] : 0.0f; }
    for (long r = first; r < last; r++) {
        long in_x = p.x.at + r * p.x.row + c;
        for (int i = 0; i < n; i++) { sum[i] += get(x, in_x + i); }
    }
    for (int i = 0; i < n; i++) { partial[i] = sum[i]; }
}

/* y[c] += partial[0][c] + partial[1][c] + ...; `rows` counts the chunks */
kernel void add_partials(global float *y, global const float *partial, const struct sums p)
{
    EACH_COLUMN (c, p.columns) {
        float sum = y[p.y.at + c];
        for (long r = 0; r < p.rows; r++) { sum += partial[r * p.columns + c]; }
        y[p.y.at + c] = sum;
    }
}

/* partial[group] = sum of squares of the group's chunk */
kernel void sumsq(global float *partial, global const float *x, local float *room,
                  const struct sums p)
{
    long first = get_group_id(0) * p.chunk, last = min(first + (long)p.chunk, (long)p.columns);
    float sum = 0.0f;
#ifdef IT_CPU
    float16 sums = (float16)(0.0f);
    for (; first + 16 <= last; first += 16) {
        float16 value = vload16(0, x + p.x.at + first);
        sums += value * value;
    }
    sum = across16(sums);
#endif
    for (long i = first + get_local_id(0); i < last; i += GROUP) {
        float value = x[p.x.at + i];
        sum += value * value;
    }
    sum = sum_over(sum, room, GROUP);
    if (get_local_id(0) == 0) { partial[get_group_id(0)] = sum; }
}
