/* SPDX-License-Identifier: MIT */
/* adamw, adamw8; the split master is that of core/tensor/ref_adamw.c. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "backends/vulkan/shaders/common.glsl"
#include "backends/vulkan/shaders/group.glsl"
#include "backends/vulkan/shaders/philox.glsl"

layout(local_size_x = GROUP) in;
layout(push_constant) uniform Push { adam p; };

float scalar(int i)
{
    return get_f32(p.scalars, i);
}

/* ---- the weights ---- */

/* Words of Philox for elements [i, i + 4), where weights are rounded at random; i is a multiple of
 * 4. */
uvec4 noise_of(int i)
{
    if (p.random == 0) { return uvec4(0u); }
    Words keys = Words(p.keys);
    return philox(keys.at[0], keys.at[1], uvec4(uint(i) / 4u, 0u, keys.at[2], keys.at[3]));
}

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

void put_weight(int i, float now, uint noise)
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
    if (p.random != 0) {
        put_half(p.w, i, k_bf16_dither(now, noise & 0xffffu));
        return;
    }
#endif
    put(p.w, i, now);
}

/* Element i from its new first moment and the root of the corrected second. */
void take_step(int i, float first, float root, uint noise)
{
    float lr = scalar(0), eps = scalar(3), decay = scalar(4), correct1 = scalar(5);
    float old = weight(i);
    precise float change = first / correct1 / (root + eps) + decay * old;
    precise float now = old - lr * change;
    put_weight(i, now, noise);
}

#ifdef IT_KERNEL_adamw

void main()
{
    float beta1 = scalar(1), beta2 = scalar(2), correct2 = scalar(6), scale = scalar(7);
    int across = int(gl_NumWorkGroups.x) * GROUP;
    for (int i = int(gl_GlobalInvocationID.x); i < p.count; i += across) {
        precise float g = get_f32(p.grad, i) * scale;
        precise float first = beta1 * get_f32(p.m, i) + (1.0 - beta1) * g;
        precise float second = beta2 * get_f32(p.v, i) + (1.0 - beta2) * g * g;
        put_f32(p.m, i, first);
        put_f32(p.v, i, second);
        take_step(i, first, sqrt(second / correct2), noise_of(i / 4 * 4)[i % 4]);
    }
}

#else /* moments in 8 bits: a group a block, four neighbours an invocation */

#define MOMENT_BLOCK (4 * GROUP)

/* Of the four codes from i on, those that exist take the place of what is there. */
void put_codes(uvec2 at, int i, uint codes)
{
    int count = min(p.count - i, 4);
    Words words = Words(at);
    if (count <= 0) { return; }
    uint mask = count == 4 ? 0xffffffffu : (1u << (8 * count)) - 1u;
    words.at[i / 4] = count == 4 ? codes : (words.at[i / 4] & ~mask) | (codes & mask);
}

void store_moments(int block, int at, vec4 first, vec4 root)
{
    vec4 size = abs(first);
    float most = group_max(max(max(size.x, size.y), max(size.z, size.w)));
    float most_root = group_max(max(max(root.x, root.y), max(root.z, root.w)));
    float inverse = k_inverse(most), inverse_root = k_inverse(most_root);
    uint codes = 0u, roots = 0u;
    for (int j = 0; j < 4; j++) {
        int code = int(k_code(size[j], inverse, 127.0));
        codes |= (uint(first[j] < 0.0 ? -code : code) & 0xffu) << (8 * j);
        uint of_root = k_code(root[j], inverse_root, 255.0);
        roots |= (of_root == 0u && root[j] > 0.0 ? 1u : of_root) << (8 * j);
    }
    put_codes(p.m, at, codes);
    put_codes(p.v, at, roots);
    if (gl_LocalInvocationID.x == 0u) {
        put_f32(p.ms, block, most);
        put_f32(p.vs, block, most_root);
    }
}

void main()
{
    float beta1 = scalar(1), beta2 = scalar(2), correct2 = sqrt(scalar(6)), scale = scalar(7);
    int blocks = (p.count + MOMENT_BLOCK - 1) / MOMENT_BLOCK;
    for (int block = int(gl_WorkGroupID.x); block < blocks; block += int(gl_NumWorkGroups.x)) {
        float unit = get_f32(p.ms, block), unit_root = get_f32(p.vs, block);
        int at = block * MOMENT_BLOCK + int(gl_LocalInvocationID.x) * 4;
        vec4 first = vec4(0.0), root = vec4(0.0);
        if (at < p.count) {
            uint codes = Words(p.m).at[at / 4], roots = Words(p.v).at[at / 4];
            uvec4 noise = noise_of(at);
            for (int j = 0; j < 4 && at + j < p.count; j++) {
                int code = int(codes << (24 - 8 * j)) >> 24;
                float old = k_root((roots >> (8 * j)) & 0xffu, unit_root);
                precise float g = get_f32(p.grad, at + j) * scale;
                precise float x = beta1 * k_moment(code, unit) + (1.0 - beta1) * g;
                precise float r = sqrt(beta2 * (old * old) + (1.0 - beta2) * g * g);
                first[j] = x;
                root[j] = r;
                take_step(at + j, x, r / correct2, noise[j]);
            }
        }
        store_moments(block, at, first, root);
    }
}

#endif
