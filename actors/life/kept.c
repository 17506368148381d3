/* SPDX-License-Identifier: MIT
 *
 * kept.c - actors under a supervisor: an address that outlives its incarnations.
 *
 *            init                    ends                        rp__revive
 *   spawn ---------> incarnation ------------> down, rp__fell ---------------> the next incarnation
 *                                                  |
 *                                                  +---- rp__release ----> has ended, as any actor
 *
 * The address keeps what others have to do with it: the name, who monitors and who is linked, the
 * mailbox (as declared), what was bequeathed. An incarnation has what it made itself: its state, stack,
 * children and timers, which are all gone before its successor begins: nothing has to be fenced, on
 * whichever loop it lives, and nobody has to look it up anew.
 */
#include "actors/life/life.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "actors/table/why.h"

#include <errno.h>
#include <string.h>

static const rp_field fell_fields[] = {
    RP_FIELD(struct rp__fell, who, RP_REF),
    RP_FIELD(struct rp__fell, reason, RP_I32),
    RP_FIELD(struct rp__fell, why, RP_CHARS),
};
const rp_type rp__fell_type = RP_TYPE("rp.fell", struct rp__fell, fell_fields);

_Static_assert(sizeof(struct rp__fell) <= RP__SLOT - RP__HEAD, "one slot");

int rp__kept_new(struct rp_loop *l, struct rp__actor *a, const rp_spawn_opts *o, rp_mail mail)
{
    struct rp__extra *x = rp__extra(l, a);
    struct rp__kept *k = x ? rp__pool_get(&l->pool, sizeof *k) : 0;
    if (!k)
        return -ENOMEM;
    *k = (struct rp__kept){.arg = o->arg, .stack = o->stack, .mail = mail};
    x->kept = k;
    a->flags |= RP__A_KEPT | RP__A_WATCHED; /* its failures are its supervisor's */
    return rp__kept_ready(l, a);
}

int rp__kept_ready(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__kept *k = a->extra->kept;
    if (!k->fell)
        k->fell = rp__spill_new(l);
    return k->fell ? 0 : -ENOMEM;
}

void rp__kept_free(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__kept *k = a->extra->kept;
    if (!k)
        return;
    if (k->left)
        rp__msg_cancel(l, &k->left->slot);
    if (k->fell)
        rp__spill_free(l, k->fell);
    rp__pool_free(&l->pool, k, sizeof *k);
    a->extra->kept = 0;
}

/* Its incarnation has ended, and its children before it: its supervisor hears of it. */
void rp__kept_fall(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__kept *k = a->extra->kept;
    rp__leave_not(l, a, -EBUSY);
    rp__timers_end(l, a);
    rp__belongings_end(l, a);
    rp__tokens_end(l, a);
    if (k->mail == RP_MAIL_KEEP)
        (void)!(a->box ? rp__mailbox_unstash(l, a->box) : 0); /* its successor knows of no stash */
    else
        rp__actor_empty(l, a, k->mail == RP_MAIL_DROP ? RP__DROPPED : RP__DEAD);
    a->flags &= RP__A_KEPT | RP__A_WATCHED | RP__A_NOWAIT | RP__A_TRAP | RP__A_GUEST | RP__A_TRACED | RP__A_PLACED_MASK;
    a->flags |= RP__A_ENDING | RP__A_DOWN;
    struct rp__fell f = {.who = rp__ref(l, a->addr), .reason = a->reason};
    if (a->why)
        memcpy(f.why, a->why, strnlen(a->why, sizeof f.why - 1));
    k->fell->slot[0] = (struct rp__slot){a->parent, a->addr, rp__word(&rp__fell_type, RP__F_SURE), {0}};
    memcpy(k->fell->slot[0].body, &f, sizeof f);
    rp__tally(l, RP__SENT, 1);
    rp__post_made(l, k->fell);
    k->fell = 0;
}

void rp__release(rp_self *me, rp_ref who)
{
    struct rp__slot s = rp__stop_slot(me->loop, who.local, me->actor->addr, "its supervisor lets go", RP__FOR_GOOD, 0);
    rp__post_sure(me->loop, &s);
}

/* ---- hand-over ----------------------------------------------------------------------------------- */

static struct rp__kept *kept(const rp_self *me)
{
    return me->actor && me->actor->flags & RP__A_KEPT ? me->actor->extra->kept : 0;
}

int rp_bequeath(rp_self *me, const rp_type *t, const void *body)
{
    if (!t || (!body && t->size > 0))
        return -EINVAL;
    struct rp_loop *l = me->loop;
    struct rp__kept *k = kept(me);
    if (!k)
        return -ENOENT;
    rp_ref self = rp_self_ref(me);
    struct rp__out o = {.to = self, .from = self.local, .type = t, .body = body};
    struct rp__pledge p;
    int rc = rp__pledge(me, t, body, false, &p);
    rp_msg *m = rc == 0 ? rp__msg_of(l, &o) : 0;
    rp__pledge_end(me, &p, m != 0);
    if (!m)
        return rc != 0 ? rc : -ENOMEM;
    if (k->left)
        rp__msg_cancel(l, &k->left->slot);
    k->left = m;
    return 0;
}

int rp_inherit(rp_self *me, rp_msg **ret)
{
    if (!ret)
        return -EINVAL;
    struct rp__kept *k = kept(me);
    if (!k || !k->left)
        return -ENOENT;
    if (rp__free_hand(me) != 0)
        return -ENOMEM;
    *ret = k->left;
    rp__get(me, k->left);
    k->left = 0;
    rp__tally(me->loop, RP__SENT, 1); /* a message from here on */
    return 0;
}

uint32_t rp_restarts(const rp_self *me)
{
    const struct rp__kept *k = kept(me);
    return k ? k->restarts : 0;
}
