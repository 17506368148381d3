/* SPDX-License-Identifier: MIT
 *
 * room.h - the lines for room on a link: first for the credit of an actor of the peer, then for the link's queue.
 *
 * Whose turn has come gets what it waited for then, not when it runs: its bytes count as sent, or as queued, from there on.
 * It is woken when it has both. Whoever comes later stands behind, as long as one whose turn has come has not written. One
 * that writes may go on for RP__TURN bytes, or many that write little would be woken for each message.
 */
#ifndef RP__CLUSTER_ROOM_H
#define RP__CLUSTER_ROOM_H

#include "cluster/link/credit.h"

struct rp__turn { /* on the stack of who sends */
    struct rp__hook *list; /* it stands in, or is to stand in */
    uint64_t link, target;
    uint32_t bytes;
    bool paid;             /* they count as on their way, */
    bool promised;         /* and as queued */
};

bool rp__room_ask(struct rp__link *k, struct rp__credit *c, struct rp__turn *t, const rp_self *me); /* there is some for it */
void rp__room_wait(struct rp__link *k, struct rp__credit *c, struct rp__turn *t, rp_self *me); /* else: stands in line */
bool rp__room_take(struct rp__link *k, struct rp__turn *t, const rp_self *me); /* its turn had come, on this link: it need not ask */
void rp__room_refund(struct rp__link *k, struct rp__turn *t, uint64_t target); /* it does not send after all */

/* There is more than before: whoever is next has its turn. The first may drop the credit. */
void rp__room_in_credit(struct rp__link *k, struct rp__credit *c);
void rp__room_in_queue(struct rp__link *k, size_t below); /* when less than that is queued */

#endif
