/* SPDX-License-Identifier: MIT
 *
 * monitor.c - who ended, told to who asked.
 *
 * The RP_DOWN is made when the monitor is set up, so that it cannot fail to be sent. It travels in the
 * ring behind everything its actor has sent, and needs no room in the watcher's mailbox.
 */
#include "actors/life/life.h"
#include "actors/mail/trace.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "loop/here.h"

#include <errno.h>
#include <string.h>

static const rp_field down_fields[] = {
    RP_FIELD(struct rp_down, who, RP_REF),
    RP_FIELD(struct rp_down, reason, RP_I32),
    RP_FIELD(struct rp_down, name, RP_CHARS),
    RP_FIELD(struct rp_down, why, RP_CHARS),
};
const rp_type rp_down_type = RP_TYPE("rp.down", struct rp_down, down_fields);

static const rp_field exit_fields[] = {
    RP_FIELD(struct rp_exit_notice, who, RP_REF),
    RP_FIELD(struct rp_exit_notice, reason, RP_I32),
    RP_FIELD(struct rp_exit_notice, why, RP_CHARS),
};
const rp_type rp_exit_notice_type = RP_TYPE("rp.exit", struct rp_exit_notice, exit_fields);

_Static_assert(sizeof(struct rp_exit_notice) <= RP__SLOT - RP__HEAD, "one slot");
_Static_assert(sizeof(struct rp_down) <= RP__SURE_SLOTS * RP__SLOT - RP__HEAD, "what may not be lost");

static struct rp_down down_of(struct rp_loop *l, uint64_t target, const struct rp__actor *a, int reason)
{
    struct rp_down d = {.who = rp__ref(l, target), .reason = reason};
    if (a && a->kind->name)
        memcpy(d.name, a->kind->name, strnlen(a->kind->name, sizeof d.name - 1));
    return d;
}

static void put_down(struct rp__slot s[RP__SURE_SLOTS], uint64_t watcher, uint64_t from, const struct rp_down *d)
{
    s[0] = (struct rp__slot){watcher, from, rp__word(&rp_down_type, RP__F_SURE | (RP__SURE_SLOTS - 1)), {0}};
    memcpy(rp__body_of(s), d, sizeof *d);
}

void rp__down_now(struct rp_loop *l, uint64_t watcher, const struct rp_down *d)
{
    struct rp__slot s[RP__SURE_SLOTS];
    put_down(s, watcher, 0, d);
    if (rp__traces(l, RP__T_LINK))
        rp__trace_down(l, d->who, d->reason, watcher);
    rp__tally(l, RP__SENT, 1);
    rp__post_sure(l, s);
}

int rp__watch_new(struct rp_loop *l, struct rp__actor *a, uint64_t watcher, uint64_t via, uint64_t id)
{
    struct rp__extra *x = rp__extra(l, a);
    struct rp__watch *w = x ? rp__pool_get(&l->pool, sizeof *w) : 0;
    struct rp__spill *down = w ? rp__spill_of(l, RP__SURE_SLOTS) : 0;
    if (!down) {
        if (w)
            rp__pool_free(&l->pool, w, sizeof *w);
        return -ENOMEM;
    }
    *w = (struct rp__watch){.via = via, .id = id, .down = down};
    struct rp_down d = down_of(l, a->addr, a, 0);
    put_down(down->slot, watcher, a->addr, &d);
    rp__list_push(&x->watches, &w->link);
    a->flags |= RP__A_WATCHED;
    if (rp__traces(l, RP__T_LINK))
        rp__trace_tie(l, watcher, "monitors", d.who);
    if (via && !rp__runtime(l)->route->watched(l, w))
        rp__watch_free(l, w); /* that link is gone */
    return 0;
}

void rp__watch_add(struct rp_loop *l, uint64_t target, uint64_t watcher, uint64_t via, uint64_t id)
{
    struct rp__actor *a = rp__actor_find(l->actors, target);
    if (a && rp__watch_new(l, a, watcher, via, id) == 0)
        return;
    struct rp_down d = down_of(l, target, a, a ? -ENOMEM : -ESRCH);
    if (via)
        rp__runtime(l)->route->down(l, via, id, &d);
    else
        rp__down_now(l, watcher, &d);
}

