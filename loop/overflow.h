/* SPDX-License-Identifier: MIT
 *
 * overflow.h - a coroutine that runs into its stack's guard is named before the process dies.
 *
 * The one piece of global state: signal handlers belong to the process. The first system installs a
 * SIGSEGV and SIGBUS handler, the last removes it; faults that are not a guard's go to whatever
 * handler stood there before. Each loop's thread gets an alternate signal stack, since the one that
 * faulted is full.
 */
#ifndef RP__OVERFLOW_H
#define RP__OVERFLOW_H

#include "loop/loop.h"

int  rp__overflow_watch(rp_system *sys);
void rp__overflow_unwatch(rp_system *sys);

/* The calling thread runs `l` from now on; NULL: it has ceased to. 0 or -ENOMEM. */
int rp__overflow_thread(struct rp_loop *l);

#endif
