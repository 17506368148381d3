/* SPDX-License-Identifier: MIT
 *
 * uv.h - a loop upon libuv: what world_uv.c and host.c share.
 *
 *   who runs it               loop 0                               the others
 *   rp_run                    its own uv_loop_t, caller's thread   own, a thread each
 *   attached to a host        the host's uv_loop_t                 the same
 *   ticked by a host          its own, run for a moment            the same
 */
#ifndef RP__UV_H
#define RP__UV_H

#include "loop/loop.h"
#include "loop/world/host.h"

#include <pthread.h>
#include <uv.h>

struct rp__uv {
    struct rp_loop *l;
    struct rp__host *host; /* of a loop 0 that is embedded */
    uv_loop_t *loop;       /* &own, or the host's */
    uv_loop_t own;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_poll_t woken;    /* on `flag`: uv_async_t would wait for its sender's last instructions, and that may be
                           off its core just then */
    int flag;           /* an eventfd; < 0: none */
    bool edge;          /* each raise is told once, so that it need not be lowered */
    uv_timer_t timer;
    unsigned handles;   /* initialised and not yet closed; the floors above count theirs too, and requests */
    bool opened, asleep;
    bool signal_stack;  /* the host's thread has got one */
    rp_time armed;      /* what the uv timer is set for; RP_FOREVER: it is stopped */
    rp_time idle_since; /* 0: there was work, */
    rp_time alone_since; /* and from others: not only timers */
    pthread_t thread;
    int rc;
};

static inline struct rp__uv *rp__uv_of(const struct rp_loop *l)
{
    return l->world_ud;
}

int  rp__uv_handles(struct rp__uv *w); /* 0; or an error, and there are none */
void rp__uv_closed(struct rp__uv *w);  /* one of `handles` less: perhaps the last. The system may be gone when it returns */

/* Threads for all loops but the first: 0; or an error, and there are none. */
int  rp__uv_threads(rp_system *sys);
void rp__uv_join(rp_system *sys);      /* waits for their ends */

/* uv_wait.c: struct rp__world's */
int  rp__uv_offload(rp_self *me, int (*fn)(void *), void *arg, rp_time deadline);
int  rp__uv_wait_fd(rp_self *me, int fd, bool write, rp_time deadline);

/* In a forked child that ends by exit(): makes libuv's destructor end. */
void rp__uv_end_child(void);

#endif
