/* SPDX-License-Identifier: MIT
 *
 * run.c - puts the floors together: a world, a runtime, a cluster if one is asked for.
 */
#include "cluster/link/cluster.h"
#include "loop/world/host.h"
#include "reparto/sim.h"

#include <errno.h>

static int run_simulated(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    unsigned node;
    rp_sim *s = rp_sim_new(o->sim_seed);
    int rc = s ? rp_sim_add(s, root, arg, o, &node) : -ENOMEM;
    if (rc == 0)
        rc = rp_sim_run(s, RP_FOREVER / 2);
    if (rc == 0)
        rc = rp_sim_result(s, node);
    rp_sim_free(s);
    return rc;
}

int rp_run(const rp_actor *root, void *arg, const rp_system_opts *o)
{
    static const rp_system_opts defaults;
    if (rp__within("rp_run"))
        return -EDEADLK;
    if (o && o->sim_seed)
        return run_simulated(root, arg, o);
    struct rp__runtime *rt;
    int rc = rp__runtime_new(root, arg, o ? o : &defaults, &rp__world_uv, 0, &rt);
    if (rc != 0)
        return rc;
    rt->cluster_open = rp__cluster_open;
    rc = rp__system_run(rt->sys);
    int result = rp__runtime_result(rt);
    rp__cluster_free(rt);
    rp__runtime_free(rt);
    return rc != 0 ? rc : result;
}
