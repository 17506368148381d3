/* SPDX-License-Identifier: MIT
 *
 * hands.h - the messages that an actor has: received, kept or made, and not yet dropped, sent or set aside.
 *
 *   received --> a stack's first hand --> its second, when another comes --> the actor's `has`, by its address
 *                       |
 *                       +--> dropped, sent: nothing is looked up
 *
 * When the actor ends, or an incarnation of it, what it still has ends too: the asker of a call gets -EPIPE, memory is
 * given back, and the books balance. So each message is in one of these places from when its owner gets it until it
 * lets it go. Room is made before a message is taken, so that where there is no memory it stays where it was.
 *
 * A coroutine's hands are its own while it runs, a handler's from when it first waits; a handler that has not waited,
 * init and fini run on a stack that is not theirs, and use `has`. Whoever gives a stack back puts down what is in its
 * hands.
 */
#ifndef RP__HANDS_H
#define RP__HANDS_H

#include "actors/table/actor.h"

int  rp__make_room(rp_self *me, unsigned n);    /* for n more; for 1 the first hand, if it has hands. 0, -ENOMEM */
void rp__put_by(rp_self *me, rp_msg *m);        /* into `has`; room was made */
void rp__get_elsewhere(rp_self *me, rp_msg *m);
bool rp__let_go_of(rp_self *me, const rp_msg *m);   /* false: it was nobody's here */
bool rp__elsewhere(rp_self *me, const rp_msg *m); /* its owner lives on another loop: says so, and it is left as it is */
void rp__hands_put_down(rp_self *me, struct rp__actor *a, bool ends); /* the stack is given back; `ends`: the actor does too */
void rp__task_puts_down(rp_self *me);           /* struct rp__floor's */
void rp__unanswered(struct rp_loop *l, struct rp__actor *a); /* nobody will answer any more: askers hear so, the messages stay */
void rp__belongings_end(struct rp_loop *l, struct rp__actor *a); /* a->extra is there */
bool rp__at_call(const rp_self *co);            /* a call that is to be answered is in its hands */

static inline int rp__free_hand(rp_self *me)
{
    return __builtin_expect(me->actor->co == me && !me->hand[0], 1) ? 0 : rp__make_room(me, 1);
}

static inline void rp__get(rp_self *me, rp_msg *m) /* it is its actor's from here on; room for one was made */
{
    if (__builtin_expect(me->actor->co == me, 1))
        me->hand[0] = m;
    else
        rp__get_elsewhere(me, m);
}

static inline bool rp__in_hand(rp_self *me, const rp_msg *m) /* the first: it is let go */
{
    if (__builtin_expect(me->hand[0] != m, 0))
        return false;
    me->hand[0] = 0;
    return true;
}

static inline void rp__let_go(rp_self *me, const rp_msg *m)
{
    if (!rp__in_hand(me, m))
        (void)rp__let_go_of(me, m);
}

#endif
