/* SPDX-License-Identifier: MIT
 *
 * timer.c - messages to oneself, later.
 *
 * A timer that is due stands in a list until it is its message's turn; stopping it takes it out of
 * there too, so that after rp_timer_stop the message cannot come.
 */
#include "actors/runtime.h"

#include <errno.h>

struct rp__delayed {
    struct rp__timer timer;
    struct rp_loop *l;
    struct rp__hook own;  /* in its actor's list */
    struct rp__hook due;
    uint64_t id;
    rp_msg *msg;
};

static void fire(struct rp__timer *t)
{
    struct rp__delayed *d = RP__OF(struct rp__delayed, timer, t);
    rp__list_push(&d->l->due, &d->due);
}

static void forget(struct rp_loop *l, struct rp__delayed *d)
{
    rp__timer_stop(&l->wheel, &d->timer);
    rp__unlink(&d->due);
    rp__unlink(&d->own);
    rp__id_free(&l->actors->timers, d->id);
    rp__pool_free(&l->pool, d, sizeof *d);
}

int rp_timer_start(rp_self *me, rp_time when, const rp_type *t, const void *body, rp_timer *ret)
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
    struct rp__out o = {.to = rp__ref(l, a->addr), .from = a->addr, .type = t, .body = body};
    *d = (struct rp__delayed){.timer.fire = fire, .l = l};
    d->id = rp__id_new(&l->actors->timers, &l->sys->mem, d);
    d->msg = d->id ? rp__msg_of(l, &o) : 0;
    if (!d->msg) {
        if (d->id)
            rp__id_free(&l->actors->timers, d->id);
        rp__pool_free(&l->pool, d, sizeof *d);
        return -ENOMEM;
    }
    rp__list_push(&x->timers, &d->own);
    rp__timer_start(&l->wheel, &d->timer, when);
    if (ret)
        ret->id = d->id;
    return 0;
}

int rp_timer_stop(rp_self *me, rp_timer t)
{
    struct rp_loop *l = me->loop;
    if (rp__forked(l))
        return -EPERM;
    struct rp__delayed *d = rp__id_find(&l->actors->timers, t.id);
    if (!d)
        return -ESRCH;
    rp__msg_release(l, &d->msg->slot);
    forget(l, d);
    return 0;
}

struct rp__delayed *rp__timer_due(struct rp_loop *l)
{
    struct rp__hook *at = l->due.next;
    return at == &l->due ? 0 : RP__OF(struct rp__delayed, due, at);
}

rp_msg *rp__timer_take(struct rp_loop *l, struct rp__delayed *d)
{
    rp_msg *m = d->msg;
    rp__tally(l, RP__SENT, 1);
    forget(l, d);
    return m;
}

void rp__timers_end(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at; (at = rp__list_pop(&a->extra->timers));) {
        struct rp__delayed *d = RP__OF(struct rp__delayed, own, at);
        rp__msg_release(l, &d->msg->slot);
        forget(l, d);
    }
}
