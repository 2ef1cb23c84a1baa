/* SPDX-License-Identifier: MIT */
/* adamw; the split master is that of core/tensor/ref_adamw.c. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { adam p; };

float weight(int i)
{
#ifndef IT_F32
    if (p.split != 0) {
        int low = int(get_half(p.lo, i) << 16) >> 16;
        return k_float((get_half(p.w, i) << 16) + uint(low));
    }
#endif
    return get(p.w, i);
}

void put_weight(int i, float now)
{
#ifndef IT_F32
    if (p.split != 0) {
        uint bits = k_bits(now);
        if ((bits & 0x7fffffffu) > 0x7f800000u) { bits = (bits & 0x80000000u) | 0x7fc00000u; }
        uint rounded = (bits + 0x8000u) >> 16;
        put_half(p.w, i, rounded);
        put_half(p.lo, i, bits - (rounded << 16));
        return;
    }
#endif
    put(p.w, i, now);
}

void main()
{
    float lr = get_f32(p.scalars, 0), beta1 = get_f32(p.scalars, 1), beta2 = get_f32(p.scalars, 2);
    float eps = get_f32(p.scalars, 3), decay = get_f32(p.scalars, 4);
    float correct1 = get_f32(p.scalars, 5), correct2 = get_f32(p.scalars, 6);
    float scale = get_f32(p.scalars, 7);
    int across = int(gl_NumWorkGroups.x) * GROUP;
    for (int i = int(gl_GlobalInvocationID.x); i < p.count; i += across) {
        precise float g = get_f32(p.grad, i) * scale;
        precise float first = beta1 * get_f32(p.m, i) + (1.0 - beta1) * g;
        precise float second = beta2 * get_f32(p.v, i) + (1.0 - beta2) * g * g;
        float old = weight(i);
        precise float change = first / correct1 / (sqrt(second / correct2) + eps) + decay * old;
        precise float now = old - lr * change;
        put_f32(p.m, i, first);
        put_f32(p.v, i, second);
        put_weight(i, now);
    }
}
