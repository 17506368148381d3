/* SPDX-License-Identifier: MIT */
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct barrier {
    struct rp__latch latch;
    uint32_t n;
    struct rp__line line; /* who has come so far */
};

struct arrival {
    struct rp__waiter w;
    struct rp__waiter *others; /* the last one lets go */
};

_Static_assert(sizeof(struct barrier) <= sizeof(rp_barrier), "the public struct holds it");

static struct barrier *barrier_of(rp_barrier *b)
{
    return (struct barrier *)(void *)b;
}

int rp_barrier_init(rp_barrier *barrier, uint32_t n)
{
    if (!barrier || n == 0)
        return -EINVAL;
    *barrier_of(barrier) = (struct barrier){.n = n};
    return 0;
}

static int is_last(void *object, struct rp__waiter *w)
{
    struct barrier *b = object;
    if (b->line.count + 1 < b->n)
        return -EAGAIN;
    ((struct arrival *)w)->others = rp__line_take_all(&b->line);
    return 1;
}

int rp_barrier_wait(rp_self *me, rp_barrier *barrier, rp_time deadline)
{
    if (!barrier)
        return -EINVAL;
    struct barrier *b = barrier_of(barrier);
    struct arrival a = {.others = 0};
    int rc = rp__wait_unrested(me, &b->latch, &b->line, &a.w, is_last, b, "a barrier", deadline);
    rp__unpark_all(a.others, 0, me->loop);
    if (!a.w.self)
        rp__rest(me);
    return rc;
}
