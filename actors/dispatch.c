/* SPDX-License-Identifier: MIT
 *
 * dispatch.c - takes messages off the rings and gives each to its actor.
 *
 * The common case is short: find the actor by the address, see that it is idle, call its handler with
 * the slot where it lies. Everything else (it has a stack, it is busy, it has ended, it is a reply, a
 * signal) is a function of its own below.
 *
 * A handler that waits keeps the stack that this code runs on (scheduler.c). So after each call to a
 * handler: is this stack still the scheduler's? If not, the rest of the round belongs to another, and
 * what remains here is to finish that actor's turn and to retire the stack.
 */
#include "actors/life/life.h"
#include "actors/mail/ask.h"
#include "actors/mail/handled.h"
#include "actors/mail/hands.h"
#include "actors/mail/mail.h"
#include "actors/mail/trace.h"
#include "actors/table/meter.h"
#include "actors/table/post.h"
#include "actors/table/runtime.h"
#include "actors/table/talk.h"
#include "actors/table/window.h"
#include "loop/held.h"
#include "loop/here.h"
#include "loop/scope.h"
#include "loop/system.h"

#include <assert.h>
#include <errno.h>

enum {
    AHEAD = 8,    /* slots between the one dispatched and the one whose actor is prefetched, */
    MANY = 2048   /* where there are more records than a cache holds */
};

enum place { LOCAL, RING, OWNED }; /* where a message lies */

/* ---- handlers and their messages ------------------------------------------------------------------ */

/* Its actor has ended, or is about to; there may be a next incarnation. */
static void meet_ended(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, enum place place)
{
    switch (a ? rp__mail_of(a) : RP_MAIL_DEAD) {
    case RP_MAIL_KEEP:
        rp__box_put(l, a, s, place == OWNED);
        return;
    case RP_MAIL_DROP:
        rp__drop(l, s, RP_DROPPED_RESTART);
        return;
    case RP_MAIL_DEAD:
        rp__finish(l, s, RP__DEAD);
        return;
    }
}

/* ---- handlers ------------------------------------------------------------------------------------ */

/* A handler is about to wait for the first time in this message: the stack is its own now. */
void rp__suspended(rp_self *me)
{
    struct rp__actor *a = me->actor;
    struct rp__events *e = &me->loop->events;
    if (!a)
        return;
    a->flags |= RP__A_BUSY;
    a->co = me;
    me->is_actor = true;
    me->tasks_class = (uint8_t)rp__stack_of(a);
    const char *msg = (const char *)me->msg, *chunk = (const char *)e->first;
    if (msg >= chunk && msg < chunk + sizeof *e->first) {
        me->pin = e->first;
        me->pin->pins++;
    }
}

__attribute__((noinline)) static void leaves_open(rp_self *me)
{
    if (me->scope)
        rp__returned_over_scope(me, "handler");
    rp__abandon_held(me);
}

static int handle(rp_self *me, struct rp__actor *a, struct rp__slot *s)
{
    me->msg = s;
    int rc = a->handle(me, a->state, (rp_msg *)s);
    if (__builtin_expect(((uintptr_t)me->scope | (uintptr_t)me->held) != 0, 0))
        leaves_open(me);
    me->msg = 0; /* its slot is another's soon, and the loop may be looked at anywhere: freeze.h */
    atomic_signal_fence(memory_order_seq_cst);
    return rc;
}

/* A handler that had waited has returned: its actor goes on with what came meanwhile, on this stack,
 * until its mailbox is empty or it is to move; then the stack is given back. */
__attribute__((noinline, noreturn)) static void finish_turn(rp_self *me, struct rp__slot *s, int rc)
{
    struct rp_loop *l = me->loop;
    struct rp__actor *a = me->actor;
    for (;;) {
        unsigned n = rp__slots(s->type);
        if (rc < 0)
            rc = rp__judge(me, a, s, rc);
        me->excused = 0;
        rp__done_with(l, s, false);
        if (me->pin) {
            rp__events_done(s, n);
            rp__chunk_unpin(&l->events, me->pin);
            me->pin = 0;
        }
        if (rc == 0 && rp__is_demoted(l, a) && rp__has_mail(a))
            rp__stand_behind(me);
        rp_msg *m = rc == 0 && !(a->flags & (RP__A_STOPPED | RP__A_LEAVES)) ? rp__next_in_box(l, a) : 0;
        if (!m)
            break;
        s = me->msg = &m->slot; /* before others run, who look at what it is at */
        if (!rp__stint_goes_on(&l->stint))
            rp__yield_sure(me);
        else
            l->stint.left--;
        rc = handle(me, a, s);
    }
    (void)rp__stint_goes_on(&l->stint); /* here it is known yet whose time it was */
    rp__hands_put_down(me, a, rc != 0 || a->flags & RP__A_STOPPED);
    a->co = 0;
    a->flags &= ~(uint32_t)(RP__A_BUSY | RP__A_DRAINS);
    me->actor = 0;
    if (rc != 0 || a->flags & RP__A_STOPPED)
        rp__actor_end(l, a, rc == RP_STOP ? 0 : rc);
    else if (a->flags & RP__A_LEAVES)
        rp__leave(l, a);
    rp__retire(me);
}

