/* SPDX-License-Identifier: MIT */
#include "tests/audit.h"

#include "actors/life/move.h"
#include "actors/table/runtime.h"
#include "loop/system.h"
#include "loop/world/sim.h"

#include <errno.h>
#include <pthread.h>

static uint64_t steps;

/* ---- counting ------------------------------------------------------------------------------------ */

static bool is_message(const struct rp__slot *s)
{
    return s->type != RP__PAD && !(rp__flags(s->type) & RP__F_SYSTEM);
}

static uint64_t in_events(const struct rp__events *e)
{
    uint64_t n = 0;
    for (const struct rp__chunk *c = e->first; c; c = c->next) {
        const struct rp__slot *at = c == e->first ? e->head : c->slot;
        const struct rp__slot *end = c == e->last ? e->tail : c == e->first ? e->head_end : c->slot + c->pad[0];
        for (; at < end; at += rp__slots(at->type))
            n += is_message(at);
        if (c == e->last)
            break;
    }
    return n;
}

/* All that the producer has written, published or not. */
static uint64_t in_ring(const struct rp__ring *r)
{
    uint64_t n = 0;
    for (uint32_t at = r->chead; at != r->ptail;) {
        const struct rp__slot *s = r->slots + (at & (RP__RING_SLOTS - 1));
        n += is_message(s);
        at += s->type == RP__PAD ? (uint32_t)s->to : rp__slots(s->type);
    }
    return n;
}

static uint64_t in_spills(const struct rp__hook *spills)
{
    uint64_t n = 0;
    for (const struct rp__hook *at = spills->next; at != spills; at = at->next)
        n += is_message(RP__OF(struct rp__spill, link, at)->slot);
    return n;
}

/* What its mailbox holds, and what its handler is at while it waits. */
static uint64_t of_actor(const struct rp__actor *a)
{
    uint64_t n = a->box ? a->box->count : 0;
    if (a->flags & RP__A_MOVING && a == a->move->shell && a->move->on_way && a->move->gone.box)
        n += a->move->gone.box->count; /* between two loops */
    if (a->co && !(a->flags & RP__A_COROUTINE) && a->co->msg)
        n += !(rp__flags(a->co->msg->type) & RP__F_TAKEN);
    return n;
}

static uint64_t of_loop(struct rp_loop *l)
{
    uint64_t n = in_events(&l->events) + in_spills(&l->spills) + in_spills(&l->actors->held);
    for (unsigned i = 0; i < l->sys->nloops; i++) {
        const struct rp__ring *r = atomic_load_explicit(&l->in[i], memory_order_acquire);
        n += r ? in_ring(r) + in_spills(&r->spills) : 0;
    }
    for (uint32_t i = 0; i < l->actors->count; i++) {
        const struct rp__actor *a = rp__actor_at(l->actors, i);
        n += a->addr ? of_actor(a) : 0;
    }
    return n;
}

static void audit(rp_system *sys, int64_t held)
{
    rp_ledger l;
    uint64_t found = 0;
    for (unsigned i = 0; i < sys->nloops; i++)
        found += of_loop(sys->loops[i]);
    rp__ledger_sum(sys, &l);
    uint64_t dropped = 0;
    for (unsigned i = 0; i < sys->nloops * RP_DROPPED_WHYS; i++)
        dropped += sys->loops[i / RP_DROPPED_WHYS]->tally[RP__DROPPED_WHY + i % RP_DROPPED_WHYS];
    check_eq(dropped, l.dropped);
    int64_t books = (int64_t)(l.sent + l.arrived - l.handled - l.left - l.dead - l.dropped - l.late - l.expired);
    int64_t rest = books - (int64_t)found;
    check(held == HELD_ANY ? rest >= 0 : rest == held, "by the books %lld are in flight, %llu are found and %lld held",
          (long long)books, (unsigned long long)found, (long long)held);
    steps++;
}

uint64_t audit_steps(void)
{
    return steps;
}

/* ---- simulated ------------------------------------------------------------------------------------- */

static void each_step(void *ud, struct rp__sim_node *n)
{
    enum { FEW = 4096 }; /* actors on a loop: more would take too long */
    for (unsigned i = 0; i < n->sys->nloops; i++)
        if (n->sys->loops[i]->actors->count > FEW)
            return;
    audit(n->sys, (intptr_t)ud);
}

void audit_every_step(rp_self *me, int64_t held)
{
    struct rp__sim_node *n = me->loop->sys->world_ud;
    check(me->loop->world == &rp__world_sim);
    rp__sim_watch(n->sim, each_step, (void *)(intptr_t)held);
}

/* ---- on threads ------------------------------------------------------------------------------------ */

struct cut {
    rp_system *sys;
    int64_t held;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned stopped; /* loops that stand */
    bool over;
};

/* On a loop, at the beginning of a round: stands until all have been counted. */
static void stand(void *arg)
{
    struct cut *c = arg;
    pthread_mutex_lock(&c->lock);
    c->stopped++;
    pthread_cond_broadcast(&c->changed);
    while (!c->over)
        pthread_cond_wait(&c->changed, &c->lock);
    c->stopped--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static int cut_through(void *arg)
{
    struct cut *c = arg;
    for (unsigned i = 0; i < c->sys->nloops; i++)
        check_eq(rp_post(c->sys, i, stand, c), 0);
    pthread_mutex_lock(&c->lock);
    while (c->stopped < c->sys->nloops)
        pthread_cond_wait(&c->changed, &c->lock);
    audit(c->sys, c->held);
    c->over = true;
    pthread_cond_broadcast(&c->changed);
    while (c->stopped > 0) /* this is on the caller's stack */
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

void audit_now(rp_self *me, int64_t held)
{
    struct cut c = {.sys = me->loop->sys, .held = held, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    int rc = rp_offload(me, cut_through, &c, RP_FOREVER);
    check(rc == 0 || rc == -ECANCELED, "%d", rc); /* who is told to stop before it begins does not begin */
}

static int audit_run(rp_self *me, void *arg)
{
    int rc = 0;
    while (rc == 0) {
        audit_now(me, arg ? *(int64_t *)arg : 0);
        rc = rp_sleep(me, rp_in_ms(me, 5));
    }
    return rc == -ECANCELED ? 0 : rc;
}
const rp_actor auditor = {.name = "auditor", .run = audit_run};
