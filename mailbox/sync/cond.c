/* SPDX-License-Identifier: MIT
 *
 * cond.c - rp_cond. A signal moves its waiter from the condition's line into the lock's, without waking
 * it: it runs once, when it owns the lock. So a broadcast to a thousand is no stampede for one lock.
 *
 * A waiter has a node for each line, because a cancel on its own loop looks at the first under the
 * condition's latch while a signal works with the second under the lock's.
 */
#include "mailbox/sync/lock.h"

const char rp__for_signal[] = "a condition";

struct cond {
    struct rp__latch latch;
    struct rp__line line;
};

struct cond_waiter {
    struct rp__waiter w;       /* in the condition's line: may be cancelled */
    struct rp__waiter in_lock; /* in the lock's: not any more */
    struct rp__lock *lock;
};

_Static_assert(sizeof(struct cond) <= sizeof(rp_cond), "the public struct holds it");

static struct cond *cond_of(rp_cond *c)
{
    return (struct cond *)(void *)c;
}

int rp_cond_wait(rp_self *me, rp_cond *cond, rp_lock *lock, rp_time deadline)
{
    if (!cond || !lock)
        return -EINVAL;
    struct cond *c = cond_of(cond);
    struct rp__lock *k = rp__lock_of(lock);
    struct rp__held *h = rp__held_find(me, k);
    if (!h)
        return -EPERM;
    int rc = rp__may_park(me, deadline);
    if (rc != 0)
        return rc;
    struct cond_waiter w = {.lock = k, .in_lock = {.self = me, .latch = &k->latch}};
    w.w.self = me;
    w.w.latch = &c->latch;
    rp__latch(&c->latch);
    rp__line_push(&c->line, &w.w);
    rp__unlatch(&c->latch);
    rp__unhold(me, h);
    rp__lock_pass_on(me, k, false); /* in line first: what changes from now on is signalled to us too */
    me->got = &w.w;
    rp__suspect(me); /* with a signal it waits for the lock */
    rc = rp__park(me, rp__for_signal, c, rp__leave_line, deadline);
    if (rc != 0 && rc != -EOWNERDEAD) {
        int again = rp__lock_again(me, k);
        rc = again != 0 ? again : rc;
    }
    rp__lock_owned(me, k);
    return rc;
}

void *rp__signalled_lock(const rp_self *co, struct rp__waiter **ret)
{
    struct cond_waiter *cw = co->got;
    rp__latch(cw->w.latch);
    bool signalled = !rp__in_line(&cw->w);
    rp__unlatch(cw->w.latch);
    *ret = &cw->in_lock;
    return signalled ? cw->lock : 0;
}

static void to_lock(struct rp__waiter *w)
{
    struct cond_waiter *cw = (struct cond_waiter *)w;
    rp__lock_enqueue(cw->lock, &cw->in_lock, 0);
}

void rp_cond_signal(rp_cond *cond)
{
    if (!cond)
        return;
    struct cond *c = cond_of(cond);
    rp__latch(&c->latch);
    struct rp__waiter *w = rp__line_pop(&c->line);
    rp__unlatch(&c->latch);
    if (w)
        to_lock(w);
}

void rp_cond_broadcast(rp_cond *cond)
{
    if (!cond)
        return;
    struct cond *c = cond_of(cond);
    rp__latch(&c->latch);
    struct rp__waiter *all = rp__line_take_all(&c->line);
    rp__unlatch(&c->latch);
    for (struct rp__waiter *next; all; all = next) {
        next = all->next; /* before it may run */
        to_lock(all);
    }
}
