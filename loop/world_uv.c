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
 * Every uv handle is made when the loop is opened and freed in its close callback.
 */
#include "loop/loop.h"
#include "loop/os.h"
#include "loop/overflow.h"
#include "loop/system.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <uv.h>

enum { LOOK_EVERY = 64, GAP_MAX = 1000000 };

struct uv_world {
    struct rp_loop *l;
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_poll_t woken;    /* on `flag`: uv_async_t would wait for its sender's last instructions, and that may be
                           off its core just then */
    int flag;           /* an eventfd; < 0: none */
    bool edge;          /* each raise is told once, so that it need not be lowered */
    uv_timer_t timer;
    unsigned handles;   /* initialised and not yet closed */
    bool opened, asleep;
    rp_time armed;      /* what the uv timer is set for; RP_FOREVER: it is stopped */
    rp_time idle_since; /* 0: there was work */
    pthread_t thread;
    int rc;
};

static struct uv_world *of(const struct rp_loop *l)
{
    return l->world_ud;
}

/* ---- one iteration ------------------------------------------------------------------------------- */

static void poll_only(uv_idle_t *h)
{
    (void)h;
}

static void on_timer(uv_timer_t *h)
{
    struct uv_world *w = h->data;
    w->armed = RP_FOREVER; /* the turn that follows fires what is due */
}

static void on_woken(uv_poll_t *h, int status, int events)
{
    struct uv_world *w = h->data;
    (void)status, (void)events; /* being awake is all */
    if (w->edge)
        return;
    rp__os_flag_lower(w->flag); /* libuv asks for its level; it has asked now, and will not again */
    w->edge = rp__os_flag_edge(w->flag, uv_backend_fd(&w->loop)) == 0;
}

static void closed(uv_handle_t *h)
{
    struct uv_world *w = h->data;
    w->handles--;
}

static void shut(struct uv_world *w)
{
    rp__inbox_close(w->l);
    rp__publish(w->l);
    w->l->stopped = true;
    uv_close((uv_handle_t *)&w->prepare, closed);
    uv_close((uv_handle_t *)&w->check, closed);
    uv_close((uv_handle_t *)&w->idle, closed);
    uv_close((uv_handle_t *)&w->woken, closed);
    uv_close((uv_handle_t *)&w->timer, closed);
}

static void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Work came: how long had there been none? */
static void note_gap(struct uv_world *w)
{
    rp_time since = w->idle_since;
    w->idle_since = 0;
    if (since == 0 || atomic_load_explicit(&w->l->sys->spin, memory_order_relaxed) == 0)
        return; /* or it will not spin anyway */
    rp_time gap = rp__os_now() - since;
    w->l->idle_gap += ((gap < GAP_MAX ? gap : GAP_MAX) - w->l->idle_gap) / 4;
}

/* Waits a little for work from other loops, if that has lately paid. True: there is some. */
static bool spin(struct uv_world *w)
{
    struct rp_loop *l = w->l;
    rp_time most = atomic_load_explicit(&l->sys->spin, memory_order_relaxed);
    if (w->idle_since == 0) {
        w->idle_since = rp__os_now();
        rp__load_note(&l->load, w->idle_since, false);
    }
    if (most == 0 || l->idle_gap > most || l->stopping)
        return false;
    rp_time end = w->idle_since + most;
    rp_time due = rp__next_deadline(l);
    end = due < end ? due : end;
    do {
        for (unsigned i = 0; i < LOOK_EVERY; i++) {
            if (rp__anything_inbound(l))
                return true;
            cpu_relax();
        }
    } while (rp__os_now() < end);
    return false;
}

static void arm(struct uv_world *w)
{
    rp_time due = rp__next_deadline(w->l);
    if (due == w->armed)
        return;
    w->armed = due;
    if (due == RP_FOREVER) {
        uv_timer_stop(&w->timer);
        return;
    }
    uv_update_time(&w->loop);
    rp_time left = due - rp__os_now();
    uint64_t ms = left <= 0 ? 0 : (uint64_t)((left + RP_MS - 1) / RP_MS);
    uv_timer_start(&w->timer, on_timer, ms, 0);
}

static void on_prepare(uv_prepare_t *h)
{
    struct uv_world *w = h->data;
    struct rp_loop *l = w->l;
    for (;;) { /* until it would block, or the turn's budget is spent */
        note_gap(w);
        if (rp__turn(l)) {
            uv_idle_start(&w->idle, poll_only);
            return;
        }
        if (l->stopping) {
            shut(w);
            return;
        }
        if (spin(w) || !rp__sleep_begin(l))
            continue;
        w->asleep = true;
        uv_idle_stop(&w->idle);
        arm(w);
        return;
    }
}

