/* SPDX-License-Identifier: MIT
 *
 * scheduler.c - who runs next.
 *
 * The scheduler is a coroutine like any other: it runs rounds, and where a round meets a coroutine
 * that is ready it switches to it. A coroutine that parks switches straight to the next ready one, or
 * back to the scheduler when there is none or the turn is over.
 *
 * Handlers run on the scheduler's stack as plain calls. When one parks, `me` is the scheduler's own
 * self: a fresh stack becomes the scheduler and this one stays with the handler. When that handler
 * returns at last, it finds that it is not the scheduler any more and retires its stack.
 */
#include "loop/fork.h"
#include "loop/held.h"
#include "loop/here.h"
#include "loop/rest.h"
#include "loop/scope.h"
#include "loop/system.h"

#include <assert.h>
#include <errno.h>

RP__NOIPA RP__UNNOTED static void switch_for_good(struct rp_loop *l, rp_self *from, rp_self *to)
{
    l->running = to;
    rp__fiber_leave(&from->fiber, &to->fiber, true);
    rp__cx_switch(&from->cx, &to->cx);
}

/* Its stack goes back, and the next one runs. */
RP__UNNOTED static void gone(rp_self *me)
{
    struct rp_loop *l = me->loop;
    rp__abandon_held(me); /* what a fini has taken on this stack */
    struct rp__own left;
    if (rp__has_own(&l->usual))
        rp__own_take(&l->usual, &left); /* nobody's any more */
    rp_self *next = rp__next(l);
    rp__stack_put(l, me);
    next->state = RP__RUNNING;
    next->sent_mark = rp__sent(l);
    switch_for_good(l, me, next);
}

RP__UNNOTED static void co_main(void *arg)
{
    rp_self *me = arg;
    rp__fiber_arrive(&me->fiber);
    me->sent_mark = rp__sent(me->loop);
    if (RP__FIBER_BEGINS(&me->fiber))
        me->main(me);
    gone(me);
}

void rp__retire(rp_self *me)
{
    RP__FIBER_IS_OVER(&me->fiber);
    gone(me);
    __builtin_unreachable();
}

rp_self *rp__co_new(struct rp_loop *l, unsigned class, void (*main)(rp_self *))
{
    rp_self *self = rp__stack_get(l, class);
    if (!self)
        return 0;
    self->main = main;
    self->tasks_class = (uint8_t)class;
    self->state = RP__PARKED;
    rp__cx_make(&self->cx, self, co_main, self);
    return self;
}

RP__NOIPA void rp__switch_with_own(struct rp_loop *l, rp_self *from, rp_self *to)
{
    struct rp__own own;
    rp__own_take(&l->usual, &own);
    rp__switch(l, from, to);
    rp__own_give(&l->usual, &own);
}

void rp__ready(rp_self *self)
{
    assert(self->state == RP__PARKED);
    self->state = RP__READY;
    rp__list_push(&self->loop->ready, &self->ready);
}

void rp__wake(rp_self *self, int rc)
{
    assert(self->state == RP__PARKED);
    self->rc = rc;
    rp__timer_stop(&self->loop->wheel, &self->timer);
    rp__ready(self);
}

/* The next to run: the first that is ready while the turn lasts, else the scheduler. */
rp_self *rp__next(struct rp_loop *l)
{
    if (rp__forked(l))
        rp__fork_strayed();
    if (!rp__stint_goes_on(&l->stint))
        return l->sched;
    struct rp__hook *first = rp__list_pop(&l->ready);
    if (!first)
        return l->sched;
    l->stint.left--;
    return RP__OF(rp_self, ready, first);
}

/* ---- the scheduler itself ------------------------------------------------------------------------ */

RP__NOIPA static void run_ready(struct rp_loop *l, rp_self *me)
{
    struct rp__hook batch; /* those that become ready meanwhile belong to the next round */
    rp__list_init(&batch);
    rp__list_splice(&batch, &l->ready);
    for (struct rp__hook *at; rp__stint_goes_on(&l->stint) && (at = rp__list_pop(&batch));) {
        rp_self *next = RP__OF(rp_self, ready, at);
        l->stint.left--;
        me->actor = next->actor; /* whose code runs until this one does */
        rp__switch(l, me, next);
    }
    rp__list_splice(&l->ready, &l->yielded);
    if (rp__list_empty(&batch))
        return;
    rp__list_splice(&batch, &l->ready); /* the rest is first in the next turn */
    rp__list_splice(&l->ready, &batch);
}

/* Where those that are ready have used up the turn, messages have a share all the same, or they would starve: a slice of
 * their own, since the pace of those says nothing of theirs. */
