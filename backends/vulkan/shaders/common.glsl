/* SPDX-License-Identifier: MIT */
/* What all kernels share. Each is compiled once for each storage type: IT_F32, IT_BF16 (16-bit
 * storage), IT_BF16_WORDS (devices without it: bf16 lies in 32-bit words, and a store exchanges one
 * half of its word). Numbers are f32. Subgroups, fp16, doubles and 64-bit integers are not used.
 *
 * `precise` stands where two kernels must agree to the bit (the driver's compiler may otherwise
 * contract a product and a sum in one and not in the other). */
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#ifdef IT_BF16
#    extension GL_EXT_shader_16bit_storage : require
#endif

#include "core/tensor/kmath.h"
#include "backends/vulkan/params.h"

/* Invocations in a work group of the kernels that sum over one. */
#define GROUP 64
#define LOWEST (-3.0e38)

layout(buffer_reference, std430, buffer_reference_align = 4) buffer Floats { float at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Ints { int at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };

float get_f32(uvec2 p, int i)
{
    return Floats(p).at[i];
}

void put_f32(uvec2 p, int i, float x)
{
    Floats(p).at[i] = x;
}

int get_int(uvec2 p, int i)
{
    return Ints(p).at[i];
}

/* 16 bits: weights in bf16, and the low halves of their masters. */
#if defined(IT_BF16)
layout(buffer_reference, std430, buffer_reference_align = 2) buffer Halves { uint16_t at[]; };

uint get_half(uvec2 p, int i)
{
    return uint(Halves(p).at[i]);
}

void put_half(uvec2 p, int i, uint x)
{
    Halves(p).at[i] = uint16_t(x);
}
#else
uint get_half(uvec2 p, int i)
{
    int odd = int(p.x >> 1) & 1, half_at = i + odd;
    uint word = Words(uvec2(p.x & ~3u, p.y)).at[half_at >> 1];
    return (half_at & 1) != 0 ? word >> 16 : word & 0xffffu;
}

/* Nobody else writes this half, but a neighbour may write the other at the same moment: flip those
 * bits that differ. */
void put_half(uvec2 p, int i, uint x)
{
    int odd = int(p.x >> 1) & 1, half_at = i + odd;
    Words words = Words(uvec2(p.x & ~3u, p.y));
    uint by = (half_at & 1) != 0 ? 16u : 0u;
    uint old = (words.at[half_at >> 1] >> by) & 0xffffu;
    atomicXor(words.at[half_at >> 1], (old ^ (x & 0xffffu)) << by);
}
#endif

float get_bf16(uvec2 p, int i)
{
    return k_bf16_load(get_half(p, i));
}

void put_bf16(uvec2 p, int i, float x)
{
    put_half(p, i, k_bf16_store(x));
}

#ifdef IT_F32
#    define get get_f32
#    define put put_f32
#else
#    define get get_bf16
#    define put put_bf16
#endif

/* Elements i .. i + 3, where four begin at a multiple of their size. */
#if defined(IT_F32)
layout(buffer_reference, std430, buffer_reference_align = 16) buffer Fours { vec4 at[]; };

vec4 get_four(uvec2 p, int i)
{
    return Fours(p).at[i >> 2];
}
#elif defined(IT_BF16)
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Fours { uvec2 at[]; };

vec4 get_four(uvec2 p, int i)
{
    uvec2 bits = Fours(p).at[i >> 2];
    return uintBitsToFloat(uvec4(bits.x << 16, bits.x & 0xffff0000u, bits.y << 16,
                                 bits.y & 0xffff0000u));
}
#else
vec4 get_four(uvec2 p, int i)
{
    return vec4(get(p, i), get(p, i + 1), get(p, i + 2), get(p, i + 3));
}
#endif
