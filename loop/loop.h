/* SPDX-License-Identifier: MIT
 *
 * loop.h - one thread's runtime: its coroutines, its rings, its timers.
 *
 * One turn of a loop, called by its world (world_uv.c: from a prepare handle inside plain uv_run):
 *
 *     round:  posts from other threads -> timers that are due -> coroutines that are ready
 *             -> messages (floor->dispatch) -> publish what was written to other loops
 *     rounds follow each other until nothing is left or the turn is over (stint.h), which may be in the
 *     middle of one; then the world polls I/O, and either comes back at once or blocks until a wake-up or
 *     the next timer.
 *
 * Everything here belongs to the loop's own thread, but for the inbox, `sleeping` and the rings.
 */
#ifndef RP__LOOP_H
#define RP__LOOP_H

#include "loop/base/load.h"
#include "loop/base/times.h"
#include "loop/base/wheel.h"
#include "loop/inbox.h"
#include "loop/overdue.h"
#include "loop/pool.h"
#include "loop/profile.h"
#include "loop/ring.h"
#include "loop/self.h"
#include "loop/stack.h"
#include "loop/stint.h"
#include "loop/switch/state.h"
#include "loop/world.h"

enum {
    RP__QUANTUM = 256,         /* messages in a round, from the loop's own queue; and from each ring */
    RP__BACKLOG = 256,         /* undispatched messages on a sender's own loop, */
    RP__BURST = 64,            /* and so many of its own since it was resumed: then it steps aside; */
    RP__CROWDED = 1024,        /* with so many, it waits in line */
    RP__RELEASE_AFTER = 8,     /* messages, between two plain publications of all rings; a power of two */
    RP__OVERDUE = 50000000,    /* ns after which a wait looks whether it can end at all, */
    RP__LOOKS = 8,             /* and again at twice the time, four times it, ...: 6.4 s at last */
    RP__TALLIES = 22,
    RP__SENT = 0               /* the tally of messages sent: what bounds a burst */
};

enum { RP__G_STACKS, RP__G_STACK_BYTES, RP__G_POOL_BLOCKS, RP__G_POOL_BYTES, RP__GAUGES };

/* Something to be done once at the end of the present round: see rp__at_round_end. */
struct rp__round_end {
    struct rp__round_end *next;
    void (*fn)(struct rp__round_end *e, struct rp_loop *l);
    bool queued;
};

/* Why the fast path of a send may not be taken: bits of rp_loop.slow. */
enum {
    RP__SLOW_FORKED = 1, /* this is a forked child: every call is -EPERM */
    RP__SLOW_FULL = 2,   /* some mailbox told this loop that it is full */
    RP__SLOW_MOVED = 4,  /* some actor does not live where its address says */
    RP__SLOW_TRACE = 8,  /* what is sent is traced (trace.h) */
    RP__SLOW_SPILT = 16  /* something for this loop itself waits for memory, and goes before what is sent now */
};

struct rp_loop {
    /* what every message touches */
    struct rp__events events;
    rp_self *sched;            /* the scheduler's stack at present */
    rp_self *running;          /* whoever runs now */
    struct rp__actors *actors; /* the floor above's tables */
    struct rp__types *types;   /* and its types */
    struct rp__ring **out;     /* to loop i; NULL: never sent to */
    uint64_t node;
    uint32_t slow;
    uint32_t trace;            /* categories that are traced: what the environment asked for, and the tracer */
    uint32_t index;
    uint32_t sched_class;      /* of the stack that the scheduler, and so every handler, is to run on; it may have a smaller one yet */
    struct rp__stint stint;    /* what may be done before the clock is looked at, and of the turn */
    struct rp__usual usual;    /* the thread's state that everybody finds (state.h) */
    uint32_t source;           /* the loop that the messages now dispatched came from */
    int32_t quantum;           /* what is left of the round's messages; 0: it has not come to them yet */
    bool more;                 /* the turn ended with work left */
    bool stopping, stopped;
    /* That runs it now, or did last (here.h). Written by it, compared by any that may have strayed: relaxed, it orders
     * nothing. 0: none has. */
    _Atomic uintptr_t thread;
    struct rp__hook ready;     /* rp_self, by their `ready` link */
    struct rp__hook yielded;   /* the same: who has yielded before the round came to its messages, and waits for those */
    struct rp__hook due;       /* timers of the floor above that have fired: dispatch takes them */

