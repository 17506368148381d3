/* SPDX-License-Identifier: MIT */
#include "loop/world/host.h"

#include "loop/base/os.h"
#include "loop/world/uv.h"

#include <errno.h>

static struct rp__uv *first(const rp_system *sys)
{
    return rp__uv_of(sys->loops[0]);
}

/* The threads before the handles: on a host's loop those could only be taken back by running it. */
int rp__host_start(rp_system *sys)
{
    struct rp__host *h = sys->world_ud;
    atomic_store_explicit(&h->others, sys->nloops - 1, memory_order_relaxed); /* they do not run yet */
    int rc = rp__uv_threads(sys);
    if (rc != 0 || !h->uv)
        return rc;
    rc = rp__uv_handles(first(sys));
    if (rc != 0) {
        rp__system_stop(sys);
        rp__uv_join(sys);
    }
    return rc;
}

static bool over(const struct rp__uv *w)
{
    return w->l->stopped && w->handles == 0;
}

int rp__host_may(rp_system *sys)
{
    struct rp__host *h = sys->world_ud;
    if (sys->forked || (h->ticked && !pthread_equal(h->thread, pthread_self())))
        return -EPERM;
    h->thread = pthread_self();
    h->ticked = true;
    return h->ticking ? -EDEADLK : 0;
}

static int run(rp_system *sys, uv_run_mode mode)
{
    struct rp__host *h = sys->world_ud;
    h->ticking = true;
    int rc = uv_run(first(sys)->loop, mode);
    h->ticking = false;
    return rc;
}

/* A callback of the poll may have made something ready, after the turn that found nothing to do. */
static bool more_to_do(struct rp__uv *w)
{
    return uv_backend_timeout(w->loop) == 0 || (!w->l->stopped && rp__work_left(w->l));
}

int rp__host_tick(rp_system *sys, rp_time budget)
{
    struct rp__uv *w = first(sys);
    int rc = rp__host_may(sys);
    if (rc == 0 && over(w))
        rc = -ESHUTDOWN;
    if (rc != 0)
        return rc;
    w->l->stint.slice = budget < RP__TURN_NS ? budget : RP__TURN_NS;
    rp_time end = rp__after(rp__os_now(), budget);
    bool more;
    do {
        run(sys, UV_RUN_NOWAIT);
        if (over(w))
            return -ESHUTDOWN;
        more = more_to_do(w);
    } while (more && rp__os_now() < end);
    return more;
}

int rp__host_wait(rp_system *sys)
{
    struct rp__uv *w = first(sys);
    int rc = rp__host_may(sys);
    if (rc != 0)
        return rc;
    w->l->stint.slice = RP__TURN_NS;
    run(sys, UV_RUN_DEFAULT);
    return 0;
}

bool rp__host_ticks(const rp_system *sys)
{
    const struct rp__host *h = sys->world_ud;
    return !h->uv;
}

int rp__host_fd(const rp_system *sys)
{
    return uv_backend_fd(first(sys)->loop);
}

int rp__host_ms(const rp_system *sys)
{
    struct rp__uv *w = first(sys);
    uv_update_time(w->loop);
    return more_to_do(w) ? 0 : uv_backend_timeout(w->loop);
}

void rp__host_hold(rp_system *sys, bool hold)
{
    struct rp__uv *w = first(sys);
    void (*set)(uv_handle_t *) = hold ? uv_ref : uv_unref;
    set((uv_handle_t *)&w->prepare);
    set((uv_handle_t *)&w->idle);
    set((uv_handle_t *)&w->woken);
    set((uv_handle_t *)&w->timer);
}
