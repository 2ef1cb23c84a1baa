/* SPDX-License-Identifier: MIT */
/* All kernels as one module. */
#include "backends/cuda/kernels/adamw.cu"
#include "backends/cuda/kernels/attn.cu"
#include "backends/cuda/kernels/attn_mma.cu"
#include "backends/cuda/kernels/attn_split.cu"
#include "backends/cuda/kernels/elements.cu"
#include "backends/cuda/kernels/gemm.cu"
#include "backends/cuda/kernels/gemm_stream.cu"
#include "backends/cuda/kernels/norm.cu"
#include "backends/cuda/kernels/rows.cu"
#include "backends/cuda/kernels/sample.cu"
#include "backends/cuda/kernels/stats.cu"
