/* SPDX-License-Identifier: MIT
 *
 * host.h - a system whose loop 0 has no thread of its own: it runs in a main loop of somebody else's.
 *
 * Ends, once a loop has `stopping`:
 *
 *   loop 0 takes no more in --> the other loops' threads end, the last one raises loop 0's flag -->
 *   loop 0 joins them and closes its handles --> the last has closed: `over`, or rp__host_tick says -ESHUTDOWN
 */
#ifndef RP__HOST_H
#define RP__HOST_H

#include "loop/system.h"

#include <pthread.h>

struct uv_loop_s;

extern const struct rp__world rp__world_uv;

struct rp__host { /* the world_ud of a system that is embedded, in rp__world_uv */
    struct uv_loop_s *uv;             /* the host's libuv loop; NULL: it is ticked */
    void (*over)(struct rp__host *h); /* attached: all has ended. On the host's thread; may free the system */
    pthread_t thread;                 /* that ticks it, */
    bool ticked;                      /* once it has */
    bool ticking;                     /* it does so just now */
    /* Threads of the system that run. One less, released, is the last that a thread does but for raising loop
     * 0's flag; loop 0 acquires it, and then joins them. */
    _Atomic unsigned others;
};

int  rp__host_start(rp_system *sys);                /* 0; or an error, and nothing has begun */
int  rp__host_tick(rp_system *sys, rp_time budget); /* 1: there is more to do; 0; -ESHUTDOWN; -EPERM; -EDEADLK */
bool rp__host_ticks(const rp_system *sys); /* it has a host, which ticks it; else runs it in its libuv loop */
int  rp__host_fd(const rp_system *sys);
int  rp__host_ms(const rp_system *sys);
int  rp__host_may(rp_system *sys);  /* 0, or why not: -EPERM, -EDEADLK: from within */
int  rp__host_wait(rp_system *sys); /* ticks it until it is over; -EPERM, -EDEADLK */
void rp__host_hold(rp_system *sys, bool hold);

#endif
