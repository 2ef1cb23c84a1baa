/* SPDX-License-Identifier: MIT */
/* Enough of CUDA C++ to run kernels on the host: the threads of a block are fibers on one host
 * thread, switched at barriers and at exchanges between the lanes of a warp. What a kernel
 * computes, where it reads and writes, and whether its barriers meet can so be tested without a
 * GPU; what a GPU does when threads race cannot. */
#ifndef IT_TESTS_CUDA_ON_HOST_H
#define IT_TESTS_CUDA_ON_HOST_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define IT_CUDA_ON_HOST 1
#define __device__
#define __forceinline__ inline
#define __shared__ static /* one block runs at a time */
#define __align__(n) __attribute__((aligned(n)))

using std::isfinite;

struct cuda_index {
    unsigned x, y, z;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
extern cuda_index threadIdx, blockIdx, blockDim, gridDim;

/* A kernel takes its parameters by reference here; `name` is entered into the list of kernels. */
#define DEFINE_KERNEL(name, params)                                                                \
    static void kernel_##name(const params &p);                                                    \
    extern "C" void cuda_on_host_##name(const void *p) { kernel_##name(*(const params *)p); }      \
    static void kernel_##name(const params &p)

/* Run a kernel over a grid; what does not meet at its barriers ends the program. */
extern "C" void cuda_on_host_run(void (*kernel)(const void *), const void *params, unsigned x,
                                 unsigned y, unsigned threads);

void __syncthreads();
int __syncthreads_or(int predicate);
/* Each lane gives `size` bytes (at most CUDA_SLOT) and sees those of all lanes of its warp. */
const unsigned char *cuda_exchange(const void *mine, size_t size);
enum { CUDA_SLOT = 48 };

template <class T> static inline T cuda_from_lane(T value, unsigned lane)
{
    const unsigned char *all = cuda_exchange(&value, sizeof value);
    T other;
    memcpy(&other, all + (size_t)(lane % 32) * CUDA_SLOT, sizeof other);
    return other;
}
template <class T> static inline T __shfl_sync(unsigned, T value, int lane)
{
    return cuda_from_lane(value, (unsigned)lane);
}
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int mask)
{
    return cuda_from_lane(value, (threadIdx.x % 32) ^ (unsigned)mask);
}
template <class T> static inline T __shfl_up_sync(unsigned, T value, int delta)
{
    unsigned lane = threadIdx.x % 32;
    return cuda_from_lane(value, lane >= (unsigned)delta ? lane - (unsigned)delta : lane);
}
template <class T> static inline T __shfl_down_sync(unsigned, T value, int delta)
{
    unsigned lane = threadIdx.x % 32;
    return cuda_from_lane(value, lane + (unsigned)delta < 32 ? lane + (unsigned)delta : lane);
}
static inline unsigned __ballot_sync(unsigned, int predicate)
{
    unsigned votes = 0;
    for (unsigned lane = 0; lane < 32; lane++) {
        /* one exchange would do: a vote is rare and this stays simple */
        votes |= cuda_from_lane(predicate != 0 ? 1u : 0u, lane) << lane;
    }
    return votes;
}
/* Blocks run one after the other: what one wrote the next sees. */
static inline unsigned atomicAdd(unsigned *at, unsigned value)
{
    unsigned before = *at;
    *at += value;
    return before;
}
/* A wait for a block that comes later would never end: says so and aborts. */
void cuda_wait_in_vain();
static inline void __threadfence() {}
static inline float __ldcg(const float *at) { return *at; }
static inline void __syncwarp() { cuda_from_lane(0, 0); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }

/* cp.async of 16 bytes: until its group has been waited for the target holds nothing of use. */
void cuda_copy_begin(void *shared, const void *global);
void cuda_copy_close();
void cuda_copy_wait(unsigned left);

/* mma m16n8k16, from the layout of its fragments: kernels/mma.cuh */
void mma_bf16(float c[4], const unsigned a[4], const unsigned b[2]);

#endif
