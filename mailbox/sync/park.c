/* SPDX-License-Identifier: MIT */
#include "mailbox/sync/park.h"

/* C1, C2 */
bool rp__leave_line(rp_self *me)
{
    struct rp__waiter *w = me->got;
    rp__latch(w->latch);
    struct rp__line *n = w->line;
    bool in_line = rp__in_line(w);
    if (in_line)
        rp__line_remove(n, w);
    rp__unlatch(w->latch);
    if (in_line && w->left)
        w->left(n, me->loop);
    return in_line;
}

int rp__stand_in_line(rp_self *me, struct rp__latch *g, struct rp__line *n, struct rp__waiter *w, const char *what,
                      const void *on, rp_time deadline)
{
    w->self = me;
    w->latch = g;
    rp__line_push(n, w);
    rp__unlatch(g);
    me->got = w;
    if (w->held)
        rp__suspect(me);
    return rp__park(me, what, on, rp__leave_line, deadline);
}

int rp__wait_unrested(rp_self *me, struct rp__latch *g, struct rp__line *n, struct rp__waiter *w, rp__attempt *attempt,
                      void *object, const char *what, rp_time deadline)
{
    int rc = rp__checkpoint(me);
    for (bool may = false; rc == 0; may = true) { /* at most twice */
        rp__latch(g);
        int got = attempt(object, w);
        if (got == -EAGAIN && may)
            return rp__stand_in_line(me, g, n, w, what, object, deadline);
        rp__unlatch(g);
        if (got != -EAGAIN)
            return got;
        rc = rp__may_park(me, deadline);
    }
    return rc;
}

int rp__wait_for(rp_self *me, struct rp__latch *g, struct rp__line *n, struct rp__waiter *w, rp__attempt *attempt,
                 void *object, const char *what, rp_time deadline)
{
    int rc = rp__wait_unrested(me, g, n, w, attempt, object, what, deadline);
    if (!w->self)
        rp__rest(me);
    return rc;
}

void rp__unpark(struct rp__waiter *w, int rc, struct rp_loop *here)
{
    rp_self *self = w->self;
    if (self->loop == here)
        rp__wake(self, rc);
    else if (here && self->loop->sys == here->sys)
        rp__wake_from_afar(self, rc);
    else
        rp__wake_from_outside(self, rc);
}

void rp__unpark_all(struct rp__waiter *chain, int rc, struct rp_loop *here)
{
    while (chain) { /* bounded: it has been cut off */
        struct rp__waiter *next = chain->next; /* before its owner may run */
        rp__unpark(chain, rc, here);
        chain = next;
    }
}
