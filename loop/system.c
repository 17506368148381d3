/* SPDX-License-Identifier: MIT */
#include "loop/system.h"

#include "loop/base/os.h"
#include "loop/fork.h"
#include "loop/overflow.h"
#include "loop/trace.h"
#include "loop/visit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *libc_alloc(void *ud, size_t size)
{
    (void)ud;
    return malloc(size);
}

static void libc_free(void *ud, void *p, size_t size)
{
    (void)ud, (void)size;
    free(p);
}

const rp_alloc rp__libc_alloc = {libc_alloc, libc_free, 0};

/* Cache-line aligned out of an allocator that promises 16. */
static struct rp_loop *loop_alloc(rp_system *sys)
{
    char *raw = rp__alloc(sys, sizeof(struct rp_loop) + 256);
    if (!raw)
        return 0;
    char *at = (char *)(((uintptr_t)raw + sizeof raw + 127) & ~(uintptr_t)127);
    memset(at, 0, sizeof(struct rp_loop));
    ((char **)(void *)at)[-1] = raw;
    return (struct rp_loop *)(void *)at;
}

static void loop_free(rp_system *sys, struct rp_loop *l)
{
    if (l)
        rp__free_mem(sys, ((char **)(void *)l)[-1], sizeof *l + 256);
}

static int open_loops(rp_system *sys)
{
    sys->loops = rp__alloc(sys, sys->nloops * sizeof *sys->loops);
    sys->pools = rp__alloc(sys, sys->nloops * sizeof *sys->pools);
    if (!sys->loops || !sys->pools)
        return -ENOMEM;
    memset(sys->loops, 0, sys->nloops * sizeof *sys->loops);
    for (unsigned i = 0; i < sys->nloops; i++) {
        if (!(sys->loops[i] = loop_alloc(sys)))
            return -ENOMEM;
        sys->pools[i] = &sys->loops[i]->pool;
    }
    for (unsigned i = 0; i < sys->nloops; i++) {
        int rc = rp__loop_open(sys->loops[i], sys, i);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int rp__system_new(const struct rp__system_opts *o, rp_system **ret)
{
    const rp_alloc *mem = o->mem ? o->mem : &rp__libc_alloc;
    unsigned cpus = rp__os_cpus();
    unsigned n = o->loops ? o->loops : cpus < RP__LOOPS_MAX ? cpus : RP__LOOPS_MAX;
    if (n > RP__LOOPS_MAX)
        return -EINVAL;
    rp_system *sys = mem->alloc(mem->ud, sizeof *sys);
    if (!sys)
        return -ENOMEM;
    memset(sys, 0, sizeof *sys);
    sys->mem = *mem;
    sys->world = o->world;
    sys->world_ud = o->world_ud;
    sys->floor = o->floor;
    sys->lookout = o->world->real ? o->lookout : 0;
    sys->up = o->up;
    sys->nloops = n;
    sys->chaos = o->chaos;
    sys->unmeasured = o->unmeasured;
    sys->budget = o->budget > 0 ? o->budget : RP_FOREVER;
    sys->spin = n <= cpus ? o->spin : 0; /* who spins on a shared core keeps the other from working */
    sys->node = sys->world->seed(sys) | 1;
    sys->salt = sys->world->seed(sys) | 1;
    rp__reports_open(&sys->reports, o->on_report, o->report_ud);
    rp__trace_open(sys);
    int rc = rp__constants_open(&sys->constants, &sys->mem);
    if (rc == 0)
        rc = open_loops(sys);
    if (rc != 0) {
        rp__system_free(sys);
        return rc;
    }
    sys->stuck.looks = sys->world->real && !o->in_host && rp__os_asked("RP_DEBUG");
    rp__overflow_watch(sys, o->in_host);
    rp__fork_watch(sys);
    if (sys->lookout)
        rc = sys->lookout->open(sys, o);
    if (rc == 0)
        rc = rp__visit_open(sys); /* last: who calls it finds all of it */
    if (rc != 0) {
        rp__system_free(sys);
        return rc;
    }
    *ret = sys;
    return 0;
}

void rp__system_free(rp_system *sys)
{
    if (!sys)
        return;
    rp__visit_close(sys);
    if (sys->lookout)
        sys->lookout->close(sys);
    rp__fork_unwatch(sys);
    rp__overflow_unwatch(sys);
    for (unsigned i = 0; sys->loops && sys->pools && i < sys->nloops; i++)
        while (sys->loops[i] && atomic_load_explicit(&sys->loops[i]->visitors, memory_order_acquire))
            rp__os_yield(); /* bounded: the visitor's last few instructions */
    for (unsigned i = 0; sys->loops && sys->pools && i < sys->nloops; i++)
        if (sys->loops[i])
            rp__loop_close(sys->loops[i]);
    for (unsigned i = 0; sys->loops && sys->pools && i < sys->nloops; i++)
        if (sys->loops[i]) {
            rp__pool_fini(&sys->loops[i]->pool);
            loop_free(sys, sys->loops[i]);
        }
    rp__free_mem(sys, sys->loops, sys->nloops * sizeof *sys->loops);
    rp__free_mem(sys, sys->pools, sys->nloops * sizeof *sys->pools);
    rp__trace_close(sys);
    rp__reports_close(&sys->reports);
    rp__constants_close(&sys->constants, &sys->mem);
    rp_alloc mem = sys->mem;
    mem.free(mem.ud, sys, sizeof *sys);
}

int rp__system_run(rp_system *sys)
{
    return sys->world->run(sys);
}

static void stop(struct rp__post *p, struct rp_loop *l)
{
    (void)p;
    l->stopping = true;
}

void rp__system_stop(rp_system *sys)
{
    if (atomic_exchange_explicit(&sys->stopping, true, memory_order_relaxed))
        return;
    for (unsigned i = 0; i < sys->nloops; i++) {
        sys->loops[i]->stop_post.fn = stop;
        rp__inbox_push(sys->loops[i], &sys->loops[i]->stop_post);
    }
}

/* ---- posts --------------------------------------------------------------------------------------- */

struct post {
    struct rp__post post;
    rp_system *sys;
    void (*fn)(void *);
    void *arg;
};

static void run_post(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    struct post *post = (struct post *)(void *)p;
    post->fn(post->arg);
    rp__free_mem(post->sys, post, sizeof *post);
}

static int post(rp_system *sys, unsigned loop, void (*fn)(void *arg), void *arg)
{
    if (sys->forked)
        return -EPERM;
    if (loop >= sys->nloops)
        return -EINVAL;
    struct post *p = rp__alloc(sys, sizeof *p);
    if (!p)
        return -ENOMEM;
    *p = (struct post){{0, run_post}, sys, fn, arg};
    int rc = rp__inbox_push(sys->loops[loop], &p->post);
    if (rc != 0)
        rp__free_mem(sys, p, sizeof *p);
    return rc;
}

int rp_post(rp_system *sys, unsigned loop, void (*fn)(void *arg), void *arg)
{
    struct rp__door *d = rp__visit(sys);
    int rc = !sys || !fn ? -EINVAL : d ? post(sys, loop, fn, arg) : -ESHUTDOWN;
    if (d)
        rp__visit_end(d);
    return rc;
}

rp_system *rp_system_of(const rp_self *me)
{
    return me->loop->sys;
}

unsigned rp_loop_index(const rp_self *me)
{
    return me->loop->index;
}

unsigned rp_loop_count(const rp_self *me)
{
    return me->loop->sys->nloops;
}

uint64_t rp_random(rp_self *me)
{
    return rp__random_of(me->loop);
}
