/* SPDX-License-Identifier: MIT
 *
 * recv.c - a coroutine waits for its next message.
 *
 * Whoever finds nothing to receive looks at the message that the scheduler would dispatch next: if
 * that is for a coroutine that waits too, it gets it here and is switched to directly, as the
 * scheduler would have done one switch later. Anything else is the scheduler's.
 *
 * Whoever finds something does not wait, and rests where the turn is over, or all that has come while it was busy would
 * hold the loop. Before it takes a message, so that its time does not count as that one's.
 */
#include "actors/mail/handled.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/table/edge.h"
#include "actors/table/meter.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/here.h"
#include "mailbox/sync/park.h"

#include <errno.h>

bool rp__taken(struct rp_loop *l, struct rp__actor *a, rp_msg *m)
{
    struct rp__slot *s = &m->slot;
    bool timed = rp__flags(s->type) & RP__F_DEADLINE;
    rp_time now = timed ? l->world->now(l) : 0;
    if (a->extra && a->extra->shed.target)
        rp__shed(l, a);
    rp__box_taken(l, a);
    if (timed && (rp_time)*rp__deadline_of(s) <= now) {
        rp__finish(l, s, RP__EXPIRED);
        return false;
    }
    if (timed)
        rp__pace_timed(&a->box->pace, now);
    else
        rp__pace_taken(&a->box->pace);
    rp__pay(l, s);
    rp__begin(l, a, s);
    return true;
}

/* What came due comes first; but who is late for each tick of a timer has a message after every few. */
static bool timers_turn(const struct rp__actor *a)
{
    enum { IN_A_ROW = 7 };
    struct rp__extra *x = a->extra;
    bool waits = a->box && rp__mailbox_waiting(a->box), turn = !waits || x->ticks < IN_A_ROW;
    x->ticks = waits && turn ? x->ticks + 1 : 0;
    return turn;
}

rp_msg *rp__next_in_box(struct rp_loop *l, struct rp__actor *a)
{
    rp_msg *tick = a->flags & RP__A_DUE && timers_turn(a) ? rp__timer_of(l, a, 0) : 0;
    if (tick)
        return tick;
    for (rp_msg *m; a->box && (m = rp__mailbox_take_next(l, a->box));)
        if (rp__taken(l, a, m))
            return m;
    if (a->box)
        rp__pace_end(&a->box->pace);
    return a->flags & RP__A_DUE ? rp__timer_of(l, a, 0) : 0; /* those that stood there had expired */
}

/* Before it takes one. */
static inline void rest(rp_self *me, struct rp__actor *a)
{
    if (!rp__has_mail(a))
        return;
    if (rp__is_demoted(me->loop, a))
        rp__stand_behind(me);
    else
        rp__rest(me);
}

static bool leave_recv(rp_self *me)
{
    me->actor->flags &= ~(uint32_t)RP__A_RECV;
    return true;
}

/* The loop's next message, if it may be dispatched now and is a plain one for a waiting coroutine;
 * `ret` gets it then, and `held` the message. */
static inline struct rp__actor *next_receiver(struct rp_loop *l, rp_msg **held)
{
    struct rp__events *e = &l->events;
    const uint64_t special = RP__FLAG(RP__F_SYSTEM | RP__F_REPLY | RP__F_DEADLINE | RP__F_NODE | RP__F_HEAVY) | RP__STAMP;
    if (l->quantum <= 1 || l->stint.left <= 0)
        return 0; /* the round is over or has not come to messages yet, or the clock is to be looked at */
    struct rp__slot *s = rp__events_peek(e);
    if (!s || s->type & special)
        return 0;
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    if (!a || !(a->flags & RP__A_RECV) || a->flags & (RP__A_STOPPED | RP__A_ENDING | RP__A_TRACED | RP__A_DEMOTED | RP__A_DRAINS) || !(*held = rp__msg_hold(l, s)))
        return 0;
    l->quantum--;
    l->stint.left--;
    rp__events_pop(e, rp__slots(s->type));
    return a;
}

static int recv_slowly(rp_self *me, rp_msg **ret, rp_time deadline)
{
    int rc = rp__may_wait(me);
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc == 0)
        rc = rp__free_hand(me);
    if (rc != 0)
        return rp__rested(me, rc);
    me->actor->flags |= RP__A_RECV;
    rc = rp__park(me, rp__for_message, 0, leave_recv, deadline);
    if (rc == 0)
        *ret = me->hand[0];
    return rc;
}

enum { NONE = 1 };

/* What has come meanwhile: it rests before it takes that. NONE: nothing has. */
static int recv_waiting(rp_self *me, struct rp__actor *a, rp_msg **ret)
{
    rest(me, a);
    int rc = rp_scope_check(me);
    if (rc == 0)
        rc = rp__free_hand(me);
    if (rc != 0)
        return rp__rested(me, rc);
    rp_msg *m = rp__next_in_box(me->loop, a);
    if (!m)
        return NONE;
    rp__get(me, m);
    *ret = m;
    return 0;
}

