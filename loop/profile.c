/* SPDX-License-Identifier: MIT */
#include "loop/profile.h"

#include "loop/base/os.h"
#include "loop/process/handler.h"
#include "loop/system.h"

#include <errno.h>

enum { TICK = RP_MS };

/* Those that this thread runs and that are armed. Changed by it and read by its handler: each change is one store. */
static _Thread_local struct rp__profile *volatile mine;

static void count(struct rp__profile *p, rp_time ns)
{
    struct rp_loop *l = RP__OF(struct rp_loop, profile, p);
    const rp_self *self = rp__at_turn(l);
    rp__cpu_add(&p->all, ns);
    if (!self || !l->sys->floor->ran(self, ns))
        rp__cpu_add(&p->own, ns);
    if (rp__os_now() > atomic_load_explicit(&p->until, memory_order_relaxed)) {
        atomic_store_explicit(&p->ticks, false, memory_order_relaxed);
        rp__os_ticks_set(p->timer, 0);
    }
}

static void on_tick(int signo, siginfo_t *info, void *context)
{
    int before = errno;
    (void)signo, (void)context;
    for (struct rp__profile *p = mine; p && info->si_code == SI_TIMER; p = p->next)
        if (p == info->si_value.sival_ptr) /* else it was on its way when its loop was left */
            count(p, (rp_time)(1 + (info->si_overrun > 0 ? info->si_overrun : 0)) * TICK);
    errno = before;
}

static bool is_mine(const struct rp__profile *p)
{
    const struct rp__profile *at = mine;
    while (at && at != p)
        at = at->next;
    return at != 0;
}

static void forget(struct rp__profile *p)
{
    if (mine == p) {
        mine = p->next;
        return;
    }
    for (struct rp__profile *at = mine; at; at = at->next)
        if (at->next == p)
            at->next = p->next;
}

/* For the first time. */
static int begin(struct rp__profile *p)
{
    int signo = SIGRTMAX - 4;
    int rc = rp__handler_in(signo, on_tick);
    if (rc != 0 || (rc = rp__handler_stack_in()) != 0)
        return rc;
    p->next = mine;
    mine = p;
    rc = rp__os_ticks(&p->timer, signo, p, TICK);
    if (rc == 0) {
        p->armed = true;
        return 0;
    }
    forget(p);
    rp__handler_stack_out();
    return rc;
}

int rp__profile_arm(struct rp_loop *l, rp_time until)
{
    struct rp__profile *p = &l->profile;
    if (!l->world->real)
        return -ENOTSUP;
    if (p->armed && !is_mine(p))
        return -EPERM;
    if (atomic_load_explicit(&p->until, memory_order_relaxed) < until)
        atomic_store_explicit(&p->until, until, memory_order_relaxed); /* first: no signal stops it from here on */
    if (atomic_exchange_explicit(&p->ticks, true, memory_order_relaxed))
        return 0;
    if (p->armed) {
        rp__os_ticks_set(p->timer, TICK);
        return 0;
    }
    int rc = begin(p);
    if (rc != 0)
        atomic_store_explicit(&p->ticks, false, memory_order_relaxed);
    return rc;
}

bool rp__profiled(const struct rp_loop *l)
{
    return atomic_load_explicit(&l->profile.until, memory_order_relaxed) != 0;
}

void rp__profile_leave(struct rp_loop *l)
{
    struct rp__profile *p = &l->profile;
    if (!p->armed || l->sys->forked)
        return; /* a forked child has none of its parent's timers */
    rp__os_ticks_end(p->timer);
    p->armed = false;
    if (!is_mine(p))
        return;
    forget(p);
    rp__handler_stack_out();
}
