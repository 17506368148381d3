/* SPDX-License-Identifier: MIT
 *
 * timer.c - messages to oneself, later.
 *
 * A timer that is due stands in a list until its actor takes its message: in the loop's, or, when the actor
 * is busy, in the actor's own. Never in the mailbox: stopping it takes it out of whichever list, so that
 * after rp_timer_stop the message cannot come; and a periodic one has at most one message waiting.
 */
#include "actors/runtime.h"
#include "actors/trace.h"

#include <errno.h>

struct rp__delayed {
    struct rp__timer timer;
    struct rp_loop *l;
    struct rp__hook own;  /* in its actor's list */
    struct rp__hook due;
    uint64_t id, key;
    bool keyed;
    bool brought;         /* from another loop: `id` is that one's, and found in the actor's list */
    rp_time when, period; /* 0: once */
    rp_msg *msg;          /* a periodic one's is copied each time */
};

static void fire(struct rp__timer *t)
{
    struct rp__delayed *d = RP__OF(struct rp__delayed, timer, t);
    rp__list_push(&d->l->due, &d->due);
}

/* Its message is somebody else's, or gone. */
static void forget(struct rp_loop *l, struct rp__delayed *d)
{
    rp__timer_stop(&l->wheel, &d->timer);
    rp__unlink(&d->due);
    rp__unlink(&d->own);
    if (!d->brought)
        rp__id_free(&l->actors->timers, d->id);
    rp__pool_free(&l->pool, d, sizeof *d);
}

/* Timers end before their actor does. */
static struct rp__actor *owner(struct rp_loop *l, const struct rp__delayed *d)
{
    return rp__actor_find(l->actors, d->msg->slot.to);
}

static void stop(struct rp_loop *l, struct rp__delayed *d)
{
    if (d->keyed)
        rp__map_remove(&owner(l, d)->extra->keyed, d->key);
    rp__msg_release(l, &d->msg->slot);
    forget(l, d);
}

static rp_msg *message(struct rp_loop *l, const struct rp__actor *a, const rp_type *t, const void *body)
{
    struct rp__out o = {.to = rp__ref(l, a->addr), .from = a->addr, .type = t, .body = body};
    return rp__msg_of(l, &o);
}

static int start(rp_self *me, rp_time when, rp_time period, const rp_type *t, const void *body, struct rp__delayed **ret)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a = me->actor;
    if (rp__forked(l))
        return -EPERM;
    if (!a)
        return -EINVAL;
    struct rp__extra *x = rp__extra(l, a);
    struct rp__delayed *d = x ? rp__pool_get(&l->pool, sizeof *d) : 0;
    if (!d)
        return -ENOMEM;
    *d = (struct rp__delayed){.timer.fire = fire, .l = l, .when = when, .period = period};
    d->id = rp__id_new(&l->actors->timers, &l->sys->mem, d);
    d->msg = d->id ? message(l, a, t, body) : 0;
    if (!d->msg) {
        if (d->id)
            rp__id_free(&l->actors->timers, d->id);
        rp__pool_free(&l->pool, d, sizeof *d);
        return -ENOMEM;
    }
    rp__list_push(&x->timers, &d->own);
    rp__timer_start(&l->wheel, &d->timer, when);
    *ret = d;
    return 0;
}

int rp_timer_start(rp_self *me, rp_time when, const rp_type *t, const void *body, rp_timer *ret)
{
    struct rp__delayed *d;
    int rc = start(me, when, 0, t, body, &d);
    if (rc == 0 && ret)
        ret->id = d->id;
    return rc;
}

int rp_timer_every(rp_self *me, rp_time first, rp_time period, const rp_type *t, const void *body, rp_timer *ret)
{
    struct rp__delayed *d;
    int rc = period >= RP_MS && !t->drop ? start(me, first, period, t, body, &d) : -EINVAL;
    if (rc == 0 && ret)
        ret->id = d->id;
    return rc;
}

int rp_timer_key(rp_self *me, uint64_t key, rp_time when, const rp_type *t, const void *body)
{
    struct rp_loop *l = me->loop;
    struct rp__delayed *d;
    int rc = start(me, when, 0, t, body, &d);
    if (rc != 0)
        return rc;
    struct rp__map *keyed = &me->actor->extra->keyed;
    struct rp__delayed *old = rp__map_remove(keyed, key);
    if (rp__map_put(keyed, &l->sys->mem, key, d) != 0) { /* only when there was no old one: else there is room */
        stop(l, d);
        return -ENOMEM;
    }
    d->keyed = true;
    d->key = key;
    if (old) {
        old->keyed = false;
        stop(l, old);
    }
    return 0;
}

int rp_timer_key_stop(rp_self *me, uint64_t key)
{
    struct rp__actor *a = me->actor;
    struct rp__delayed *d = a && a->extra ? rp__map_find(&a->extra->keyed, key) : 0;
    if (!d)
        return -ESRCH;
    stop(me->loop, d);
    return 0;
}

