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
    alignas(16) unsigned char slot[2][LANES * CUDA_SLOT];
};

struct pending {
    void *to;
    const void *from;
    unsigned group;
};

struct fiber {
    ucontext_t start;
    jmp_buf place;
    bool begun, done;
    meeting *waits; /* NULL: may run */
    unsigned round; /* that it waits to end */
    std::vector<pending> copies; /* on their way, oldest first */
    unsigned group;           /* that copies now belong to */
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

/* A fiber lives on for the next block: beginning one anew costs system calls. */
static void fiber_main()
{
    for (;;) {
        kernel_now(params_now);
        fibers[current].done = true;
        leave(&block);
        leave(&warps[current / LANES]);
        if (!_setjmp(fibers[current].place)) { _longjmp(scheduler, 1); }
    }
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
    getcontext(&f.start);
    f.start.uc_stack.ss_sp = f.stack.data();
    f.start.uc_stack.ss_size = f.stack.size();
    f.start.uc_link = NULL;
    makecontext(&f.start, fiber_main, 0);
    setcontext(&f.start);
}

static void run_block(unsigned threads)
{
    block = meeting();
    block.expected = (int)threads;
    warps.assign((threads + LANES - 1) / LANES, meeting());
    for (unsigned i = 0; i < threads; i++) {
        fibers[i].done = false;
        fibers[i].waits = NULL;
        fibers[i].copies.clear();
        fibers[i].group = 0;
        warps[i / LANES].expected++;
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
        fibers.back().begun = false;
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

void cuda_wait_in_vain()
{
    fprintf(stderr, "cuda_on_host: a block waits for one that has not begun\n");
    abort();
}

void cuda_copy_begin(void *shared, const void *global)
{
    fiber &me = fibers[current];
    if (((uintptr_t)shared | (uintptr_t)global) % 16) {
        fprintf(stderr, "cuda_on_host: a copy of 16 bytes is not aligned\n");
        abort();
    }
    memset(shared, 0xff, 16); /* not a number, in both types */
    me.copies.push_back({shared, global, me.group});
}

void cuda_copy_close()
{
    fibers[current].group++;
}

void cuda_copy_wait(unsigned left)
{
    fiber &me = fibers[current];
    size_t done = 0;
    while (done < me.copies.size() && me.copies[done].group + left < me.group) {
        memcpy(me.copies[done].to, me.copies[done].from, 16);
        done++;
    }
    me.copies.erase(me.copies.begin(), me.copies.begin() + (long)done);
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

void mma_bf16(float c[4], const unsigned a[4], const unsigned b[2])
{
    /* a[0..7], b[8..11] of a lane in the order of the registers */
    float mine[12];
    for (unsigned e = 0; e < 12; e++) {
        unsigned pair = e < 8 ? a[e / 2] : b[e / 2 - 4];
        mine[e] = k_bf16_load(e % 2 ? pair >> 16 : pair & 0xffffu);
    }
    const unsigned char *slots = cuda_exchange(mine, sizeof mine);
    unsigned lane = threadIdx.x % LANES;
    for (unsigned e = 0; e < 4; e++) {
        unsigned row = lane / 4 + (e / 2) * 8, column = lane % 4 * 2 + e % 2;
        float sum = c[e];
        for (unsigned k = 0; k < 16; k++) {
            /* a: registers 0 1 hold k < 8, 2 3 the rest; the odd ones rows from 8 on */
            const float *x = (const float *)(slots + (row % 8 * 4 + k % 8 / 2) * CUDA_SLOT);
            const float *y = (const float *)(slots + (column * 4 + k % 8 / 2) * CUDA_SLOT);
            sum = fmaf(x[(k / 8 * 2 + row / 8) * 2 + k % 2], y[8 + k / 8 * 2 + k % 2], sum);
        }
        c[e] = sum;
    }
}
