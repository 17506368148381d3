/* SPDX-License-Identifier: MIT
 *
 * dead.h - a loop's last dead letters, and messages that come back.
 */
#ifndef RP__DEAD_H
#define RP__DEAD_H

#include "actors/actor.h"
#include "reparto/dead.h"

/* The message ends here, unread. Where there is no memory for the records it is only counted, by the caller. */
void rp__died(struct rp_loop *l, struct rp__slot *s, enum rp__tally how);
void rp__dead_free(struct rp_loop *l);

#endif
