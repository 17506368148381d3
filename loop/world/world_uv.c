/* SPDX-License-Identifier: MIT
 *
 * world_uv.c - the real world: a thread and a uv_loop_t for each loop.
 *
 * All is done from a prepare handle inside plain uv_run, so the same code serves our own thread and a
 * host's loop: libuv computes how long to block after the prepare callbacks, so an idle handle that
 * is active makes it poll, and one that is stopped lets it block until the timer or a wake-up.
 *
 * Before it blocks, a loop may spin: only where every loop has a core of its own, only if work has
 * lately come back within the limit, and never longer than that. An idle loop does not spin.
 *
 * Every uv handle is made when the loop is opened, but on a host's loop when all else has succeeded, and is
 * done with in its close callback.
 */
#include "loop/base/os.h"
#include "loop/overflow.h"
#include "loop/process/handler.h"
#include "loop/watch/stall.h"
#include "loop/world/uv.h"

#include <errno.h>
#include <string.h>

enum { LOOK_EVERY = 64, GAP_MAX = 1000000, OWN_HANDLES = 4, UV_FIRST = 3 /* its poller, and a pipe that all loops share */ };

/* ---- one iteration ------------------------------------------------------------------------------- */

static void poll_only(uv_idle_t *h)
{
    (void)h;
}

static void on_timer(uv_timer_t *h)
{
    struct rp__uv *w = h->data;
    w->armed = RP_FOREVER; /* the turn that follows fires what is due, */
    uv_idle_start(&w->idle, poll_only); /* and is to be taken soon: since libuv 1.45 timers run after the poll, and a host
                                           that runs one iteration at a time would wait for ever before the next */
}

static void on_woken(uv_poll_t *h, int status, int events)
{
    struct rp__uv *w = h->data;
    (void)status, (void)events; /* being awake is all */
    if (w->l->sys->forked) {
        uv_poll_stop(h); /* the flag is the parent's too */
        return;
    }
    uv_idle_start(&w->idle, poll_only); /* by a wake of between our prepare and the poll, which has used it up: a host that
                                           polls by itself is to come back at once */
    if (w->edge)
        return;
    rp__os_flag_lower(w->flag); /* libuv asks for its level; it has asked now, and will not again */
    w->edge = rp__os_flag_edge(w->flag, uv_backend_fd(w->loop)) == 0;
}

static void closed(uv_handle_t *h)
{
    rp__uv_closed(h->data);
}

void rp__uv_closed(struct rp__uv *w)
{
    if (--w->handles == 0 && w->host && w->host->uv)
        w->host->over(w->host);
}

/* Loop 0 waits for the others: they might still wake it. */
static bool last(const struct rp__uv *w)
{
    return !w->host || atomic_load_explicit(&w->host->others, memory_order_acquire) == 0;
}

static void shut(struct rp__uv *w)
{
    if (!w->l->stopped) {
        rp__inbox_close(w->l);
        rp__publish(w->l);
        rp__profile_leave(w->l);
        w->l->stopped = true;
    }
    uv_idle_stop(&w->idle);
    uv_timer_stop(&w->timer);
    if (!last(w))
        return; /* who is the last raises our flag */
    if (w->host)
        rp__uv_join(w->l->sys);
    uv_close((uv_handle_t *)&w->prepare, closed);
    uv_close((uv_handle_t *)&w->idle, closed);
    uv_close((uv_handle_t *)&w->woken, closed);
    uv_close((uv_handle_t *)&w->timer, closed);
}

/* Work came: if from others, how long had there been none? A timer is not what one spins for. */
static void note_gap(struct rp__uv *w)
{
    bool idle = w->idle_since != 0;
    w->idle_since = 0;
    if (!idle || atomic_load_explicit(&w->l->sys->spin, memory_order_relaxed) == 0 || !rp__anything_new(w->l))
        return; /* or it will not spin anyway */
    rp_time gap = rp__os_now() - w->alone_since;
    w->alone_since = 0;
    w->l->idle_gap += ((gap < GAP_MAX ? gap : GAP_MAX) - w->l->idle_gap) / 4;
}

/* Waits a little for work, or room, from other loops, if that has lately paid, the time is not a host's, and nothing
 * may come through a descriptor, which it would not see. True: there is some. */
