/* SPDX-License-Identifier: MIT
 *
 * lease.c - items that are taken, and come back when their taker ends without having said that it is done.
 *
 * The record of a lease is the queue's and holds a copy of the item: the taker's own variable may be gone
 * when the item has to go back. Records are made as needed and kept for the next time.
 */
#include "mailbox/sync/queue.h"

static void abandoned(struct rp__held *h, rp_self *me);

static size_t record_size(const rp_queue *q)
{
    return sizeof(struct rp__lease) + q->item;
}

void rp__leases_fini(rp_queue *q)
{
    while (q->spare) {
        struct rp__lease *in = q->spare;
        q->spare = in->next;
        q->mem.free(q->mem.ud, in, record_size(q));
    }
}

static struct rp__lease *record_get(rp_queue *q) /* NULL: no memory */
{
    rp__latch(&q->latch);
    struct rp__lease *in = q->spare;
    if (in)
        q->spare = in->next;
    rp__unlatch(&q->latch);
    if (!in && (in = q->mem.alloc(q->mem.ud, record_size(q)))) {
        memset(in, 0, sizeof *in);
        in->queue = q;
        in->held.what = in;
        in->held.abandon = abandoned;
    }
    return in;
}

static void spare(rp_queue *q, struct rp__lease *in) /* under the latch */
{
    in->next = q->spare;
    q->spare = in;
}

static void record_put(rp_queue *q, struct rp__lease *in)
{
    rp__latch(&q->latch);
    spare(q, in);
    rp__unlatch(&q->latch);
}

/* The item has found its end; the record stays the caller's. */
static void finish(rp_queue *q, struct rp_loop *here)
{
    struct rp__woken w = {0};
    rp__latch(&q->latch);
    q->leased--;
    rp__queue_settle(q, &w);
    rp__unlatch(&q->latch);
    rp__queue_wake(&w, here);
}

/* ---- coming back --------------------------------------------------------------------------------- */

static void insert(rp_queue *q, struct rp__lease *in)
{
    struct rp__lease **at = &q->returned;
    while (*at && rp__before((*at)->rank, in->rank)) /* few: each was some taker's failure */
        at = &(*at)->next;
    in->next = *at;
    *at = in;
}

static void give_back(struct rp__lease *in, struct rp_loop *here)
{
    rp_queue *q = in->queue;
    struct rp__woken w = {0};
    rp__latch(&q->latch);
    if (q->get_closed) {
        rp__unlatch(&q->latch);
        if (q->drop)
            q->drop(in->item);
        rp__latch(&q->latch);
        spare(q, in);
    } else if (q->getters.first) {
        w.served = rp__line_pop(&q->getters);
        rp__queue_hand(q, (struct rp__getter *)w.served, in->item, in->rank, in->tries);
        spare(q, in);
    } else {
        insert(q, in);
    }
    q->leased--;
    rp__queue_settle(q, &w);
    rp__unlatch(&q->latch);
    rp__queue_wake(&w, here);
}

static void abandoned(struct rp__held *h, rp_self *me)
{
    give_back(RP__OF(struct rp__lease, held, h), me->loop);
}

/* ---- for users ----------------------------------------------------------------------------------- */

/* The record behind a lease of this coroutine, no longer held by it; NULL: it is none. */
static struct rp__lease *let_go(rp_self *me, rp_lease *lease)
{
    struct rp__held *h = lease->in ? rp__held_find(me, lease->in) : 0;
    struct rp__lease *in = h ? RP__OF(struct rp__lease, held, h) : 0;
    if (!in || in->id != lease->id)
        return 0;
    rp__unhold(me, h);
    *lease = (rp_lease){0};
    return in;
}

int rp_lease_done(rp_self *me, rp_lease *lease)
{
    if (!lease)
        return -EINVAL;
    struct rp__lease *in = let_go(me, lease);
    if (!in)
        return -EPERM;
    rp_queue *q = in->queue;
    record_put(q, in); /* first: with the last lease done the queue may be freed */
    finish(q, me->loop);
    return 0;
}

int rp_lease_return(rp_self *me, rp_lease *lease)
{
    if (!lease)
        return -EINVAL;
    struct rp__lease *in = let_go(me, lease);
    if (in)
        give_back(in, me->loop);
    return in ? 0 : -EPERM;
}

unsigned rp_lease_tries(const rp_lease *lease)
{
    const struct rp__lease *in = lease ? lease->in : 0;
    return in ? in->tries : 0;
}

int rp_queue_take(rp_self *me, rp_queue *q, void *item, rp_lease *lease, rp_time deadline)
{
    if (!q || !item || !lease)
        return -EINVAL;
    if (lease->in)
        (void)rp_lease_done(me, lease);
    struct rp__getter g = {.item = item, .lease = record_get(q)};
    if (!g.lease)
        return -ENOMEM;
    int rc = rp__queue_get(me, q, &g, deadline);
    if (rc != 0) {
        record_put(q, g.lease);
        return rc;
    }
    rp__hold(me, &g.lease->held);
    *lease = (rp_lease){g.lease, g.lease->id};
    return 0;
}
