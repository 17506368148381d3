/* SPDX-License-Identifier: MIT
 *
 * timer.c - messages to oneself, later.
 *
 * A timer and its message are one block, which is the message's once the timer has done its work: a slot
 * longer than it need be.
 *
 *   +-----------------+-----------------+- - - - -
 *   | the message     | rp__delayed     | period     64 bytes each; the last only if it comes again
 *   +-----------------+-----------------+- - - - -
 *
 * A timer that is due stands in a list until its actor takes its message: in the loop's, or, when the actor
 * is busy, in the actor's own. Never in the mailbox: stopping it takes it out of whichever list, so that
 * after rp_timer_stop the message cannot come; and a periodic one has at most one message waiting.
 */
#include "actors/mail/mail.h"
#include "actors/mail/token.h"
#include "actors/mail/trace.h"
#include "actors/table/runtime.h"
#include "loop/here.h"

#include <assert.h>
#include <errno.h>

/* The low byte of a timer's `order`. DUE: it stands in a list by `due`, not in the wheel. BROUGHT: from another loop; `id` is that
 * one's, and found in the actor's list. */
enum { KEYED = 1, EVERY = 2, DUE = 4, BROUGHT = 8 };

struct rp__delayed {
    union {
        struct rp__timer timer;
        struct rp__hook due;
    };
    struct rp__hook own; /* in its actor's list */
    union {
        uint64_t id;
        uint64_t key;
    };
    rp_time period[];
};

_Static_assert(sizeof(struct rp__delayed) == RP__SLOT, "it stands in a slot");
_Static_assert(offsetof(struct rp__timer, when) >= sizeof(struct rp__hook), "`due` takes the wheel's links, no more");

static struct rp__slot *slot_of(struct rp__delayed *d)
{
    return (struct rp__slot *)(void *)d - 1;
}

/* Timers end before their actor does. */
static struct rp__actor *owner(struct rp_loop *l, struct rp__delayed *d)
{
    return rp__actor_find(l->actors, slot_of(d)->to);
}

/* It will be dispatched in this round: what that touches is fetched now. */
static void fire(struct rp__timer *t, struct rp__wheel *w)
{
    struct rp__delayed *d = RP__OF(struct rp__delayed, timer, t);
    struct rp_loop *l = RP__OF(struct rp_loop, wheel, w);
    t->order |= DUE;
    rp__list_push(&l->due, &d->due);
    __builtin_prefetch(slot_of(d));
    __builtin_prefetch(rp__slab_of(slot_of(d)));
    __builtin_prefetch(d->own.next, 1);
    __builtin_prefetch(d->own.prev, 1);
    if (!(t->order & (KEYED | BROUGHT)))
        __builtin_prefetch(&l->actors->timers.at[(uint32_t)d->id - 1], 1);
}

/* ---- starting ------------------------------------------------------------------------------------ */

/* The body in the message's one slot, or in a block of its own. */
static struct rp__delayed *build(struct rp_loop *l, const struct rp__actor *a, const rp_type *t, const void *body, unsigned note)
{
    const struct rp__shape *shape = rp__shape(&l->actors->types, t);
    unsigned behind = note & EVERY ? 2 : 1;
    struct rp__big *big = 0;
    if (shape->word & RP__FLAG(RP__F_BIG | RP__F_EXTRA) && !(big = rp__big_new(l, t, body)))
        return 0;
    struct rp__slot *s = rp__pool_get(&l->pool, (1 + behind) * sizeof *s);
    if (!s) {
        if (big)
            rp__big_free(l, big);
        return 0;
    }
    s->to = s->from = a->addr;
    s->type = (shape->word & ~RP__FLAG(RP__F_EXTRA)) | RP__FLAG(RP__F_OWNED | behind | (big ? RP__F_BIG : 0u));
    if (big)
        s->body[0] = (uintptr_t)big;
    else if (shape->size > 0)
        memcpy(s->body, body, shape->size);
    struct rp__delayed *d = (struct rp__delayed *)(void *)(s + 1);
    d->timer = (struct rp__timer){.fire = fire, .order = note};
    return d;
}

/* Not started after all: what the body owns is still the caller's. */
static void unbuild(struct rp_loop *l, struct rp__delayed *d)
{
    struct rp__slot *s = slot_of(d);
    if (rp__flags(s->type) & RP__F_BIG)
        rp__big_free(l, rp__big_of(s));
    rp__msg_shell_free(l, s);
}

