/* SPDX-License-Identifier: MIT */
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct event {
    struct rp__latch latch;
    bool set;
    struct rp__line line;
};

_Static_assert(sizeof(struct event) <= sizeof(rp_event), "the public struct holds it");

static struct event *event_of(rp_event *e)
{
    return (struct event *)(void *)e;
}

static int is_set(void *object, struct rp__waiter *w)
{
    (void)w;
    return ((struct event *)object)->set ? 0 : -EAGAIN;
}

int rp_event_wait(rp_self *me, rp_event *event, rp_time deadline)
{
    if (!event)
        return -EINVAL;
    struct event *e = event_of(event);
    struct rp__waiter w = {0};
    return rp__wait_for(me, &e->latch, &e->line, &w, is_set, e, "an event", deadline);
}

void rp_event_set(rp_event *event)
{
    if (!event)
        return;
    struct event *e = event_of(event);
    rp__latch(&e->latch);
    e->set = true;
    struct rp__waiter *all = rp__line_take_all(&e->line);
    rp__unlatch(&e->latch);
    rp__unpark_all(all, 0, 0);
}

void rp_event_clear(rp_event *event)
{
    if (!event)
        return;
    struct event *e = event_of(event);
    rp__latch(&e->latch);
    e->set = false;
    rp__unlatch(&e->latch);
}

bool rp_event_is_set(rp_event *event)
{
    if (!event)
        return false;
    struct event *e = event_of(event);
    rp__latch(&e->latch);
    bool set = e->set;
    rp__unlatch(&e->latch);
    return set;
}
