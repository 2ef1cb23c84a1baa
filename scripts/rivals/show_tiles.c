/* SPDX-License-Identifier: MIT */
/* A library to preload (LD_PRELOAD) under rivals on virtual machines that have tiles and say so
 * (leaf 7), but whose CPUID ends before the leaves that tell their sizes (1Dh, 1Eh): oneDNN reads
 * zeros there and dies by an illegal instruction. CPUID is made to trap (arch_prctl, where the
 * processor can), and these leaves are answered with the one palette that exists. Everywhere else
 * this does nothing. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { SET_CPUID = 0x1012, TILES = 0x1d, PRODUCTS = 0x1e, HAS_TILES = 1 << 24 };

static struct sigaction before; /* of the trap */

struct answer {
    uint32_t a, b, c, d;
};

static void let_through(int on)
{
    syscall(SYS_arch_prctl, SET_CPUID, on);
}

static struct answer ask(uint32_t leaf, uint32_t part)
{
    struct answer r = {0};
    if (leaf == TILES) {
        if (part == 0) { r.a = 1; }                                            /* palettes */
        if (part == 1) { r = (struct answer){0x04002000, 0x00080040, 16, 0}; } /* 8 of 16 x 64 */
        return r;
    }
    if (leaf == PRODUCTS) {
        if (part == 0) { r.b = 0x4010; } /* 16 rows of 64 bytes */
        return r;
    }
    let_through(1);
    __cpuid_count(leaf, part, r.a, r.b, r.c, r.d);
    let_through(0);
    if (leaf == 0) { r.a = PRODUCTS; }
    return r;
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    greg_t *at = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)at[REG_RIP];
    if (info->si_code > 0 && info->si_addr == NULL && code[0] == 0x0f && code[1] == 0xa2) {
        struct answer r = ask((uint32_t)at[REG_RAX], (uint32_t)at[REG_RCX]);
        at[REG_RAX] = r.a;
        at[REG_RBX] = r.b;
        at[REG_RCX] = r.c;
        at[REG_RDX] = r.d;
        at[REG_RIP] += 2;
        return;
    }
    sigaction(number, &before, NULL); /* a real fault: comes again, and finds its own handler */
}

__attribute__((constructor)) static void show(void)
{
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_max(0, NULL) >= TILES || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) { return; }
    if (!(d & HAS_TILES)) { return; }
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_trap;
    sigaction(SIGSEGV, &action, &before);
    if (syscall(SYS_arch_prctl, SET_CPUID, 0) != 0) { perror("show_tiles: CPUID cannot trap"); }
}
