/* SPDX-License-Identifier: MIT */
#include "loop/held.h"
#include "mailbox/sync/holder.h"
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct once {
    struct rp__latch latch;
    /* Stored with release by who ran it, loaded with acquire by who finds it done: that pair carries over
     * what fn wrote. The latch would do, but this is asked for ever after, by everybody. */
    _Atomic uint32_t done;
    rp_self *runner; /* NULL: nobody runs it */
    struct rp__line line;
};

enum { YOURS = 1 }; /* what one is told who is to run it */

struct want {
    struct rp__waiter w;
    rp_self *me;
};

const char rp__for_first_run[] = "its first run";

_Static_assert(sizeof(struct once) <= sizeof(rp_once), "the public struct holds it");

static int try_run(void *object, struct rp__waiter *w)
{
    struct once *o = object;
    if (atomic_load_explicit(&o->done, memory_order_relaxed)) /* the latch orders */
        return 0;
    if (o->runner)
        return -EAGAIN;
    o->runner = ((struct want *)w)->me;
    return YOURS;
}

static void ran(struct once *o, bool well, struct rp_loop *here)
{
    struct rp__waiter *all = 0, *next = 0;
    rp__latch(&o->latch);
    if (well) {
        atomic_store_explicit(&o->done, 1, memory_order_release);
        all = rp__line_take_all(&o->line);
    } else {
        next = rp__line_pop(&o->line);
    }
    o->runner = next ? next->self : 0;
    rp__unlatch(&o->latch);
    rp__unpark_all(all, 0, here);
    if (next)
        rp__unpark(next, YOURS, here);
}

uint32_t rp__once_holders(void *once, rp__see *see, void *arg)
{
    struct once *o = once;
    rp__latch(&o->latch);
    uint32_t n = o->runner != 0;
    if (n)
        (void)see(o->runner, arg);
    rp__unlatch(&o->latch);
    return n;
}

int rp_once_run(rp_self *me, rp_once *once, rp_task_fn *fn, void *arg, rp_time deadline)
{
    if (!once || !fn)
        return -EINVAL;
    struct once *o = (struct once *)(void *)once;
    struct want want = {.w.held = true, .me = me};
    if (atomic_load_explicit(&o->done, memory_order_acquire))
        return rp__rested(me, rp__checkpoint(me));
    rp__latch(&o->latch);
    bool within = o->runner == me;
    rp__unlatch(&o->latch);
    if (within)
        return rp__rested(me, rp__waits_for_itself(me));
    int rc = rp__wait_for(me, &o->latch, &o->line, &want.w, try_run, o, rp__for_first_run, deadline);
    if (rc != YOURS)
        return rc;
    struct rp__held held = {.what = o}; /* on this stack: fn returns before that ends, so nobody abandons it */
    rp__hold(me, &held);
    rc = fn(me, arg);
    rp__unhold(me, &held);
    ran(o, rc >= 0, me->loop);
    return rc < 0 ? rc : 0;
}
