/* SPDX-License-Identifier: MIT */
#ifndef RP__RIGHTS_H
#define RP__RIGHTS_H

#include "actors/table/actor.h"

/* The one of its coroutines that all others of it wait for: where it stands, the actor does. Its own, if there is no other;
 * or if that one waits for something else: then its tasks may go on. NULL: none. */
rp_self *rp__strand(const struct rp__actor *a);
bool rp__strand_holds(const struct rp__actor *a, const void *what); /* one of those that stand still with it */

/* `a`, which has a stack, stands between that asker of this process and its answer: nobody else can give it before
 * `a` has gone on. */
bool rp__has_right(const struct rp__actor *a, uint64_t asker, uint64_t call);

/* It has waited for long: those whose calls were passed on to it hear that it has them, and follow. */
void rp__tell_askers(struct rp_loop *l, const struct rp__actor *a);
unsigned rp__tell_few(struct rp_loop *l, const struct rp__actor *a); /* somebody looks: the same. How many calls it took */
void rp__right_came(struct rp_loop *l, const struct rp__actor *a, struct rp__slot *s); /* the same of one that has just come into its mailbox */

void rp__overdue(rp_self *me); /* deadlock.c, struct rp__floor's: looks whether its wait is one of a ring */

#endif
