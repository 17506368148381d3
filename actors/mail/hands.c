/* SPDX-License-Identifier: MIT */
#include "actors/mail/hands.h"

#include "actors/mail/handled.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/table/reports.h"
#include "actors/table/runtime.h"
#include "loop/here.h"
#include "loop/report.h"
#include "loop/scope.h"

#include <errno.h>
#include <string.h>

/* ---- getting ------------------------------------------------------------------------------------- */

/* The stack is its actor's own, and not one that a hook of the actor runs on. */
static bool has_hands(const rp_self *me)
{
    const struct rp__actor *a = me->actor;
    return a->co == me || (me->home && me->home->owner->actor == a);
}

static void put(struct rp_loop *l, struct rp__actor *a, rp_msg *m)
{
    int rc = rp__map_put(&a->extra->has, &l->sys->mem, (uintptr_t)m, m);
    (void)rc; /* there is room; unless tasks have used it meanwhile: then it is nobody's */
}

int rp__make_room(rp_self *me, unsigned n)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a = me->actor;
    bool hand = n == 1 && has_hands(me);
    if (hand && me->hand[0] && !me->hand[1]) {
        me->hand[1] = me->hand[0];
        me->hand[0] = 0;
    }
    if (hand && !me->hand[0])
        return 0;
    struct rp__extra *x = rp__extra(l, a);
    if (!x || rp__map_reserve(&x->has, &l->sys->mem, n) != 0)
        return -ENOMEM;
    if (hand) {
        put(l, a, me->hand[0]);
        me->hand[0] = 0;
    }
    return 0;
}

void rp__put_by(rp_self *me, rp_msg *m)
{
    put(me->loop, me->actor, m);
}

void rp__get_elsewhere(rp_self *me, rp_msg *m)
{
    if (has_hands(me))
        me->hand[0] = m;
    else
        rp__put_by(me, m);
}

/* ---- letting go ---------------------------------------------------------------------------------- */

static bool leaves_hand(rp_self *co, const rp_msg *m)
{
    for (unsigned i = 0; i < RP__HANDS; i++)
        if (co->hand[i] == m) {
            co->hand[i] = 0;
            return true;
        }
    return false;
}

/* In the hands of another of its coroutines: a task that got it and still runs. */
static bool leaves_another(const struct rp__actor *a, const rp_msg *m)
{
    bool found = a->co && leaves_hand(a->co, m);
    for (rp_self *t = a->co && !found ? rp__task_first(a->co) : 0; t && !found; t = rp__task_next(a->co, t))
        found = leaves_hand(t, m);
    return found;
}

bool rp__let_go_of(rp_self *me, const rp_msg *m)
{
    if (leaves_hand(me, m))
        return true;
    const struct rp__actor *a = rp__actor_find(me->loop->actors, m->slot.to);
    if (!a)
        return false;
    return (a->extra && rp__map_remove(&a->extra->has, (uintptr_t)m)) || leaves_another(a, m);
}

bool rp__elsewhere(rp_self *me, const rp_msg *m)
{
    const struct rp_loop *l = me->loop;
    uint64_t owner = m->slot.to;
    if (!(m->slot.type & RP__FLAG(RP__F_OWNED)) || owner == 0 || rp__loop_of(owner) >= l->sys->nloops || rp__route_of(l, owner) == l->index)
        return false;
    char who[RP__WHO_TEXT];
    rp_report about = {.kind = RP_REPORT_MISUSE, .err = -EPERM};
    rp__about(me, &about, who, sizeof who);
    rp__report(l->sys, &about, "%s, on loop %u, dropped a message that belongs to an actor on loop %u; it was left as it is. Only the "
               "actor that has a message may drop it: pass it on with rp_send or rp_forward, or send what is in it",
               who, l->index, rp__route_of(l, owner));
    return true;
}

/* Not the one that it has received last. */
__attribute__((noinline)) static void drop_another(rp_self *me, rp_msg *m)
{
    const uint64_t ours = RP__FLAG(RP__F_OWNED | RP__F_SYSTEM);
    if ((m->slot.type & ours) != RP__FLAG(RP__F_OWNED))
        rp__not_to_drop(me, m);
    if (rp__let_go_of(me, m) || !rp__elsewhere(me, m))
        rp__done_with(me->loop, &m->slot, true);
}

void rp_msg_drop(rp_self *me, rp_msg *m)
{
    if (!m)
        return;
    rp__must_be_here_debug(me);
    if (rp__in_hand(me, m))
        rp__done_with(me->loop, &m->slot, true);
    else
        drop_another(me, m);
}

/* ---- ends ---------------------------------------------------------------------------------------- */

/* Where there is no memory to note it, it is nobody's from here on; of an actor that ends it ends now, before its fini. */
void rp__hands_put_down(rp_self *me, struct rp__actor *a, bool ends)
{
    struct rp_loop *l = me->loop;
    for (unsigned i = 0; i < RP__HANDS; i++) {
        rp_msg *m = me->hand[i];
        struct rp__extra *x = m ? rp__extra(l, a) : 0;
        me->hand[i] = 0;
        if (x && rp__map_reserve(&x->has, &l->sys->mem, 1) == 0)
            put(l, a, m);
        else if (m && ends)
            rp__finish(l, &m->slot, RP__HANDLED);
    }
}

void rp__task_puts_down(rp_self *me)
{
    rp__hands_put_down(me, me->actor, false);
}

void rp__unanswered(struct rp_loop *l, struct rp__actor *a)
{
    const struct rp__map *has = &a->extra->has;
    rp__tokens_end(l, a);
    for (uint32_t i = 0; i < has->size; i++) {
        rp_msg *m = has->at[i].value;
        if (m && rp_wants_reply(m))
            rp__no_reply(l, &m->slot, -EPIPE);
    }
}

void rp__belongings_end(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__map *has = &a->extra->has;
    uint64_t key;
    for (rp_msg *m; (m = rp__map_any(has, &key));) {
        rp__map_remove(has, key);
        rp__finish(l, &m->slot, RP__HANDLED);
    }
    rp__map_fini(has, &l->sys->mem);
}

bool rp__at_call(const rp_self *co)
{
    for (unsigned i = 0; i < RP__HANDS; i++)
        if (co->hand[i] && rp_wants_reply(co->hand[i]))
            return true;
    return false;
}

/* ---- made by oneself ----------------------------------------------------------------------------- */

rp_msg *rp_msg_new(rp_self *me, const rp_type *t)
{
    rp__must_be_here_debug(me);
    if (me->actor && rp__free_hand(me) != 0)
        return 0;
    rp_msg *m = rp__msg_blank(me->loop, t);
    if (m && me->actor) {
        m->slot.to = me->actor->addr;
        rp__get(me, m);
    }
    return m;
}
