/* SPDX-License-Identifier: MIT
 *
 * end.c - actors end: first their children, then they themselves.
 *
 *   told to stop --> its waits fail --> it returns --> children are told --> all have ended -->
 *   fini --> what is left in its mailbox is dead --> RP_DOWN to who monitors it --> its parent knows
 *
 * An actor tree may be deep, and stacks are small: there is no recursion, but a list of actors with
 * something to be done, which the first caller works off.
 */
#include "actors/life/hooks.h"
#include "actors/life/life.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/reports.h"
#include "actors/table/runtime.h"
#include "actors/table/where.h"
#include "actors/table/why.h"
#include "loop/here.h"
#include "loop/scope.h"

#include <errno.h>
#include <string.h>

/* ---- what is left -------------------------------------------------------------------------------- */

void rp__actor_empty(struct rp_loop *l, struct rp__actor *a, enum rp__tally how)
{
    if (!a->box)
        return;
    rp__box_gone(l, a);
    for (rp_msg *m; (m = rp__mailbox_take_next(l, a->box)) || (m = rp__mailbox_take_stashed(a->box));)
        how == RP__DROPPED ? rp__drop(l, &m->slot, RP_DROPPED_RESTART) : rp__finish(l, &m->slot, how);
    rp__mailbox_free(l, a->box);
    a->box = 0;
}

void rp__actor_unname(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__extra *x = a->extra;
    if (!x || !x->name)
        return;
    rp__name_remove(l, x->name, rp__ref(l, a->addr));
    rp__pool_free(&l->pool, x->name, strlen(x->name) + 1);
    x->name = 0;
}

static void end_extra(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__extra *x = a->extra;
    if (!x)
        return;
    rp__leave_not(l, a, -ESRCH);
    rp__timers_end(l, a);
    rp__belongings_end(l, a);
    rp__tokens_end(l, a);
    rp__actor_unname(l, a);
    rp__kept_free(l, a);
    rp__name_watches_end(l, a);
    rp__bonds_end(l, a, a->flags & RP__A_WATCHED);
    rp__watches_fire(l, a);
    rp__why_free(l, a);
    rp__pool_free(&l->pool, x, sizeof *x);
    a->extra = 0;
}

void rp__actor_remains(struct rp_loop *l, struct rp__actor *a)
{
    rp__actor_empty(l, a, RP__DEAD);
    end_extra(l, a);
    if (a->state)
        rp__pool_free(&l->pool, a->state, a->kind->state_size);
    if (a->farewell)
        rp__spill_free(l, a->farewell);
    if (a->flags & RP__A_GUEST)
        rp__guest_gone(l, a);
    rp__actor_free(l, a);
}

/* ---- the end itself ------------------------------------------------------------------------------ */

static void todo(struct rp_loop *l, struct rp__actor *a)
{
    a->next_todo = l->actors->todo;
    l->actors->todo = rp__slot_here(a);
}

static void one_child_less(struct rp_loop *l, struct rp__actor *parent)
{
    if (--parent->nchildren == 0 && parent->flags & RP__A_TOLD)
        todo(l, parent);
}

void rp__siblings_leave(struct rp_loop *l, struct rp__actor *parent, struct rp__actor *a)
{
    if (a->next != RP__NOBODY)
        rp__actor_at(l->actors, a->next)->prev = a->prev;
    if (a->prev != RP__NOBODY)
        rp__actor_at(l->actors, a->prev)->next = a->next;
    else
        parent->first_child = a->next;
}

/* The parent on this loop forgets it; one on another loop is told. */
static void leave_parent(struct rp_loop *l, struct rp__actor *a)
{
    if (a->kid) {
        rp__post_made(l, a->farewell);
        a->farewell = 0;
        return;
    }
    struct rp__actor *parent = a->parent ? rp__actor_find(l->actors, a->parent) : 0;
    if (!parent)
        return;
    rp__siblings_leave(l, parent, a);
    one_child_less(l, parent);
}

/* A failure that nobody asked to hear of is not lost: it is reported, and becomes the result of the run. */
void rp__failure_noted(struct rp_loop *l, int reason)
{
    int none = 0;
    atomic_compare_exchange_strong_explicit(&rp__runtime(l)->orphan_rc, &none, reason,
                                            memory_order_relaxed, memory_order_relaxed);
}

/* Who is linked to others hands it to them: links.c. */
static void note_orphan(struct rp_loop *l, const struct rp__actor *a)
{
    if (!rp__is_failure(a->reason) || a->flags & RP__A_WATCHED || (a->extra && !rp__list_empty(&a->extra->bonds)))
        return;
    rp__report_failure(l, a);
    rp__failure_noted(l, a->reason);
}

static void end_life(struct rp_loop *l, struct rp__actor *a)
{
    rp__run_fini(l, a);
    rp__tally(l, RP__FAILED, rp__is_failure(a->reason));
    if (rp__traces(l, RP__T_END))
        rp__trace_end(l, a);
}

static void bury(struct rp_loop *l, struct rp__actor *a)
{
    if (!(a->flags & RP__A_DOWN))
        end_life(l, a);
    if (a->flags & RP__A_KEPT) {
        rp__kept_fall(l, a);
        return;
    }
    note_orphan(l, a);
    bool root = a->parent == 0;
    int reason = a->reason;
    leave_parent(l, a);
    rp__actor_remains(l, a);
    if (root)
        rp__runtime(l)->root_ended(l, reason);
}

