/* SPDX-License-Identifier: MIT
 *
 * stall.h - the watchdog: one thread for a system, which looks at its loops.
 *
 *   watchdog                                    loop's thread
 *   a turn has lasted too long: ASKED, signal -->
 *                                    <--------  handler: FROZEN; waits
 *   reads what runs, COPIED; walks the stack
 *   RELEASED                         --------->  IDLE, and on
 *
 * All reading is done by the watchdog, of a thread that stands still: in the handler nothing happens that may
 * not happen there, and a stack that makes no sense is read within its bounds only. Why a thread and not a
 * timer for each loop's thread: one that runs by the processor's time does not see a loop that blocks, and one
 * that runs by the clock costs two system calls each time a loop sleeps. The watchdog costs a turn nothing.
 *
 * It sleeps while all loops sleep: before it does, it stores `asleep`, then looks at each loop's `sleeping`; a
 * loop that wakes stores its `sleeping`, then looks at `asleep`. All four seq_cst: one of the two sees the other.
 */
#ifndef RP__STALL_H
#define RP__STALL_H

#include "loop/loop.h"
#include "reparto/stall.h"

#include <pthread.h>

struct rp__stall_opts {
    rp_time after;  /* 0: nothing is watched */
    int signo;      /* 0: the usual one */
    void (*tell)(const rp_stall *s, void *ud); /* NULL: a line on standard error */
    void *ud;
};

enum rp__stall_state { RP__STALL_IDLE, RP__STALL_ASKED, RP__STALL_FROZEN, RP__STALL_COPIED, RP__STALL_RELEASED };

struct rp__stall_seat { /* a loop's */
    /* Between the watchdog and the loop's signal handler, as in the picture; acquire and release, so that what one
     * has written before it the other sees. */
    _Atomic uint32_t state;
    _Atomic uint64_t stalls; /* written by the watchdog; relaxed, a figure */
    pthread_t thread;        /* under the lock, */
    bool there;              /* while this */
    struct rp_loop *l;
    char *low, *high;        /* of the thread's own stack */
    struct rp__cx cx;        /* where it stands, while it is frozen */
    /* the watchdog's */
    uint64_t turns;
    rp_time since, report_at;
    unsigned times;
};

struct rp__stall {
    rp_system *sys;
    struct rp__stall_opts o;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    _Atomic uint32_t asleep; /* see above */
    struct rp__stall_seat seat[];
};

int  rp__stall_start(rp_system *sys, const struct rp__stall_opts *o); /* 0, -ENOMEM, -EINVAL, -EAGAIN */
void rp__stall_stop(rp_system *sys); /* no loop runs; NULL too */
void rp__stall_sit(struct rp_loop *l, bool there); /* on its thread, before it runs and after */
void rp__stall_woken(struct rp_loop *l);
uint64_t rp__stalls_of(const struct rp_loop *l);

#endif
