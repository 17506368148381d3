/* SPDX-License-Identifier: MIT
 *
 * admit.c - a message meets a busy actor: into its mailbox, or what the policy says when that is full.
 */
#include "actors/mail/mail.h"
#include "actors/table/runtime.h"

#include <errno.h>

static rp_overflow policy_of(const struct rp__actor *a, const struct rp__slot *s)
{
    rp_overflow own = rp__type(s->type)->overflow;
    return own != RP_DEFAULT ? own : a->overflow;
}

bool rp__box_is_full(const struct rp__actor *a)
{
    return a->box->count >= a->limit || a->box->bytes >= a->limit_bytes;
}

static bool wanted(const struct rp__mailbox *b, const struct rp__slot *s)
{
    for (const rp_type *const *t = b->waiter ? b->wanted : 0; t && *t; t++)
        if (rp__type_is(rp__type(s->type), *t))
            return true;
    return false;
}

/* Whoever receives by type looks again; or cannot go on, because what it waits for would find no room. */
static void tell_waiter(struct rp__actor *a, bool comes)
{
    struct rp__mailbox *b = a->box;
    rp_self *waiter = b->waiter;
    if (!waiter || !(comes || rp__box_is_full(a)))
        return;
    b->waiter = 0;
    rp__wake(waiter, comes ? 0 : -ENOBUFS);
}

void rp__box_tell(struct rp__actor *a, struct rp__slot *s)
{
    if (a->box && wanted(a->box, s))
        tell_waiter(a, true);
}

/* One comes and one goes: that is no burst. */
static void redirect(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s)
{
    l->sched->sent_mark = rp__sent(l);
    if (!a->extra || rp__forward(l->sched, s, a->extra->redirect, false) != 0)
        rp__drop(l, s, RP_DROPPED_NEW);
    else
        rp__finish(l, s, RP__HANDLED); /* an empty shell: it has moved on */
}

/* True: it goes in. False: it has gone elsewhere. */
static bool admit(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, rp_overflow policy)
{
    switch (policy) {
    case RP_DEFAULT:
    case RP_WAIT:
        rp__box_full(l, a, s, RP_WAIT); /* this one was on its way; the next will wait */
        return true;
    case RP_DROP_OLD:
    case RP_CONFLATE:
        for (rp_msg *m; rp__box_is_full(a) && (m = rp__mailbox_take_oldest(l, a->box, 0));)
            rp__drop(l, &m->slot, RP_DROPPED_OLD); /* one, or as many as make room for bytes */
        return true;
    case RP_REDIRECT:
        redirect(l, a, s);
        return false;
    case RP_FAIL:
        rp__box_full(l, a, s, RP_FAIL);
        break;
    case RP_DROP_NEW:
        break;
    }
    rp__drop(l, s, RP_DROPPED_NEW);
    return false;
}

/* Its turn would come when nobody waits for it any more. Who goes before the others is not asked. */
static bool comes_too_late(struct rp_loop *l, const struct rp__actor *a, struct rp__slot *s)
{
    return rp__flags(s->type) & RP__F_DEADLINE && rp__lane_of(s) == RP__LANE_NORMAL &&
           rp__pace_done(&a->box->pace, l->now, a->box->count - a->box->stashed) > (rp_time)*rp__deadline_of(s);
}

/* m has taken the place of `old`, and may be much larger. */
static void replaced(struct rp_loop *l, struct rp__actor *a, rp_msg *m, rp_msg *old)
{
    struct rp__mailbox *b = a->box;
    rp__drop(l, &old->slot, RP_DROPPED_REPLACED);
    while (b->bytes - rp__weight(&m->slot) >= a->limit_bytes && (old = rp__mailbox_take_oldest(l, b, m)))
        rp__drop(l, &old->slot, RP_DROPPED_OLD);
}

static void has_come(struct rp_loop *l, struct rp__actor *a, rp_msg *m, bool wanted)
{
    if (__builtin_expect(rp__brings_right(&m->slot), 0))
        l->sys->floor->right_came(l, a, &m->slot);
    tell_waiter(a, wanted);
}

void rp__box_put(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, bool owned)
{
    if (!a->box && !(a->box = rp__mailbox_new(l, a->addr))) {
        rp__no_memory(l, s);
        return;
    }
    rp_overflow policy = policy_of(a, s);
    bool sure = rp__flags(s->type) & RP__F_SURE, comes = wanted(a->box, s);
    if (!comes && comes_too_late(l, a, s)) {
        rp__no_reply(l, s, -ETIMEDOUT);
        rp__finish(l, s, RP__EXPIRED);
        return;
    }
    if (!sure && !comes && policy != RP_CONFLATE && rp__box_is_full(a) && !admit(l, a, s, policy))
        return;
    rp_msg *m = owned ? (rp_msg *)s : rp__msg_hold(l, s);
    if (!m) {
        rp__no_memory(l, s);
        return;
    }
    rp_msg *old = policy == RP_CONFLATE ? rp__mailbox_replace(l, a->box, m) : 0;
    if (old) {
        replaced(l, a, m, old);
        return;
    }
    if (policy == RP_CONFLATE && !sure && rp__box_is_full(a))
        admit(l, a, &m->slot, policy);
    if (rp__mailbox_put(l, a->box, m, policy == RP_CONFLATE) != 0)
        rp__no_memory(l, &m->slot);
    else
        has_come(l, a, m, comes);
}