RP__NOIPA int rp_recv(rp_self *me, rp_msg **ret, rp_time deadline)
{
    struct rp__actor *a = me->actor;
    struct rp_loop *l = me->loop;
    rp__must_be_here_debug(me);
    if (!a || me->home || !ret)
        return -EINVAL;
    int rc = a->box || a->flags & RP__A_DUE ? recv_waiting(me, a, ret) : NONE;
    if (rc != NONE)
        return rc;
    if (deadline != RP_FOREVER || me != a->co || me->hand[0] || me->nowait || rp__cancelled(me) || rp__forked(l))
        return recv_slowly(me, ret, deadline);
    /* rp__park, less what cannot be the case here */
    rp_msg *m;
    a->flags |= RP__A_RECV;
    rp_self *next = l->sched;
    struct rp__actor *other = next_receiver(l, &m);
    if (other) {
        rp__give(other, m);
        next = other->co;
        if (next == me) {
            me->sent_mark = rp__sent(l);
            *ret = m;
            return 0;
        }
        if (rp__timer_armed(&next->timer))
            rp__timer_stop(&l->wheel, &next->timer);
    }
    me->waits = rp__for_message;
    me->cancel = leave_recv;
    me->since = l->now;
    me->state = RP__PARKED;
    rp__switch_away(l, me, next);
    if (me->rc == 0)
        *ret = me->hand[0];
    return me->rc;
}

/* ---- by type ------------------------------------------------------------------------------------- */

static bool leave_recv_of(rp_self *me)
{
    me->actor->box->waiter = 0;
    return true;
}

/* Of the types asked for, not past its deadline; the credit it used goes back. */
static rp_msg *take_of(struct rp_loop *l, struct rp__actor *a, const rp_type *const *types)
{
    rp_msg *tick = a->flags & RP__A_DUE ? rp__timer_of(l, a, types) : 0;
    if (tick)
        return tick;
    for (rp_msg *m; (m = rp__mailbox_take_of(l, a->box, types));)
        if (rp__taken(l, a, m))
            return m;
    return 0;
}

int rp_recv_of(rp_self *me, const rp_type *const *types, rp_msg **ret, rp_time deadline)
{
    struct rp__actor *a = me->actor;
    struct rp_loop *l = me->loop;
    if (!a || me->home || !types || !*types || !ret)
        return -EINVAL;
    int rc = 0;
    for (const rp_type *const *t = types; *t && rc == 0; t++)
        rc = rp__shape_rc(rp__shape(&l->actors->types, *t));
    if (rc == 0)
        rc = rp_scope_check(me);
    if (rc != 0)
        return rp__rested(me, rc);
    if (!a->box && !(a->box = rp__mailbox_new(l, a->addr)))
        return -ENOMEM;
    if ((rc = rp__mailbox_by_type(l, a->box)) != 0)
        return rc;
    for (;;) { /* ends with the message that it waits for */
        rest(me, a);
        if ((rc = rp_scope_check(me)) != 0 || (rc = rp__free_hand(me)) != 0)
            return rp__rested(me, rc);
        rp_msg *m = take_of(l, a, types);
        if (m) {
            rp__get(me, m);
            *ret = m;
            return 0;
        }
        if (rp__box_is_full(a))
            return rp__rested(me, -ENOBUFS);
        if ((rc = rp__may_wait(me)) != 0 || (rc = rp__keep_stack(me)) != 0)
            return rp__rested(me, rc);
        a->box->wanted = types;
        a->box->waiter = me;
        rc = rp__park(me, rp__for_message_of, *types, leave_recv_of, deadline);
        if (rc != 0)
            return rc;
    }
}

/* ---- the stash ----------------------------------------------------------------------------------- */

int rp_stash(rp_self *me, const rp_msg *msg)
{
    if (!msg)
        return -EINVAL;
    struct rp__actor *a = me->actor;
    struct rp_loop *l = me->loop;
    rp_msg *m = (rp_msg *)(uintptr_t)msg;
    rp__must_be_here_debug(me);
    rp__must_live(me, m, "rp_stash");
    if (!a || me->home)
        return -EINVAL;
    if (!a->box && !(a->box = rp__mailbox_new(l, a->addr)))
        return -ENOMEM;
    if (a->box->stashed >= (a->extra ? a->extra->stash_limit : 0))
        return -ENOBUFS;
    if (!(a->flags & RP__A_COROUTINE) && me->msg == &m->slot) { /* a handler's, which ends with its return: what is in it moves */
        int rc = rp_keep(me, msg, &m);
        if (rc != 0)
            return rc;
    }
    rp__let_go(me, m);
    rp__unmeasure(&m->slot);
    rp__mailbox_stash(l, a->box, m);
    return 0;
}

int rp_unstash(rp_self *me)
{
    struct rp__actor *a = me->actor;
    rp__must_be_here_debug(me);
    if (!a || me->home)
        return -EINVAL;
    if (!a->box || a->box->stashed == 0)
        return 0;
    int rc = rp__mailbox_unstash(me->loop, a->box);
    rp__drain(me->loop, a);
    return rc;
}

bool rp__has_mail(const struct rp__actor *a)
{
    return (a->box && rp__mailbox_waiting(a->box)) || a->flags & RP__A_DUE;
}

void rp__drain(struct rp_loop *l, struct rp__actor *a)
{
    bool takes_itself = (a->flags & (RP__A_COROUTINE | RP__A_RECV)) == RP__A_COROUTINE;
    if (takes_itself || a->flags & RP__A_DRAINS || !rp__has_mail(a))
        return;
    a->flags |= RP__A_DRAINS;
    rp__signal(l, a->addr, a->addr, RP__OP_DRAIN, 0, 0);
}
