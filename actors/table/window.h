/* SPDX-License-Identifier: MIT
 *
 * window.h - heavy messages: those with a large body outside the slots, and those for small mailboxes. See loop/window.h.
 *
 * Room is waited for before the message is made, so that who waits holds no copy of a large body.
 */
#ifndef RP__ACTORS_WINDOW_H
#define RP__ACTORS_WINDOW_H

#include "actors/table/actor.h"

/* What it takes of a window; 0: it is not heavy, nor is what is no larger than slots can be. The same when it is sent and
 * when it is dispatched. */
static inline uint64_t rp__heaviness(uint64_t to, const struct rp__big *big)
{
    uint64_t least = rp__is_narrow(to) ? RP__WEIGHT_LEAST : 0, size = big && big->size > RP__SLOTS_MAX * RP__SLOT ? big->size : 0;
    size *= least ? RP__WEIGHT_NARROW : 1;
    return size > least ? size : least;
}

/* There is room on the way, and nobody waits for it: as it mostly is. */
static inline bool rp__window_at_once(const struct rp_loop *l, uint64_t to)
{
    uint32_t dst = rp__route_of(l, to);
    const struct rp__ring *r = dst == l->index ? 0 : l->out[dst];
    const struct rp__window *w = r ? &r->window : &l->window;
    return (r || dst == l->index) && rp__window_open(w) && rp__window_free(w);
}

/* Something heavy is to go to `to`. 0: it may, until somebody else runs. 1: it has waited, and things are to be looked at
 * again; then `in_line`: it is its turn. -EAGAIN where it would have to wait and may not; or why not. */
int  rp__window_enter(rp_self *me, uint64_t to, bool in_line, bool wait, rp_time until);
void rp__window_take(struct rp_loop *l, uint32_t dst, uint64_t weight); /* it goes to that loop, */
void rp__window_undo(struct rp_loop *l, uint32_t dst, uint64_t weight); /* or not after all */
void rp__window_left(struct rp_loop *l, struct rp__slot *s, bool ring); /* RP__F_HEAVY: it has been taken off its way */

#endif
