/* SPDX-License-Identifier: MIT */
#include "loop/stuck.h"

#include "loop/system.h"

#include <errno.h>

static void tell(struct rp__post *p, struct rp_loop *l)
{
    struct rp__stuck *s = RP__OF(struct rp__stuck, post, p);
    if (l->index == 0 && l->sys->floor->expects(l))
        return;
    if (l->index == 0)
        rp__report(l->sys, &(rp_report){.kind = RP_REPORT_FAILURE, .err = -EDEADLK},
                   "nothing inside this program can wake it any more: no timer, descriptor, link or call off the loop is left. Unless "
                   "another thread or a signal does, it sleeps for ever. These wait:");
    s->left -= l->sys->floor->say_waiting(l, s->left);
    if (++s->next < l->sys->nloops && s->left > 0)
        (void)!rp__inbox_push(l->sys->loops[s->next], p); /* it has ended: so has the system */
}

void rp__stuck_look(struct rp_loop *l)
{
    struct rp__stuck *s = &l->sys->stuck;
    if (atomic_load_explicit(&s->told, memory_order_relaxed))
        return;
    for (unsigned i = 0; i < l->sys->nloops; i++) {
        struct rp_loop *o = l->sys->loops[i];
        if (!atomic_load_explicit(&o->sleeping, memory_order_seq_cst) || !atomic_load_explicit(&o->for_ever, memory_order_seq_cst))
            return;
    }
    if (atomic_exchange_explicit(&s->told, true, memory_order_relaxed))
        return;
    s->post.fn = tell;
    s->next = 0;
    s->left = RP__STUCK_LINES;
    (void)!rp__inbox_push(l->sys->loops[0], &s->post);
}
