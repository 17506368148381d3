/* SPDX-License-Identifier: MIT
 *
 * embed.c - run.c's other half: a system whose host has a main loop already.
 */
#include "reparto/embed.h"

#include "actors/table/reports.h"
#include "cluster/link/cluster.h"
#include "loop/world/host.h"

#include <errno.h>
#include <string.h>

struct embedded {
    struct rp__host host;
    struct rp__runtime *rt;
    rp_ended_fn *ended;
    void *ud;
};

static struct embedded *of(const rp_system *sys)
{
    return RP__OF(struct embedded, host, sys->world_ud);
}

static int finish(struct embedded *e)
{
    int result = rp__runtime_result(e->rt);
    rp_alloc mem = e->rt->sys->mem;
    rp__cluster_free(e->rt);
    rp__runtime_free(e->rt);
    mem.free(mem.ud, e, sizeof *e);
    return result;
}

static void over(struct rp__host *h)
{
    struct embedded *e = RP__OF(struct embedded, host, h);
    rp_ended_fn *ended = e->ended;
    void *ud = e->ud;
    int result = finish(e);
    if (ended)
        ended(ud, result);
}

static int begin(struct embedded *e, const rp_actor *root, void *arg, const rp_system_opts *o)
{
    int rc = rp__runtime_new(root, arg, o, &rp__world_uv, &e->host, &e->rt);
    if (rc != 0)
        return rc;
    e->rt->cluster_open = rp__cluster_open;
    rc = rp__host_start(e->rt->sys);
    if (rc != 0)
        rp__runtime_free(e->rt);
    return rc;
}

static int embed(struct uv_loop_s *uv, const rp_actor *root, void *arg, const rp_system_opts *given, rp_system **sys,
                 struct embedded **ret)
{
    rp_system_opts o = given ? *given : (rp_system_opts){0};
    if (!sys) {
        rp__report_opts(&o, -EINVAL, "The rp_system *", "to write to is NULL: its host ticks it, or ends it, by that");
        return -EINVAL;
    }
    if (o.sim_seed) {
        rp__report_opts(&o, -EINVAL, ".sim_seed", "is set: a host's system is no simulation; rp_run and rp_sim_add make those");
        return -EINVAL;
    }
    if (o.loops == 0)
        o.loops = 1;
    const rp_alloc *mem = o.mem ? o.mem : &rp__libc_alloc;
    struct embedded *e = mem->alloc(mem->ud, sizeof *e);
    if (!e)
        return -ENOMEM;
    memset(e, 0, sizeof *e);
    e->host.uv = uv;
    e->host.over = over;
    int rc = begin(e, root, arg, &o);
    if (rc != 0) {
        mem->free(mem->ud, e, sizeof *e);
        return rc;
    }
    *ret = e;
    *sys = e->rt->sys;
    return 0;
}

int rp_attach(struct uv_loop_s *uv, const rp_actor *root, void *arg, const rp_system_opts *o, rp_ended_fn *ended,
              void *ud, rp_system **ret)
{
    struct embedded *e;
    if (!uv) {
        rp__report_opts(o ? o : &(rp_system_opts){0}, -EINVAL, "The uv_loop_t", "is NULL: rp_attach wants the host's, rp_system_open wants none");
        return -EINVAL;
    }
    int rc = embed(uv, root, arg, o, ret, &e);
    if (rc != 0)
        return rc;
    e->ended = ended; /* its loop 0 has not run yet: that is this thread's */
    e->ud = ud;
    return 0;
}

void rp_hold_host(rp_system *sys, bool hold)
{
    if (sys)
        rp__host_hold(sys, hold);
}

int rp_system_open(const rp_actor *root, void *arg, const rp_system_opts *o, rp_system **ret)
{
    struct embedded *e;
    return embed(0, root, arg, o, ret, &e);
}

int rp_system_tick(rp_system *sys, rp_time budget)
{
    return sys ? rp__host_tick(sys, budget > 0 ? budget : 0) : -EINVAL;
}

int rp_poll_fd(const rp_system *sys)
{
    return sys ? rp__host_fd(sys) : -EINVAL;
}

int rp_poll_ms(const rp_system *sys)
{
    return sys ? rp__host_ms(sys) : -EINVAL;
}

int rp_system_close(rp_system *sys)
{
    int rc = sys ? rp__host_may(sys) : -EINVAL;
    if (rc != 0)
        return rc;
    rp_quit(sys, "it is closed");
    rc = rp__host_wait(sys);
    return rc != 0 ? rc : finish(of(sys));
}
