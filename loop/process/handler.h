/* SPDX-License-Identifier: MIT
 *
 * handler.h - signal handlers of ours, and the stack that they run on.
 *
 * A handler belongs to the process: the first who needs it puts it in place, the last takes it out. One of somebody
 * else's is never replaced. None of ours interrupts another: each is to see what its thread was at. (overflow.c is apart:
 * it passes on what is not meant for it.)
 *
 * The stack belongs to a thread: a coroutine's may be too small for what the kernel puts there. A thread that has one
 * of its own keeps that.
 */
#ifndef RP__HANDLER_H
#define RP__HANDLER_H

#include <signal.h>

typedef void rp__handler(int signo, siginfo_t *info, void *context);

int  rp__handler_in(int signo, rp__handler *fn);  /* 0; -EBUSY: it is somebody else's; -EINVAL: there is no such signal */
void rp__handler_out(int signo, rp__handler *fn); /* as often as it was put in */

/* Of the calling thread; out as often as in. 0, -ENOMEM. */
int  rp__handler_stack_in(void);
void rp__handler_stack_out(void);

#endif