/* For an idle handler, on the scheduler's stack. */
static inline void call_handler(struct rp_loop *l, rp_self *me, struct rp__actor *a, struct rp__slot *s)
{
    me->actor = a;
    me->nowait = (a->flags & RP__A_NOWAIT) != 0;
    me->sent_mark = rp__sent(l);
    int rc = handle(me, a, s);
    if (__builtin_expect(l->sched != me, 0))
        finish_turn(me, s, rc);
    if (__builtin_expect(rc < 0, 0))
        rc = rp__judge(me, a, s, rc);
    rp__done_with(l, s, false);
    if (__builtin_expect(rc != 0, 0))
        rp__actor_end(l, a, rc == RP_STOP ? 0 : rc);
}

/* A handler may wait, and the ring's slot will be written again: it gets a copy. */
__attribute__((noinline)) static void call_with_copy(struct rp_loop *l, rp_self *me, struct rp__actor *a,
                                                     struct rp__slot *s)
{
    if (rp__slots(s->type) > 1) {
        rp_msg *m = rp__msg_hold(l, s);
        if (!m)
            rp__no_memory(l, s);
        else
            call_handler(l, me, a, &m->slot);
        return;
    }
    struct rp__slot copy;
    rp__slot_copy(&copy, s);
    call_handler(l, me, a, &copy);
}

/* To who has a stack. Who is at a message takes the next ones itself, also what it has unstashed. */
static rp_self *give_next(struct rp_loop *l, struct rp__actor *a)
{
    a->flags &= ~(uint32_t)RP__A_DRAINS;
    rp_msg *m = a->flags & RP__A_RECV ? rp__next_in_box(l, a) : 0;
    if (!m)
        return 0;
    rp__give(a, m);
    return a->co;
}

/* A handler that has unstashed and returned, or is demoted: what stands in its mailbox comes before what comes now. With one
 * that is slow the turn is over, and what others have sent by then comes before the next. */
static void drain(struct rp_loop *l, rp_self *me, struct rp__actor *a)
{
    uint64_t addr = a->addr;
    a->flags &= ~(uint32_t)RP__A_DRAINS; /* a handler that waits in the middle is busy: what comes finds it so */
    for (rp_msg *m; rp__stint_goes_on(&l->stint) && (m = rp__next_in_box(l, a));) {
        l->stint.left--;
        call_handler(l, me, a, &m->slot);
        if (a->addr != addr || a->flags & RP__A_ENDING)
            return;
    }
    rp__drain(l, a);
}

/* Its handler may run on this stack. If not, the turn ends, and the scheduler goes on on a larger one. */
static bool fits(struct rp_loop *l, const rp_self *me, struct rp__actor *a)
{
    unsigned class = rp__stack_of(a);
    if (class <= me->class) {
        a->flags &= ~(uint32_t)RP__A_UNFIT;
        return true;
    }
    if (class > l->sched_class)
        l->sched_class = class;
    rp__stint_end(&l->stint);
    return false;
}

static rp_self *on_drain(struct rp_loop *l, rp_self *me, struct rp__actor *a)
{
    if (a->flags & RP__A_BUSY)
        return give_next(l, a);
    if (a->flags & RP__A_UNFIT && !fits(l, me, a)) {
        a->flags &= ~(uint32_t)RP__A_DRAINS;
        rp__drain(l, a); /* again, on that one */
    } else {
        drain(l, me, a);
    }
    return 0;
}

/* ---- coroutines ---------------------------------------------------------------------------------- */

