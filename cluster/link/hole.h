/* SPDX-License-Identifier: MIT
 *
 * hole.h - what was told by a link that was lost, and perhaps never came: who told it, and to whom.
 *
 * What arrives is a prefix of what was sent, so an actor that goes on by the next link as if nothing had happened must not
 * be let: once it gets -EHOSTUNREACH, if it has not heard of the loss in another way. Asked of a call it has an answer; so
 * this is about messages that the peer had not taken, and whose actors do not monitor it.
 */
#ifndef RP__CLUSTER_HOLE_H
#define RP__CLUSTER_HOLE_H

#include "cluster/link/cluster.h"

void rp__teller_note(struct rp__tellers *t, uint64_t who);
void rp__holes_of(struct rp__link *k);     /* it is down */
void rp__holes_before(struct rp__link *k); /* it joins */

/* The lock is held. `who` has told `target` by a link before this one what may be lost, and does not know: true once. */
bool rp__hole_ahead(struct rp__link *k, uint64_t target, uint64_t who);
void rp__hole_told(struct rp_loop *l, uint64_t node, uint64_t target, uint64_t who); /* target 0: all there: it knows */

void rp__holes_free(struct rp__cluster *c);

#endif