static int make(rp_self *me, const rp_type *t, const void *body, unsigned note, struct rp__delayed **ret)
{
    struct rp_loop *l = me->loop;
    if (rp__forked(l))
        return -EPERM;
    int rc = me->actor ? rp__sendable(rp__shape(&l->actors->types, t), body) : -EINVAL;
    if (rc != 0)
        return rc;
    *ret = rp__extra(l, me->actor) ? build(l, me->actor, t, body, note) : 0;
    return *ret ? 0 : -ENOMEM;
}

static void begin(rp_self *me, struct rp__delayed *d, rp_time when)
{
    rp__list_push(&me->actor->extra->timers, &d->own);
    rp__timer_start(&me->loop->wheel, &d->timer, when);
}

static int start(rp_self *me, rp_time when, rp_time period, const rp_type *t, const void *body, rp_timer *ret)
{
    struct rp_loop *l = me->loop;
    struct rp__delayed *d;
    rp__must_be_here(me);
    int rc = make(me, t, body, period ? EVERY : 0, &d);
    if (rc != 0)
        return rc;
    d->id = rp__id_new(&l->actors->timers, &l->sys->mem, d);
    if (!d->id) {
        unbuild(l, d);
        return -ENOMEM;
    }
    if (period)
        d->period[0] = period;
    begin(me, d, when);
    if (ret)
        ret->id = d->id;
    return 0;
}

int rp_timer_start(rp_self *me, rp_time when, const rp_type *t, const void *body, rp_timer *ret)
{
    struct rp__pledge p;
    int rc = rp__pledge(me, t, body, false, &p);
    if (rc == 0)
        rc = start(me, when, 0, t, body, ret);
    rp__pledge_end(me, &p, rc == 0);
    return rc;
}

int rp_timer_every(rp_self *me, rp_time first, rp_time period, const rp_type *t, const void *body, rp_timer *ret)
{
    return period >= RP_MS && t && rp__type_copies(t) ? start(me, first, period, t, body, ret) : -EINVAL;
}

/* ---- stopping ------------------------------------------------------------------------------------ */

static void leave_due(struct rp__delayed *d)
{
    rp__unlink(&d->due);
    d->timer.at = 0;
    d->timer.order &= ~(uint64_t)DUE;
}

/* It is a timer no more; the block is its message's. */
static void retire(struct rp_loop *l, struct rp__actor *a, struct rp__delayed *d)
{
    if (d->timer.order & DUE)
        leave_due(d);
    else
        rp__timer_stop(&l->wheel, &d->timer);
    rp__unlink(&d->own);
    if (d->timer.order & KEYED)
        rp__map_remove(&a->extra->keyed, d->key);
    else if (!(d->timer.order & BROUGHT))
        rp__id_free(&l->actors->timers, d->id);
}

static void stop(struct rp_loop *l, struct rp__actor *a, struct rp__delayed *d)
{
    retire(l, a, d);
    rp__msg_cancel(l, slot_of(d));
}

/* The loop they were started on has forgotten their numbers, and no other loop gives the same. */
static struct rp__delayed *brought_with(const struct rp__actor *a, uint64_t id)
{
    if (!a || !a->extra || a->extra->brought == 0)
        return 0;
    for (struct rp__hook *at = a->extra->timers.next; at != &a->extra->timers; at = at->next) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        if (d->timer.order & BROUGHT && d->id == id)
            return d;
    }
    return 0;
}

int rp_timer_stop(rp_self *me, rp_timer t)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    struct rp__delayed *d = rp__id_find(&l->actors->timers, t.id);
    if ((!d || slot_of(d)->to != rp__addr_of(me)) && !(d = brought_with(me->actor, t.id)))
        return -ESRCH;
    stop(l, me->actor, d);
    return 0;
}

static int start_keyed(rp_self *me, uint64_t key, rp_time when, const rp_type *t, const void *body)
{
    struct rp_loop *l = me->loop;
    struct rp__delayed *d;
    int rc = make(me, t, body, KEYED, &d);
    if (rc != 0)
        return rc;
    struct rp__actor *a = me->actor;
    struct rp__delayed *old = rp__map_find(&a->extra->keyed, key);
    if (old)
        stop(l, a, old);
    if (rp__map_put(&a->extra->keyed, &l->sys->mem, key, d) != 0) { /* not where an old one has made room */
        unbuild(l, d);
        return -ENOMEM;
    }
    d->key = key;
    begin(me, d, when);
    return 0;
}

