/* SPDX-License-Identifier: MIT
 *
 * window.c - heavy messages on their way (loop/window.h): who waits for room, what is taken of it, and what comes back.
 */
#include "actors/table/window.h"

#include <errno.h>

static struct rp__window *window_to(struct rp_loop *l, uint32_t dst)
{
    return dst == l->index ? &l->window : &l->out[dst]->window;
}

static int wait_for(rp_self *me, struct rp__window *w, struct rp__ring *r, rp_time until)
{
    int rc = rp__may_wait(me);
    if (rc != 0)
        return rc;
    rp__list_push(&w->waiters.fresh, &me->queue);
    if (r)
        rp__ring_wait(me->loop, r);
    rc = rp__park(me, r ? "room on the way" : "room on its own loop", r ? (void *)r : me->loop, rp__unqueue, until);
    if (rc == 0)
        w->promised = false; /* it was this one */
    return rc;
}

int rp__window_enter(rp_self *me, uint64_t to, bool in_line, bool wait, rp_time until)
{
    struct rp_loop *l = me->loop;
    uint32_t dst = rp__route_of(l, to);
    struct rp__ring *r = dst == l->index ? 0 : rp__ring_to(l, dst);
    if (dst != l->index && !r)
        return -ENOMEM;
    struct rp__window *w = window_to(l, dst);
    bool open = r ? rp__ring_window_open(l, r) : rp__window_open(w);
    if (open && (in_line || rp__window_free(w)))
        return 0;
    int rc = wait ? wait_for(me, w, r, until) : -EAGAIN;
    return rc != 0 ? rc : 1;
}

void rp__window_take(struct rp_loop *l, uint32_t dst, uint64_t weight)
{
    struct rp__window *w = window_to(l, dst);
    w->out += weight;
    rp__window_serve(w, l->now);
}

void rp__window_undo(struct rp_loop *l, uint32_t dst, uint64_t weight)
{
    window_to(l, dst)->out -= weight; /* who waits is woken at the end of the round */
}

void rp__window_left(struct rp_loop *l, struct rp__slot *s, bool ring)
{
    s->type &= ~RP__FLAG(RP__F_HEAVY);
    uint64_t weight = rp__heaviness(s->to, rp__flags(s->type) & RP__F_BIG ? rp__big_of(s) : 0);
    if (!ring) {
        l->window.out -= weight;
        return;
    }
    struct rp__ring *r = atomic_load_explicit(&l->in[l->source], memory_order_relaxed); /* it has been read from */
    if (r->taken - r->told >= RP__WAY_WINDOW / 2)
        rp__ring_return(l, r); /* without this one, of which nothing has been said yet: so that both loops are at work */
    r->taken += weight;
}
