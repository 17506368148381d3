/* SPDX-License-Identifier: MIT
 *
 * rwlock.c - rp_rwlock. One line for both: readers at its head come in together, a writer alone. When a
 * writer gives up waiting, the readers behind it may come in, so its leaving is looked after.
 */
#include "loop/held.h"
#include "mailbox/sync/holder.h"
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct rwlock {
    struct rp__latch latch;
    bool writer;      /* one is in */
    bool dead;        /* a holder ended without releasing it, and nobody has been told yet */
    uint32_t readers; /* that are in */
    struct rp__line line;
    struct hold *holds; /* of the writer, or of the readers */
};

struct hold { /* one coroutine's holding it; from its loop's pool */
    struct rp__held held;
    struct rwlock *lock;
    const rp_self *self;
    struct hold *next, *prev; /* in `holds` */
    bool write;
};

struct want {
    struct rp__waiter w;
    struct hold *hold; /* it will have */
};

const char rp__for_reading[] = "a lock, to read", rp__for_writing[] = "a lock, to write";

_Static_assert(sizeof(struct rwlock) <= sizeof(rp_rwlock), "the public struct holds it");

static struct rwlock *rwlock_of(rp_rwlock *k)
{
    return (struct rwlock *)(void *)k;
}

/* ---- under the latch ------------------------------------------------------------------------------ */

static bool may_enter(const struct rwlock *k, const struct want *want)
{
    return !k->writer && (!want->hold->write || k->readers == 0);
}

static bool first_may_enter(const struct rwlock *k)
{
    return k->line.first && may_enter(k, (struct want *)k->line.first);
}

static int enter(struct rwlock *k, const struct want *want) /* what it is to be told */
{
    struct hold *h = want->hold;
    int rc = k->dead ? -EOWNERDEAD : 0;
    k->dead = false;
    k->writer = h->write;
    k->readers += !h->write;
    h->prev = 0;
    h->next = k->holds;
    if (h->next)
        h->next->prev = h;
    k->holds = h;
    return rc;
}

static void take_out(struct rwlock *k, struct hold *h)
{
    *(h->prev ? &h->prev->next : &k->holds) = h->next;
    if (h->next)
        h->next->prev = h->prev;
}

static int try_enter(void *object, struct rp__waiter *w)
{
    struct rwlock *k = object;
    struct want *want = (struct want *)w;
    return k->line.first || !may_enter(k, want) ? -EAGAIN : enter(k, want);
}

uint32_t rp__rwlock_holders(void *lock, rp__see *see, void *arg)
{
    struct rwlock *k = lock;
    rp__latch(&k->latch);
    uint32_t n = k->readers + k->writer;
    for (const struct hold *h = k->holds; h && see(h->self, arg);) /* as many as who looks wants to see */
        h = h->next;
    rp__unlatch(&k->latch);
    return n;
}

/* ---- passing on ----------------------------------------------------------------------------------- */

/* Whoever is in line and may, comes in: one each time the latch is taken. */
static void let_in(struct rwlock *k, struct rp_loop *here)
{
    for (bool more = true; more;) { /* bounded by the line */
        int rc = 0;
        rp__latch(&k->latch);
        struct rp__waiter *w = first_may_enter(k) ? rp__line_pop(&k->line) : 0;
        if (w)
            rc = enter(k, (struct want *)w);
        more = first_may_enter(k);
        rp__unlatch(&k->latch);
        if (w)
            rp__unpark(w, rc, here);
    }
}

static void one_left(struct rp__line *line, struct rp_loop *here)
{
    let_in(RP__OF(struct rwlock, line, line), here);
}

static void leave(rp_self *me, struct hold *h, bool dead)
{
    struct rwlock *k = h->lock;
    rp__latch(&k->latch);
    k->dead |= dead;
    k->readers -= !h->write;
    k->writer = false; /* there was none, or it was this one */
    take_out(k, h);
    bool more = first_may_enter(k);
    rp__unlatch(&k->latch);
    rp__pool_free(&me->loop->pool, h, sizeof *h);
    if (more)
        let_in(k, me->loop);
}

static void holder_ended(struct rp__held *h, rp_self *me)
{
    leave(me, RP__OF(struct hold, held, h), true);
}

/* ---- for users ----------------------------------------------------------------------------------- */

static int acquire(rp_self *me, struct rwlock *k, bool write, rp_time deadline)
{
    if (rp__held_find(me, k))
        return rp__rested(me, rp__waits_for_itself(me));
    struct hold *h = rp__pool_get(&me->loop->pool, sizeof *h);
    if (!h)
        return -ENOMEM;
    *h = (struct hold){.held = {.what = k, .abandon = holder_ended}, .lock = k, .self = me, .write = write};
    struct want want = {.w = {.left = one_left, .held = true}, .hold = h};
    const char *what = write ? rp__for_writing : rp__for_reading;
    int rc = rp__wait_for(me, &k->latch, &k->line, &want.w, try_enter, k, what, deadline);
    if (rc == 0 || rc == -EOWNERDEAD)
        rp__hold(me, &h->held);
    else
        rp__pool_free(&me->loop->pool, h, sizeof *h);
    return rc;
}

int rp_rwlock_read(rp_self *me, rp_rwlock *k, rp_time deadline)
{
    return k ? acquire(me, rwlock_of(k), false, deadline) : -EINVAL;
}

int rp_rwlock_write(rp_self *me, rp_rwlock *k, rp_time deadline)
{
    return k ? acquire(me, rwlock_of(k), true, deadline) : -EINVAL;
}

int rp_rwlock_release(rp_self *me, rp_rwlock *k)
{
    if (!k)
        return -EINVAL;
    struct rp__held *h = rp__held_find(me, rwlock_of(k));
    if (!h)
        return -EPERM;
    rp__unhold(me, h);
    leave(me, RP__OF(struct hold, held, h), false);
    return 0;
}