static void tell_children(struct rp_loop *l, struct rp__actor *a)
{
    a->flags |= RP__A_TOLD;
    for (uint32_t at = a->first_child, next; at != RP__NOBODY; at = next) {
        struct rp__actor *child = rp__actor_at(l->actors, at);
        next = child->next; /* nothing is buried before the list is taken up again */
        rp__actor_release(l, child, a->addr, "its parent ended");
    }
    for (struct rp__hook *at = a->extra ? a->extra->kids.next : 0; at && at != &a->extra->kids; at = at->next) {
        struct rp__kid *k = RP__OF(struct rp__kid, link, at);
        if (!k->stop)
            continue; /* it has been told */
        rp__post_made(l, k->stop);
        k->stop = 0;
    }
}

static void work_off(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    if (t->ending)
        return;
    t->ending = true;
    while (t->todo != RP__NOBODY) { /* bounded: an incarnation is put in at most twice */
        struct rp__actor *a = rp__actor_at(t, t->todo);
        t->todo = a->next_todo;
        if (!(a->flags & RP__A_TOLD)) {
            tell_children(l, a);
            if (a->nchildren > 0) {
                if (a->extra && !a->kind->fini)
                    rp__unanswered(l, a);
                continue;
            }
        }
        bury(l, a);
    }
    t->ending = false;
}

/* Who was stopped for a reason of its own ended for that one, whatever it returned. */
static int reason_of(const struct rp__actor *a, int returned)
{
    if (!(a->flags & RP__A_STOPPED))
        return returned < 0 ? returned : 0;
    return a->reason != -ECANCELED || returned >= 0 ? a->reason : returned;
}

void rp__actor_end(struct rp_loop *l, struct rp__actor *a, int reason)
{
    if (a->flags & RP__A_ENDING)
        return;
    a->reason = reason_of(a, reason);
    a->flags |= RP__A_ENDING;
    todo(l, a);
    work_off(l);
}

void rp__on_child_ended(struct rp_loop *l, struct rp__kid *kid)
{
    struct rp__actor *parent = rp__actor_find(l->actors, kid->parent);
    rp__kid_gone(l, kid);
    if (!parent)
        return;
    one_child_less(l, parent);
    work_off(l);
}

/* ---- stopping ------------------------------------------------------------------------------------ */

/* False: memory is out, and it is stopped as any other. */
static bool trap(struct rp_loop *l, const struct rp__actor *a, uint64_t who, int reason, const char *why)
{
    struct rp_exit_notice e = {.who = rp__ref(l, who), .reason = reason};
    struct rp__slot s = {a->addr, who, rp__word(&rp_exit_notice_type, RP__F_SURE), {0}};
    if (!rp__reserve_ready(l))
        return false;
    memcpy(e.why, why, strnlen(why, sizeof e.why - 1));
    memcpy(s.body, &e, sizeof e);
    rp__tally(l, RP__SENT, 1);
    rp__post_sure(l, &s);
    return true;
}

void rp__actor_stop(struct rp_loop *l, struct rp__actor *a, uint64_t who, int reason, const char *why)
{
    bool over = a->flags & (RP__A_ENDING | RP__A_STOPPED); /* who traps hears of it in its next life */
    if (!(a->flags & RP__A_TRAP && (!over || a->flags & RP__A_KEPT) && trap(l, a, who, reason, why)))
        rp__actor_fail(l, a, reason, why);
}

void rp__actor_fail(struct rp_loop *l, struct rp__actor *a, int reason, const char *why)
{
    if (a->flags & (RP__A_ENDING | RP__A_STOPPED))
        return;
    a->flags |= RP__A_STOPPED;
    rp__why_keep(l, a, why);
    a->reason = reason;
    if (a->co)
        rp__stop_self(a->co, a->why);
    else /* idle: no handler runs while signals are worked on */
        rp__actor_end(l, a, reason);
}

void rp__actor_release(struct rp_loop *l, struct rp__actor *a, uint64_t who, const char *why)
{
    bool kept = a->flags & RP__A_KEPT;
    a->flags &= ~(uint32_t)RP__A_KEPT;
    if (!(a->flags & RP__A_DOWN)) {
        rp__actor_stop(l, a, who, -ECANCELED, why);
        return;
    }
    if (!kept)
        return; /* it is on its way out */
    todo(l, a); /* its last incarnation has ended: so has it */
    work_off(l);
}

/* The actor whose code runs here ends with `err`, whatever it returns. Nothing is unwound: C has frames that
 * own things. Its waits fail from here on, so that it gets to its end. */
int rp_fail(rp_self *me, int err, const char *why)
{
    struct rp__actor *a = me->actor;
    rp__must_be_here(me);
    if (err >= 0)
        err = -EINVAL;
    if (!a || !(a->flags & RP__A_INIT) || a->flags & (RP__A_ENDING | RP__A_STOPPED))
        return err; /* init and fini fail by what they return */
    a->flags |= RP__A_STOPPED;
    rp__why_keep(me->loop, a, why ? why : "failed");
    a->reason = err;
    if (!a->co && rp__keep_stack(me) != 0) { /* a handler without a stack of its own, and none to be had: */
        a->flags &= ~(uint32_t)RP__A_STOPPED; /* it ends when it has returned */
        struct rp__slot s = rp__stop_slot(me->loop, a->addr, a->addr, a->why, 0, err);
        rp__post_sure(me->loop, &s);
    } else {
        rp__stop_self(a->co, a->why);
    }
    return err;
}

int rp_stop(rp_self *me, rp_ref who, const char *why)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (who.node != l->node) {
        const struct rp__route *route = rp__runtime(l)->route;
        return rp_ref_none(who) ? -EINVAL : route ? route->stop(l, who) : -EHOSTUNREACH;
    }
    if (rp__loop_of(who.local) >= l->sys->nloops)
        return -EINVAL;
    struct rp__slot s = rp__stop_slot(l, who.local, rp__addr_of(me), why ? why : "stopped", 0, 0);
    return rp__post_slots(l, rp__route_of(l, who.local), &s, 1); /* in order with what was sent before it */
}
