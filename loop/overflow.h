/* SPDX-License-Identifier: MIT
 *
 * overflow.h - a coroutine that runs into its stack's guard, or uses a NULL pointer, is named before the process dies.
 *
 * The one piece of global state: signal handlers belong to the process. The first system installs a
 * SIGSEGV and SIGBUS handler, the last removes it; faults that are not a guard's go to whatever
 * handler was there before; where there was none, and the address is NULL or little more, the actor is named first. A system in a host leaves the host's own handlers alone: there it installs ours only
 * where there is none. Each loop's thread gets an alternate signal stack (handler.h), since the one that
 * faulted is full.
 */
#ifndef RP__OVERFLOW_H
#define RP__OVERFLOW_H

#include "loop/loop.h"

void rp__overflow_watch(rp_system *sys, bool in_host); /* sets sys->watched: whether ours are there */
void rp__overflow_unwatch(rp_system *sys);

struct rp__running { /* a loop that a thread runs; in the frame that runs it */
    struct rp_loop *l;
    struct rp__running *outer; /* of the system that the thread was in the middle of; NULL: of none */
};

/* The calling thread runs `l`, until it leaves. */
void rp__overflow_enter(struct rp__running *r, struct rp_loop *l);
void rp__overflow_leave(const struct rp__running *r);

#endif