    struct rp__pool pool;
    struct rp__ring *dirty;    /* rings written to in this round */
    struct rp__round_end *round_end;
    struct rp__ring *waiting;  /* rings that somebody waits to have room in */
    struct rp__waitlist in_line; /* who has sent its burst to this loop, its own; */
    struct rp__window window;  /* of what is heavy, to this loop from itself */
    uint32_t in_line_credit;   /* and how many have been dispatched that nobody of them was woken for */
    struct rp__hook spills;    /* struct rp__spill, for this loop itself: memory was out */
    rp_time now;               /* when it last looked: at least once in a round */
    struct rp__tracer *tracer; /* who reads along (trace.h); NULL: nobody */
    rp_time trim_at;           /* when stacks that are free by then give their pages back; RP_FOREVER: none are */
    rp_time idle_gap;          /* running mean of the time without work, for spinning */
    rp_system *sys;
    const struct rp__world *world;
    void *world_ud;
    uint64_t rng[2];
    /* Counters: `tally` is the floors' above, `gauge` what was so at the end of the last turn but one, or
     * lately. Written by this loop only, read by any: relaxed both, they order nothing. */
    _Atomic uint64_t turns, wakeups;
    _Atomic uint64_t tally[RP__TALLIES];
    _Atomic uint64_t gauge[RP__GAUGES];
    struct rp__sampler sampler;
    struct rp__stacks stacks;
    struct rp__wheel wheel;
    struct rp__young young;
    rp_self home;              /* the thread's own stack */
    struct rp__post stop_post;

    struct rp__inbox inbox;
    /* Threads of no loop of ours that are about to wake somebody here: after its post the coroutine may
     * run, and the system end, before they have done with `sleeping` and the world. Whoever frees the loop
     * waits for 0. (Who comes with nothing but the system in hand is counted by visit.h.) Released by the visitor, acquired by the freer; going up needs no order of its own: the
     * post that follows carries it to whoever runs because of it. */
    _Atomic uint32_t visitors;
    /* Rings toward this loop, by source; set once by the source. seq_cst there (P0 of ring.h) and where the consumer is
     * about to block (C2); elsewhere acquire, so that it sees an initialised ring. */
    _Atomic(struct rp__ring *) *in;
    struct rp__load load;
    struct rp__profile profile;
    /* 1: about to block, or blocking (C1 of ring.h's protocol). All accesses but the loop's own reset
     * are seq_cst; see there. */
    _Alignas(128) _Atomic uint32_t sleeping;
    /* Its present or next sleep ends only if somebody else wakes it (stuck.h). Stored before `sleeping`, read after it by a
     * loop that has stored both of its own: seq_cst, so that of two that go to sleep the later sees the other's. */
    _Atomic bool for_ever;
};

int  rp__loop_open(struct rp_loop *l, rp_system *sys, unsigned index);
void rp__loop_close(struct rp_loop *l); /* half-open ones too */

/* Whose code its thread is at; NULL: nobody's, it is between two turns. From a signal handler too. */
static inline const rp_self *rp__at_turn(const struct rp_loop *l)
{
    const rp_self *self = l->running;
    return self != &l->home ? self : 0;
}

static inline uint64_t rp__sent(struct rp_loop *l)
{
    return atomic_load_explicit(&l->tally[RP__SENT], memory_order_relaxed);
}

static inline void rp__count(_Atomic uint64_t *of, uint64_t n) /* by its only writer */
{
    uint64_t old = atomic_load_explicit(of, memory_order_relaxed);
    atomic_store_explicit(of, old + n, memory_order_relaxed);
}

#ifdef RP_NO_LEDGER /* to see what it costs, and for nothing else: bench/ledger */
enum { RP__COUNTS = 0 };
#else
enum { RP__COUNTS = 1 };
#endif