static bool spin(struct rp__uv *w)
{
    struct rp_loop *l = w->l;
    rp_time most = atomic_load_explicit(&l->sys->spin, memory_order_relaxed);
    if (w->idle_since == 0) {
        w->idle_since = rp__os_now();
        rp__load_note(&l->load, w->idle_since, false);
    }
    if (w->alone_since == 0)
        w->alone_since = w->idle_since;
    if (w->host || w->handles > OWN_HANDLES || most == 0 || l->idle_gap > most || l->stopping)
        return false;
    rp_time end = rp__after(w->alone_since, most);
    rp_time due = rp__next_deadline(l);
    end = due < end ? due : end;
    do {
        for (unsigned i = 0; i < LOOK_EVERY; i++) {
            if (rp__anything_new(l))
                return true;
            rp__os_pause();
        }
    } while (rp__os_now() < end);
    return false;
}

static void arm(struct rp__uv *w)
{
    rp_time due = rp__next_deadline(w->l);
    if (due == w->armed)
        return;
    w->armed = due;
    if (due == RP_FOREVER) {
        uv_timer_stop(&w->timer);
        return;
    }
    uv_update_time(w->loop);
    rp_time left = due - rp__os_now();
    uint64_t ms = left <= 0 ? 0 : (uint64_t)((left + RP_MS - 1) / RP_MS);
    uv_timer_start(&w->timer, on_timer, ms, 0);
}

/* No timer, no request (a call off the loop, a name that is looked up), no handle that is active but our own: the timer may
 * be armed to trim stacks. */
static bool nothing_comes(const struct rp__uv *w)
{
    unsigned own = 2u + (uv_is_active((const uv_handle_t *)&w->timer) != 0) + (uv_is_active((const uv_handle_t *)&w->idle) != 0);
    return rp__wheel_next(&w->l->wheel) == RP_FOREVER && w->handles == OWN_HANDLES && w->loop->active_reqs.count == 0 &&
           w->loop->active_handles <= own;
}

/* Turns, until it would block or has lasted as long as one may. */
static void turns(struct rp__uv *w)
{
    struct rp_loop *l = w->l;
    rp_time end = 0;
    do {
        note_gap(w);
        bool more = rp__turn(l);
        if (!more && l->stopping) {
            shut(w);
            return;
        }
        if (end == 0)
            end = l->stint.end;
        if (more)
            break;
        if (l->sys->stuck.looks)
            atomic_store_explicit(&l->for_ever, nothing_comes(w), memory_order_seq_cst);
        if (!spin(w) && rp__sleep_begin(l)) {
            w->asleep = true;
            uv_idle_stop(&w->idle);
            arm(w);
            if (l->sys->stuck.looks)
                rp__stuck_look(l);
            return;
        }
    } while (l->now < end);
    uv_idle_start(&w->idle, poll_only);
}

/* A host's loop goes on in a forked child: without us. */
static void leave_host(struct rp__uv *w)
{
    uv_prepare_stop(&w->prepare);
    uv_idle_stop(&w->idle);
    uv_timer_stop(&w->timer);
}

/* Seen, and watched, while it is ours. */
static void turns_in_host(struct rp__uv *w)
{
    struct rp__running running;
    if (w->l->sys->watched && !w->signal_stack)
        w->signal_stack = rp__handler_stack_in() == 0;
    rp__overflow_enter(&running, w->l);
    rp__seat_enter(w->l);
    if (w->l->sys->stall)
        rp__stall_woken(w->l);
    turns(w);
    rp__seat_exit(w->l);
    rp__overflow_leave(&running);
    if (w->l->stopped && w->signal_stack)
        rp__handler_stack_out();
}

static void on_prepare(uv_prepare_t *h)
{
    struct rp__uv *w = h->data;
    if (w->host && w->l->sys->forked) {
        leave_host(w);
        return;
    }
    if (w->asleep) { /* here and not when the poll is over: a host may block in between, in a poll of its own */
        w->asleep = false;
        rp__sleep_end(w->l);
    }
    if (w->host)
        rp__fiber_home(&w->l->home.fiber); /* on whatever stack it may be */
    if (w->l->stopped)
        shut(w);
    else if (w->host)
        turns_in_host(w);
    else
        turns(w);
}

/* ---- life ---------------------------------------------------------------------------------------- */

int rp__uv_handles(struct rp__uv *w)
{
    int rc = uv_poll_init(w->loop, &w->woken, w->flag);
    if (rc != 0)
        return rc;
    uv_prepare_init(w->loop, &w->prepare); /* these cannot fail */
    uv_idle_init(w->loop, &w->idle);
    uv_timer_init(w->loop, &w->timer);
    w->prepare.data = w->idle.data = w->timer.data = w->woken.data = w;
    w->handles = OWN_HANDLES;
    uv_prepare_start(&w->prepare, on_prepare);
    uv_poll_start(&w->woken, UV_READABLE, on_woken);
    return 0;
}