/* Its stack is parked in rp_recv: it gets the message, and is to run now. NULL: there is no memory for that. */
__attribute__((always_inline)) static inline rp_self *hand_over(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, enum place place)
{
    rp_msg *m = place == OWNED ? (rp_msg *)s : rp__msg_hold(l, s);
    if (!m) {
        rp__no_memory(l, s);
        return 0;
    }
    rp__pay(l, &m->slot);
    rp__give(a, m);
    return a->co;
}

/* ---- one message --------------------------------------------------------------------------------- */

static void put_behind(struct rp_loop *l, struct rp__actor *a, struct rp__slot *s, enum place place)
{
    rp__box_put(l, a, s, place == OWNED);
    rp__drain(l, a);
}

/* To one that is idle, or waits for a message: then it is to run now. */
static rp_self *deliver_now(struct rp_loop *l, rp_self *me, struct rp__actor *a, struct rp__slot *s, enum place place)
{
    rp__begin(l, a, s);
    if (a->flags & RP__A_RECV)
        return hand_over(l, a, s, place);
    if (place == RING && !(a->flags & RP__A_NOWAIT))
        call_with_copy(l, me, a, s);
    else
        call_handler(l, me, a, s);
    return 0;
}

static void on_signal(struct rp_loop *l, rp_self *me, struct rp__slot *s)
{
    me->actor = 0; /* it is nobody's code */
    rp__on_signal(l, s);
}

/* Who is to run now, if the message was what he waited for; else NULL. */
__attribute__((noinline)) static rp_self *deliver_rest(struct rp_loop *l, rp_self *me, struct rp__actor *a,
                                                       struct rp__slot *s, enum place place)
{
    if (place != OWNED && s->type & RP__FLAG(RP__F_HEAVY))
        rp__window_left(l, s, place == RING);
    unsigned f = rp__flags(s->type);
    if (f & RP__F_SYSTEM && rp__op_of(s->type) == RP__OP_DRAIN)
        return a && (a->flags & (RP__A_DRAINS | RP__A_ENDING)) == RP__A_DRAINS ? on_drain(l, me, a) : 0;
    else if (f & RP__F_SYSTEM)
        on_signal(l, me, s);
    else if (f & RP__F_REPLY)
        return rp__on_reply(l, s);
    else if (!a || a->flags & (RP__A_ENDING | RP__A_STOPPED))
        meet_ended(l, a, s, place);
    else if (rp__expired(l, s))
        rp__finish(l, s, RP__EXPIRED);
    else if (a->flags & RP__A_DRAINS || (a->flags & (RP__A_BUSY | RP__A_RECV)) == RP__A_BUSY)
        rp__box_put(l, a, s, place == OWNED);
    else if (rp__is_demoted(l, a) || (a->flags & RP__A_UNFIT && !fits(l, me, a)))
        put_behind(l, a, s, place);
    else
        return deliver_now(l, me, a, s, place);
    return 0;
}

__attribute__((always_inline)) static inline void deliver(struct rp_loop *l, rp_self *me, struct rp__slot *s, enum place place)
{
    struct rp__actor *a = rp__actor_find(l->actors, s->to);
    const uint64_t special = RP__FLAG(RP__F_SYSTEM | RP__F_REPLY | RP__F_DEADLINE | (place == OWNED ? 0 : RP__F_HEAVY)) | RP__STAMP;
    const uint32_t plain = RP__A_WATCHED | RP__A_NOWAIT | RP__A_INIT | RP__A_KEPT | RP__A_TRAP | RP__A_GUEST |
                           RP__A_PLACED_MASK | RP__A_STACK_MASK;
    if (__builtin_expect(!a || s->type & special || a->flags & ~plain, 0))
        goto rest;
    if (place == RING && !(a->flags & RP__A_NOWAIT))
        call_with_copy(l, me, a, s);
    else
        call_handler(l, me, a, s);
    return;
rest:;
    bool plain_recv = a && !(s->type & special) && (a->flags & (RP__A_RECV | RP__A_TRACED | RP__A_DEMOTED | RP__A_DRAINS)) == RP__A_RECV;
    rp_self *next = plain_recv ? hand_over(l, a, s, place) : deliver_rest(l, me, a, s, place);
    if (next) {
        me->actor = next->actor;
        rp__resume(me, next);
    }
}

/* ---- the rings ----------------------------------------------------------------------------------- */

