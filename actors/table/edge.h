/* SPDX-License-Identifier: MIT
 *
 * edge.h - a wait for another actor, by which whoever looks for a ring goes on from one to the next.
 */
#ifndef RP__EDGE_H
#define RP__EDGE_H

#include "actors/table/actor.h"
#include "loop/system.h"

/* What else actors wait for, of others and of nobody known: compared by address. */
extern const char rp__for_message[], rp__for_message_of[], rp__for_name[];

/* Waits as rp__park does, for an actor: -EDEADLK when that waits for this one in turn. */
enum rp__edge { RP__EDGE_NONE, RP__EDGE_CALL, RP__EDGE_ROOM };
bool rp__holds(const struct rp__actor *a, uint64_t asker, uint64_t call); /* so that the asker waits for a; call 0: for room */
int rp__park_on(rp_self *me, enum rp__edge edge, const char *what, rp_ref on, bool (*cancel)(rp_self *), rp_time deadline);

/* Its parts, for who parks by himself. */
static inline void rp__edge_begin(rp_self *me, enum rp__edge edge, rp_ref on)
{
    bool followed = me->actor && on.node == me->loop->node;
    me->blame[0] = 0;
    me->edge = (uint8_t)(followed ? edge : RP__EDGE_NONE);
    me->overdue = followed ? me->loop->sys->floor->overdue : 0;
    me->waits_node = on.node;
}

static inline void rp__edge_end(rp_self *me)
{
    me->waits_node = 0;
    me->edge = RP__EDGE_NONE;
}

#endif
