/* SPDX-License-Identifier: MIT
 *
 * rests.h - every function that suspends, as a call that need not wait, for rest_test.c.
 */
#ifndef RP_RESTS_H
#define RP_RESTS_H

#include "reparto/cluster.h"
#include "reparto/queue.h"
#include "reparto/sync.h"
#include "tests/support.h"

struct scene {
    const struct rest *rest;
    rp_ref caller, sink, group, supervisor;
    rp_node far;
    rp_queue *queue;
    rp_lock lock, held;
    rp_rwlock rwlock;
    rp_cond cond;
    rp_event event;
    rp_sem sem;
    rp_limiter limiter;
    rp_barrier barrier;
    rp_once once;
    rp_scope scope;
    rp_task *ended, *running;
    bool cancelled; /* its calls are made in a cancelled scope */
    bool over;      /* others have run beside it */
    unsigned ticks, calls, calls_in_tick;
};

struct rest {
    const char *name;
    int (*call)(rp_self *me, struct scene *s); /* what need not wait; its result */
};

extern const struct rest rests[]; /* ends with one without a name */

extern const rp_actor rest_sink; /* replies at once */
int rest_supervise(rp_self *me, rp_ref *ret);
int rest_nothing(rp_self *me, void *arg); /* a task */

#endif