static inline void dispatch(struct rp_loop *l)
{
    bool spent = !rp__stint_turns_to(&l->stint);
    if (spent)
        rp__stint_share(&l->stint, l->sys->chaos ? 1 : RP__STINT_MOST);
    l->sys->floor->dispatch(l);
    if (spent)
        rp__stint_end(&l->stint);
}

/* For every two bursts that were dispatched one may send another: a crowd does not add to what waits, however many
 * it is and however long the messages take, and where messages go round and round it has its share and no more than
 * that. What falls short of the line's begin is theirs at once. */
RP__NOIPA static void serve_line(struct rp_loop *l, uint32_t dispatched)
{
    enum { TWO = 2 * RP__BURST };
    uint32_t room = l->events.count < RP__CROWDED ? RP__CROWDED - (uint32_t)l->events.count + RP__BURST : 0;
    l->in_line_credit += dispatched;
    for (rp_self *next; l->in_line_credit >= TWO || room >= RP__BURST;) {
        if (!(next = rp__waitlist_pop(&l->in_line, l->now)))
            break;
        l->in_line_credit -= l->in_line_credit < TWO ? l->in_line_credit : TWO;
        room -= room < RP__BURST ? room : RP__BURST;
        rp__wake(next, 0);
    }
    if (rp__waitlist_empty(&l->in_line))
        l->in_line_credit = 0;
}

bool rp__work_left(struct rp_loop *l)
{
    return !rp__list_empty(&l->ready) || !rp__list_empty(&l->due) || l->events.count > 0 || rp__anything_inbound(l) ||
           rp__wheel_behind(&l->wheel, l->now);
}

static void begin_turn(struct rp_loop *l)
{
    l->now = l->world->now(l);
    atomic_store_explicit(&l->thread, rp__thread(), memory_order_relaxed);
    rp__stint_turn(&l->stint, l->sys->chaos ? (int32_t)(1 + rp__random_of(l) % 64) : RP__TURN_BUDGET);
    rp__load_note(&l->load, l->now, true);
    if (l->now >= l->sampler.look_at)
        rp__sampler_look(l, l->now);
}

/* Where there is a budget it looks at the clock in any case: who has run last may have gone beyond it. */
static inline bool another_round(struct rp_loop *l)
{
    if (!l->more && l->stint.budget == RP_FOREVER)
        return false;
    return rp__stint_next(&l->stint) && l->more;
}

static void sched_main(rp_self *me);

/* A handler needs a larger stack than this one: the scheduler goes on on another. Without memory it stays, and the handler
 * waits for some. */
__attribute__((cold, noinline)) static void enlarge(struct rp_loop *l, rp_self *me)
{
    rp_self *larger = rp__co_new(l, l->sched_class, sched_main);
    if (!larger)
        return;
    l->sched = larger;
    rp__retire(me);
}

RP__NOIPA static void sched_main(rp_self *me)
{
    struct rp_loop *l = me->loop;
    for (;;) { /* unbounded: until the loop is closed */
        do {
            if (__builtin_expect(me->class < l->sched_class, 0))
                enlarge(l, me);
            if (l->quantum <= 0) {
                me->actor = 0; /* whom it called last has returned: posts and timers are nobody's code */
                rp__inbox_drain(l);
                if (l->stint.budget != RP_FOREVER)
                    l->now = l->world->now(l); /* or the time of those would be the next one's */
                rp__wheel_advance(&l->wheel, l->now, RP__QUANTUM);
                run_ready(l, me);
                l->quantum = RP__QUANTUM;
            } /* else a handler has just taken the stack that was here: on with its round */
            dispatch(l);
            if (rp__forked(l))
                rp__fork_strayed();
            if (!rp__waitlist_empty(&l->in_line))
                serve_line(l, (uint32_t)(RP__QUANTUM - l->quantum));
            if (!rp__waitlist_empty(&l->window.waiters))
                rp__window_serve(&l->window, l->now);
            l->quantum = 0;
            rp__publish(l);
            l->more = rp__work_left(l);
        } while (another_round(l));
        rp__switch(l, me, &l->home);
    }
}

int rp__sched_open(struct rp_loop *l)
{
    l->sched_class = RP__STACK_USUAL;
    l->sched = rp__co_new(l, l->sched_class, sched_main);
    return l->sched ? 0 : -ENOMEM;
}

static _Thread_local struct rp_loop *turning; /* whose turn this thread is in */

RP__NOIPA bool rp__turn(struct rp_loop *l)
{
    struct rp_loop *outer = turning; /* an actor of another system ticks this one */
    rp__count(&l->turns, 1);
    begin_turn(l);
    struct rp__own outside;
    rp__state_begin(&l->usual, &outside);
    turning = l;
    rp__switch(l, &l->home, l->sched);
    turning = outer;
    rp__own_give(&l->usual, &outside);
    return l->more;
}