#if defined(RP_VALGRIND) /* it would complain: what is looked at may not be written yet */
#define PREFETCH(l, s) ((void)(s))
#else
#define PREFETCH(l, s) \
    do { /* a macro: gcc removes a function that does nothing but prefetch */ \
        uint32_t slot_ = rp__slot_of((s)->to); \
        if (slot_ < (l)->actors->count) \
            __builtin_prefetch(rp__actor_at((l)->actors, slot_)); \
    } while (0)
#endif

RP__NOIPA static void dispatch_due(struct rp_loop *l, rp_self *me)
{
    l->source = l->index;
    for (struct rp__delayed *d; rp__stint_goes_on(&l->stint) && (d = rp__timer_due(l));) {
        rp_msg *m = rp__timer_take(l, d);
        l->stint.left--;
        if (m)
            deliver(l, me, &m->slot, OWNED);
    }
}

/* What there was no memory to keep; once each. A handler that waits leaves the rest to another round. */
RP__NOIPA static void dispatch_held(struct rp_loop *l, rp_self *me)
{
    struct rp__slot held[RP__SURE_SLOTS], *s = held;
    __asm__("" : "+r"(s)); /* gcc does not see that none is longer, and warns */
    l->source = l->index;
    for (uint32_t n = l->actors->nheld; n > 0 && rp__stint_goes_on(&l->stint) && rp__held_take(l, s); n--) {
        l->stint.left--;
        if (rp__route_of(l, s->to) == l->index)
            deliver(l, me, s, RING);
        else
            rp__post_sure(l, s); /* it has moved on */
    }
}

/* What handlers have sent to other loops does not wait for the round's end: who has nothing else to do there waits for
 * it, and what it answers is waited for here. */
static inline void release(struct rp_loop *l, int32_t quantum)
{
    if (__builtin_expect(l->dirty != 0, 0) && quantum % RP__RELEASE_AFTER == 0)
        rp__release_rings(l);
}

RP__NOIPA static void dispatch_events(struct rp_loop *l, rp_self *me)
{
    struct rp__events *e = &l->events;
    bool many = l->actors->count > MANY;
    l->source = l->index;
    for (struct rp__slot *s; l->quantum > 1 && rp__stint_goes_on(&l->stint) && (s = rp__events_peek(e));) {
        l->quantum--;
        release(l, l->quantum);
        if (many && s + AHEAD < e->head_end)
            PREFETCH(l, s + AHEAD);
        l->stint.left--;
        unsigned n = rp__slots(s->type);
        rp__events_pop(e, n);
        deliver(l, me, s, LOCAL);
        if (e->head == s + n) /* else others have popped since: its chunk may be in use again */
            rp__events_done(s, n);
    }
}

/* No slot is looked at before its turn, nor prefetched: the core does that by itself, and further ahead it would take
 * from the producer the lines that are being written. */
RP__NOIPA static void dispatch_ring(struct rp_loop *l, rp_self *me, struct rp__ring *r, int quantum)
{
    uint32_t ready = rp__ring_ready(r);
    l->source = r->src->index;
    while (ready > 0 && quantum > 0 && rp__stint_goes_on(&l->stint)) {
        struct rp__slot *s = rp__ring_at(r);
        if (s->type == RP__PAD) {
            ready -= (uint32_t)s->to;
            rp__ring_done(r, (unsigned)s->to);
            continue;
        }
        unsigned n = rp__slots(s->type);
        ready -= n;
        quantum--;
        release(l, quantum);
        l->stint.left--;
        /* the head moves on before the handler runs: on its return this stack may not be the scheduler's.
         * The slot is not handed back before the next message is taken, so it may still be read. */
        r->chead += n;
        deliver(l, me, s, RING);
        rp__ring_done(r, 0);
    }
}

/* ---- for a mover ---------------------------------------------------------------------------------- */

/* A ring with something in it; NULL: none. They take turns. */
static struct rp__ring *some_ring(struct rp_loop *l, uint64_t turn)
{
    unsigned n = l->sys->nloops;
    for (unsigned i = 0; i < n; i++) {
        struct rp__ring *r = atomic_load_explicit(&l->in[(turn + i) % n], memory_order_acquire);
        if (r && rp__ring_ready(r) > 0 && rp__ring_at(r)->type != RP__PAD)
            return r;
    }
    return 0;
}

enum { LEAST = 100 }; /* ns: simulated time stands still while handlers run */

