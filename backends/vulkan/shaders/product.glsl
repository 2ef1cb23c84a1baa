/* SPDX-License-Identifier: MIT */
/* What the matmul kernels share. Each element is one sum over k in ascending order, a fused
 * multiplication and addition at a time, whatever the kernel and the tile it falls into: a row does
 * not depend on how many rows there are. */
layout(push_constant) uniform Push { product p; };

#ifdef IT_TO_F32
#    define get_y get_f32
#    define put_y put_f32
#else
#    define get_y get
#    define put_y put
#endif

/* Element (i, l) of op(a) and (l, j) of op(b), zero outside. */
float left(int i, int l)
{
    if (i >= p.m || l >= p.k) { return 0.0; }
    return get(p.a, p.trans_a != 0 ? l * p.a_row + i : i * p.a_row + l);
}

float right(int l, int j)
{
    if (j >= p.n || l >= p.k) { return 0.0; }
    return get(p.b, p.trans_b != 0 ? j * p.b_row + l : l * p.b_row + j);
}

void put_element(int i, int j, float sum)
{
    if (i >= p.m || j >= p.n) { return; }
    int at = i * p.y_row + j;
    if (p.biased != 0) { sum += get(p.bias, j); }
    if (p.accumulate != 0) { sum += get_y(p.y, at); }
    put_y(p.y, at, sum);
}
