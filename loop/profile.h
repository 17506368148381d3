/* SPDX-License-Identifier: MIT
 *
 * profile.h - who has a loop's processor, by sample, and only while somebody asks.
 *
 *   armed     the kernel counts the CPU time of the loop's thread, and sends that a signal for each ms of it
 *   signal    on that thread: the ms was of whoever runs (floor->ran), or the loop's own
 *   over      the first signal after `until` stops the timer. Armed again it goes on
 *   left      the thread does not run the loop any more: the timer is deleted
 *
 * A loop does nothing for it, armed or not: the handler reads who runs, and keeps the time. A thread that sleeps has no
 * CPU time, and gets no signal. The kernel looks at its clock's tick only (each 4 ms at 250 Hz), and says how
 * many ms a signal stands for. So a thread's time is right within a tick; whose it was is right to one in sqrt(n) after n
 * ticks, unless somebody works in step with that clock. Exact times would be two readings of a clock for each message.
 *
 * The handler stays when all is over: where a thread has blocked the signal one may still be on its way, and would end
 * a process that has none.
 *
 * In a host its thread is sampled too: what it does beside is the loop's own. It has to be the same thread all the while.
 */
#ifndef RP__PROFILE_H
#define RP__PROFILE_H

#include "reparto/loop.h"

#include <stdatomic.h>
#include <time.h>

struct rp_loop;

struct rp__profile { /* a loop's */
    struct rp__profile *next; /* another one of this thread: a host may have several systems */
    timer_t timer;
    bool armed;
    /* Between the loop's thread and the handler, which comes between any two instructions of the same thread: relaxed
     * all. The sums only grow. */
    _Atomic bool ticks;
    _Atomic rp_time until, all, own;
};

/* On the loop's own thread: from now on, until then; if it is armed, for longer and never for less. 0; -ENOTSUP:
 * simulated; -EBUSY: somebody else has a handler for the signal; -ENOMEM; -EPERM: a host runs it on another thread now. */
int  rp__profile_arm(struct rp_loop *l, rp_time until);
void rp__profile_leave(struct rp_loop *l); /* on its thread, which is about to leave it; armed or not */

/* Somebody has asked, now or before. Any thread. */
bool rp__profiled(const struct rp_loop *l);

/* By the handler and by who brings some from elsewhere; on its thread. */
static inline void rp__cpu_add(_Atomic rp_time *to, rp_time ns)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + ns, memory_order_relaxed);
}

#endif
