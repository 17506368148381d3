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
#include "actors/runtime.h"

#include "loop/scope.h"

#include <errno.h>
#include <string.h>

/* ---- what is left -------------------------------------------------------------------------------- */

static void empty_box(struct rp_loop *l, struct rp__actor *a)
{
    if (!a->box)
        return;
    rp__box_gone(l, a);
    for (rp_msg *m; (m = rp__mailbox_take_next(l, a->box)) || (m = rp__mailbox_take_stashed(a->box));)
        rp__finish(l, &m->slot, RP__DEAD);
    rp__mailbox_free(l, a->box);
    a->box = 0;
}

static void end_extra(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__extra *x = a->extra;
    if (!x)
        return;
    rp__timers_end(l, a);
    if (x->name) {
        rp__name_remove(rp__runtime(l), x->name, rp__ref(l, a->addr));
        rp__pool_free(&l->pool, x->name, strlen(x->name) + 1);
        x->name = 0;
    }
    rp__watches_fire(l, a);
    rp__pool_free(&l->pool, x, sizeof *x);
    a->extra = 0;
}

void rp__actor_remains(struct rp_loop *l, struct rp__actor *a)
{
    empty_box(l, a);
    end_extra(l, a);
    if (a->state)
        rp__pool_free(&l->pool, a->state, a->kind->state_size);
    if (a->farewell)
        rp__pool_free(&l->pool, a->farewell, sizeof *a->farewell + sizeof *a->farewell->slot);
    rp__actor_free(l, a);
}

/* ---- the end itself ------------------------------------------------------------------------------ */

static void todo(struct rp_loop *l, struct rp__actor *a)
{
    a->next_todo = l->actors->todo;
    l->actors->todo = rp__slot_of(a->addr);
}

static void one_child_less(struct rp_loop *l, struct rp__actor *parent)
{
    if (--parent->nchildren == 0 && parent->flags & RP__A_TOLD)
        todo(l, parent);
}

/* The parent on this loop forgets it; one on another loop is told. */
static void leave_parent(struct rp_loop *l, struct rp__actor *a)
{
    if (a->kid) {
        rp__post_spill(l, rp__loop_of(a->parent), a->farewell);
        a->farewell = 0;
        return;
    }
    struct rp__actor *parent = a->parent ? rp__actor_find(l->actors, a->parent) : 0;
    if (!parent)
        return;
    if (a->next != RP__NOBODY)
        rp__actor_at(l->actors, a->next)->prev = a->prev;
    if (a->prev != RP__NOBODY)
        rp__actor_at(l->actors, a->prev)->next = a->next;
    else
        parent->first_child = a->next;
    one_child_less(l, parent);
}

static void run_fini(struct rp_loop *l, struct rp__actor *a)
{
    if (!a->kind->fini || !(a->flags & RP__A_INIT))
        return;
    rp_self *me = l->running;
    struct rp__actor *was = me->actor;
    me->actor = a;
    me->nowait++;
    a->kind->fini(me, a->state, a->reason);
    me->nowait--;
    me->actor = was;
}

/* A failure that nobody asked to hear of is not lost: it becomes the result of the run. */
static void note_orphan(struct rp_loop *l, const struct rp__actor *a)
{
    int none = 0;
    if (a->reason < 0 && a->reason != -ECANCELED && !(a->flags & RP__A_WATCHED))
        atomic_compare_exchange_strong_explicit(&rp__runtime(l)->orphan_rc, &none, a->reason,
                                                memory_order_relaxed, memory_order_relaxed);
}

static void bury(struct rp_loop *l, struct rp__actor *a)
{
    run_fini(l, a);
    note_orphan(l, a);
    bool root = a->parent == 0;
    int reason = a->reason;
    leave_parent(l, a);
    rp__actor_remains(l, a);
    if (root)
        rp__root_ended(l, reason);
}

static void tell_children(struct rp_loop *l, struct rp__actor *a)
{
    a->flags |= RP__A_TOLD;
    for (uint32_t at = a->first_child, next; at != RP__NOBODY; at = next) {
        struct rp__actor *child = rp__actor_at(l->actors, at);
        next = child->next; /* nothing is buried before the list is taken up again */
        rp__actor_stop(l, child, "its parent ended");
    }
    for (struct rp__hook *at = a->extra ? a->extra->kids.next : 0; at && at != &a->extra->kids; at = at->next) {
        struct rp__kid *k = RP__OF(struct rp__kid, link, at);
        if (!k->stop)
            continue; /* it has been told */
        rp__post_spill(l, rp__loop_of(k->child), k->stop);
        k->stop = 0;
    }
}

static void work_off(struct rp_loop *l)
{
    struct rp__actors *t = l->actors;
    if (t->ending)
        return;
    t->ending = true;
    while (t->todo != RP__NOBODY) { /* bounded: an actor is put in at most twice */
        struct rp__actor *a = rp__actor_at(t, t->todo);
        t->todo = a->next_todo;
        if (!(a->flags & RP__A_TOLD)) {
            tell_children(l, a);
            if (a->nchildren > 0)
                continue;
        }
        bury(l, a);
    }
    t->ending = false;
}

void rp__actor_end(struct rp_loop *l, struct rp__actor *a, int reason)
{
    if (a->flags & RP__A_ENDING)
        return;
    a->reason = reason < 0 ? reason : a->flags & RP__A_STOPPED ? -ECANCELED : 0;
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

void rp__actor_stop(struct rp_loop *l, struct rp__actor *a, const char *why)
{
    if (a->flags & (RP__A_ENDING | RP__A_STOPPED))
        return;
    a->flags |= RP__A_STOPPED;
    a->why = why;
    if (a->co)
        rp__stop_self(a->co, why);
    else /* idle: no handler runs while signals are worked on */
        rp__actor_end(l, a, -ECANCELED);
}

int rp_stop(rp_self *me, rp_ref who, const char *why)
{
    struct rp_loop *l = me->loop;
    if (rp__forked(l))
        return -EPERM;
    if (who.node != l->node) {
        const struct rp__route *route = rp__runtime(l)->route;
        return rp_ref_none(who) ? -EINVAL : route ? route->stop(l, who) : -EHOSTUNREACH;
    }
    uint32_t loop = rp__loop_of(who.local);
    if (loop >= l->sys->nloops)
        return -EINVAL;
    struct rp__slot s = {who.local, me->actor ? me->actor->addr : 0, rp__op_word(RP__OP_STOP),
                         {(uintptr_t)(why ? why : "stopped")}};
    return rp__post_slots(l, loop, &s, 1); /* in order with what was sent before it */
}