static struct rp__host *host_of(const struct rp_loop *l)
{
    return l->index == 0 ? l->sys->world_ud : 0;
}

static int world_open(struct rp_loop *l)
{
    struct rp__uv *w = rp__alloc(l->sys, sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(w, 0, sizeof *w);
    w->l = l;
    w->host = host_of(l);
    w->armed = RP_FOREVER;
    l->world_ud = w;
    l->idle_gap = GAP_MAX;
    w->flag = rp__os_flag_open();
    if (w->flag < 0)
        return w->flag;
    if (w->host && w->host->uv) {
        w->loop = w->host->uv;
        return 0; /* its handles come when nothing else can fail: rp__host_start */
    }
    w->loop = &w->own;
    if (!rp__os_room(UV_FIRST)) /* libuv's first loop in a process aborts where there are fewer */
        return -EMFILE;
    int rc = uv_loop_init(w->loop);
    if (rc != 0)
        return rc;
    w->opened = true;
    return rp__uv_handles(w);
}

static void close_handle(uv_handle_t *h, void *ud)
{
    (void)ud;
    if (!uv_is_closing(h))
        uv_close(h, h->data ? closed : 0);
}

static void world_close(struct rp_loop *l)
{
    struct rp__uv *w = rp__uv_of(l);
    if (!w)
        return;
    if (w->opened) {
        uv_walk(&w->own, close_handle, 0); /* a loop that never ran */
        uv_run(&w->own, UV_RUN_DEFAULT);
        uv_loop_close(&w->own);
    }
    if (w->flag >= 0)
        rp__os_flag_close(w->flag);
    rp__free_mem(l->sys, w, sizeof *w);
    l->world_ud = 0;
}

static void run_loop(struct rp__uv *w)
{
    struct rp__running running;
    bool watched = w->l->sys->watched || w->l->sys->seats; /* a signal needs a stack of its own */
    rp__fiber_home(&w->l->home.fiber);
    w->rc = watched ? rp__handler_stack_in() : 0;
    rp__overflow_enter(&running, w->l);
    rp__seat_take(w->l, true);
    if (w->l->sys->stall)
        rp__stall_woken(w->l);
    uv_run(w->loop, UV_RUN_DEFAULT);
    rp__seat_take(w->l, false);
    rp__overflow_leave(&running);
    if (watched && w->rc == 0)
        rp__handler_stack_out();
}

static void *thread_main(void *arg)
{
    struct rp__uv *w = arg, *first = rp__uv_of(w->l->sys->loops[0]);
    run_loop(w);
    if (first->host) { /* it is there until it has joined us */
        atomic_fetch_sub_explicit(&first->host->others, 1, memory_order_release);
        rp__os_flag_raise(first->flag);
    }
    return 0;
}

static void join(rp_system *sys, unsigned threads)
{
    for (unsigned i = 1; i < threads; i++)
        pthread_join(rp__uv_of(sys->loops[i])->thread, 0);
}

void rp__uv_join(rp_system *sys)
{
    join(sys, sys->nloops);
}

int rp__uv_threads(rp_system *sys)
{
    for (unsigned i = 1; i < sys->nloops; i++) {
        struct rp__uv *w = rp__uv_of(sys->loops[i]);
        int rc = rp__os_thread(&w->thread, thread_main, w);
        if (rc != 0) {
            rp__system_stop(sys);
            join(sys, i);
            return rc;
        }
    }
    return 0;
}

static int world_run(rp_system *sys)
{
    int rc = rp__uv_threads(sys);
    run_loop(rp__uv_of(sys->loops[0])); /* also without the others: it has been told to stop then, and ends in order */
    if (rc == 0)
        rp__uv_join(sys);
    return rc;
}

static rp_time world_now(const struct rp_loop *l)
{
    (void)l;
    return rp__os_now();
}

static void world_wake(struct rp_loop *l)
{
    rp__os_flag_raise(rp__uv_of(l)->flag);
}

static uint64_t world_seed(rp_system *sys)
{
    (void)sys;
    return rp__os_entropy();
}

static bool world_hosted(const rp_system *sys)
{
    const struct rp__host *h = sys->world_ud;
    return h && h->uv;
}

const struct rp__world rp__world_uv = {
    true, world_open, world_close, world_run, world_now, world_wake, world_seed, rp__uv_offload, rp__uv_wait_fd, world_hosted, rp__uv_end_child,
};
