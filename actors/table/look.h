/* SPDX-License-Identifier: MIT
 *
 * look.h - a question to another loop, answered there between two of its rounds.
 *
 *   home                                the loop that is asked
 *   rp__look: through the inbox ----->  k->see(k, l): looks, writes what it sees into the block
 *   woken; reads the block       <----  back through the inbox
 *
 * Whoever asks may give up: a loop that is held by a handler does not answer. The block is then nobody's
 * until it comes home. All of a loop's blocks that are out stand in its list, so that none is lost where
 * the system ends before they have come home.
 */
#ifndef RP__LOOK_H
#define RP__LOOK_H

#include "actors/table/actor.h"

struct rp__look { /* the first member of what `see` fills in */
    struct rp__post post;
    struct rp__hook out;     /* in its home's list */
    struct rp_loop *home;
    rp_self *who;            /* waits; NULL: has given up */
    size_t size;             /* of the block */
    void (*see)(struct rp__look *k, struct rp_loop *l); /* may not suspend, and is short */
};

/* A block of `size` bytes, zeroed. NULL: no memory. */
void *rp__look_new(rp_self *me, size_t size, void (*see)(struct rp__look *k, struct rp_loop *l));
void  rp__look_free(rp_self *me, struct rp__look *k); /* NULL too */

/* Suspends, also for one's own loop: 0 when it has been answered. On any error `*k` has been given up and is
 * NULL. -ETIMEDOUT, -ECANCELED, -EAGAIN; -ESHUTDOWN: that loop has ended. */
int rp__look(rp_self *me, struct rp__look **k, unsigned loop, rp_time deadline);

void rp__looks_fini(struct rp_loop *l); /* every loop has stopped */

#endif
