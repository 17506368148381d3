/* SPDX-License-Identifier: MIT
 *
 * credit.h - how many bytes may be on their way to an actor of the peer, and how the peer says what has been taken.
 */
#ifndef RP__CLUSTER_CREDIT_H
#define RP__CLUSTER_CREDIT_H

#include "cluster/link/cluster.h"
#include "actors/mail/mail.h"

struct rp__credit *rp__credit_of(struct rp__link *k, uint64_t target); /* the lock is held. NULL: no memory */
int  rp__read_credit(struct rp__link *k, struct rp__in in);
void rp__credit_end(struct rp__link *k); /* whoever waits for it looks again, and finds no link */
void rp__credit_free(struct rp__link *k);

/* The peer has sent so many bytes to an actor here. 0; -EOVERFLOW: its window was full. The home loop's. */
int  rp__credit_came(struct rp__link *k, uint64_t target, uint32_t bytes);

struct rp__taken { /* of what came by a link, and is to be said to the peer */
    uint64_t link, target, bytes;
};
void rp__say_taken(struct rp_loop *l, const struct rp__taken *t);
void rp__remote_consumed(struct rp_loop *l, uint64_t via, uint64_t target);

void rp__credit_drop(struct rp__link *k, struct rp__credit *c);

#endif
