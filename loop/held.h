/* SPDX-License-Identifier: MIT
 *
 * held.h - what a coroutine must give back before it ends: locks, leases.
 *
 * A coroutine here is a task, an actor's `run`, or one call of a handler. When it ends with something
 * held, `abandon` is called for each, the last taken first: nobody waits for the dead.
 * The list is touched by its own loop only. The records lie in what is held, never on the holder's
 * stack, whose frames are gone by then.
 */
#ifndef RP__HELD_H
#define RP__HELD_H

#include "loop/self.h"

struct rp__held {
    struct rp__held *next;
    const void *what;
    void (*abandon)(struct rp__held *h, rp_self *me); /* may not suspend; `h` is out of the list */
};

static inline void rp__hold(rp_self *me, struct rp__held *h)
{
    h->next = me->held;
    me->held = h;
}

static inline struct rp__held *rp__held_find(const rp_self *me, const void *what) /* NULL: it does not hold it */
{
    struct rp__held *h = me->held;
    while (h && h->what != what) /* bounded by what it holds: a few, and the last taken goes first */
        h = h->next;
    return h;
}

static inline void rp__unhold(rp_self *me, struct rp__held *h) /* it stands in the list */
{
    struct rp__held **at = &me->held;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
}

static inline void rp__abandon_held(rp_self *me)
{
    for (struct rp__held *h; __builtin_expect((h = me->held) != 0, 0);) {
        me->held = h->next;
        h->abandon(h, me);
    }
}

#endif
