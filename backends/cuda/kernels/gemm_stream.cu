/* SPDX-License-Identifier: MIT */
/* Products of few rows as kernels: y, then a and b; by the columns of a block. */
#include "backends/cuda/kernels/gemm_stream.cuh"

DEFINE_KERNEL(product_f32_f32_8, it_cuda_product) { stream::product<float, float, 8>(p); }
DEFINE_KERNEL(product_f32_f32_16, it_cuda_product) { stream::product<float, float, 16>(p); }
DEFINE_KERNEL(product_f32_f32_32, it_cuda_product) { stream::product<float, float, 32>(p); }
DEFINE_KERNEL(product_f32_bf16_8, it_cuda_product) { stream::product<float, bf16, 8>(p); }
DEFINE_KERNEL(product_f32_bf16_16, it_cuda_product) { stream::product<float, bf16, 16>(p); }
DEFINE_KERNEL(product_f32_bf16_32, it_cuda_product) { stream::product<float, bf16, 32>(p); }
DEFINE_KERNEL(product_bf16_bf16_8, it_cuda_product) { stream::product<bf16, bf16, 8>(p); }
DEFINE_KERNEL(product_bf16_bf16_16, it_cuda_product) { stream::product<bf16, bf16, 16>(p); }
DEFINE_KERNEL(product_bf16_bf16_32, it_cuda_product) { stream::product<bf16, bf16, 32>(p); }