void rp__watch_free(struct rp_loop *l, struct rp__watch *w)
{
    rp__unlink(&w->link);
    rp__unlink(&w->peer);
    if (w->down)
        rp__spill_free(l, w->down);
    rp__pool_free(&l->pool, w, sizeof *w);
}

static bool is_watch(const struct rp__watch *w, uint64_t watcher, uint64_t via, uint64_t id)
{
    return w->via == via && (via ? w->id == id : w->down->slot[0].to == watcher);
}

/* The latest of that watcher's. When there is none any more, a failure is nobody's again. */
void rp__watch_undo(struct rp_loop *l, uint64_t target, uint64_t watcher, uint64_t via, uint64_t id)
{
    struct rp__actor *a = rp__actor_find(l->actors, target);
    struct rp__hook *all = a && a->extra ? &a->extra->watches : 0;
    for (struct rp__hook *at = all ? all->prev : 0; at != all; at = at->prev) {
        struct rp__watch *w = RP__OF(struct rp__watch, link, at);
        if (!is_watch(w, watcher, via, id))
            continue;
        rp__watch_free(l, w);
        if (via)
            rp__runtime(l)->route->unwatched(l, via);
        if (rp__list_empty(all) && !(a->flags & RP__A_KEPT))
            a->flags &= ~(uint32_t)RP__A_WATCHED;
        return;
    }
}

void rp__watch_forget_first(struct rp_loop *l, struct rp__actor *a)
{
    struct rp__hook *at = rp__list_pop(&a->extra->watches);
    if (at)
        rp__watch_free(l, RP__OF(struct rp__watch, link, at));
}

void rp__watches_fire(struct rp_loop *l, struct rp__actor *a)
{
    for (struct rp__hook *at; (at = rp__list_pop(&a->extra->watches));) {
        struct rp__watch *w = RP__OF(struct rp__watch, link, at);
        struct rp_down d = down_of(l, a->addr, a, a->reason);
        if (a->why)
            memcpy(d.why, a->why, strnlen(a->why, sizeof d.why - 1));
        if (rp__traces(l, RP__T_LINK))
            rp__trace_down(l, d.who, d.reason, w->down->slot[0].to);
        if (w->via) {
            rp__runtime(l)->route->down(l, w->via, w->id, &d);
        } else {
            memcpy(rp__body_of(w->down->slot), &d, sizeof d);
            rp__tally(l, RP__SENT, 1);
            rp__post_made(l, w->down);
            w->down = 0;
        }
        rp__watch_free(l, w);
    }
}

int rp_monitor(rp_self *me, rp_ref who)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!me->actor || rp_ref_none(who))
        return -EINVAL;
    if (who.node != l->node) {
        const struct rp__route *route = rp__runtime(l)->route;
        if (route)
            return route->monitor(l, rp__ref(l, me->actor->addr), who);
        struct rp_down d = {.who = who, .reason = -EHOSTUNREACH};
        rp__down_now(l, me->actor->addr, &d);
        return 0;
    }
    if (rp__loop_of(who.local) >= l->sys->nloops)
        return -EINVAL;
    struct rp__slot s = {who.local, me->actor->addr, rp__op_word(RP__OP_MONITOR), {0}};
    return rp__post_slots(l, rp__route_of(l, who.local), &s, 1);
}

int rp_demonitor(rp_self *me, rp_ref who)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me);
    if (rp__forked(l))
        return -EPERM;
    if (!me->actor || rp_ref_none(who))
        return -EINVAL;
    const struct rp__route *route = rp__runtime(l)->route;
    if (who.node != l->node)
        return route ? route->demonitor(l, rp__ref(l, me->actor->addr), who) : 0;
    if (rp__loop_of(who.local) >= l->sys->nloops)
        return -EINVAL;
    struct rp__slot s = {who.local, me->actor->addr, rp__op_word(RP__OP_MONITOR), {0, 0, 1}};
    return rp__post_slots(l, rp__route_of(l, who.local), &s, 1);
}
