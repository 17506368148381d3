/* SPDX-License-Identifier: MIT
 *
 * park.h - the one way of waiting under every queue and lock: a fair line of coroutines of any loop.
 *
 *   line   first                         last        each waiter on its own coroutine's stack,
 *          +------+ <--> +------+ <--> +------+      all guarded by the object's latch
 *          |waiter|      |waiter|      |waiter|
 *          +--|---+      +------+      +------+
 *             self ---> a coroutine, parked
 *
 * The protocol (modelled in tests/model/park.pml):
 *
 *   waiter   W1  latch; what it wants is not there: into the line; unlatch
 *            W2  park
 *   waker    A1  latch; out of the line, *and the thing itself goes to it*: item, lock, tokens; unlatch
 *            A2  wake it, on its own loop or by a post to that: it has been served
 *   cancel   C1  (on the waiter's loop) latch; in line still: out of it, unlatch; it did not happen
 *            C2  not in line: unlatch; a wake-up is on its way, the wait goes on until that comes
 *
 * So a wait ends once, by whoever takes it out of the line, and nothing is ever handed to one who has
 * left. Nobody is woken to try again: no herd, no barging, no wake-up that a cancelled one must pass on.
 * After A1 the waiter's node is the waker's until A2, since its owner cannot go on before. All wakers
 * finish with the object before A2, so who is woken may free it.
 *
 * Everybody at once (an event, a barrier, a close) is one step too: the line's epoch goes up and the whole
 * chain is the waker's. A waiter of an earlier epoch is not in line, though its links still stand.
 */
#ifndef RP__PARK_H
#define RP__PARK_H

#include "loop/loop.h"
#include "loop/rest.h"
#include "loop/scope.h"
#include "loop/system.h"
#include "mailbox/sync/latch.h"

#include <errno.h>

struct rp__waiter {
    struct rp__waiter *next, *prev; /* in line; `next` alone in a chain that a waker has taken */
    rp_self *self;                  /* NULL: it never stood in line */
    struct rp__line *line;          /* NULL: taken out */
    struct rp__latch *latch;
    uint32_t epoch;                 /* of the line when it came */
    bool held;                      /* somebody holds what it waits for: the wait is looked into when it lasts */
    /* After it left line uncalled for: those behind it may be served now. May be NULL. No latch is held. */
    void (*left)(struct rp__line *line, struct rp_loop *here);
};

struct rp__line { /* all zero: nobody */
    struct rp__waiter *first, *last;
    uint32_t epoch, count;
};

static inline void rp__line_push(struct rp__line *n, struct rp__waiter *w)
{
    w->line = n;
    w->epoch = n->epoch;
    w->next = 0;
    w->prev = n->last;
    *(n->last ? &n->last->next : &n->first) = w;
    n->last = w;
    n->count++;
}

static inline void rp__line_remove(struct rp__line *n, struct rp__waiter *w)
{
    *(w->prev ? &w->prev->next : &n->first) = w->next;
    *(w->next ? &w->next->prev : &n->last) = w->prev;
    w->next = 0;
    w->line = 0;
    n->count--;
}

static inline bool rp__in_line(const struct rp__waiter *w) /* under the latch; else it has been served */
{
    return w->line && w->line->epoch == w->epoch;
}

static inline struct rp__waiter *rp__line_pop(struct rp__line *n) /* the first; NULL: nobody */
{
    struct rp__waiter *w = n->first;
    if (w)
        rp__line_remove(n, w);
    return w;
}

static inline struct rp__waiter *rp__line_take_all(struct rp__line *n) /* a chain by `next`; NULL: nobody */
{
    struct rp__waiter *all = n->first;
    *n = (struct rp__line){.epoch = n->epoch + 1};
    return all;
}

/* At the start of every call that may suspend, whether it will or not: has the caller been cancelled? */
static inline int rp__checkpoint(const rp_self *me)
{
    const struct rp__scope *s = me->scope;
    if (__builtin_expect(me->loop->slow & RP__SLOW_FORKED, 0))
        return -EPERM;
    return __builtin_expect(me->stopped || (s && s->cause != RP__NOT_CANCELLED), 0) ? -ECANCELED : 0;
}

/* Before a wait for what somebody holds: who holds it may wait for `me`. */
static inline void rp__suspect(rp_self *me)
{
    me->blame[0] = 0;
    me->overdue = me->loop->sys->floor->overdue;
}

/* W1 and W2: the latch is held, rp__may_park has said 0. Opens the latch, suspends; what rp__unpark said,
 * or -ETIMEDOUT, -ECANCELED. */
int rp__stand_in_line(rp_self *me, struct rp__latch *g, struct rp__line *n, struct rp__waiter *w, const char *what,
                      const void *on, rp_time deadline);

bool rp__leave_line(rp_self *me); /* C1, C2; me->got is the waiter */

/* The usual wait: asks `attempt` under the latch, and stands in line while that says -EAGAIN; rests if it did not
 * have to. `w` may be the first member of something that attempt and waker know more of. */
typedef int rp__attempt(void *object, struct rp__waiter *w);
int rp__wait_for(rp_self *me, struct rp__latch *g, struct rp__line *n, struct rp__waiter *w, rp__attempt *attempt,
                 void *object, const char *what, rp_time deadline);

/* The same for who has others to wake first: it rests after that, unless it has stood in line. */
int rp__wait_unrested(rp_self *me, struct rp__latch *g, struct rp__line *n, struct rp__waiter *w, rp__attempt *attempt,
                      void *object, const char *what, rp_time deadline);

/* A2. `here`: the loop that runs this; NULL: none, or not known. `w` may be gone when it returns. */
void rp__unpark(struct rp__waiter *w, int rc, struct rp_loop *here);
void rp__unpark_all(struct rp__waiter *chain, int rc, struct rp_loop *here);

#endif
