/* SPDX-License-Identifier: MIT */
/* Places of threads, through hwloc. Its cores come in the order of the machine's tree: those of a
 * NUMA node are neighbours, whatever numbers the system gives them. Thread i of n gets core
 * i * cores / n, so that threads follow the nodes in order and fewer threads than cores still reach
 * the memory of every node. */
#define _GNU_SOURCE /* sched_getcpu, pthread_setaffinity_np */
#include "core/base/cores.h"

#include <fcntl.h>
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#    include <sys/syscall.h>
#endif

#include "core/base/log.h"
#include "core/base/mem.h"

struct it_cores {
    hwloc_topology_t topology;
    hwloc_obj_type_t type; /* cores, or hardware threads where nothing says which share a core */
    int count;             /* of them */
    int threads;
    int *owner; /* [processors]: the thread whose core a hardware thread is part of, or -1 */
    int processors;
};

/* Packages, dies and groups are kept because they are what the NUMA nodes hang on: without them
 * every node is the whole machine's. */
static bool load(hwloc_topology_t topology)
{
    static const struct {
        hwloc_obj_type_t type;
        enum hwloc_type_filter_e filter;
    } kept[] = {
        {HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL},
        {HWLOC_OBJ_DIE, HWLOC_TYPE_FILTER_KEEP_ALL},
        {HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE},
        {HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL},
    };
    bool good = hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE) == 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        good = good && hwloc_topology_set_type_filter(topology, kept[i].type, kept[i].filter) == 0;
    }
    return good && hwloc_topology_load(topology) == 0;
}

/* To the processors that the calling thread may run on. */
static void restrict_to_allowed(hwloc_topology_t topology)
{
    hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
    if (allowed && hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD) == 0) {
        hwloc_topology_restrict(topology, allowed, 0); /* refused and unchanged when empty */
    }
    hwloc_bitmap_free(allowed);
}

int it_cores_open(struct it_cores **cores_out)
{
    *cores_out = NULL;
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0) { return 0; }
    struct it_cores cores = {.topology = topology, .type = HWLOC_OBJ_CORE};
    if (load(topology)) {
        restrict_to_allowed(topology);
        cores.count = hwloc_get_nbobjs_by_type(topology, cores.type);
        if (cores.count < 1) {
            cores.type = HWLOC_OBJ_PU;
            cores.count = hwloc_get_nbobjs_by_type(topology, cores.type);
        }
    }
    if (cores.count < 1) {
        it_debug("the cores of this machine are not known, threads stay unbound");
        hwloc_topology_destroy(topology);
        return 0;
    }
    *cores_out = it_alloc(sizeof cores);
    **cores_out = cores;
    return cores.count;
}

void it_cores_close(struct it_cores *cores)
{
    if (!cores) { return; }
    hwloc_topology_destroy(cores->topology);
    it_free(cores->owner);
    it_free(cores);
}

static hwloc_obj_t core_of(const struct it_cores *cores, int thread)
{
    unsigned at = (unsigned)((int64_t)thread * cores->count / cores->threads);
    return hwloc_get_obj_by_type(cores->topology, cores->type, at);
}

void it_cores_share(struct it_cores *cores, int threads)
{
    cores->threads = threads;
    cores->processors = hwloc_bitmap_last(hwloc_topology_get_topology_cpuset(cores->topology)) + 1;
    cores->owner = it_alloc((size_t)cores->processors * sizeof *cores->owner);
    for (int cpu = 0; cpu < cores->processors; cpu++) { cores->owner[cpu] = -1; }
    for (int thread = 0; thread < threads; thread++) {
        hwloc_const_cpuset_t set = core_of(cores, thread)->cpuset;
        for (int cpu = -1; (cpu = hwloc_bitmap_next(set, cpu)) >= 0;) {
            cores->owner[cpu] = thread;
        }
    }
}

struct it_pool_place it_cores_at(const struct it_cores *cores, int thread)
{
    hwloc_obj_t core = core_of(cores, thread);
    return (struct it_pool_place){
        .core = (int)core->logical_index,
        .cpu = hwloc_bitmap_first(core->cpuset),
        .node = core->nodeset ? hwloc_bitmap_first(core->nodeset) : -1,
    };
}

bool it_cores_real(const struct it_cores *cores)
{
    return hwloc_topology_is_thissystem(cores->topology);
}

bool it_cores_bind(const struct it_cores *cores, int thread)
{
    hwloc_const_cpuset_t core = core_of(cores, thread)->cpuset;
    if (hwloc_set_cpubind(cores->topology, core, HWLOC_CPUBIND_THREAD) == 0) { return true; }
    hwloc_const_cpuset_t all = hwloc_topology_get_topology_cpuset(cores->topology);
    hwloc_set_cpubind(cores->topology, all, HWLOC_CPUBIND_THREAD);
    return false;
}

/* ---- where threads are: Linux; elsewhere nothing is known and nobody is moved ---- */

#ifdef __linux__

int it_cores_here(const struct it_cores *cores)
{
    int cpu = sched_getcpu();
    return cpu >= 0 && cpu < cores->processors ? cores->owner[cpu] : -1;
}

bool it_thread_fetch(pthread_t thread)
{
    int cpu = sched_getcpu();
    if (cpu < 0 || cpu >= CPU_SETSIZE) { return false; }
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)cpu, &here);
    return pthread_setaffinity_np(thread, sizeof here, &here) == 0;
}

int it_thread_number(void)
{
    return (int)syscall(SYS_gettid); /* older C libraries have no gettid */
}

double it_thread_seconds(pthread_t thread)
{
    clockid_t clock;
    struct timespec t;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &t) != 0) { return -1; }
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The state follows the name, which is in parentheses and may hold others. */
bool it_thread_ready(int number)
{
    char text[256];
    snprintf(text, sizeof text, "/proc/self/task/%d/stat", number);
    int file = open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0) { return false; }
    ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end && strncmp(name_end, ") R", 3) == 0;
}

#else

int it_cores_here(const struct it_cores *cores)
{
    (void)cores;
    return -1;
}

bool it_thread_fetch(pthread_t thread)
{
    (void)thread;
    return false;
}

int it_thread_number(void)
{
    return 0;
}

double it_thread_seconds(pthread_t thread)
{
    (void)thread;
    return -1;
}

bool it_thread_ready(int number)
{
    (void)number;
    return false;
}

#endif
