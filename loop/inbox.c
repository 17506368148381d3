/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include <errno.h>

/* What stands in `top` when the loop has ended. */
static struct rp__post closed;

static bool push(struct rp_loop *l, struct rp__post *p)
{
    struct rp__post *top = atomic_load_explicit(&l->inbox.top, memory_order_relaxed);
    do { /* relaxed: a guess that the exchange checks */
        if (top == &closed)
            return false;
        p->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&l->inbox.top, &top, p, memory_order_seq_cst,
                                                    memory_order_relaxed));
    return true;
}

int rp__inbox_push(struct rp_loop *l, struct rp__post *p)
{
    if (!push(l, p))
        return -ESHUTDOWN;
    rp__wake_loop(l);
    return 0;
}

void rp__inbox_push_own(struct rp_loop *l, struct rp__post *p)
{
    (void)!push(l, p);
}

static void run_all(struct rp_loop *l, struct rp__post *newest)
{
    struct rp__post *oldest = 0;
    while (newest) {
        struct rp__post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct rp__post *p = oldest;
        oldest = p->next;
        p->fn(p, l);
    }
}

void rp__inbox_drain(struct rp_loop *l)
{
    if (atomic_load_explicit(&l->inbox.top, memory_order_relaxed)) /* the exchange orders */
        run_all(l, atomic_exchange_explicit(&l->inbox.top, 0, memory_order_acquire));
}

void rp__inbox_close(struct rp_loop *l)
{
    run_all(l, atomic_exchange_explicit(&l->inbox.top, &closed, memory_order_acquire));
}
