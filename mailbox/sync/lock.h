/* SPDX-License-Identifier: MIT
 *
 * lock.h - what lock.c and cond.c share: an owner, and a line of those who want to be.
 */
#ifndef RP__LOCK_H
#define RP__LOCK_H

#include "loop/held.h"
#include "mailbox/sync/holder.h"
#include "mailbox/sync/park.h"
#include "reparto/sync.h"

struct rp__lock {
    struct rp__latch latch; /* guards all but `held` */
    bool dead;              /* an owner ended without releasing it, and nobody has been told yet */
    rp_self *owner;         /* NULL: free, and then nobody waits */
    struct rp__line line;
    struct rp__held held;   /* its owner's; an owner just made puts it into its list when it runs */
};

_Static_assert(sizeof(struct rp__lock) <= sizeof(rp_lock), "the public struct holds it");

static inline struct rp__lock *rp__lock_of(rp_lock *k)
{
    return (struct rp__lock *)(void *)k;
}

/* Makes a waiter of rp_cond_wait the owner, now or in its turn, and wakes it then: w->self is parked. */
void rp__lock_enqueue(struct rp__lock *k, struct rp__waiter *w, struct rp_loop *here);
int  rp__lock_again(rp_self *me, struct rp__lock *k); /* waits through cancellation; 0 or -EOWNERDEAD */
void rp__lock_owned(rp_self *me, struct rp__lock *k); /* the new owner, on its own loop */
void rp__lock_pass_on(rp_self *me, struct rp__lock *k, bool dead); /* its owner gives it to the next */

#endif