bool rp__within(const char *call)
{
    struct rp_loop *l = turning;
    if (!l || l->sys->forked)
        return false;
    const char *name = l->running->actor ? l->sys->floor->name(l->running) : 0;
    rp_report about = {.kind = RP_REPORT_MISUSE, .err = -EDEADLK, .name = name};
    rp__report(l->sys, &about,
               "%s was called by code of %s: loop %u would stand still until it returns; "
               "call it in a thread of its own, or by rp_offload", call, name ? name : "a loop", l->index);
    return true;
}

/* ---- waiting ------------------------------------------------------------------------------------- */

void rp__strayed(const rp_self *me)
{
    rp__misuse(me, "has its `me` used on another thread: an rp_self is for its loop's thread alone. From others use rp_post, rp_queue_try_put or rp_quit");
}

int rp__may_wait(const rp_self *me)
{
    rp__must_be_here(me);
    if (rp__forked(me->loop))
        return -EPERM;
    if (me->nowait)
        return -EAGAIN;
    return rp__cancelled(me) ? -ECANCELED : 0;
}

bool rp__interrupt(rp_self *self, int rc)
{
    if (self->state != RP__PARKED || !self->cancel)
        return false;
    self->rc = rc;
    if (!self->cancel(self))
        return false;
    rp__wake(self, rc);
    return true;
}

int rp__keep_stack(rp_self *me)
{
    struct rp_loop *l = me->loop;
    if (me != l->sched)
        return 0;
    rp_self *fresh = rp__co_new(l, l->sched_class, sched_main);
    if (!fresh)
        return -ENOMEM;
    l->sched = fresh;
    l->sys->floor->suspended(me);
    return 0;
}

int rp__may_park(rp_self *me, rp_time deadline)
{
    int rc = rp__may_wait(me);
    if (rc == 0 && deadline != RP_FOREVER && deadline <= me->loop->world->now(me->loop))
        rc = -ETIMEDOUT;
    return rc == 0 ? rp__keep_stack(me) : rp__rested(me, rc);
}

RP__NOIPA int rp__park(rp_self *me, const char *what, const void *on, bool (*cancel)(rp_self *), rp_time deadline)
{
    struct rp_loop *l = me->loop;
    rp__must_be_here(me); /* first: on a foreign stack every scope looks left */
    rp__scope_sound(me, __builtin_frame_address(0));
    int rc = cancel ? rp__may_wait(me) : 0;
    if (rc == 0 && cancel && deadline <= l->now && deadline <= l->world->now(l))
        rc = -ETIMEDOUT;
    if (rc == 0)
        rc = rp__keep_stack(me);
    me->rc = rc;
    if (rc != 0 && (!cancel || cancel(me))) {
        me->overdue = 0;
        return rp__rested(me, rc);
    }
    bool bounded = cancel && rc == 0; /* else its end is on the way, or nothing may end it early */
    me->overdue = rc == 0 ? me->overdue : 0;
    return rp__park_now(l, me, what, on, cancel, bounded ? deadline : RP_FOREVER);
}

int rp_yield(rp_self *me)
{
    int rc = rp__may_wait(me);
    if (rc == 0)
        rc = rp__keep_stack(me);
    if (rc != 0)
        return rp__rested(me, rc);
    uint64_t sent = rp__sent(me->loop) - me->sent_mark;
    rp__yield_sure(me);
    if (me->loop->events.count >= RP__BACKLOG)
        me->sent_mark -= sent; /* its burst goes on: or many who yield in the middle of one would pile up messages */
    return 0;
}

RP__NOIPA void rp__yield_sure(rp_self *me)
{
    struct rp_loop *l = me->loop;
    me->cancel = 0;
    me->state = RP__READY;
    rp__list_push(l->quantum > 0 ? &l->ready : &l->yielded, &me->ready);
    rp__switch_away(l, me, l->sched); /* not to the next one: messages and posts have their turn too */
}

static void arrived(struct rp__post *p, struct rp_loop *l)
{
    (void)l;
    rp_self *self = RP__OF(rp_self, remote, p);
    rp__wake(self, self->remote_rc);
}

void rp__wake_from_afar(rp_self *self, int rc)
{
    self->remote_rc = rc;
    self->remote.fn = arrived;
    rp__inbox_push(self->loop, &self->remote); /* a loop with a parked coroutine has not ended */
}

void rp__wake_from_outside(rp_self *self, int rc)
{
    struct rp_loop *l = self->loop;
    atomic_fetch_add_explicit(&l->visitors, 1, memory_order_relaxed);
    rp__wake_from_afar(self, rc);
    atomic_fetch_sub_explicit(&l->visitors, 1, memory_order_release);
}
