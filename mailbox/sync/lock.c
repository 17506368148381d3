/* SPDX-License-Identifier: MIT
 *
 * lock.c - rp_lock. Who releases it makes the next in line its owner before that one runs: nobody barges in.
 */
#include "mailbox/sync/lock.h"

#include "loop/fork.h"
#include "loop/here.h"

const char rp__for_lock[] = "a lock", rp__for_lock_again[] = "a lock, again";

/* Under the latch: the lock is `self`'s from now on. What it is to be told. */
static int give(struct rp__lock *k, rp_self *self)
{
    int rc = k->dead ? -EOWNERDEAD : 0;
    k->owner = self;
    k->dead = false;
    return rc;
}

uint32_t rp__lock_holders(void *lock, rp__see *see, void *arg)
{
    struct rp__lock *k = lock;
    rp__latch(&k->latch);
    uint32_t n = k->owner != 0;
    if (n)
        (void)see(k->owner, arg);
    rp__unlatch(&k->latch);
    return n;
}

void rp__lock_pass_on(rp_self *me, struct rp__lock *k, bool dead)
{
    int rc = 0;
    rp__latch(&k->latch);
    k->dead |= dead;
    k->owner = 0;
    struct rp__waiter *next = rp__line_pop(&k->line);
    if (next)
        rc = give(k, next->self);
    rp__unlatch(&k->latch);
    if (next)
        rp__unpark(next, rc, me->loop);
}

static void owner_ended(struct rp__held *h, rp_self *me)
{
    rp__lock_pass_on(me, RP__OF(struct rp__lock, held, h), true);
}

void rp__lock_owned(rp_self *me, struct rp__lock *k)
{
    k->held.what = k;
    k->held.abandon = owner_ended;
    rp__hold(me, &k->held);
}

void rp__lock_enqueue(struct rp__lock *k, struct rp__waiter *w, struct rp_loop *here)
{
    int rc = 0;
    rp__latch(&k->latch);
    bool free = !k->owner;
    if (free)
        rc = give(k, w->self);
    else
        rp__line_push(&k->line, w);
    rp__unlatch(&k->latch);
    if (free)
        rp__unpark(w, rc, here);
}

int rp__lock_again(rp_self *me, struct rp__lock *k)
{
    struct rp__waiter w = {.self = me, .latch = &k->latch};
    int rc = 0;
    rp__latch(&k->latch);
    bool free = !k->owner;
    if (free)
        rc = give(k, me);
    else
        rp__line_push(&k->line, &w);
    rp__unlatch(&k->latch);
    if (free)
        return rc;
    me->got = &w;
    rc = rp__park(me, rp__for_lock_again, k, 0, RP_FOREVER); /* it has its own stack: cannot fail */
    me->got = 0;
    return rc;
}

/* ---- for users ----------------------------------------------------------------------------------- */

struct want {
    struct rp__waiter w;
    rp_self *me;
};

static int try_lock(void *object, struct rp__waiter *w)
{
    struct rp__lock *k = object;
    return k->owner ? -EAGAIN : give(k, ((struct want *)w)->me);
}

int rp_lock_acquire(rp_self *me, rp_lock *lock, rp_time deadline)
{
    if (!lock)
        return -EINVAL;
    struct rp__lock *k = rp__lock_of(lock);
    struct want want = {.w.held = true, .me = me};
    if (rp__held_find(me, k))
        return rp__rested(me, rp__waits_for_itself(me));
    int rc = rp__wait_for(me, &k->latch, &k->line, &want.w, try_lock, k, rp__for_lock, deadline);
    if (rc == 0 || rc == -EOWNERDEAD)
        rp__lock_owned(me, k);
    return rc;
}

int rp_lock_try(rp_self *me, rp_lock *lock)
{
    if (!lock)
        return -EINVAL;
    struct rp__lock *k = rp__lock_of(lock);
    rp__must_be_here(me);
    if (rp__forked(me->loop))
        return -EPERM;
    rp__latch(&k->latch);
    int rc = k->owner == me ? -EDEADLK : k->owner ? -EAGAIN : give(k, me);
    rp__unlatch(&k->latch);
    if (rc == 0 || rc == -EOWNERDEAD)
        rp__lock_owned(me, k);
    return rc == -EDEADLK ? rp__waits_for_itself(me) : rc;
}

int rp_lock_release(rp_self *me, rp_lock *lock)
{
    if (!lock)
        return -EINVAL;
    struct rp__lock *k = rp__lock_of(lock);
    struct rp__held *h = rp__held_find(me, k);
    if (!h)
        return -EPERM;
    rp__unhold(me, h);
    rp__lock_pass_on(me, k, false);
    return 0;
}