int rp_timer_key(rp_self *me, uint64_t key, rp_time when, const rp_type *t, const void *body)
{
    struct rp__pledge p;
    int rc = rp__pledge(me, t, body, false, &p);
    if (rc == 0)
        rc = start_keyed(me, key, when, t, body);
    rp__pledge_end(me, &p, rc == 0);
    return rc;
}

int rp_timer_key_stop(rp_self *me, uint64_t key)
{
    rp__must_be_here(me);
    if (rp__forked(me->loop))
        return -EPERM;
    struct rp__actor *a = me->actor;
    struct rp__delayed *d = a && a->extra ? rp__map_find(&a->extra->keyed, key) : 0;
    if (!d)
        return -ESRCH;
    stop(me->loop, a, d);
    return 0;
}

bool rp__timers_find(const struct rp__actor *a, bool (*is)(struct rp__slot *s, const void *arg), const void *arg)
{
    const struct rp__hook *all = a->extra ? &a->extra->timers : 0;
    for (const struct rp__hook *at = all ? all->next : 0; at != all; at = at->next)
        if (is(slot_of(RP__OF(struct rp__delayed, own, at)), arg))
            return true;
    return false;
}

void rp__timers_end(struct rp_loop *l, struct rp__actor *a)
{
    while (!rp__list_empty(&a->extra->timers))
        stop(l, a, RP__OF(struct rp__delayed, own, a->extra->timers.next));
    rp__map_fini(&a->extra->keyed, &l->sys->mem);
    a->extra->keyed = (struct rp__map){0};
    a->flags &= ~(uint32_t)RP__A_DUE;
}

/* ---- when they are due --------------------------------------------------------------------------- */

struct rp__delayed *rp__timer_due(struct rp_loop *l)
{
    struct rp__hook *at = l->due.next;
    return at == &l->due ? 0 : RP__OF(struct rp__delayed, due, at);
}

/* A copy, and on to the next time that has not passed: who is late skips, and keeps step. */
static rp_msg *tick(struct rp_loop *l, struct rp__actor *a, struct rp__delayed *d)
{
    struct rp__slot *s = slot_of(d);
    struct rp__out o = {.to = rp__ref(l, a->addr), .from = a->addr, .type = rp__type(s->type), .body = rp__body_of(s)};
    rp_msg *m = rp__msg_of(l, &o);
    rp_time when = d->timer.when, period = d->period[0], late = l->now - when;
    rp_time last = when + (late > 0 ? late / period * period : 0);
    leave_due(d);
    rp__timer_start(&l->wheel, &d->timer, rp__after(last, period));
    return m; /* NULL: this one is skipped */
}

static rp_msg *take(struct rp_loop *l, struct rp__actor *a, struct rp__delayed *d)
{
    rp_msg *m = (rp_msg *)slot_of(d);
    if (d->timer.order & EVERY)
        m = tick(l, a, d);
    else
        retire(l, a, d);
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
    rp__box_tell(a, slot_of(d));
    return 0;
}

static bool is_of(struct rp__delayed *d, const rp_type *const *types)
{
    for (const rp_type *const *t = types; t && *t; t++)
        if (rp__type_is(rp__type(slot_of(d)->type), *t))
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

/* ---- moving -------------------------------------------------------------------------------------- */

/* Among those that have come while their actor had no time. By age. */
static void put_due(struct rp__actor *a, struct rp__delayed *d)
{
    struct rp__hook *due = &a->extra->due, *at = due->prev;
    while (at != due && RP__OF(struct rp__delayed, due, at)->timer.when > d->timer.when)
        at = at->prev;
    rp__list_push(at->next, &d->due);
    a->flags |= RP__A_DUE;
}

void rp__timers_pack(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at = a->extra->timers.next; at != &a->extra->timers; at = at->next) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        if (d->timer.order & DUE) {
            rp__unlink(&d->due);
            put_due(a, d);
        } else {
            rp__timer_stop(&l->wheel, &d->timer);
        }
        if (d->timer.order & (KEYED | BROUGHT))
            continue;
        rp__id_free(&l->actors->timers, d->id);
        d->timer.order |= BROUGHT;
        a->extra->brought++;
    }
}

void rp__timers_unpack(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at = a->extra->timers.next; at != &a->extra->timers; at = at->next) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        if (!(d->timer.order & DUE))
            rp__timer_start(&l->wheel, &d->timer, d->timer.when);
    }
}
