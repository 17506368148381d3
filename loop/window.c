/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

void rp__window_serve(struct rp__window *w, rp_time now)
{
    rp_self *next = rp__window_open(w) && !w->promised ? rp__waitlist_pop(&w->waiters, now) : 0;
    if (!next)
        return;
    w->promised = true;
    rp__wake(next, 0);
}

static bool has_read(struct rp_loop *l, const struct rp__ring *r, uint32_t up_to) /* of what r's other end has written to l */
{
    const struct rp__ring *in = atomic_load_explicit(&l->in[r->dst->index], memory_order_acquire);
    return !in || (int32_t)(in->chead - up_to) >= 0;
}

static void take_back(struct rp__ring *r, uint64_t returned)
{
    r->window.out -= returned - r->back;
    r->back = returned;
    r->back_comes = false;
}

bool rp__ring_window_open(struct rp_loop *l, struct rp__ring *r)
{
    if (rp__window_open(&r->window))
        return true;
    if (r->back_comes && has_read(l, r, r->news))
        take_back(r, r->back_next);
    if (r->back_comes)
        return rp__window_open(&r->window);
    uint64_t returned = atomic_load_explicit(&r->returned, memory_order_seq_cst);
    const struct rp__ring *in = atomic_load_explicit(&l->in[r->dst->index], memory_order_acquire);
    r->news = in ? atomic_load_explicit(&in->tail, memory_order_acquire) : 0;
    r->back_next = returned;
    r->back_comes = returned != r->back;
    if (r->back_comes && (!in || has_read(l, r, r->news)))
        take_back(r, returned);
    return rp__window_open(&r->window);
}
