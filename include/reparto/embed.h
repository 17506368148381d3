/* SPDX-License-Identifier: MIT
 *
 * embed.h - a system inside a program that has a main loop of its own.
 *
 *   rp_attach       the host runs libuv: its uv_loop_t carries the system's loop 0, the others have threads
 *   rp_system_open  the host runs anything else (poll, glib, a game): it calls rp_system_tick when rp_poll_fd is readable
 *               or rp_poll_ms have passed
 *
 * With one loop, the default here, all of it runs on the host's thread: no other is started, but for libuv's
 * pool when rp_offload is called, and nng's when a cluster is asked for. A process may have several systems, of
 * either kind and beside rp_run.
 *
 *   Signals     Where the host has no handler for SIGSEGV and SIGBUS, a system installs one until it has ended. It names
 *               the actor whose stack has overflowed, or that used a NULL pointer, and then lets the signal do what it
 *               did before. The host's thread gets a stack for signals, if it has none. A handler of the host's is never
 *               replaced, whether it was installed before the system or after it: then an overflow is a fault like any
 *               other. The only other handler is that of stall.h, where there is a watchdog or a socket.
 *   Threads     Loop 0 runs on one thread: the one that runs the host's uv_loop_t, or the first to call rp_system_tick.
 *   Latency     The host waits for a turn at most 100 us (or what rp_system_tick was given) and what the running
 *               handlers need to return or to wait.
 *   Talking     From the host's callbacks, and from any thread: rp_queue_try_put and rp_queue_try_get of a queue (queue.h), which
 *               is bounded and never waits; rp_post; rp_quit. docs/embedding.md shows how.
 */
#ifndef REPARTO_EMBED_H
#define REPARTO_EMBED_H

#include "reparto/actors.h"

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* libuv's uv_loop_t */

/* On the host's thread, from its loop: the system has ended and its memory is free. `result` is what rp_run would
 * have returned. It may attach another. */
typedef void rp_ended_fn(void *ud, int result);

/* Starts a system whose loop 0 is the host's; o->loops 0 is 1. `root` and `o` (may be NULL) are copied. It begins when the host's loop next runs, and keeps that alive (rp_hold_host) until
 * it has ended, which is told by `ended` (may be NULL); `*ret` is valid until then. On error nothing has begun
 * and `ended` is not called. The uv_loop_t is the host's, and may be closed after `ended`. -EINVAL: no actor,
 * or a simulation. -ENOMEM, ... */
RP_EXPORT RP_NODISCARD int rp_attach(struct uv_loop_s *uv, const rp_actor *root, void *arg, const rp_system_opts *o,
                                     rp_ended_fn *ended, void *ud, rp_system **ret);

/* Whether the host's uv_run goes on for the sake of an attached system (as uv_ref and uv_unref). Without, uv_run
 * may return while the system still lives: it is to be ended then, and the loop run again. On the host's thread. */
RP_EXPORT void rp_hold_host(rp_system *sys, bool hold);

/* Starts a system that runs when it is ticked. Otherwise as rp_attach. It is freed by rp_system_close. */
RP_EXPORT RP_NODISCARD int rp_system_open(const rp_actor *root, void *arg, const rp_system_opts *o, rp_system **ret);

/* Runs what there is to be done, for about `budget` ns at most; 0: one round. Does not block. 1: there is more to do.
 * 0: nothing before rp_poll_fd is readable or rp_poll_ms have passed. -ESHUTDOWN: it has ended, rp_system_close it.
 * -EPERM: another thread ticked it before, or this is a forked child. -EDEADLK: it is called from within the system. */
RP_EXPORT RP_NODISCARD int rp_system_tick(rp_system *sys, rp_time budget);

/* A descriptor that is readable when rp_system_tick has something to do. The system's; only to be polled. */
RP_EXPORT int rp_poll_fd(const rp_system *sys);

/* After rp_system_tick: how many ms from now it is to be called at the latest; -1: whenever the descriptor is readable. */
RP_EXPORT int rp_poll_ms(const rp_system *sys);

/* Frees a system of rp_system_open and returns its result. One that has not ended yet is told to (rp_quit), and runs here
 * until it has: who would bound that drains it before. -EPERM, -EDEADLK: as rp_system_tick, and then it
 * is neither told to end nor freed. */
RP_EXPORT int rp_system_close(rp_system *sys);

/* Stops the root, as rp_stop would: its waits fail and the result is -ECANCELED, or it gets RP_EXIT_NOTICE if it
 * traps and the result is its own; so the system ends. Also one that rp_run runs. From any thread and, outside
 * simulations, from a signal handler too. Of a system that has ended, or ends meanwhile, nothing: `sys` may be used
 * until rp_run has returned, `ended` has been called, or rp_system_close has returned, and is refused after that unless
 * another system has been made at its address. NULL too. `why` as for rp_stop; NULL: "told to quit". */
RP_EXPORT void rp_quit(rp_system *sys, const char *why);

#ifdef __cplusplus
}
#endif
#endif