static inline void rp__tally(struct rp_loop *l, unsigned what, uint64_t n)
{
    if (!RP__COUNTS && what != RP__SENT)
        return;
    rp__count(&l->tally[what], n);
}

void rp__publish_gauges(struct rp_loop *l);

/* ---- for worlds ---------------------------------------------------------------------------------- */

bool rp__turn(struct rp_loop *l);          /* true: work is left */
bool rp__sleep_begin(struct rp_loop *l);   /* false: something came in, take a turn instead */
void rp__sleep_end(struct rp_loop *l);
bool rp__within(const char *call); /* this thread is in the middle of a turn, where `call` is a mistake: that is reported */
int  rp__sched_open(struct rp_loop *l);
void rp__release_rings(struct rp_loop *l); /* what is written so far may be read; wakes nobody: the round's end does */
void rp__publish(struct rp_loop *l);      /* rings, freed blocks; at the end of a round */
bool rp__anything_inbound(struct rp_loop *l);
bool rp__anything_new(struct rp_loop *l);     /* that, or room on the way to another loop that was waited for */
bool rp__work_left(struct rp_loop *l);    /* between two turns: may the next not wait? */
rp_time rp__next_deadline(struct rp_loop *l); /* when to take a turn without being woken */

/* ---- coroutines (scheduler.c) -------------------------------------------------------------------- */

/* A coroutine that will run main(self) when it is first made ready. NULL: no memory. */
rp_self *rp__co_new(struct rp_loop *l, unsigned class, void (*main)(rp_self *));
void rp__ready(rp_self *self);   /* new or parked: it runs in the next round */

/* Suspends `me` until somebody calls rp__wake(me, rc), and returns that rc; or -ETIMEDOUT after
 * `deadline`; or -ECANCELED, -EAGAIN, -ENOMEM, -EPERM at once or later: then `cancel(me)` has been
 * called (it takes `me` out of the lists it stands in) and nothing has happened. `cancel` returns
 * false when the end is already on its way from another thread; the wait then goes on.
 * cancel NULL: waits through cancellation and deadline alike, and cannot fail but with -ENOMEM. */
int  rp__park(rp_self *me, const char *what, const void *on, bool (*cancel)(rp_self *), rp_time deadline);
rp_self *rp__next(struct rp_loop *l); /* who runs when the one that runs now parks */
void rp__wake(rp_self *self, int rc);
void rp__wake_from_afar(rp_self *self, int rc);  /* any thread of its system; once per wait */
void rp__wake_from_outside(rp_self *self, int rc); /* any thread; once per wait */
void rp__yield_sure(rp_self *me);                /* one pass, cancelled or not; it has its own stack already */
bool rp__interrupt(rp_self *self, int rc);       /* ends its wait, if it can be; true: done */
void rp__retire(rp_self *me) __attribute__((noreturn)); /* its stack goes back to the pool */
int  rp__may_wait(const rp_self *me);            /* 0, or why a wait would fail at once */

/* A handler that runs on the scheduler's stack keeps that stack from here on, and the loop goes on
 * with a fresh scheduler. Anybody else: nothing. 0 or -ENOMEM. */
int  rp__keep_stack(rp_self *me);

/* Both, and the deadline: for who gives something away before it parks. 0, and then parking cannot fail; or why not. */
int  rp__may_park(rp_self *me, rp_time deadline);

/* `from` has parked itself, or is the scheduler; back when it runs again. Inlined, because every call
 * that is entered on one stack and left on another is a return that the processor cannot predict
 * (6 ns each): whoever is hot calls this from as few frames as it can, and is RP__NOIPA (switch.h). */
__attribute__((always_inline)) static inline void rp__switch(struct rp_loop *l, rp_self *from, rp_self *to)
{
    to->state = RP__RUNNING;
    to->sent_mark = rp__sent(l);
    l->running = to;
    rp__fiber_leave(&from->fiber, &to->fiber, false);
    rp__cx_switch(&from->cx, &to->cx);
    rp__fiber_arrive(&from->fiber);
}

void rp__switch_with_own(struct rp_loop *l, rp_self *from, rp_self *to);

