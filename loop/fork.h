/* SPDX-License-Identifier: MIT
 *
 * fork.h - a child of fork() has its parent's systems in its memory and none of their threads. Every call
 * into one of them is -EPERM there, but for those that only look. A system of its own it may have.
 *
 * The child is told by the C library, which is asked once and for the process: so there is a list of all
 * systems, and a lock about it.
 */
#ifndef RP__FORK_H
#define RP__FORK_H

#include "loop/system.h"

/* How often this process, or one it comes from, has been forked while it had a system. It changes in a child that has
 * one thread yet. What belongs to no system, and is used without saying who uses it, keeps the number that it was made under. */
extern unsigned rp__forks;

void rp__fork_watch(rp_system *sys);
void rp__fork_unwatch(rp_system *sys); /* one that is not watched too */

/* A child has returned out of the function it forked in, into the scheduler: it would run its parent's
 * actors a second time, and poll its parent's descriptors. Ends the child, and says why. */
void rp__fork_strayed(void) __attribute__((noreturn, cold));

static inline bool rp__forked(const struct rp_loop *l)
{
    return __builtin_expect(l->slow & RP__SLOW_FORKED, 0);
}

#endif
