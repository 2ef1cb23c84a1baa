/* SPDX-License-Identifier: MIT */
/* The monotonic clock and the flag that SIGINT and SIGTERM set. */
#include "core/base/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static atomic_int interrupted; /* lock-free, so a handler and any thread may touch it */

double it_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_signal(int number)
{
    if (atomic_exchange(&interrupted, 1) == 0) { return; }
    /* The second one: die of it, so that a waiting parent sees the true cause. The signal is
     * blocked until this handler returns. */
    signal(number, SIG_DFL);
    raise(number);
}

void it_interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    /* Reads and writes in flight go on: whoever loops asks it_interrupted(). */
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool it_interrupted(void)
{
    return atomic_load_explicit(&interrupted, memory_order_relaxed) != 0;
}
