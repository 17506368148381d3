/* SPDX-License-Identifier: MIT
 *
 * letters.h - a loop's last dead letters, and messages that come back. dead.c reads them.
 */
#ifndef RP__LETTERS_H
#define RP__LETTERS_H

#include "actors/table/actor.h"
#include "reparto/dead.h"

struct rp__dead { /* a ring; touched by its loop only */
    uint64_t n; /* ever begun */
    rp_dead_letter at[RP_DEAD_LETTERS];
};

/* The message ends here, unread. Where there is no memory for the records it is only counted, by the caller. */
void rp__died(struct rp_loop *l, struct rp__slot *s, enum rp__tally how);
void rp__dead_free(struct rp_loop *l);
const char *rp__end_name(rp_end end);

#endif