static void note_time(struct rp_loop *l, struct rp__talk *t, uint64_t who, rp_time from, uint64_t weight)
{
    rp_time took = l->world->now(l) - from;
    if (l->actors->talk == t)
        rp__talk_time(t, who, (uint64_t)(took > LEAST ? took : LEAST) * weight);
}

/* All that is due. Where a handler waits, this does not go on, and nor do the two below: the rest is another round's. */
RP__NOIPA static void due_heard(struct rp_loop *l, rp_self *me, struct rp__talk *t)
{
    l->source = l->index;
    for (struct rp__delayed *d; rp__stint_goes_on(&l->stint) && (d = rp__timer_due(l));) {
        rp_msg *m = rp__timer_take(l, d);
        rp_time from = l->world->now(l);
        uint64_t who = m ? m->slot.to : 0;
        l->stint.left--;
        if (!m)
            continue;
        deliver(l, me, &m->slot, OWNED);
        note_time(l, t, who, from, 1);
    }
}

/* So many of the loop's own queue, or of a ring. */
static void dispatch_few(struct rp_loop *l, rp_self *me, struct rp__ring *r, int32_t n)
{
    l->quantum = n + 1;
    if (r)
        dispatch_ring(l, me, r, n);
    else
        dispatch_events(l, me);
}

/* One message of the round is timed, each as likely as the others: where a few go round and round, the first one of
 * each round is always the same. */
RP__NOIPA static void dispatch_heard(struct rp_loop *l, rp_self *me)
{
    rp_time from = l->world->now(l);
    struct rp__talk *t = l->actors->talk;
    if (from > t->until) {
        rp__talk_close(l);
        return;
    }
    due_heard(l, me, t);
    struct rp__ring *r = some_ring(l, t->rounds);
    r = t->rounds++ % 2 || l->events.count == 0 ? r : 0;
    uint64_t n = r ? rp__ring_ready(r) : l->events.count;
    int32_t quantum = l->quantum, weight = n < RP__QUANTUM ? (int32_t)n : RP__QUANTUM;
    int32_t before = weight > 0 ? (int32_t)(rp__random_of(l) % (uint64_t)weight) : 0;
    if (weight == 0 || before + 2 >= quantum)
        return;
    dispatch_few(l, me, r, before);
    l->quantum = quantum -= before;
    struct rp__slot *s = !r ? rp__events_peek(&l->events) : rp__ring_ready(r) > 0 ? rp__ring_at(r) : 0;
    if (!s || s->type == RP__PAD || l->actors->talk != t || !rp__stint_goes_on(&l->stint))
        return;
    from = l->world->now(l);
    uint64_t who = s->type & RP__FLAG(RP__F_SYSTEM) ? 0 : s->to;
    if (who && r && s->from && !(s->type & RP__FLAG(RP__F_NODE)))
        rp__talk_pair(t, s->from, who, (uint64_t)weight);
    dispatch_few(l, me, r, 1);
    l->quantum = quantum - 1;
    if (who)
        note_time(l, t, who, from, (uint64_t)weight);
}

/* Where messages come from. A turn that ends in the middle of one of these is followed by a turn that begins with the
 * next, or those behind one that always has some would never have their turn. */
enum { TIMERS, HERE, RINGS };

static inline void dispatch_from(struct rp_loop *l, rp_self *me, unsigned source)
{
    if (source == TIMERS) {
        dispatch_due(l, me);
    } else if (source == HERE) {
        dispatch_events(l, me);
    } else {
        struct rp__ring *r = atomic_load_explicit(&l->in[source - RINGS], memory_order_acquire);
        if (r)
            dispatch_ring(l, me, r, RP__QUANTUM);
    }
}

void rp__dispatch(struct rp_loop *l)
{
    rp_self *me = l->sched;
    if (!rp__reserve_ready(l))
        return; /* memory is out: nothing more is begun until some comes back */
    if (__builtin_expect(l->actors->talk != 0, 0))
        dispatch_heard(l, me);
    if (__builtin_expect(l->actors->nheld != 0, 0))
        dispatch_held(l, me);
    unsigned n = RINGS + l->sys->nloops, source = l->actors->first;
    bool goes_on = true;
    for (unsigned i = 0; i < n && goes_on; i++) {
        dispatch_from(l, me, source);
        source = source + 1 < n ? source + 1 : 0;
        goes_on = rp__stint_goes_on(&l->stint);
    }
    l->actors->first = goes_on ? 0 : source;
}