static void on_check(uv_check_t *h)
{
    struct uv_world *w = h->data;
    if (!w->asleep)
        return;
    w->asleep = false;
    rp__sleep_end(w->l);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static int open_handles(struct uv_world *w)
{
    uv_prepare_init(&w->loop, &w->prepare);
    uv_check_init(&w->loop, &w->check);
    uv_idle_init(&w->loop, &w->idle);
    uv_timer_init(&w->loop, &w->timer);
    w->prepare.data = w->check.data = w->idle.data = w->timer.data = w->woken.data = w;
    w->handles = 4;
    w->flag = rp__os_flag_open();
    if (w->flag < 0)
        return w->flag;
    int rc = uv_poll_init(&w->loop, &w->woken, w->flag);
    w->woken.data = w;
    if (rc != 0)
        return rc;
    w->handles = 5;
    uv_prepare_start(&w->prepare, on_prepare);
    uv_check_start(&w->check, on_check);
    return uv_poll_start(&w->woken, UV_READABLE, on_woken);
}

static int world_open(struct rp_loop *l)
{
    struct uv_world *w = rp__alloc(l->sys, sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(w, 0, sizeof *w);
    w->l = l;
    w->armed = RP_FOREVER;
    w->flag = -1;
    l->world_ud = w;
    l->idle_gap = GAP_MAX;
    int rc = uv_loop_init(&w->loop);
    if (rc != 0)
        return rc;
    w->opened = true;
    return open_handles(w);
}

static void close_handle(uv_handle_t *h, void *ud)
{
    (void)ud;
    if (!uv_is_closing(h))
        uv_close(h, h->data ? closed : 0);
}

static void world_close(struct rp_loop *l)
{
    struct uv_world *w = of(l);
    if (!w)
        return;
    if (w->opened) {
        uv_walk(&w->loop, close_handle, 0); /* a loop that never ran */
        uv_run(&w->loop, UV_RUN_DEFAULT);
        uv_loop_close(&w->loop);
    }
    if (w->flag >= 0)
        rp__os_flag_close(w->flag);
    rp__free_mem(l->sys, w, sizeof *w);
    l->world_ud = 0;
}

static void run_loop(struct uv_world *w)
{
    rp__fiber_home(&w->l->home.fiber);
    w->rc = rp__overflow_thread(w->l);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    rp__overflow_thread(0);
}

static void *thread_main(void *arg)
{
    run_loop(arg);
    return 0;
}

static int world_run(rp_system *sys)
{
    int rc = 0;
    unsigned started = 1;
    for (; started < sys->nloops && rc == 0; started++) {
        struct uv_world *w = of(sys->loops[started]);
        rc = rp__os_thread(&w->thread, thread_main, w);
    }
    if (rc != 0) {
        started--;
        rp__system_stop(sys);
    }
    run_loop(of(sys->loops[0]));
    for (unsigned i = 1; i < started; i++)
        pthread_join(of(sys->loops[i])->thread, 0);
    return rc;
}

static rp_time world_now(const struct rp_loop *l)
{
    (void)l;
    return rp__os_now();
}

static void world_wake(struct rp_loop *l)
{
    rp__os_flag_raise(of(l)->flag);
}

static uint64_t world_seed(rp_system *sys)
{
    (void)sys;
    return rp__os_entropy();
}

/* ---- work off the loop --------------------------------------------------------------------------- */

struct work {
    uv_work_t req; /* on the caller's stack: the caller stays parked until libuv is done with it */
    rp_self *me;
    int (*fn)(void *);
    void *arg;
    int rc;
};

static void do_work(uv_work_t *req)
{
    struct work *w = req->data;
    w->rc = w->fn(w->arg);
}

static void work_done(uv_work_t *req, int status)
{
    struct work *w = req->data;
    rp__wake(w->me, status == UV_ECANCELED ? w->me->rc : w->rc);
}

static bool work_cancel(rp_self *me)
{
    struct work *w = me->got;
    uv_cancel((uv_req_t *)&w->req); /* not begun: work_done comes with UV_ECANCELED; else it goes on */
    return false;
}

static int world_offload(rp_self *me, int (*fn)(void *), void *arg, rp_time deadline)
{
    struct work w = {.me = me, .fn = fn, .arg = arg};
    int rc = rp__may_wait(me);
    if (rc == 0 && deadline <= rp_now(me))
        rc = -ETIMEDOUT;
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc != 0)
        return rc;
    w.req.data = &w;
    rc = uv_queue_work(&of(me->loop)->loop, &w.req, do_work, work_done);
    if (rc != 0)
        return rc;
    me->got = &w;
    return rp__park(me, "offload", (void *)fn, work_cancel, deadline);
}

/* ---- descriptors --------------------------------------------------------------------------------- */

struct readiness {
    uv_poll_t poll; /* on the caller's stack: the caller stays parked until libuv has let go of it */
    rp_self *me;
    int rc;
};

static void let_go(uv_handle_t *h)
{
    struct readiness *r = RP__OF(struct readiness, poll, h);
    rp__wake(r->me, r->rc);
}

static void end_poll(struct readiness *r, int rc)
{
    if (uv_is_closing((uv_handle_t *)&r->poll))
        return;
    r->rc = rc;
    uv_close((uv_handle_t *)&r->poll, let_go);
}

static void on_readiness(uv_poll_t *h, int status, int events)
{
    (void)events;
    end_poll(RP__OF(struct readiness, poll, h), status);
}

static bool poll_cancel(rp_self *me)
{
    end_poll(me->got, me->rc);
    return false;
}

static int world_wait_fd(rp_self *me, int fd, bool write, rp_time deadline)
{
    struct readiness r = {.me = me};
    int rc = rp__may_wait(me);
    if (rc == 0 && deadline <= rp_now(me))
        rc = -ETIMEDOUT;
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc == 0)
        rc = uv_poll_init(&of(me->loop)->loop, &r.poll, fd);
    if (rc != 0)
        return rc;
    r.poll.data = 0; /* no handle of the loop's own: see close_handle */
    uv_unref((uv_handle_t *)&r.poll); /* who waits does not keep a loop from ending */
    me->got = &r;
    rc = uv_poll_start(&r.poll, write ? UV_WRITABLE : UV_READABLE, on_readiness);
    if (rc != 0)
        end_poll(&r, rc);
    return rp__park(me, write ? "room to write" : "something to read", 0, poll_cancel, deadline);
}

const struct rp__world rp__world_uv = {
    world_open, world_close, world_run, world_now, world_wake, world_seed, world_offload, world_wait_fd,
};