/* The loop they were started on has forgotten their numbers, and no other loop gives the same. */
static struct rp__delayed *brought_with(const struct rp__actor *a, uint64_t id)
{
    if (!a || !a->extra || a->extra->brought == 0)
        return 0;
    for (struct rp__hook *at = a->extra->timers.next; at != &a->extra->timers; at = at->next) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        if (d->brought && d->id == id)
            return d;
    }
    return 0;
}

int rp_timer_stop(rp_self *me, rp_timer t)
{
    struct rp_loop *l = me->loop;
    if (rp__forked(l))
        return -EPERM;
    struct rp__delayed *d = rp__id_find(&l->actors->timers, t.id);
    if (!d && !(d = brought_with(me->actor, t.id)))
        return -ESRCH;
    stop(l, d);
    return 0;
}

struct rp__delayed *rp__timer_due(struct rp_loop *l)
{
    struct rp__hook *at = l->due.next;
    return at == &l->due ? 0 : RP__OF(struct rp__delayed, due, at);
}

/* A copy, and on to the next time that has not passed: who is late skips, and keeps step. */
static rp_msg *tick(struct rp_loop *l, struct rp__actor *a, struct rp__delayed *d)
{
    rp_msg *m = message(l, a, rp_type_of(d->msg), rp__body_of(&d->msg->slot));
    rp_time late = l->now - d->when;
    d->when += d->period * (1 + (late > 0 ? late / d->period : 0));
    rp__unlink(&d->due);
    rp__timer_start(&l->wheel, &d->timer, d->when);
    return m; /* NULL: this one is skipped */
}

static rp_msg *take(struct rp_loop *l, struct rp__actor *a, struct rp__delayed *d)
{
    rp_msg *m = d->msg;
    if (d->period) {
        m = tick(l, a, d);
    } else {
        if (d->keyed)
            rp__map_remove(&a->extra->keyed, d->key);
        forget(l, d);
    }
    if (m)
        rp__tally(l, RP__SENT, 1);
    if (m && rp__traces(l, RP__T_TIMER))
        rp__trace_of(l, RP__T_TIMER, a, "is due", rp_type_of(m)->name);
    return m;
}

rp_msg *rp__timer_take(struct rp_loop *l, struct rp__delayed *d)
{
    struct rp__actor *a = owner(l, d);
    bool busy = a->flags & (RP__A_BUSY | RP__A_DRAINS) && !(a->flags & RP__A_RECV);
    if (!busy && !(a->flags & (RP__A_STOPPED | RP__A_ENDING)))
        return take(l, a, d);
    rp__unlink(&d->due);
    rp__list_push(&a->extra->due, &d->due);
    a->flags |= RP__A_DUE;
    rp__box_tell(a, &d->msg->slot);
    return 0;
}

static bool is_of(const struct rp__delayed *d, const rp_type *const *types)
{
    for (const rp_type *const *t = types; t && *t; t++)
        if (*t == rp_type_of(d->msg))
            return true;
    return !types;
}

rp_msg *rp__timer_of(struct rp_loop *l, struct rp__actor *a, const rp_type *const *types)
{
    rp_msg *m = 0;
    struct rp__hook *due = &a->extra->due;
    for (struct rp__hook *at = due->next, *next; at != due && !m; at = next) {
        next = at->next;
        if (is_of(RP__OF(struct rp__delayed, due, at), types))
            m = take(l, a, RP__OF(struct rp__delayed, due, at));
    }
    if (rp__list_empty(due))
        a->flags &= ~(uint32_t)RP__A_DUE;
    return m;
}

void rp__timers_end(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at; (at = rp__list_pop(&a->extra->timers));)
        stop(l, RP__OF(struct rp__delayed, own, at));
    rp__map_fini(&a->extra->keyed, &l->sys->mem);
    a->extra->keyed = (struct rp__map){0};
    a->flags &= ~(uint32_t)RP__A_DUE;
}

/* ---- moving -------------------------------------------------------------------------------------- */

/* Among those that have come while their actor had no time. By age. */
static void put_due(struct rp__actor *a, struct rp__delayed *d)
{
    struct rp__hook *due = &a->extra->due, *at = due->prev;
    while (at != due && RP__OF(struct rp__delayed, due, at)->when > d->when)
        at = at->prev;
    rp__list_push(at->next, &d->due);
    a->flags |= RP__A_DUE;
}

void rp__timers_pack(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at = a->extra->timers.next; at != &a->extra->timers; at = at->next) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        rp__timer_stop(&l->wheel, &d->timer);
        if (rp__linked(&d->due)) {
            rp__unlink(&d->due);
            put_due(a, d);
        }
        if (!d->brought)
            rp__id_free(&l->actors->timers, d->id);
        a->extra->brought += !d->brought;
        d->brought = true;
    }
}

void rp__timers_unpack(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at = a->extra->timers.next; at != &a->extra->timers; at = at->next) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        d->l = l;
        if (!rp__linked(&d->due))
            rp__timer_start(&l->wheel, &d->timer, d->when);
    }
}
