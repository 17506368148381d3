/* SPDX-License-Identifier: MIT
 *
 * freeze.h - a loop's thread is made to stand still, to see what runs on it.
 *
 *   who looks                                   loop's thread
 *   ASKED, signal ---------------------------->
 *                                    <--------  handler: FROZEN; waits
 *   reads what runs, COPIED; walks the stack
 *   RELEASED                         --------->  IDLE, and on
 *
 * All reading is done by who looks, of a thread that stands still: in the handler nothing happens that may not
 * happen there, and a stack that makes no sense is read within its bounds only. It costs a turn nothing.
 *
 * A thread that runs a loop takes its seat, before the first turn, and leaves it after the last. A host's thread sits
 * down each time its host runs the loop, and gets up again: what the host does itself is nobody's business.
 */
#ifndef RP__FREEZE_H
#define RP__FREEZE_H

#include "loop/loop.h"
#include "reparto/stall.h"

#include <pthread.h>

enum rp__seat_state { RP__SEAT_IDLE, RP__SEAT_ASKED, RP__SEAT_FROZEN, RP__SEAT_COPIED, RP__SEAT_RELEASED };

struct rp__seat { /* a loop's */
    /* Between who looks and the loop's signal handler, as in the picture; acquire and release, so that what one
     * has written before it the other sees. */
    _Atomic uint32_t state;
    pthread_t thread;    /* under the lock, */
    bool there;          /* while this */
    bool hosted;         /* under the lock: its thread, a host's, comes and goes; */
    rp_time left;        /* so, too: that it has gone last */
    struct rp__seat *outer; /* the thread's: where it sat before, in a system around this one */
    struct rp_loop *l;
    char *low, *high;    /* of the thread's own stack */
    struct rp__cx cx;    /* where it stands, while it is frozen */
};

struct rp__seats { /* a system's */
    int signo;
    pthread_mutex_t lock;
    pthread_mutex_t looking; /* one at a time */
    struct rp__seat seat[];
};

enum { RP__SEEN_DEPTH = 32, RP__SEEN_TEXT = 1000 };

struct rp__seen {
    rp_stall is;     /* but for `held` and `times`; `stack` points to `pc` */
    rp_time round;   /* on the loop's clock: when the round began in which it runs; AWAY: when it was left; 0: not known */
    void *pc[RP__SEEN_DEPTH];
};

enum rp__found {
    RP__FOUND_NOBODY,  /* no thread runs it now, or it has not yet come out of the last look: all is empty */
    RP__FOUND_AWAY,    /* its host does not run it now: empty, but for `round` */
    RP__FOUND_SILENT,  /* the thread does not answer: it blocks the signal, or gets no processor; empty, too */
    RP__FOUND_BETWEEN, /* it is between two turns: nobody holds it */
    RP__FOUND_RUNNING
};

/* Seats for a system's loops, and the handler of `signo` (0: the usual one), until they are closed. 0, -ENOMEM, -EINVAL,
 * -EBUSY: somebody else has a handler for it. */
int  rp__seats_open(rp_system *sys, int signo);
void rp__seats_close(rp_system *sys); /* no loop runs; none too */
void rp__seat_take(struct rp_loop *l, bool there); /* on its thread; a system without seats too */
void rp__seat_enter(struct rp_loop *l); /* on its host's thread, which begins to run it; without seats too; */
void rp__seat_exit(struct rp_loop *l);  /* and leaves off: for good, if it is stopped */
bool rp__seat_taken(const rp_system *sys, unsigned loop);

/* Any thread but those of loops: takes some microseconds, and a few tenths of a second where the thread does not answer. */
enum rp__found rp__freeze(rp_system *sys, unsigned loop, struct rp__seen *ret);

/* "loop 0 held for 31 ms by sleepy#0.0.1 clock_nanosleep+0x65 ...": how long it is. */
size_t rp__seen_text(char *to, size_t size, const rp_stall *r);

#endif
