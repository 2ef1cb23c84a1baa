/* SPDX-License-Identifier: MIT */
/* The fibers behind tests/cuda_on_host.h, and all kernels of the CUDA backend compiled for them. */
#include "tests/cuda_on_host.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <ucontext.h>
#include <vector>

#include "backends/cuda/kernels/all.cu"

cuda_index threadIdx, blockIdx, blockDim, gridDim;

enum { STACK = 128 << 10, LANES = 32 };

/* A meeting of `expected` fibers; two sets of slots, so that the fast may go on to the next. */
struct meeting {
    int expected, arrived;
    unsigned round;
    int any[2]; /* __syncthreads_or */
    unsigned char slot[2][LANES * CUDA_SLOT];
};

struct fiber {
    ucontext_t start;
    jmp_buf place;
    bool begun, done;
    meeting *waits; /* NULL: may run */
    unsigned round; /* that it waits to end */
    std::vector<unsigned char> stack;
};

static std::vector<fiber> fibers;
static std::vector<meeting> warps;
static meeting block;
static unsigned current;
static jmp_buf scheduler;
static void (*kernel_now)(const void *);
static const void *params_now;

static void meet_end(meeting *m)
{
    m->arrived = 0;
    m->round++;
    m->any[m->round % 2] = 0;
}

/* Wait until all that are still running have come. */
static void meet(meeting *m)
{
    fiber &me = fibers[current];
    unsigned index = current;
    if (++m->arrived == m->expected) {
        meet_end(m);
        return;
    }
    me.waits = m;
    me.round = m->round;
    if (!_setjmp(me.place)) { _longjmp(scheduler, 1); }
    current = index;
}

static void leave(meeting *m)
{
    m->expected--;
    if (m->expected > 0 && m->arrived == m->expected) { meet_end(m); }
}

static void fiber_main()
{
    kernel_now(params_now);
    fibers[current].done = true;
    leave(&block);
    leave(&warps[current / LANES]);
    _longjmp(scheduler, 1);
}

static void resume(unsigned i)
{
    fiber &f = fibers[i];
    current = i;
    threadIdx = {i, 0, 0};
    f.waits = NULL;
    if (_setjmp(scheduler)) { return; }
    if (f.begun) { _longjmp(f.place, 1); }
    f.begun = true;
    setcontext(&f.start);
}

static void run_block(unsigned threads)
{
    block = meeting();
    block.expected = (int)threads;
    warps.assign((threads + LANES - 1) / LANES, meeting());
    for (unsigned i = 0; i < threads; i++) {
        fiber &f = fibers[i];
        f.begun = f.done = false;
        f.waits = NULL;
        warps[i / LANES].expected++;
        getcontext(&f.start);
        f.start.uc_stack.ss_sp = f.stack.data();
        f.start.uc_stack.ss_size = f.stack.size();
        f.start.uc_link = NULL;
        makecontext(&f.start, fiber_main, 0);
    }
    for (bool left = true, moved; left;) {
        left = moved = false;
        for (unsigned i = 0; i < threads; i++) {
            fiber &f = fibers[i];
            if (f.done) { continue; }
            left = true;
            if (f.waits && f.waits->round == f.round) { continue; }
            moved = true;
            resume(i);
        }
        if (left && !moved) {
            fprintf(stderr, "cuda_on_host: threads of a block wait for each other for ever\n");
            abort();
        }
    }
}

extern "C" void cuda_on_host_run(void (*kernel)(const void *), const void *params, unsigned x,
                                 unsigned y, unsigned threads)
{
    while (fibers.size() < threads) {
        fibers.emplace_back();
        fibers.back().stack.resize(STACK);
    }
    kernel_now = kernel;
    params_now = params;
    gridDim = {x, y, 1};
    blockDim = {threads, 1, 1};
    for (blockIdx.y = 0; blockIdx.y < y; blockIdx.y++) {
        for (blockIdx.x = 0; blockIdx.x < x; blockIdx.x++) { run_block(threads); }
    }
}

void __syncthreads()
{
    meet(&block);
}

int __syncthreads_or(int predicate)
{
    unsigned side = block.round % 2;
    block.any[side] |= predicate != 0;
    meet(&block);
    return block.any[side];
}

const unsigned char *cuda_exchange(const void *mine, size_t size)
{
    meeting *warp = &warps[threadIdx.x / LANES];
    unsigned char *slots = warp->slot[warp->round % 2];
    memcpy(slots + threadIdx.x % LANES * CUDA_SLOT, mine, size);
    meet(warp);
    return slots;
}

static float bf16_value(const unsigned char *slots, unsigned lane, unsigned offset, unsigned which,
                        unsigned half)
{
    unsigned pair;
    memcpy(&pair, slots + lane * CUDA_SLOT + (offset + which) * sizeof pair, sizeof pair);
    return k_bf16_load(half ? pair >> 16 : pair & 0xffffu);
}

void mma_bf16(float c[4], const unsigned a[4], const unsigned b[2])
{
    unsigned mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const unsigned char *slots = cuda_exchange(mine, sizeof mine);
    unsigned lane = threadIdx.x % LANES;
    for (unsigned e = 0; e < 4; e++) {
        unsigned row = lane / 4 + (e / 2) * 8, column = lane % 4 * 2 + e % 2;
        float sum = c[e];
        for (unsigned k = 0; k < 16; k++) {
            /* a: registers 0 1 hold k < 8, 2 3 the rest; the odd ones rows from 8 on */
            float x = bf16_value(slots, row % 8 * 4 + k % 8 / 2, 0, k / 8 * 2 + row / 8, k % 2);
            float y = bf16_value(slots, column * 4 + k % 8 / 2, 4, k / 8, k % 2);
            sum = fmaf(x, y, sum);
        }
        c[e] = sum;
    }
}
