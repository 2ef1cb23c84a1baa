/* SPDX-License-Identifier: MIT */
/* Facts of the machine, through hwloc. */
#include <hwloc.h>
#include <stdio.h>

#include "core/base/pool.h"

static int64_t cache_bytes(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_obj_by_type(topology, type, 0);
    return cache ? (int64_t)cache->attr->cache.size : 0;
}

static int objects(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    int n = hwloc_get_nbobjs_by_type(topology, type);
    return n > 0 ? n : 0;
}

static const char *cpu_model(hwloc_topology_t topology)
{
    hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
    const char *name = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (!name) {
        name = hwloc_obj_get_info_by_name(hwloc_get_root_obj(topology), "CPUModel");
    }
    return name ? name : "unknown";
}

void it_topology_read(struct it_topology *topology_out)
{
    *topology_out = (struct it_topology){.cpu = "unknown"};
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0) { return; }
    if (hwloc_topology_load(topology) == 0) {
        topology_out->packages = objects(topology, HWLOC_OBJ_PACKAGE);
        topology_out->numa_nodes = objects(topology, HWLOC_OBJ_NUMANODE);
        topology_out->cores = objects(topology, HWLOC_OBJ_CORE);
        topology_out->threads = objects(topology, HWLOC_OBJ_PU);
        topology_out->l1d = cache_bytes(topology, HWLOC_OBJ_L1CACHE);
        topology_out->l2 = cache_bytes(topology, HWLOC_OBJ_L2CACHE);
        topology_out->l3 = cache_bytes(topology, HWLOC_OBJ_L3CACHE);
        snprintf(topology_out->cpu, sizeof topology_out->cpu, "%s", cpu_model(topology));
    }
    hwloc_topology_destroy(topology);
}
