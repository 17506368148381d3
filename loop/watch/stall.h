/* SPDX-License-Identifier: MIT
 *
 * stall.h - the watchdog: one thread for a system, which looks at its loops: has a turn lasted too long? What
 * holds the loop then it sees by freezing it (freeze.h). Why a thread and not a timer for each loop's thread: one
 * that runs by the processor's time does not see a loop that blocks, and one that runs by the clock costs two
 * system calls each time a loop sleeps. The watchdog costs a turn nothing.
 *
 * It sleeps while all loops sleep: before it does, it stores `asleep`, then looks at each loop's `sleeping`; a
 * loop that wakes stores its `sleeping`, then looks at `asleep`. All four seq_cst: one of the two sees the other.
 */
#ifndef RP__STALL_H
#define RP__STALL_H

#include "loop/system.h"
#include "loop/watch/freeze.h"

struct rp__watched { /* a loop: the watchdog's, but for `stalls` */
    struct rp_loop *l;
    uint64_t turns;
    rp_time since, report_at;
    unsigned times;
    _Atomic uint64_t stalls; /* written by the watchdog; relaxed, a figure */
};

struct rp__stall {
    rp_system *sys;
    struct rp__stall_opts o;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    _Atomic uint32_t asleep; /* see above */
    struct rp__watched loop[];
};

int  rp__stall_start(rp_system *sys, const struct rp__stall_opts *o); /* it has seats. 0, -ENOMEM, -EAGAIN */
void rp__stall_stop(rp_system *sys); /* no loop runs; NULL too */
extern const struct rp__lookout rp__lookout; /* the watchdog, and what freezes loops for it and for others */

void rp__stall_woken(struct rp_loop *l); /* there is a watchdog. On its thread, which has begun, or wakes */
uint64_t rp__stalls_of(const struct rp_loop *l);

#endif