/* The same by an actor's code, which takes along what of the thread's state is its own. */
__attribute__((always_inline)) static inline void rp__switch_away(struct rp_loop *l, rp_self *from, rp_self *to)
{
    if (rp__has_own(&l->usual))
        rp__switch_with_own(l, from, to);
    else
        rp__switch(l, from, to);
}

/* From the scheduler to one that is parked, past the ready list. */
__attribute__((always_inline)) static inline void rp__resume(rp_self *from, rp_self *to)
{
    if (rp__timer_armed(&to->timer))
        rp__timer_stop(&to->loop->wheel, &to->timer);
    rp__switch(from->loop, from, to);
}

/* The wait of rp__park itself, inlined for the same reason: by who has found that it may wait, has its own stack, and
 * has let nobody run since. */
__attribute__((always_inline)) static inline int rp__park_now(struct rp_loop *l, rp_self *me, const char *what, const void *on,
                                                              bool (*cancel)(rp_self *), rp_time deadline)
{
    me->waits = what;
    me->waits_on = on;
    me->cancel = cancel;
    me->since = l->now;
    me->state = RP__PARKED;
    me->wait++;
    rp__wait_until(l, me, deadline);
    rp__switch_away(l, me, rp__next(l));
    rp__unlink(&me->young);
    me->waits = 0;
    me->overdue = 0;
    return me->rc;
}

static inline bool rp__unqueue(rp_self *self)    /* the usual `cancel` */
{
    rp__unlink(&self->queue);
    return true;
}

/* ---- rings (loop.c) ------------------------------------------------------------------------------ */

struct rp__ring *rp__ring_open(struct rp_loop *l, unsigned dst); /* made on first use; NULL: no memory */

static inline struct rp__ring *rp__ring_to(struct rp_loop *l, unsigned dst)
{
    struct rp__ring *r = l->out[dst];
    return __builtin_expect(r != 0, 1) ? r : rp__ring_open(l, dst);
}

/* The ring has been written to: it is published at the end of the round. */
static inline void rp__ring_touch(struct rp_loop *l, struct rp__ring *r)
{
    if (r->dirty)
        return;
    r->dirty = true;
    r->dirty_next = l->dirty;
    l->dirty = r;
}

static inline void rp__at_round_end(struct rp_loop *l, struct rp__round_end *e)
{
    if (e->queued)
        return;
    e->queued = true;
    e->next = l->round_end;
    l->round_end = e;
}

/* What it belongs to is about to go. */
static inline void rp__round_end_forget(struct rp_loop *l, struct rp__round_end *e)
{
    struct rp__round_end **at = &l->round_end;
    while (e->queued && *at != e)
        at = &(*at)->next;
    if (e->queued)
        *at = e->next;
    e->queued = false;
}

void rp__ring_wait(struct rp_loop *l, struct rp__ring *r); /* somebody now waits for room in it */

/* Sends what may not wait and may not be lost (a reply, a system message) to a loop: into its ring,
 * or behind it when it is full. 0 or -ENOMEM. */
int rp__post_slots(struct rp_loop *l, unsigned dst, const struct rp__slot *s, unsigned n);

/* The same with a record made before, which the loop takes over: it never fails. */
void rp__post_spill(struct rp_loop *l, unsigned dst, struct rp__spill *s);

/* What waits for memory goes to the loop's own queue. False: it still waits. */
bool rp__serve_own(struct rp_loop *l);

/* Any that has not gone out, for who clears up when the loops have stopped. NULL: none. */
struct rp__spill *rp__spill_take(struct rp_loop *l);
struct rp__spill *rp__spill_of(struct rp_loop *l, unsigned n); /* of n slots, for later; NULL: no memory */
void rp__spill_free(struct rp_loop *l, struct rp__spill *s);

void rp__wake_loop(struct rp_loop *l); /* P2 to P4 */
uint64_t rp__random_of(struct rp_loop *l);

static inline bool rp__is_overdue(const rp_self *co) /* its wait has been looked into: overdue.h */
{
    return co->state == RP__PARKED && co->overdue && co->loop->now - co->since >= RP__OVERDUE;
}

#endif
