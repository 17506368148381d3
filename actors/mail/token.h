/* SPDX-License-Identifier: MIT
 *
 * token.h - who holds which right to reply.
 *
 *   rp_take_token ---> held by an actor ---> rp_token_reply, _error, _drop
 *                       |     ^       |
 *   sent in an RP_TOKEN |     |       +----> the actor, or its incarnation, ends: broken
 *   field               v     | rp_token_from
 *                      a message ----------> it ends: broken
 *
 * An actor has a record of each right it holds, and a token is its number; numbers are not used again, so that
 * copies of a token that has been used or given away find nothing. In a message there is no record: the token in
 * its body is the right, and empty when it has been taken out. On a link it is a call like any other (cluster/remote/asked.c).
 */
#ifndef RP__TOKEN_H
#define RP__TOKEN_H

#include "actors/table/actor.h"

/* ---- the right itself (reply.c) ------------------------------------------------------------------ */

int rp__right_of(struct rp_loop *l, const rp_msg *m, rp_token *ret); /* it is still the message's. 0, -EALREADY, -EPERM */
int rp__send_error(struct rp_loop *l, const rp_token *k, int err, const struct rp__actor *by); /* as rp__send_reply */
void rp__right_lost(struct rp_loop *l, const rp_token *k, const struct rp__actor *by); /* it ends unused: -EPIPE */
int rp__reply_refused(rp_self *me, rp_ref asker, int rc); /* rc */

/* ---- those that an actor holds -------------------------------------------------------------------- */

/* `passed`: it came from another actor, and not by its call. True: `is` was, of one. */
bool rp__tokens_find(const struct rp__actor *a, bool (*is)(const rp_token *k, bool passed, const void *arg), const void *arg);

/* ---- tokens in what is sent ---------------------------------------------------------------------- */

/* The rights that a body carries, for as long as it is not known whether it has gone: nobody can use them meanwhile. */
struct rp__pledge {
    struct rp__right *first;
};

int rp__pledge_tokens(rp_self *me, const rp_type *t, const void *body, bool moves, struct rp__pledge *p);
void rp__pledge_settle(rp_self *me, struct rp__pledge *p, bool gone);
void rp__pledge_lost(rp_self *me, struct rp__pledge *p); /* nobody will use them: their askers hear so */

/* `moves`: it is a message's body, whose tokens may be its own already. 0; -EINVAL: one is not this actor's, or there is
 * no body; or why nothing can be sent by `t`. */
static inline int rp__pledge(rp_self *me, const rp_type *t, const void *body, bool moves, struct rp__pledge *p)
{
    p->first = 0;
    const struct rp__shape *shape = rp__shape(&me->loop->actors->types, t);
    int rc = rp__sendable(shape, body);
    if (__builtin_expect((shape->word & RP__RIGHTS) == 0 || rc != 0, 1))
        return rc;
    return rp__pledge_tokens(me, t, body, moves, p);
}

/* It has gone, and they with it; or it has not. */
static inline void rp__pledge_end(rp_self *me, struct rp__pledge *p, bool gone)
{
    if (__builtin_expect(p->first != 0, 0))
        rp__pledge_settle(me, p, gone);
}

/* ---- ends ---------------------------------------------------------------------------------------- */

/* A message ends: whoever waits for the tokens that are left in it hears so. */
void rp__tokens_break(struct rp_loop *l, struct rp__slot *s);

/* The same of one that was never sent, and is not counted; with all that it owns. */
void rp__msg_cancel(struct rp_loop *l, struct rp__slot *s);

/* An actor ends, or an incarnation of it: the same for those it holds. */
void rp__tokens_end(struct rp_loop *l, struct rp__actor *a);

#endif
