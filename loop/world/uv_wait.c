/* SPDX-License-Identifier: MIT
 *
 * uv_wait.c - coroutines that wait for libuv: for work off the loop, for descriptors.
 */
#include "loop/world/uv.h"

#include <errno.h>

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

int rp__uv_offload(rp_self *me, int (*fn)(void *), void *arg, rp_time deadline)
{
    struct work w = {.me = me, .fn = fn, .arg = arg};
    int rc = rp__may_park(me, deadline);
    if (rc != 0)
        return rc;
    w.req.data = &w;
    rc = uv_queue_work(rp__uv_of(me->loop)->loop, &w.req, do_work, work_done);
    if (rc != 0)
        return rc;
    me->got = &w;
    return rp__park(me, "offload", (void *)fn, work_cancel, deadline);
}

/* libuv's destructor joins the threads of its pool. In a forked child those are the parent's, and it would crash: libuv
 * means to begin a new pool there, but does so only when something is asked of it. So something is. */
#if defined(RP__TSAN) /* it ends a child that starts a thread */
void rp__uv_end_child(void)
{
}
#else
static void nothing(uv_work_t *req)
{
    (void)req;
}

static void done(uv_work_t *req, int status)
{
    (void)req, (void)status;
}

void rp__uv_end_child(void)
{
    uv_loop_t loop;
    uv_work_t work;
    if (uv_loop_init(&loop) != 0)
        return;
    if (uv_queue_work(&loop, &work, nothing, done) == 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}
#endif

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

int rp__uv_wait_fd(rp_self *me, int fd, bool write, rp_time deadline)
{
    struct readiness r = {.me = me};
    int rc = rp__may_park(me, deadline);
    if (rc == 0)
        rc = uv_poll_init(rp__uv_of(me->loop)->loop, &r.poll, fd);
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
