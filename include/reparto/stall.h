/* SPDX-License-Identifier: MIT
 *
 * stall.h - a loop that is held for too long, told while it is.
 *
 * With rp_system_opts.stall_ms a thread of its own looks at the loops a few times in that span; while all of them
 * sleep, so does it. A loop that has not come to the end of a turn for longer is reported, with what holds it, and
 * again when it has lasted twice, four times, ... as long. To see where it stands, its thread is stopped for some
 * microseconds by a signal: a real-time one, SIGRTMAX - 3 or rp_system_opts.stall_signal, whose handler is put in place
 * by the first system of a process that needs it and taken back by the last; where there is one that is not ours there
 * is no system, but -EBUSY. A blocking call that holds the loop may so return EINTR. A system with a socket
 * (rp_system_opts.inspect) does the same to see what holds a loop that does not answer it. Of a loop that is a host's
 * own (embed.h) what is watched is the time in which its host runs it. In simulations nothing is.
 */
#ifndef REPARTO_STALL_H
#define REPARTO_STALL_H

#include "reparto/mailbox.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rp_stall {
    unsigned loop;
    rp_time held;       /* at least */
    unsigned times;     /* 1: the first report of this stall */
    rp_ref actor;       /* whose code runs; none: not known, the thread did not answer */
    char name[32];      /* of its kind, cut off; "" */
    char type[64];      /* of the message that a handler works on; "": a coroutine, a task, or not known */
    const char *hook;   /* "init", "fini" or "info": it is in this of its kind's; else "" */
    void *const *stack; /* return addresses, the innermost first; valid during the call */
    unsigned depth;
} rp_stall;

#ifdef __cplusplus
}
#endif
#endif
