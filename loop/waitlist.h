/* SPDX-License-Identifier: MIT
 *
 * waitlist.h - coroutines in line for room: first come, first served, but for those who have already waited
 * longer than they still can. They go behind the others.
 *
 * Without that, a line that is longer than its people's patience serves only those who are about to
 * leave: what they send arrives too late to be of use, and nothing at all gets done (what Facebook's
 * adaptive LIFO is against). Who waits without a deadline is never late.
 */
#ifndef RP__WAITLIST_H
#define RP__WAITLIST_H

#include "loop/self.h"

struct rp__waitlist {
    struct rp__hook fresh, late; /* rp_self, by `queue` */
};

static inline void rp__waitlist_init(struct rp__waitlist *list)
{
    rp__list_init(&list->fresh);
    rp__list_init(&list->late);
}

static inline bool rp__waitlist_empty(const struct rp__waitlist *list)
{
    return rp__list_empty(&list->fresh) && rp__list_empty(&list->late);
}

/* The next to be served at `now`, out of the line; NULL: it is empty. Each is put behind once at most. */
static inline rp_self *rp__waitlist_pop(struct rp__waitlist *list, rp_time now)
{
    struct rp__hook *at;
    while ((at = rp__list_pop(&list->fresh))) {
        rp_self *self = RP__OF(rp_self, queue, at);
        if (self->until == RP_FOREVER || now - self->since <= self->until - now)
            return self;
        rp__list_push(&list->late, at);
    }
    at = rp__list_pop(&list->late);
    return at ? RP__OF(rp_self, queue, at) : 0;
}

#endif
